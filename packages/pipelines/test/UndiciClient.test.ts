import { NodeTransport } from "@effect-dspy/pipelines/node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream, Tracer } from "effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import { AsyncLocalStorage } from "node:async_hooks"
import * as Http from "node:http"
import * as Net from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

type Handle = (request: Http.IncomingMessage, response: Http.ServerResponse, body: string) => void

/** A server on loopback, and what was seen of its connections. */
const serve = (handle: Handle) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly http: Http.Server; url: string; readonly seen: { opened: number; closed: number } }>(
      (resume) => {
        const seen = { opened: 0, closed: 0 }
        const http = Http.createServer((request, response) => {
          const chunks: Array<Buffer> = []
          request.on("data", (chunk: Buffer) => chunks.push(chunk))
          request.on("end", () => handle(request, response, Buffer.concat(chunks).toString()))
        })
        http.on("connection", (socket) => {
          seen.opened++
          socket.on("close", () => seen.closed++).on("error", () => {})
        })
        http.listen(0, "127.0.0.1", () =>
          resume(Effect.succeed({ http, url: `http://127.0.0.1:${portOf(http)}/`, seen })))
      }
    ),
    ({ http }) =>
      Effect.callback<void>((resume) => {
        http.close(() =>
          resume(Effect.void)
        )
        http.closeAllConnections()
      })
  )

const portOf = (server: Net.Server): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

/** Waits until something is so, at most five seconds. */
const until = (condition: () => boolean, left = 500): Effect.Effect<void> =>
  Effect.suspend(() =>
    condition()
      ? Effect.void
      : left === 0
      ? Effect.die(new Error("it did not come to be"))
      : Effect.andThen(Effect.sleep("10 millis"), until(condition, left - 1))
  )

/** Without an HTTP span a request goes the short way, with one effect's. */
const ways = { "the short way": true, "effect's way": false }

const via = (short: boolean) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  self.pipe(Effect.provideService(HttpClient.TracerDisabledWhen, () => short), Effect.provide(NodeTransport.layer))

const megabyte = "0123456789abcdef".repeat(64 * 1024)

