/** Answers as servers should and should not give them: `NodeTransport` sees them as effect's client for undici does. */
import { NodeTransport } from "@effect-dspy/pipelines/node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Net from "node:net"

const head = (...lines: ReadonlyArray<string>): string => ["HTTP/1.1 200 OK", ...lines, "", ""].join("\r\n")
const yes = `${head("content-length: 3")}yes`
const chunked = (body: string): string => `${head("transfer-encoding: chunked")}${body}`
const long = "x".repeat(2 ** 22)

/** What a server writes; `|` stands for a moment, and what ends in `end` or `reset` does that to its connection. */
const answers: { readonly [name: string]: string } = {
  "a plain one": yes,
  "one that ends with its connection": `${head()}until |end`,
  "one that ends with its connection, which it said to keep": `${head("connection: keep-alive")}until |end`,
  "one that is reset, with no length": `${head()}until |reset`,
  "one of HTTP/1.0": "HTTP/1.0 200 OK\r\n\r\nold|end",
  "one shorter than it says": `${head("content-length: 10")}short|end`,
  "one shorter than it says, at once": `${head("content-length: 10")}shortend`,
  "one shorter than it says, reset": `${head("content-length: 10")}short|reset`,
  "one longer than it says": `${head("content-length: 3")}yes, and more`,
  "two at once": `${yes}${yes}`,
  "none": "end",
  "half a head": "HTTP/1.1 200 OK\r\ncontent-leend",
  "a reset": "reset",
  "what is not HTTP": "SSH-2.0-OpenSSH_9.6\r\n",
  "a failure that breaks off": "HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: 50\r\n\r\n{\"error\"end",
  "chunks": chunked("3\r\nyes\r\n|2\r\n, \r\n|3\r\nand\r\n0\r\n\r\n"),
  "chunks and trailers": chunked("3;a=b\r\nyes\r\n0\r\nx-sum: 1\r\nx-sum: 2\r\n\r\n"),
  "chunks without an end": chunked("3\r\nyes\r\n|end"),
  "chunks that are none": chunked("3\r\nyes\r\nnope\r\n"),
  "no content": "HTTP/1.1 204 No Content\r\n\r\n",
  "no content, and some": "HTTP/1.1 204 No Content\r\ncontent-length: 3\r\n\r\nyes",
  "nothing new": "HTTP/1.1 304 Not Modified\r\ncontent-length: 30\r\n\r\n",
  "an empty one": head("content-length: 0"),
  "a status of its own": "HTTP/1.1 999 Odd\r\ncontent-length: 3\r\n\r\nodd",
  "many announcements": `${"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(500)}${yes}`,
  "an announcement and no answer": "HTTP/1.1 102 Processing\r\n\r\n|end",
  "an unasked upgrade": "HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
  "a head too large": `${head(`x-large: ${"x".repeat(20_000)}`, "content-length: 3")}yes`,
  "a header that is none": `${head("bad header: x", "content-length: 3")}yes`,
  "repeated headers": `${
    head("X-R: 1", "x-r: 2", "set-cookie: a=1", "Set-Cookie: b=2; Path=/", "content-length: 3")
  }yes`,
  "two lengths": `${head("content-length: 3", "content-length: 4")}yes!`,
  "a length and chunks": `${head("content-length: 3", "transfer-encoding: chunked")}3\r\nyes\r\n0\r\n\r\n`,
  "a long one": `${head(`content-length: ${long.length}`)}${long}`,
  "a long one that ends with its connection": `${head()}${long}end`,
  "a long one that breaks off": `${head(`content-length: ${long.length + 1}`)}${long}end`,
  "one closed behind its end": `${yes}|end`,
  "one reset behind its end": `${yes}|reset`
}

/** A server that gives each connection's requests one answer, whatever they ask. */
const serve = (answer: () => string) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly sockets: Set<Net.Socket>; readonly server: Net.Server }>(
      (resume) => {
        const sockets = new Set<Net.Socket>()
        const server = Net.createServer({ noDelay: true }, (socket) => {
          sockets.add(socket)
          socket.on("close", () => sockets.delete(socket)).on("error", () => {})
          socket.on("data", () => write(socket, answer().split("|")))
        })
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          const port = typeof address === "object" && address !== null ? address.port : 0
          resume(Effect.succeed({ url: `http://127.0.0.1:${port}/`, sockets, server }))
        })
      }
    ),
    ({ server, sockets }) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
  )

