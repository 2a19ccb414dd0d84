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
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import * as Adapter from "./Adapter.ts"
import * as Completion from "./Completion.ts"
import type * as Example from "./Example.ts"
import * as Field from "./Field.ts"
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
 * Takes a signature's input, gives its output. `named` gives the same predictor another name, by which
 * parameters and traces tell its uses apart.
 *
 * @category models
 */
export interface Predictor<Name extends string, I extends Signature.Fields, O extends Signature.Fields>
  extends Step.Step<Schema.Struct<I>["Type"], Schema.Struct<O>["Type"], PredictError.PredictError, LM>
{
  readonly signature: Signature.Signature<Name, I, O>
  readonly named: (name: string) => Predictor<Name, I, O>
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
  const definition: Definition = { signature, name, rendered, adapter: options.adapter, settings: options.settings }
  return Step.callable(
    // `decodeOutput` gave what the output schema says; the types of a generic struct can't tell.
    (input: Schema.Struct<I>["Type"]) =>
      predict(definition, input) as Effect.Effect<Schema.Struct<O>["Type"], PredictError.PredictError, LM>,
    {
      name,
      signature,
      input: signature.input,
      output: signature.output,
      named: (other: string) => build(signature, options, rendered, other)
    }
  )
}

/** A predictor without its types: what one call needs to know. */
interface Definition {
  readonly signature: Signature.Any
  readonly name: string
  readonly rendered: Rendered.Cache
  readonly adapter: Adapter.Adapter | undefined
  readonly settings: Settings.Settings | undefined
}

const predict = (self: Definition, input: unknown): Effect.Effect<unknown, PredictError.PredictError, LM> =>
  Effect.withFiber((fiber) => {
    const { signature } = self
    const encoded = signature.derived.encodeInput(input)
    if (Result.isFailure(encoded)) {
      return inputError(signature, Field.shown(encoded.failure, signature.derived.names))
    }
    const entry = entryOf(self, fiber)
    const rendered = self.rendered(self.adapter ?? fiber.getRef(Adapter.Current) ?? JsonAdapter.adapter, entry)
    if (Result.isFailure(rendered)) return inputError(signature, rendered.failure)
    if (fiber.getRef(Tracer.Tracer) === untraced) return ask(self, fiber, rendered.success, encoded.success, entry)
    const path = pathOf(self, fiber)
    // `ask` begins to run when it is called, so it must not be called before the span is there.
    const exchange = Effect.withFiber((traced) => ask(self, traced, rendered.success, encoded.success, entry))
    return Effect.withSpan(exchange, `Predict.${self.name}`, {
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
  entry: Parameters.Entry | undefined
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
    Attempts.bounded(fiber, lm, attempts, round(self.signature, lm, attempts, reply, request, request, 1))
  return collector === undefined ? exchange() : observed(self, fiber, collector, attempts, reply, input, exchange)
}

/** One request and its reading; `base` is the request the conversation began with. */
const round = (
  signature: Signature.Any,
  lm: LM.Service,
  attempts: Attempts.Attempts,
  reply: Reply,
  base: Request,
  request: Request,
  rounds: number
): Effect.Effect<unknown, PredictError.PredictError> =>
  Effect.flatMap(lm.generate(request), (completion) => {
    const read = reply.read(completion)
    if (Result.isSuccess(read)) return Effect.succeed(read.success)
    // Rounds are bounded too: an LM not built by LM.make, or one that replays, would never use up attempts.
    const next = rounds < attempts.max && Attempts.left(attempts)
      ? reask(reply.format, lm, base, request.settings, completion, read.failure)
      : undefined
    if (next !== undefined) return round(signature, lm, attempts, reply, base, next, rounds + 1)
    return Effect.fail(
      new PredictError.OutputError({
        signature: signature.name,
        provider: completion.provider,
        model: completion.model,
        reason: shown(signature, read.failure),
        raw: Redacted.make(Completion.text(completion)),
        usage: Attempts.usage(attempts),
        attempts: attempts.used
      })
    )
  })

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
