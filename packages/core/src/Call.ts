/**
 * The frame of a predictor call: what every predictor does before and after it asks a model.
 *
 * 1. The input is encoded through the signature; a wrong input fails before anything is sent.
 * 2. `Parameters` and `LM.Settings` are looked up; what is the same for every call (system turn, demos) was
 *    rendered once.
 * 3. The predictor's own exchange with the model runs.
 * 4. One span when a tracer is installed, one `Trace.Event` when a collector is there, events when somebody listens;
 *    nothing otherwise.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Adapter from "./Adapter.ts"
import { told } from "./CallEvents.ts"
import * as CallSpan from "./CallSpan.ts"
import * as Completion from "./Completion.ts"
import * as Field from "./Field.ts"
import * as JsonAdapter from "./JsonAdapter.ts"
import type { LM } from "./LM.ts"
import { sender } from "./LM/Generate.ts"
import * as Settings from "./LM/Settings.ts"
import type { Message } from "./Message.ts"
import * as Parameters from "./Parameters.ts"
import * as PredictError from "./PredictError.ts"
import type * as Rendered from "./Rendered.ts"
import type * as Signature from "./Signature.ts"
import * as Spans from "./Spans.ts"
import * as Telling from "./Telling.ts"
import * as Trace from "./Trace.ts"
import type { Usage } from "./Usage.ts"

/**
 * A predictor without its types: what one call needs to know. `kind` names its spans.
 *
 * @category models
 */
export interface Definition {
  readonly kind: string
  readonly signature: Signature.Any
  readonly name: string
  readonly rendered: Rendered.Cache
  readonly adapter: Adapter.Adapter | undefined
  readonly settings: Settings.Settings | undefined
}

/**
 * What a call knows before it asks: its fiber, the LM, the settings, its first turns and the input in its JSON form.
 * `signature` has the fields that are asked for; those that a reasoning model gives by itself are left out.
 *
 * @category models
 */
export interface Opened {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly signature: Signature.Any
  readonly lm: LM.Service
  readonly settings: Settings.Settings
  readonly rendered: Rendered.Rendered
  readonly input: Signature.Encoded
}

/**
 * The exchange of one call: how it runs, and at any moment how far it has come. `messages` are those of its last
 * request.
 *
 * @category models
 */
export interface Exchange<out E> {
  readonly run: Effect.Effect<unknown, E>
  readonly usage: () => Usage
  readonly attempts: () => number
  readonly last: () => Completion.Completion | undefined
  readonly messages?: () => ReadonlyArray<Message>
}

/**
 * Runs one call: opens it, hands it to `begin`, and reports it.
 *
 * @category constructors
 */
export const run = <E>(
  self: Definition,
  input: unknown,
  begin: (opened: Opened) => Exchange<E>
): Effect.Effect<unknown, E | PredictError.InputError, LM> =>
  Effect.withFiber<unknown, E | PredictError.InputError, LM>((fiber) => {
    const { signature } = self
    const encoded = signature.derived.encodeInput(input)
    if (Result.isFailure(encoded)) {
      return inputError(signature, Field.shown(encoded.failure, signature.derived.names))
    }
    const entry = entryOf(self, fiber)
    const settings = Settings.merge(Settings.merge(fiber.getRef(Settings.Settings), self.settings), entry?.settings)
    const adapter = self.adapter ?? fiber.getRef(Adapter.Current) ?? JsonAdapter.adapter
    const asked = self.rendered(adapter, entry, thinks(settings))
    if (Result.isFailure(asked)) return inputError(signature, asked.failure)
    const rendered = asked.success
    const traced = Spans.traced(fiber)
    const ask = (on: Fiber.Fiber<unknown, unknown>): Effect.Effect<unknown, E> => {
      const lm = sender(on)
      const opened = { fiber: on, signature: rendered.signature, lm, settings, rendered, input: encoded.success }
      const begun = begin(opened)
      const exchange = rendered.signature === signature ? begun : thought(signature, begun)
      const collector = on.getRef(Trace.Collector)
      const to = Telling.listener(on)
      const run = to === undefined ? exchange.run : told(to, self, pathOf(self, on), opened, exchange)
      const ran = traced ? CallSpan.ending(on, exchange, run) : run
      return collector === undefined ? ran : observed(self, opened, { ...exchange, run: ran }, collector)
    }
    // `begin` needs the fiber that has the span, so in a trace it is called inside the span.
    return traced
      ? CallSpan.spanned(fiber, self, pathOf(self, fiber), settings, rendered.format.output, Effect.withFiber(ask))
      : ask(fiber)
  })

// A call that sets a reasoning effort is taken for one of a reasoning model.
const thinks = ({ reasoningEffort }: Settings.Settings): boolean =>
  reasoningEffort !== undefined && reasoningEffort !== "none"

/** The fields that were left out, filled from what the model thought. */
const thought = <E>(signature: Signature.Any, exchange: Exchange<E>): Exchange<E> => ({
  ...exchange,
  run: Effect.map(exchange.run, (output) => {
    const reasoning = exchange.last()?.content.filter((part) => part.type === "reasoning").map((part) => part.text)
    const given = output as { readonly [field: string]: unknown }
    return Object.fromEntries(
      signature.derived.outputs.flatMap(({ isReasoning, name }) =>
        isReasoning ? [[name, reasoning?.join("\n") ?? ""]] : Object.hasOwn(given, name) ? [[name, given[name]]] : []
      )
    )
  })
})

const inputError = (signature: Signature.Any, issues: ReadonlyArray<PredictError.Issue>) =>
  Effect.fail(new PredictError.InputError({ signature: signature.name, issues }))

const pathOf = (self: Definition, fiber: Fiber.Fiber<unknown, unknown>): string =>
  Parameters.join(fiber.getRef(Parameters.Path), self.name)

const entryOf = (self: Definition, fiber: Fiber.Fiber<unknown, unknown>): Parameters.Entry | undefined => {
  const parameters = fiber.getRef(Parameters.Current)
  return parameters === Parameters.none
    ? undefined
    : Parameters.lookup(parameters, pathOf(self, fiber), self.name, self.signature.name)
}

const observed = <E>(
  self: Definition,
  { fiber, input }: Opened,
  exchange: Exchange<E>,
  collector: (event: Trace.Event) => void
): Effect.Effect<unknown, E> => {
  const clock = fiber.getRef(Clock.Clock)
  const startMs = clock.currentTimeMillisUnsafe()
  return Effect.onExit(exchange.run, (exit) =>
    Effect.sync(() => {
      const last = exchange.last()
      collector({
        path: pathOf(self, fiber),
        name: self.name,
        signature: self.signature,
        input,
        result: resultOf(self.signature, exit),
        usage: exchange.usage(),
        attempts: exchange.attempts(),
        startMs,
        endMs: clock.currentTimeMillisUnsafe(),
        ...(exchange.messages === undefined ? undefined : { messages: exchange.messages() }),
        ...(last === undefined ? undefined : {
          raw: Completion.text(last),
          model: last.model,
          finishReason: last.finishReason,
          ...(last.adjustments === undefined ? undefined : { adjustments: last.adjustments })
        })
      })
    }))
}

const resultOf = <E>(signature: Signature.Any, exit: Exit.Exit<unknown, E>): Trace.Event["result"] => {
  if (Exit.isSuccess(exit)) {
    return { _tag: "Success", output: Result.getOrElse(signature.derived.encodeOutput(exit.value), () => ({})) }
  }
  const error = Cause.findErrorOption(exit.cause)
  return Option.isSome(error) ? { _tag: "Failure", error: error.value } : { _tag: "Interrupted" }
}