const write = (socket: Net.Socket, [part = "", ...others]: ReadonlyArray<string>): void => {
  if (part.endsWith("end")) socket.end(part.slice(0, -"end".length))
  else if (part.endsWith("reset")) socket.resetAndDestroy()
  else socket.write(part)
  if (others.length > 0) setTimeout(() => write(socket, others), 5)
}

type Read = (response: HttpClientResponse.HttpClientResponse) => Effect.Effect<string, HttpClientError.HttpClientError>

const inPieces: Read = (response) => Stream.mkString(Stream.decodeText(response.stream))

const readers: { readonly [name: string]: Read } = {
  "read at once": (response) => response.text,
  "read in pieces": inPieces,
  "read late, in pieces": (response) => Effect.andThen(Effect.sleep("20 millis"), inPieces(response))
}

/** All that there is to see of a call, or of its failure. */
const seen = (url: string, read: Read) =>
  Effect.gen(function*() {
    const response = yield* HttpClient.post(url, { body: HttpBody.text("{}", "application/json") })
    const { cookies, headers, status } = response
    const body = yield* Effect.result(read(response))
    return { status, headers: { ...headers }, cookies: Object.keys(cookies.cookies), body }
  }).pipe(Effect.timeout("5 seconds"), Effect.exit, Effect.map(shown))

const shown = (exit: Exit.Exit<object, unknown>): unknown =>
  JSON.parse(
    JSON.stringify(Exit.isSuccess(exit) ? exit.value : Cause.squash(exit.cause), (_, value) =>
      HttpClientError.isHttpClientError(value)
        ? [value.reason._tag, value.response?.status, codeOf(value.cause)]
        : typeof value === "string" && value.length > 1000
        ? value.length
        : value)
  )

const codeOf = (cause: unknown): unknown =>
  typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined

/** Without an HTTP span a request goes the short way, with one effect's. */
const via = (short: boolean) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  self.pipe(Effect.provideService(HttpClient.TracerDisabledWhen, () => short), Effect.provide(NodeTransport.layer))

describe("NodeTransport sees as effect's client does", () => {
  for (const [name, answer] of Object.entries(answers)) {
    it.live(name, () =>
      Effect.gen(function*() {
        let now = answer
        const server = yield* serve(() => now)
        for (const [how, read] of Object.entries(readers)) {
          now = answer
          const expected = yield* via(false)(seen(server.url, read))
          const call = Effect.gen(function*() {
            now = answer
            const found = yield* seen(server.url, read)
            if (answer.includes("|")) yield* Effect.sleep("30 millis")
            // Whatever it was, the next call is answered.
            now = yes
            const next = yield* Effect.flatMap(HttpClient.get(server.url), ({ text }) => text)
            return [found, next]
          })
          assert.deepStrictEqual(yield* via(true)(call), [expected, "yes"], how)
          assert.notInclude(JSON.stringify(expected), "TimeoutError", how)
        }
        // The pool ended with its layer, and so did its connections.
        yield* Effect.sleep("20 millis")
        assert.strictEqual(server.sockets.size, 0)
      }))
  }

  for (const short of [true, false]) {
    it.live(`the end of the layer, ${short ? "the short way" : "effect's way"}`, () =>
      Effect.gen(function*() {
        const server = yield* serve(() => `${head("content-length: 1000")}begun`)
        const scope = yield* Scope.make()
        const client = Context.get(yield* Layer.buildWithScope(NodeTransport.layer, scope), HttpClient.HttpClient)
        const reason = (self: Effect.Effect<unknown, HttpClientError.HttpClientError>) =>
          Effect.map(Effect.flip(self), ({ reason }) => reason._tag).pipe(
            Effect.provideService(HttpClient.TracerDisabledWhen, () => short)
          )
        const fails = (read: Read) =>
          Effect.forkChild(reason(Effect.flatMap(client.get(server.url), read)), { startImmediately: true })
        const reading = yield* Effect.forEach(Object.values(readers), fails, { concurrency: 1 })
        yield* Effect.sleep("100 millis")
        yield* Scope.close(scope, Exit.void)
        for (const fiber of reading) {
          assert.strictEqual(yield* Effect.timeout(Fiber.join(fiber), "5 seconds"), "DecodeError")
        }
        assert.strictEqual(yield* reason(client.get(server.url)), "TransportError")
        assert.strictEqual(server.sockets.size, 0)
      }))
  }
})