for (const [way, short] of Object.entries(ways)) {
  describe(`a request that goes ${way}`, () => {
    it.live("arrives as it was written, and so does its answer", () =>
      Effect.gen(function*() {
        const server = yield* serve((request, response, body) => {
          response.writeHead(201, { "X-One": "1", "set-cookie": ["a=1", "b=2; Path=/"] })
          response.end(JSON.stringify([request.method, request.url, request.headers["x-mine"], body]))
        })
        const request = HttpClientRequest.post(`${server.url}path?q=1#part`, {
          urlParams: { r: "ä b" },
          headers: { "X-Mine": "yes" },
          body: HttpBody.text("grün ✓", "text/plain")
        })
        const response = yield* HttpClient.execute(request)
        assert.strictEqual(response.status, 201)
        assert.strictEqual(response.headers["x-one"], "1")
        assert.deepStrictEqual(Object.keys(response.cookies.cookies), ["a", "b"])
        assert.strictEqual(response.url, `${server.url}path?q=1&r=%C3%A4+b`)
        assert.deepStrictEqual(yield* response.json, ["POST", "/path?q=1&r=%C3%A4+b", "yes", "grün ✓"])
        assert.include(yield* response.text, "grün ✓")
      }).pipe(via(short)))

    it.live("may have any body", () =>
      Effect.gen(function*() {
        const server = yield* serve((request, response, body) => {
          response.end(`${request.headers["content-type"]?.split(";")[0]} ${body}`)
        })
        const post = (body: HttpBody.HttpBody) =>
          Effect.flatMap(HttpClient.post(server.url, { body }), (response) => response.text)
        const form = new FormData()
        form.append("name", "value")
        assert.strictEqual(yield* post(HttpBody.empty), "undefined ")
        assert.strictEqual(yield* post(HttpBody.raw("raw", { contentType: "text/a" })), "text/a raw")
        assert.strictEqual(
          yield* post(HttpBody.uint8Array(new TextEncoder().encode("bytes"), "text/b")),
          "text/b bytes"
        )
        assert.strictEqual(
          yield* post(HttpBody.stream(Stream.make(new TextEncoder().encode("in pieces")), "text/c")),
          "text/c in pieces"
        )
        assert.match(yield* post(HttpBody.formData(form)), /^multipart\/form-data .*name="name"\r\n\r\nvalue/s)
      }).pipe(via(short)))

    it.live("is read as bytes, as a form, as pieces, and twice", () =>
      Effect.gen(function*() {
        const server = yield* serve((_, response) => {
          response.writeHead(200, { "content-type": "application/x-www-form-urlencoded" })
          response.write("a=1&")
          setTimeout(() => response.end("b=2"), 5)
        })
        const get = HttpClient.get(server.url)
        assert.strictEqual((yield* (yield* get).arrayBuffer).byteLength, 7)
        assert.deepStrictEqual([...yield* (yield* get).urlParamsBody], [["a", "1"], ["b", "2"]])
        assert.strictEqual((yield* (yield* get).formData).get("b"), "2")
        const pieces = yield* (yield* get).stream.pipe(Stream.decodeText(), Stream.runCollect)
        assert.strictEqual(pieces.join(""), "a=1&b=2")
        const response = yield* get
        const both = Effect.all([response.text, response.text], { concurrency: 2 })
        assert.deepStrictEqual(yield* both, ["a=1&b=2", "a=1&b=2"])
        assert.strictEqual(yield* response.text, "a=1&b=2")
      }).pipe(via(short)))

    it.live("that is no upgrade and no form says so, with its status", () =>
      Effect.gen(function*() {
        const server = yield* serve((request, response) => {
          response.writeHead(202)
          response.write("begun")
          if (request.url === "/form") response.end()
        })
        const status = (self: Effect.Effect<unknown, HttpClientError.HttpClientError>) =>
          Effect.map(Effect.flip(self), ({ reason, response }) => [reason._tag, response?.status])
        // It is known before the end of the answer, which does not come.
        const { upgrade } = yield* HttpClient.get(server.url)
        assert.deepStrictEqual(yield* Effect.timeout(status(upgrade), "5 seconds"), ["StatusCodeError", 202])
        const { formData } = yield* HttpClient.get(`${server.url}form`)
        assert.deepStrictEqual(yield* status(formData), ["DecodeError", 202])
      }).pipe(via(short)))

    it.live("loses nothing of a long answer", () =>
      Effect.gen(function*() {
        const server = yield* serve((_, response) => response.end(megabyte))
        assert.strictEqual(yield* (yield* HttpClient.get(server.url)).text, megabyte)
        const pieces = yield* (yield* HttpClient.get(server.url)).stream.pipe(
          Stream.tap(() => Effect.yieldNow),
          Stream.decodeText(),
          Stream.runCollect
        )
        assert.strictEqual(pieces.join(""), megabyte)
      }).pipe(via(short)))

    it.live("makes a slow reader's server wait", () =>
      Effect.gen(function*() {
        let sent = 0
        const server = yield* serve((_, response) => {
          const more = () => {
            while (sent < 64 && response.write(megabyte, () => sent++));
            if (sent < 64) response.once("drain", more)
            else response.end()
          }
          more()
        })
        const first = yield* (yield* HttpClient.get(server.url)).stream.pipe(
          Stream.tap(() => Effect.andThen(Effect.sleep("300 millis"), Effect.sync(() => assert.isBelow(sent, 32)))),
          Stream.take(1),
          Stream.runCollect
        )
        assert.isAbove(first.length, 0)
        // Who takes no more closes the socket.
        yield* until(() => server.seen.closed === 1)
      }).pipe(via(short)))

    it.live("that breaks off gives what came, and then fails", () =>
      Effect.gen(function*() {
        const server = yield* serve((_, response) => {
          response.writeHead(200, { "content-length": 100 })
          response.write("half")
          setTimeout(() => response.destroy(), 20)
        })
        const response = yield* HttpClient.get(server.url)
        const seen: Array<string> = []
        const failure = yield* response.stream.pipe(
          Stream.decodeText(),
          Stream.runForEach((piece) => Effect.sync(() => seen.push(piece))),
          Effect.flip
        )
        assert.deepStrictEqual([seen, failure.reason._tag], [["half"], "DecodeError"])
        const whole = yield* Effect.flip(Effect.flatMap(HttpClient.get(server.url), ({ text }) => text))
        assert.strictEqual(whole.reason._tag, "DecodeError")
      }).pipe(via(short)))

    it.live("that cannot be sent fails as a transport error", () =>
      Effect.gen(function*() {
        const server = yield* serve((_, response) => response.socket?.destroy())
        const failure = yield* Effect.flip(HttpClient.get(server.url))
        assert.strictEqual(failure.reason._tag, "TransportError")
        const invalid = HttpClient.get(server.url, { headers: { "x-bad": "line\nbreak" } })
        assert.strictEqual((yield* Effect.flip(invalid)).reason._tag, "TransportError")
        assert.strictEqual((yield* Effect.flip(HttpClient.get("no url"))).reason._tag, "InvalidUrlError")
      }).pipe(via(short)))

    it.live("closes its socket when it is interrupted: before its answer, and within", () =>
      Effect.gen(function*() {
        let asked = 0
        const server = yield* serve((request, response) => {
          asked++
          if (request.url !== "/silent") response.write("begun")
        })
        const silent = yield* Effect.forkChild(HttpClient.get(`${server.url}silent`))
        yield* until(() => asked === 1)
        yield* Fiber.interrupt(silent)
        yield* until(() => server.seen.closed === 1)
        const reading = yield* Effect.forkChild(Effect.flatMap(HttpClient.get(server.url), ({ text }) => text))
        yield* until(() => asked === 2)
        yield* Effect.sleep("20 millis")
        yield* Fiber.interrupt(reading)
        yield* until(() => server.seen.closed === 2)
      }).pipe(via(short)))

    it.live("is not sent when it is interrupted before there is a connection", () =>
      Effect.gen(function*() {
        let asked = 0
        const server = yield* serve((_, response) => {
          asked++
          response.end()
        })
        // Begun and interrupted in one turn: a connection takes longer.
        const early = yield* Effect.forkChild(HttpClient.get(server.url), { startImmediately: true })
        yield* Fiber.interrupt(early)
        yield* HttpClient.get(server.url)
        yield* Effect.sleep("50 millis")
        assert.strictEqual(asked, 1)
      }).pipe(via(short)))

    it.live("takes a connection that one before it had", () =>
      Effect.gen(function*() {
        const server = yield* serve((_, response) => response.end("yes"))
        const get = Effect.flatMap(HttpClient.get(server.url), ({ text }) => text)
        yield* Effect.forEach(Array.from({ length: 20 }), () => get, { concurrency: 1 })
        // undici lets a connection rest for a turn of the event loop.
        assert.isAtMost(server.seen.opened, 2)
      }).pipe(via(short)))

    it.live("waits for the answer behind what announces it", () =>
      Effect.gen(function*() {
        const server = yield* serve((_, response) => {
          response.writeEarlyHints({ link: "</style.css>; rel=preload" })
          response.writeProcessing()
          setTimeout(() => response.end("the answer"), 10)
        })
        const response = yield* HttpClient.get(server.url)
        assert.deepStrictEqual([response.status, yield* response.text], [200, "the answer"])
      }).pipe(via(short)))

    it.live("goes on in the async context of its caller", () =>
      Effect.gen(function*() {
        const server = yield* serve((_, response) => {
          response.write("in ")
          setTimeout(() => response.end("pieces"), 5)
        })
        const storage = new AsyncLocalStorage<string>()
        const client = yield* HttpClient.HttpClient
        const ask = (who: string) =>
          storage.run(who, () =>
            Effect.runPromise(
              Effect.gen(function*() {
                const response = yield* client.get(server.url)
                const head = storage.getStore()
                yield* response.text
                return [head, storage.getStore()]
              }).pipe(Effect.provideService(HttpClient.TracerDisabledWhen, () => short))
            ))
        // The connection was opened for the first, and is the second's now.
        assert.deepStrictEqual(yield* Effect.promise(() => ask("first")), ["first", "first"])
        yield* Effect.sleep("20 millis")
        assert.deepStrictEqual(yield* Effect.promise(() => ask("second")), ["second", "second"])
        assert.strictEqual(server.seen.opened, 1)
      }).pipe(via(short)))
  })
}

