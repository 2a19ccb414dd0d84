/**
 * A language model for tests: it answers what it is told, takes as long as it is told, fails as it is
 * told, and remembers what it was asked.
 *
 * It is built by `LM.make` like every other LM, so budgets, retries and usage work as in production.
 * Latency passes on the Clock, so a virtual clock makes slow answers cost no time.
 *
 * A script is a list of replies, a function of the request, or answers by signature name. A reply is text as the model
 * would write it, an output as a plain object, an `LMErrorReason` to fail with, or one of `after`, `truncated`,
 * `never`, `completion`, `streamed`, `calls`. Replies other than `streamed` ones come in one piece.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type { Completion, Content } from "../Completion.ts"
import type { Json } from "../JsonText.ts"
import { LM } from "../LM.ts"
import type { Request } from "../LM/Request.ts"
import type { Emit } from "../LM/Sink.ts"
import * as LMError from "../LMError.ts"
import type { Reason } from "../LMErrorReason.ts"

/** An output, by field. */
export type Output = { readonly [field: string]: unknown }

/**
 * One answer: text, an output, a reason to fail with, or a reply with more to it.
 *
 * @category models
 */
export type Reply = string | Output | Reason | Scripted

/** One reply after the other, or one computed from the request. */
export type Replies = ReadonlyArray<Reply> | ((request: Request) => Reply)

/**
 * Replies for all requests, or by signature name; a single reply stands for every request.
 *
 * @category models
 */
export type Script = Replies | { readonly [signature: string]: Reply | Replies }

/**
 * - `latency`: of every answer, before the delays of single replies
 * - `provider`, `model`: shown in errors and traces
 * - `tools`: `prompt` for a model that can't call tools natively
 *
 * @category models
 */
export interface Options {
  readonly latency?: Duration.Input | ((request: Request) => Duration.Input)
  readonly provider?: string
  readonly model?: string
  readonly tools?: "native" | "prompt"
}

/**
 * What happened so far. `requests` are in the order they came.
 *
 * @category models
 */
export interface Recorder {
  readonly requests: ReadonlyArray<Request>
  readonly started: number
  readonly finished: number
  readonly failed: number
  readonly interrupted: number
  readonly inFlight: number
  readonly maxInFlight: number
}

/**
 * The recorder of the test LM in scope.
 *
 * @category services
 */
export class TestLM extends Context.Service<TestLM, Recorder>()("@effect-dspy/core/testing/TestLM") {}

/** What is streamed before the reply is there, and the time before each piece. */
interface Pieces {
  readonly texts: ReadonlyArray<string>
  readonly interval: Duration.Input
}

/** A reply with more to it than text. */
class Scripted {
  readonly answer: string | Output | Reason | Partial<Completion> | "never"
  readonly kind: "reply" | "completion" | "never"
  readonly delay: Duration.Input
  readonly pieces: Pieces | undefined

  constructor(kind: Scripted["kind"], answer: Scripted["answer"], delay: Duration.Input = 0, pieces?: Pieces) {
    this.kind = kind
    this.answer = answer
    this.delay = delay
    this.pieces = pieces
  }
}

/**
 * A reply that takes time.
 *
 * @category replies
 */
export const after = (delay: Duration.Input, reply: Reply): Scripted =>
  reply instanceof Scripted
    ? new Scripted(reply.kind, reply.answer, delay, reply.pieces)
    : new Scripted("reply", reply, delay)

/**
 * A reply cut at the token limit.
 *
 * @category replies
 */
export const truncated = (text: string): Scripted =>
  new Scripted("completion", { content: [{ type: "text", text }], finishReason: "length" })

/**
 * No reply at all: the request hangs until it is interrupted.
 *
 * @category replies
 */
export const never: Scripted = new Scripted("never", "never")

/**
 * A reply with usage, finish reason or parts of its own.
 *
 * @category replies
 */
export const completion = (answer: Partial<Completion>): Scripted => new Scripted("completion", answer)

/**
 * A reply that comes in pieces, `interval` before each. With a `reply` it ends in that instead of the pieces joined:
 * a stream that is cut is `streamed(["{", "\"a\""], { reply: new LMErrorReason.StreamCut() })`.
 *
 * @category replies
 */
export const streamed = (
  pieces: ReadonlyArray<string>,
  options: { readonly interval?: Duration.Input; readonly reply?: Reply } = {}
): Scripted => {
  const reply = options.reply ?? pieces.join("")
  const end = reply instanceof Scripted ? reply : new Scripted("reply", reply)
  return new Scripted(end.kind, end.answer, end.delay, { texts: pieces, interval: options.interval ?? 0 })
}

/**
 * A reply that calls tools, each by name with its arguments; `text` is what the model says beside them.
 *
 * @category replies
 */
export const calls = (...made: ReadonlyArray<readonly [tool: string, argument: Json, text?: string]>): Scripted =>
  new Scripted("completion", {
    content: made.flatMap(([name, argument, text], index): ReadonlyArray<Content> => [
      ...(text === undefined ? [] : [{ type: "text" as const, text }]),
      { type: "toolCall", id: `call_${index}`, name, arguments: argument }
    ]),
    finishReason: "toolCalls"
  })

/**
 * Builds a test LM and its recorder as plain values.
 *
 * @category constructors
 */
