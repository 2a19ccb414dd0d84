/**
 * A loopback HTTP server for tests: it answers what it is told, breaks off when it is told, and counts
 * what became of its answers.
 */
import { LM, Predict, Signature } from "@effect-dspy/core"
import { Effect, Redacted, Schema, type Scope } from "effect"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { Readable } from "node:stream"
import type { OpenAiCompatible } from "../src/index.ts"

/**
 * - `body`: text or bytes as they are, anything else as JSON
 * - `delay`: milliseconds before the status line; `Infinity` for never
 * - `pause`: milliseconds in the middle of the body
 * - `cut`: destroys the socket instead of answering, or in the middle of the body
 * - `chunked`: without content-length
 * - `cutAt`: writes the body in two pieces, cut at this byte
 */
export interface Answer {
  readonly status?: number
  readonly headers?: { readonly [name: string]: string }
  readonly body?: string | Uint8Array | object
  readonly delay?: number
  readonly pause?: number
  readonly cut?: "before" | "inside"
  readonly chunked?: boolean
  readonly cutAt?: number
}

export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: Http.IncomingHttpHeaders
  readonly text: string
  readonly json: { readonly [key: string]: unknown }
}

/**
 * - `finished`: answers sent to their last byte; `closed`: connections the client closed before that
 * - `connections`: open ones; `bytes`: of bodies handed to sockets
 */
export interface Server {
  readonly url: string
  readonly requests: Array<Seen>
  started: number
  finished: number
  closed: number
  inFlight: number
  maxInFlight: number
  connections: number
  bytes: number
}

type Script = ReadonlyArray<Answer> | ((request: Seen, index: number) => Answer)

/** Serves until the scope ends. A list is answered in order. */
export const serve = (script: Script): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{ readonly http: Http.Server; readonly server: Server }>((resume) => {
        const counts = { started: 0, finished: 0, closed: 0, inFlight: 0, maxInFlight: 0, connections: 0, bytes: 0 }
        const http = Http.createServer()
        http.listen(0, "127.0.0.1", () => {
          const { port } = http.address() as AddressInfo
          const server: Server = { url: `http://127.0.0.1:${port}/v1`, requests: [], ...counts }
          http.on("connection", (socket) => {
            server.connections++
            socket.on("close", () => server.connections--)
          })
          http.on("request", (request, response) => handle(server, script, request, response))
          resume(Effect.succeed({ http, server }))
        })
      }),
      ({ http }) =>
        Effect.callback<void>((resume) => {
          http.close(() => resume(Effect.void))
          http.closeAllConnections()
        })
    ),
    ({ server }) => server
  )

const handle = (server: Server, script: Script, request: Http.IncomingMessage, response: Http.ServerResponse) => {
  const index = server.started++
  server.maxInFlight = Math.max(server.maxInFlight, ++server.inFlight)
  let text = ""
  let answer: Answer = {}
  response.on("close", () => {
    server.inFlight--
    if (response.writableFinished) server.finished++
    else if (answer.cut === undefined) server.closed++
  })
  request.setEncoding("utf8")
  request.on("data", (chunk: string) => {
    text += chunk
  })
  request.on("end", () => {
    const seen: Seen = {
      method: request.method ?? "",
      path: request.url ?? "",
      headers: request.headers,
      text,
      json: JSON.parse(text) as Seen["json"]
    }
    server.requests.push(seen)
    answer = (typeof script === "function" ? script(seen, index) : script[index])
      ?? { status: 501, body: "the script has no more answers" }
    after(response, answer.delay ?? 0, () => send(server, response, answer))
  })
}

const send = (server: Server, response: Http.ServerResponse, answer: Answer): void => {
  if (answer.cut === "before") return destroy(response)
  const bytes = bytesOf(answer.body ?? "")
  response.writeHead(answer.status ?? 200, {
    "content-type": typeof answer.body === "string" ? "text/plain" : "application/json",
    ...(answer.chunked === true ? undefined : { "content-length": String(bytes.byteLength) }),
    ...answer.headers
  })
  if (answer.cutAt !== undefined) {
    response.write(
      bytes.subarray(0, answer.cutAt),
      () => setImmediate(() => response.end(bytes.subarray(answer.cutAt)))
    )
    return
  }
  if (answer.cut === undefined && answer.pause === undefined) {
    Readable.from(pieces(server, bytes)).pipe(response)
    return
  }
  const half = Math.floor(bytes.byteLength / 2)
  response.write(
    bytes.subarray(0, half),
    () =>
      after(
        response,
        answer.pause ?? 0,
        () => answer.cut === "inside" ? destroy(response) : response.end(bytes.subarray(half))
      )
  )
}

const destroy = (response: Http.ServerResponse): void => {
  response.socket?.destroy()
}

// Bit by bit, as the socket takes them: `bytes` tells how much a client took before it hung up.
function* pieces(server: Server, bytes: Uint8Array) {
  for (let start = 0; start < bytes.byteLength; start += 65_536) {
    const piece = bytes.subarray(start, start + 65_536)
    server.bytes += piece.byteLength
    yield piece
  }
}

const bytesOf = (body: string | Uint8Array | object): Uint8Array =>
  body instanceof Uint8Array
    ? body
    : new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body))

const after = (response: Http.ServerResponse, ms: number, run: () => void): void => {
  if (ms === 0) return run()
  if (!Number.isFinite(ms)) return
  const timer = setTimeout(run, ms)
  response.on("close", () => clearTimeout(timer))
}

/** A chat completion whose only choice says this. */
export const says = (content: unknown, more: { readonly [key: string]: unknown } = {}) => ({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "test-model-2026",
  choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
  ...more
})

/** The same as an answer. */
export const reply = (content: unknown, more?: { readonly [key: string]: unknown }): Answer => ({
  body: says(content, more)
})

/** Waits until something is so, at most two seconds: what a server hears of a client comes a little later. */
export const until = (condition: () => boolean, ms = 2000): Effect.Effect<void> =>
  Effect.suspend(() =>
    condition() || ms <= 0 ? Effect.void : Effect.andThen(Effect.sleep(10), until(condition, ms - 10))
  )

/** Options for a layer that talks to the server. */
export const options = (server: Server, more: Partial<OpenAiCompatible.Options> = {}): OpenAiCompatible.Options => ({
  provider: "loopback",
  model: "test-model",
  baseUrl: server.url,
  apiKey: Redacted.make("sk-very-secret"),
  ...more
})

/** A predictor with one field in and one out. */
export const answer = Predict.make(Signature.make("Answer", {
  instructions: "Answer the question.",
  input: { question: Schema.String },
  output: { answer: Schema.String.annotate({ description: "in one word" }) }
}))

/** One logical call without a signature. */
export const ask = LM.generate({ messages: [{ role: "user", content: "hello" }] })