describe("UndiciClient", () => {
  it.live("gives a span to a request that wants one", () =>
    Effect.gen(function*() {
      const server = yield* serve((request, response) => response.end(request.headers.traceparent))
      const spans: Array<string> = []
      const tracer = Tracer.make({
        span: (options) => {
          spans.push(options.name)
          return new Tracer.NativeSpan(options)
        }
      })
      const get = Effect.flatMap(HttpClient.get(server.url), ({ text }) => text).pipe(
        Effect.provideService(Tracer.Tracer, tracer),
        Effect.provide(NodeTransport.layer)
      )
      assert.match(yield* get, /^00-/)
      assert.deepStrictEqual(spans, ["GET"])
    }))

  it.live("hands over the connection of an upgrade", () =>
    Effect.gen(function*() {
      const server = yield* serve((_, response) => response.end())
      server.http.on("upgrade", (_, socket) => {
        socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
        socket.end()
      })
      const request = HttpClientRequest.get(server.url).pipe(HttpClientRequest.upgrade("echo"))
      const response = yield* HttpClient.execute(request)
      assert.strictEqual(response.status, 101)
      yield* response.upgrade
    }).pipe(via(true)))

  it.live("refuses a second reader of an answer that is read in pieces", () =>
    Effect.gen(function*() {
      const server = yield* serve((_, response) => response.end("yes"))
      const response = yield* HttpClient.get(server.url)
      yield* Stream.runDrain(response.stream)
      assert.strictEqual((yield* Effect.flip(response.text)).reason._tag, "DecodeError")
    }).pipe(via(true)))

  it.live("closes the socket of a long answer that was dropped", () =>
    Effect.gen(function*() {
      setFlagsFromString("--expose-gc")
      const gc: () => void = runInNewContext("gc")
      const server = yield* serve((_, response) => response.end(megabyte.repeat(16)))
      yield* Effect.asVoid(HttpClient.get(server.url))
      yield* Effect.sleep("50 millis")
      assert.strictEqual(server.seen.closed, 0)
      yield* until(() => {
        gc()
        return server.seen.closed === 1
      })
    }).pipe(via(true)))
})