export const make = (
  script: Script,
  options: Options = {}
): { readonly lm: LM.Service; readonly recorder: Recorder } => {
  const provider = options.provider ?? "test"
  const model = options.model ?? "scripted"
  const next = replies(script)
  const requests: Array<Request> = []
  const recorder = { requests, started: 0, finished: 0, failed: 0, interrupted: 0, inFlight: 0, maxInFlight: 0 }
  const latency = options.latency ?? 0
  const answer = (request: Request, emit: Emit | undefined): Effect.Effect<Completion, LMError.LMError> => {
    const reply = next(request)
    const scripted = reply instanceof Scripted ? reply : new Scripted("reply", reply)
    const result = scripted.kind === "never" ? Effect.never : settle(scripted.answer, scripted.kind, provider, model)
    const told = scripted.pieces === undefined ? result : Effect.andThen(tell(scripted.pieces, emit), result)
    return later(later(told, scripted.delay), typeof latency === "function" ? latency(request) : latency)
  }
  const lm = LM.make({
    provider,
    model,
    ...(options.tools === undefined ? undefined : { tools: options.tools }),
    generate: (request, emit) =>
      Effect.suspend(() => {
        let begun = false
        const answered = Effect.suspend(() => {
          begun = true
          requests.push(request)
          recorder.started++
          recorder.inFlight++
          recorder.maxInFlight = Math.max(recorder.maxInFlight, recorder.inFlight)
          return answer(request, emit)
        })
        return Effect.onExit(answered, (exit) =>
          Effect.sync(() => {
            // Interrupted before it began, it was never in flight.
            if (!begun) return
            recorder.inFlight--
            if (Exit.isSuccess(exit)) recorder.finished++
            else if (Exit.hasInterrupts(exit)) recorder.interrupted++
            else recorder.failed++
          }))
      })
  })
  return { lm, recorder }
}

/**
 * A layer with the test LM and its recorder. Each build of the layer starts the script anew.
 *
 * ```ts
 * import { LMErrorReason, LM, Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * const shout = Predict.make(Signature.make("Shout", { input: { text: Schema.String }, output: { loud: Schema.String } }))
 * const Stub = TestLM.layer([new LMErrorReason.Overloaded({}), { loud: "HI" }]).pipe(LM.retry())
 * const program = Effect.gen(function*() {
 *   const output = yield* shout({ text: "hi" })
 *   const { failed, finished } = yield* TestLM.TestLM
 *   return { output, failed, finished }
 * })
 * await Effect.runPromise(Effect.provide(program, Stub)) // => { output: { loud: "HI" }, failed: 1, finished: 1 }
 * ```
 *
 * @category layers
 */
export const layer = (script: Script, options?: Options): Layer.Layer<LM | TestLM> =>
  Layer.effectContext(Effect.sync(() => {
    const { lm, recorder } = make(script, options)
    return Context.make(LM, lm).pipe(Context.add(TestLM, recorder))
  }))

// Even a sleep of no time hands over to other fibers; an instant answer should not.
const later = <A, E>(self: Effect.Effect<A, E>, delay: Duration.Input): Effect.Effect<A, E> =>
  delay === 0 ? self : Effect.delay(self, delay)

// The time passes whether somebody reads along or not.
const tell = (pieces: Pieces, emit: Emit = () => Effect.void): Effect.Effect<void> =>
  Effect.forEach(pieces.texts, (text) => later(emit([{ type: "text", text }]), pieces.interval), {
    concurrency: 1,
    discard: true
  })

const settle = (
  answer: Scripted["answer"],
  kind: Scripted["kind"],
  provider: string,
  model: string
): Effect.Effect<Completion, LMError.LMError> => {
  if (isReason(answer)) return Effect.fail(LMError.make(provider, model, answer))
  const plain: Completion = { content: [], finishReason: "stop", usage: { calls: 1 }, provider, model }
  if (kind === "completion" && typeof answer === "object") return Effect.succeed({ ...plain, ...answer })
  const text = typeof answer === "string" ? answer : JSON.stringify(answer)
  return Effect.succeed({ ...plain, content: [{ type: "text", text }] })
}

const isReason = (answer: Scripted["answer"]): answer is Reason => answer instanceof Error

const isReplies = (script: Script | Reply): script is Replies => Array.isArray(script) || typeof script === "function"

// A script that does not fit the test is a bug of the test: it dies, with a message that says what came.
const replies = (script: Script): (request: Request) => Reply => {
  if (isReplies(script)) return sequence(script, "the script")
  const bySignature = new Map(
    Object.entries(script).map(([name, entry]) => [name, isReplies(entry) ? sequence(entry, name) : () => entry])
  )
  return (request) => {
    const name = request.call?.signature.name ?? "(none)"
    const answer = bySignature.get(name)
    if (answer === undefined) {
      throw new Error(`TestLM: no answer for signature ${name}; there are ${[...bySignature.keys()].join(", ")}`)
    }
    return answer(request)
  }
}

const sequence = (script: Replies, name: string): (request: Request) => Reply => {
  if (typeof script === "function") return script
  let index = 0
  return () => {
    const reply = script[index++]
    if (reply === undefined) throw new Error(`TestLM: ${name} has ${script.length} replies, request ${index} came`)
    return reply
  }
}
