/**
 * A predictor: a signature made callable.
 *
 * The life of one call:
 * 1. The input is encoded through the signature; a wrong input fails before anything is sent.
 * 2. `Parameters` and `LM.Settings` are looked up, the attempt budget is opened.
 * 3. The adapter gives the messages. What is the same for every call (system turn, demos) was rendered once.
 * 4. The model is asked. `accept` tells caches and memos on the way whether the answer can be used.
 * 5. The reply is read. If that fails and attempts are left, the reply and what was wrong with it go back.
 * 6. One span when a tracer is installed, one `Trace.Event` when a collector is there; nothing otherwise.
 * 7. The plain output comes back.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as Adapter from "./Adapter.ts"
import * as Completion from "./Completion.ts"
import type * as Example from "./Example.ts"
import * as Field from "./Field.ts"
import type { FieldEvent } from "./FieldEvent.ts"
import * as Follow from "./Follow.ts"
import * as JsonAdapter from "./JsonAdapter.ts"
import type { LM } from "./LM.ts"
import * as Attempts from "./LM/Attempts.ts"
import { sender } from "./LM/Generate.ts"
import type { Request } from "./LM/Request.ts"
import * as Settings from "./LM/Settings.ts"
import * as Message from "./Message.ts"
import * as Parameters from "./Parameters.ts"
import * as PredictError from "./PredictError.ts"
import * as Rendered from "./Rendered.ts"
import type * as Signature from "./Signature.ts"
import * as Step from "./Step.ts"
import * as Trace from "./Trace.ts"

/**
 * By text field: looks at what is written so far, and gives what is wrong with it, or nothing.
 *
 * @category models
 */
export type Assertions<O> = {
  readonly [K in keyof O as O[K] extends string ? K : never]?: (partial: string) => string | undefined
}

/**
 * Takes a signature's input, gives its output.
 *
 * - `named`: the same predictor under another name, by which parameters and traces tell its uses apart
 * - `followed`: the same call, telling of its fields while they are written; see `stream`
 *
 * @category models
 */
export interface Predictor<Name extends string, I extends Signature.Fields, O extends Signature.Fields>
  extends Step.Step<Schema.Struct<I>["Type"], Schema.Struct<O>["Type"], PredictError.PredictError, LM>
{
  readonly signature: Signature.Signature<Name, I, O>
  readonly named: (name: string) => Predictor<Name, I, O>
  readonly followed: (
    input: Schema.Struct<I>["Type"],
    listener: (event: FieldEvent<Schema.Struct<O>["Type"]>) => Effect.Effect<void>,
    assertions?: Assertions<Schema.Struct<O>["Type"]>
  ) => Effect.Effect<Schema.Struct<O>["Type"], PredictError.PredictError, LM>
}

/**
 * - `adapter`: for this predictor only; otherwise `Adapter.Current`, otherwise `JsonAdapter`
 * - `settings`: over `LM.Settings`, under `Parameters`
 * - `demos`: worked examples shown in the prompt, unless `Parameters` bring others
 *
 * @category models
 */
export interface Options<I, O> {
  readonly adapter?: Adapter.Adapter
  readonly settings?: Settings.Settings
  readonly demos?: ReadonlyArray<Example.Example<I, O>>
}

/**
 * Makes a predictor. Do it once, at module level: what a signature needs is derived at the first call and
 * kept.
 *
 * ```ts
 * import { Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * const classify = Predict.make(Signature.make("Classify", {
 *   instructions: "Tell the mood of the text.",
 *   input: { text: Schema.String },
 *   output: { mood: Schema.Literals(["happy", "sad"]) }
 * }))
 * const program = classify({ text: "What a day!" }).pipe(Effect.provide(TestLM.layer([{ mood: "happy" }])))
 * await Effect.runPromise(program) // => { mood: "happy" }
 * ```
 *
 * @category constructors
 */
export const make = <Name extends string, I extends Signature.Fields, O extends Signature.Fields>(
  signature: Signature.Signature<Name, I, O>,
  options: Options<Schema.Struct<I>["Type"], Schema.Struct<O>["Type"]> = {}
): Predictor<Name, I, O> => build(signature, options, Rendered.cache(signature, options.demos), signature.name)

