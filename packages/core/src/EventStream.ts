/**
 * Streams of events for a browser: a web `Response` of server-sent events, in one line.
 *
 * It takes what `Predict.stream` and `ReAct.stream` give, or what was made of it (some fields left out, say). Each
 * event is one line of JSON, field values in their JSON form. `Restart` announces a re-ask as it does in the stream. A
 * failure is an event too, the last one: its kind and, of our own errors, the message, which shows neither prompts nor
 * keys. A reader that leaves closes the model's socket.
 *
 * ```ts
 * import { EventStream, Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { ManagedRuntime, Schema } from "effect"
 *
 * const tell = Predict.make(Signature.make("Tell", { input: { about: Schema.String }, output: { story: Schema.String } }))
 * const runtime = ManagedRuntime.make(TestLM.layer([TestLM.streamed(['{"story": "Twice', ' a day."}'])]))
 *
 * const response = await runtime.runPromise(Predict.stream(tell, { about: "tides" }).pipe(EventStream.response(tell)))
 * response.headers.get("content-type") // => "text/event-stream"
 * const [, first, second] = (await response.text()).split("\n\n")
 * first // => 'data: {"_tag":"Delta","field":"story","text":"Twice"}'
 * second // => 'data: {"_tag":"Delta","field":"story","text":" a day."}'
 * ```
 *
 * For an `AsyncIterable`, effect has a function of its own: leaving the `for await` closes the socket as well, and a
 * failure is thrown as the error it is.
 *
 * ```ts
 * import { Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { ManagedRuntime, Schema, Stream } from "effect"
 *
 * const tell = Predict.make(Signature.make("Tell", { input: { about: Schema.String }, output: { story: Schema.String } }))
 * const runtime = ManagedRuntime.make(TestLM.layer([{ story: "Twice a day." }]))
 *
 * const events = await runtime.runPromise(Stream.toAsyncIterableEffect(Predict.stream(tell, { about: "tides" })))
 * const tags: Array<string> = []
 * for await (const event of events) tags.push(event._tag)
 * tags // => ["Delta", "Field", "Done"]
 * ```
 *
 * Both are read after their effect has succeeded, and a layer provided to that effect is closed by then: take a
 * `ManagedRuntime`, or provide the layer to the stream.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { LMError } from "./LMError.ts"
import * as PredictError from "./PredictError.ts"
import { ReActError } from "./ReActError.ts"
import type { Fields } from "./Signature.ts"

/**
 * The last event of a stream that failed.
 *
 * - `error`: the kind of error by its tag, `Defect` for a bug; `reason`: why, of a model call or an answer;
 *   the limit, of an agent
 * - `isRetryable`: whether the same call may succeed later, and `retryAfterMs` how long to wait first
 *
 * @category models
 */
export interface Failed {
  readonly _tag: "Failed"
  readonly error: string
  readonly reason?: string
  readonly message: string
  readonly isRetryable: boolean
  readonly retryAfterMs?: number
}

/**
 * - `heartbeat`: how often a comment is sent, so that proxies keep the connection while a model thinks (default
 *   15 seconds)
 *
 * @category models
 */
export interface Options {
  readonly heartbeat?: Duration.Input
}

/** Anything told by its tag. */
interface Event {
  readonly _tag: string
}

/** What knows the fields that are streamed: a predictor, an agent, a signature. */
interface Source {
  readonly output: Schema.Struct<Fields>
}

/** Headers of a stream of events: nobody on the way keeps, changes or collects it. */
export const headers: { readonly [name: string]: string } = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no"
}

/**
 * A stream as the body of server-sent events, for servers that take a stream: effect's `HttpServerResponse.stream`,
 * with `headers`.
 *
 * It begins by telling the browser never to connect again by itself: an `EventSource` would, and the model would be
 * paid again. It never fails.
 *
 * @category streaming
 */
