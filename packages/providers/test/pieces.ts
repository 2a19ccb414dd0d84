/**
 * Answers that come in pieces, without a socket: what an HTTP client hands on, and how the connection ends.
 *
 * Everything of ours that knows of bytes lies between here and a test: the transport with its UTF-8 decoder, the
 * framing, and the protocol behind them.
 */
import { LMError } from "@effect-dspy/core"
import type { Completion } from "@effect-dspy/core/Completion"
import type { Part } from "@effect-dspy/core/LM/Sink"
import { Effect, Result, Stream } from "effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Framing from "../src/Framing.ts"
import type { Protocol } from "../src/Protocol.ts"
import * as Transport from "../src/Transport.ts"

/**
 * - `status`: 200 if absent
 * - `broken`: the connection breaks after the last piece, instead of ending
 */
export interface Delivered {
  readonly status?: number
  readonly pieces: ReadonlyArray<Uint8Array>
  readonly broken?: boolean
}

/** Reads a stream: the parts that were handed on while it was read, and its answer. */
export const readStream = (protocol: Protocol, delivered: Delivered) => {
  const emitted: Array<Part> = []
  const completion = Framing.read(
    protocol,
    (parts) => Effect.sync(() => void emitted.push(...parts)),
    (onText) => transport(delivered).stream(url, {}, "{}", onText),
    fail
  )
  return Effect.map(Effect.result(completion), (result) => ({ emitted, result }))
}

/** Reads an answer in one piece. */
export const readBody = (protocol: Protocol, delivered: Delivered) =>
  Effect.result(Effect.flatMap(transport(delivered).post(url, {}, "{}"), ({ text }) => {
    const decoded = protocol.decode(text)
    return Result.isSuccess(decoded) ? Effect.succeed<Completion>(decoded.success) : fail(decoded.failure)
  }))

const url = "http://127.0.0.1/v1"

const fail = (reason: LMError.LMError["reason"]) => Effect.fail(LMError.make("loopback", "test-model", reason))

const transport = (delivered: Delivered) => Transport.make(client(delivered), "loopback", "test-model")

// Not `HttpClient.make`: there is nothing here that a signal could abort.
const client = (delivered: Delivered) =>
  HttpClient.makeWith<HttpClientError.HttpClientError, never, HttpClientError.HttpClientError, never>(
    (request) => Effect.map(request, () => response(delivered)),
    Effect.succeed
  )

const response = ({ broken = false, pieces, status = 200 }: Delivered): HttpClientResponse.HttpClientResponse => {
  // Each on its own: those that come together are decoded together.
  const whole = Stream.fromArrays(...pieces.map((piece) => [piece]))
  const stream = broken ? Stream.concat(whole, breaks) : whole
  return Object.create(empty(status), { stream: { value: stream } })
}

// One of `fetch`, whose bytes come from here. It says no length: one that does is read by `fetch` itself.
const empty = (status: number) => {
  const known = empties.get(status)
  if (known !== undefined) return known
  const made = HttpClientResponse.fromWeb(HttpClientRequest.post(url), new Response(null, { status }))
  empties.set(status, made)
  return made
}

const empties = new Map<number, HttpClientResponse.HttpClientResponse>()

const breaks = Stream.fail(
  new HttpClientError.HttpClientError({
    reason: new HttpClientError.DecodeError({
      request: HttpClientRequest.post(url),
      response: empty(200),
      description: "terminated"
    })
  })
)