const build = <Name extends string, I extends Signature.Fields, O extends Signature.Fields>(
  signature: Signature.Signature<Name, I, O>,
  options: Options<Schema.Struct<I>["Type"], Schema.Struct<O>["Type"]>,
  rendered: Rendered.Cache,
  name: string
): Predictor<Name, I, O> => {
  type In = Schema.Struct<I>["Type"]
  type Out = Schema.Struct<O>["Type"]
  const definition: Definition = { signature, name, rendered, adapter: options.adapter, settings: options.settings }
  // `decodeOutput` gave what the output schema says; the types of a generic struct can't tell.
  const call = (input: In, listener?: Follow.Listener, assertions?: Follow.Assertions) =>
    predict(definition, input, listener, assertions) as Effect.Effect<Out, PredictError.PredictError, LM>
  return Step.callable((input: In) => call(input), {
    name,
    signature,
    input: signature.input,
    output: signature.output,
    named: (other: string) => build(signature, options, rendered, other),
    // Fields told of are those of the signature, by their decoders.
    followed: (
      input: In,
      listener: (event: FieldEvent<Out>) => Effect.Effect<void>,
      assertions?: Assertions<Out>
      // A listener of these fields is told of no others.
    ) => call(input, listener as unknown as Follow.Listener, assertions as Follow.Assertions | undefined),
    stepwise: (input: In, publish: Step.Publish) =>
      Effect.flatMap(Step.Streaming, (streaming) => streaming ? call(input, published(publish)) : call(input))
  })
}

const published = (publish: Step.Publish): Follow.Listener => (event) =>
  event._tag === "Field" ? Effect.sync(() => publish(event.field, event.value)) : Effect.void

/** Events a reader may be behind before the model's socket is no longer read. */
const bufferSize = 64

/**
 * A call as a stream of its fields while they are written: deltas of text fields, elements of lists, complete fields,
 * and `Done` with the output. After a `Restart` the deltas and elements of fields that were not complete are void.
 * Leaving the stream early closes the model's socket.
 *
 * `assertions` look at text fields on the way: the reply is cut at the first finding, which goes back to the model.
 *
 * ```ts
 * import { Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema, Stream } from "effect"
 *
 * const tell = Predict.make(Signature.make("Tell", { input: { about: Schema.String }, output: { story: Schema.String } }))
 * const events = Predict.stream(tell, { about: "tides" }).pipe(
 *   Stream.runCollect,
 *   Effect.provide(TestLM.layer([TestLM.streamed(['{"story": "Twice', ' a day."}'])]))
 * )
 * const [first, second] = await Effect.runPromise(events)
 * first // => { _tag: "Delta", field: "story", text: "Twice" }
 * second // => { _tag: "Delta", field: "story", text: " a day." }
 * ```
 *
 * @category streaming
 */
export const stream = <I, O>(
  predictor: {
    readonly followed: (
      input: I,
      listener: (event: FieldEvent<O>) => Effect.Effect<void>,
      assertions?: Assertions<O>
    ) => Effect.Effect<O, PredictError.PredictError, LM>
  },
  input: I,
  options: { readonly assertions?: Assertions<O> } = {}
): Stream.Stream<FieldEvent<O>, PredictError.PredictError, LM> =>
  Stream.callback<FieldEvent<O>, PredictError.PredictError, LM>((queue) => {
    const listener = (event: FieldEvent<O>) => Effect.asVoid(Queue.offer(queue, event))
    return predictor.followed(input, listener, options.assertions).pipe(
      Effect.flatMap((output) => Queue.offer(queue, { _tag: "Done", output })),
      Effect.matchCauseEffect({
        onFailure: (cause) => Queue.failCause(queue, cause),
        onSuccess: () => Queue.end(queue)
      })
    )
  }, { bufferSize })

/** A predictor without its types: what one call needs to know. */
interface Definition {
  readonly signature: Signature.Any
  readonly name: string
  readonly rendered: Rendered.Cache
  readonly adapter: Adapter.Adapter | undefined
  readonly settings: Settings.Settings | undefined
}