export const bytes =
  (source: Source, options: Options = {}) =>
  <E, R>(self: Stream.Stream<Event, E, R>): Stream.Stream<Uint8Array, never, R> => {
    const encode = encoder(source.output)
    const utf8 = new TextEncoder()
    const frames = self.pipe(
      Stream.mapArray((events) => [events.map((event) => frame(encode(event))).join("")]),
      Stream.catchCause((cause) =>
        // Nobody is left to read of an interruption.
        Cause.hasInterruptsOnly(cause)
          ? Stream.empty
          : Stream.fromEffect(Effect.map(failed(cause), frame))
      ),
      (written) => Stream.concat(Stream.succeed(once), written)
    )
    const beats = Stream.map(
      Stream.fromSchedule(Schedule.spaced(options.heartbeat ?? "15 seconds")),
      () => ":\n\n"
    )
    return Stream.map(Stream.merge(frames, beats, { haltStrategy: "left" }), (text) => utf8.encode(text))
  }

/**
 * A stream as a web `Response`, for servers that speak `fetch`. Its body is cancelled by the server when the client
 * has gone, and that closes the model's socket; `signal` (a request's) does the same where a server cancels nothing.
 *
 * @category streaming
 */
export const response =
  (source: Source, options: Options & { readonly signal?: AbortSignal } = {}) =>
  <E, R>(self: Stream.Stream<Event, E, R>): Effect.Effect<Response, never, R> =>
    Effect.map(
      Effect.context<R>(),
      (context) =>
        new Response(Stream.toReadableStreamWith(bytes(source, options)(self), context, { signal: options.signal }), {
          headers: { ...headers }
        })
    )

/** The longest an `EventSource` can be told to wait. */
const once = Sse.encoder.write(
  new Sse.Retry({ duration: Duration.millis(2 ** 31 - 1), lastEventId: undefined })
)

const frame = (event: unknown): string =>
  Sse.encoder.write({ _tag: "Event", event: "message", id: undefined, data: JSON.stringify(event) })

const failed = (cause: Cause.Cause<unknown>): Effect.Effect<Failed> => {
  const error = Result.getOrUndefined(Cause.findError(cause))
  if (error === undefined) {
    // The reader is told nothing of a bug, so somebody else has to be.
    const event: Failed = { _tag: "Failed", error: "Defect", message: "The call failed.", isRetryable: false }
    return Effect.as(Effect.logError("A streamed call failed", cause), event)
  }
  return Effect.succeed({ _tag: "Failed", error: tagOf(error), ...told(error) })
}

// Of errors that are not ours, nothing is known of what their messages show.
const told = (error: unknown): Omit<Failed, "_tag" | "error"> => {
  if (error instanceof LMError || error instanceof PredictError.OutputError) {
    const { isRetryable, message, reason } = error
    const retryAfter = error instanceof LMError ? error.retryAfter : undefined
    return {
      reason: reason._tag,
      message,
      isRetryable,
      ...(retryAfter === undefined ? undefined : { retryAfterMs: Duration.toMillis(retryAfter) })
    }
  }
  if (error instanceof ReActError) return { reason: error.limit, message: error.message, isRetryable: false }
  const message = error instanceof PredictError.InputError ? error.message : "The call failed."
  return { message, isRetryable: false }
}

const tagOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : "Error"

type Encode = (event: Event) => unknown

// Made once for each output, however many requests stream it.
const encoders = new WeakMap<object, Encode>()

const encoder = (output: Schema.Struct<Fields>): Encode => {
  const kept = encoders.get(output)
  if (kept !== undefined) return kept
  const fields = new Map(
    Object.entries(output.fields).map(([name, field]) => [name, Schema.encodeUnknownSync(Schema.toCodecJson(field))])
  )
  const written = (field: string, value: unknown): unknown => fields.get(field)?.(value) ?? value
  const encode: Encode = (event) => {
    if (event._tag === "Field" && "field" in event && "value" in event) {
      return { ...event, value: written(String(event.field), event.value) }
    }
    if (event._tag !== "Done" || !("output" in event)) return event
    // Field by field, because whoever made the stream may have left some out.
    const entries = Object.entries(event.output ?? {})
    return { ...event, output: Object.fromEntries(entries.map(([name, value]) => [name, written(name, value)])) }
  }
  encoders.set(output, encode)
  return encode
}