const predict = (
  self: Definition,
  input: unknown,
  listener: Follow.Listener | undefined,
  assertions: Follow.Assertions | undefined
): Effect.Effect<unknown, PredictError.PredictError, LM> =>
  Effect.withFiber((fiber) => {
    const { signature } = self
    const encoded = signature.derived.encodeInput(input)
    if (Result.isFailure(encoded)) {
      return inputError(signature, Field.shown(encoded.failure, signature.derived.names))
    }
    const entry = entryOf(self, fiber)
    const rendered = self.rendered(self.adapter ?? fiber.getRef(Adapter.Current) ?? JsonAdapter.adapter, entry)
    if (Result.isFailure(rendered)) return inputError(signature, rendered.failure)
    const follow = listener && Follow.make(signature, rendered.success.format, listener, assertions)
    const begin = (on: Fiber.Fiber<unknown, unknown>) => ask(self, on, rendered.success, encoded.success, entry, follow)
    if (fiber.getRef(Tracer.Tracer) === untraced) return begin(fiber)
    const path = pathOf(self, fiber)
    // A call begins to run when it is asked, so it must not be asked before the span is there.
    return Effect.withSpan(Effect.withFiber(begin), `Predict.${self.name}`, {
      attributes: { signature: signature.name, path },
      // The trace would lead to this line. Without it a span costs 5 us instead of 7.
      captureStackTrace: false
    })
  })

// The tracer a fiber has when nobody installed one: a span would cost more than the rest of the call.
const untraced = Context.getUnsafe(Context.empty(), Tracer.Tracer)

const ask = (
  self: Definition,
  fiber: Fiber.Fiber<unknown, unknown>,
  rendered: Rendered.Rendered,
  input: Signature.Encoded,
  entry: Parameters.Entry | undefined,
  follow: Follow.Follow | undefined
): Effect.Effect<unknown, PredictError.PredictError, LM> => {
  const settings = Settings.merge(
    Settings.merge(fiber.getRef(Settings.Settings), self.settings),
    entry?.settings
  )
  const lm = sender(fiber)
  const collector = fiber.getRef(Trace.Collector)
  const attempts = Attempts.open(fiber, lm, settings)
  const reply = new Reply(rendered.format)
  const request: Request = {
    messages: [...rendered.prefix, rendered.format.input(input)],
    output: rendered.format.output,
    settings,
    accept: (completion) => Result.isSuccess(reply.read(completion)),
    call: { signature: self.signature, input, demos: rendered.demos },
    attempts,
    stable: rendered.prefix.length
  }
  const exchange = () =>
    Attempts.bounded(
      fiber,
      lm,
      attempts,
      round({ signature: self.signature, lm, attempts, reply, base: request, follow }, request, 1)
    )
  return collector === undefined ? exchange() : observed(self, fiber, collector, attempts, reply, input, exchange)
}

/** One logical call: `base` is the request the conversation began with. */
interface Exchange {
  readonly signature: Signature.Any
  readonly lm: LM.Service
  readonly attempts: Attempts.Attempts
  readonly reply: Reply
  readonly base: Request
  readonly follow: Follow.Follow | undefined
}

/** One request and its reading. */
const round = (
  self: Exchange,
  request: Request,
  rounds: number
): Effect.Effect<unknown, PredictError.PredictError> => {
  const { follow, lm, reply } = self
  if (follow === undefined) {
    return Effect.flatMap(lm.generate(request), (completion) => {
      const read = reply.read(completion)
      return Result.isSuccess(read)
        ? Effect.succeed(read.success)
        : again(self, request, rounds, completion, read.failure)
    })
  }
  return Effect.flatMap(follow.ask(lm, request), ({ completion, cut }) => {
    const read = cut === undefined ? reply.read(completion) : Result.fail(cut)
    if (Result.isFailure(read)) return again(self, request, rounds, completion, read.failure)
    return Effect.flatMap(follow.settle(read.success), (settled) =>
      Result.isSuccess(settled)
        ? Effect.succeed(settled.success)
        : again(self, request, rounds, completion, settled.failure))
  })
}

/** After a reply of no use: asks again when that can help, or fails. */
const again = (
  self: Exchange,
  request: Request,
  rounds: number,
  completion: Completion.Completion,
  reason: PredictError.OutputReason
): Effect.Effect<unknown, PredictError.PredictError> => {
  const { attempts, base, follow, lm, reply, signature } = self
  // Rounds are bounded too: an LM not built by LM.make, or one that replays, would never use up attempts.
  const next = rounds < attempts.max && Attempts.left(attempts)
    ? reask(reply.format, lm, base, request.settings, completion, reason)
    : undefined
  if (next !== undefined) {
    const asked = round(self, next, rounds + 1)
    return follow === undefined ? asked : Effect.andThen(follow.restart(shown(signature, reason).message), asked)
  }
  return Effect.fail(
    new PredictError.OutputError({
      signature: signature.name,
      provider: completion.provider,
      model: completion.model,
      reason: shown(signature, reason),
      raw: Redacted.make(Completion.text(completion)),
      usage: Attempts.usage(attempts),
      attempts: attempts.used
    })
  )
}

// Only the last reply goes back, not all of them: the conversation must not grow with every round. The settings
// are those of the last request: a token limit once raised stays raised, and is not raised to itself again.
const reask = (
  format: Adapter.Format,
  lm: LM.Service,
  base: Request,
  settings: Settings.Settings,
  completion: Completion.Completion,
  reason: PredictError.OutputReason
): Request | undefined => {
  switch (reason._tag) {
    case "Truncated": {
      const { maxTokens, retryMaxTokens } = Settings.merge(lm.defaults, settings)
      if (retryMaxTokens === undefined || retryMaxTokens <= (maxTokens ?? 0)) return undefined
      return { ...base, settings: { ...settings, maxTokens: retryMaxTokens } }
    }
    case "Empty":
      // There is nothing to comment on, and endpoints refuse empty assistant turns.
      return { ...base, settings }
    default:
      return {
        ...base,
        settings,
        messages: [...base.messages, Message.assistant(Completion.text(completion)), format.feedback(reason)]
      }
  }
}

/** Reads completions, each once: `accept` and the predictor ask about the same one. */
class Reply {
  readonly format: Adapter.Format
  last: Completion.Completion | undefined
  private result: Result.Result<unknown, PredictError.OutputReason> | undefined

  constructor(format: Adapter.Format) {
    this.format = format
  }

  read(completion: Completion.Completion): Result.Result<unknown, PredictError.OutputReason> {
    if (this.result !== undefined && this.last === completion) return this.result
    this.last = completion
    return this.result = this.reading(completion)
  }

  private reading(completion: Completion.Completion): Result.Result<unknown, PredictError.OutputReason> {
    if (completion.finishReason === "length") return Result.fail(new PredictError.Truncated())
    const text = Completion.text(completion)
    return text.trim() === "" ? Result.fail(new PredictError.Empty()) : this.format.read(text)
  }
}

const inputError = (signature: Signature.Any, issues: ReadonlyArray<PredictError.Issue>) =>
  Effect.fail(new PredictError.InputError({ signature: signature.name, issues }))

// The model was told of every key; an error must not carry those that are its own words.
const shown = (signature: Signature.Any, reason: PredictError.OutputReason): PredictError.OutputReason =>
  reason._tag === "Invalid"
    ? new PredictError.Invalid({ issues: Field.shown(reason.issues, signature.derived.names) })
    : reason

const pathOf = (self: Definition, fiber: Fiber.Fiber<unknown, unknown>): string =>
  Parameters.join(fiber.getRef(Parameters.Path), self.name)

const entryOf = (self: Definition, fiber: Fiber.Fiber<unknown, unknown>): Parameters.Entry | undefined => {
  const parameters = fiber.getRef(Parameters.Current)
  return parameters === Parameters.none
    ? undefined
    : Parameters.lookup(parameters, pathOf(self, fiber), self.name, self.signature.name)
}

const observed = (
  self: Definition,
  fiber: Fiber.Fiber<unknown, unknown>,
  collector: (event: Trace.Event) => void,
  attempts: Attempts.Attempts,
  reply: Reply,
  input: Signature.Encoded,
  exchange: () => Effect.Effect<unknown, PredictError.PredictError>
): Effect.Effect<unknown, PredictError.PredictError> => {
  const clock = fiber.getRef(Clock.Clock)
  const startMs = clock.currentTimeMillisUnsafe()
  return Effect.onExit(exchange(), (exit) =>
    Effect.sync(() => {
      const { last } = reply
      collector({
        path: pathOf(self, fiber),
        name: self.name,
        signature: self.signature,
        input,
        result: resultOf(self.signature, exit),
        usage: Attempts.usage(attempts),
        attempts: attempts.used,
        startMs,
        endMs: clock.currentTimeMillisUnsafe(),
        ...(last === undefined ? undefined : {
          raw: Completion.text(last),
          model: last.model,
          finishReason: last.finishReason
        })
      })
    }))
}

const resultOf = (
  signature: Signature.Any,
  exit: Exit.Exit<unknown, PredictError.PredictError>
): Trace.Event["result"] => {
  if (Exit.isSuccess(exit)) {
    return { _tag: "Success", output: Result.getOrElse(signature.derived.encodeOutput(exit.value), () => ({})) }
  }
  const error = Cause.findErrorOption(exit.cause)
  return Option.isSome(error) ? { _tag: "Failure", error: error.value } : { _tag: "Interrupted" }
}
