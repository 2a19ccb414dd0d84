/**
 * An agent: a predictor that may call tools until it knows the answer (Yao et al., "ReAct", 2022).
 *
 * The life of a run:
 * 1. The model is shown the task, the input, the tools, and one tool more: `submit`, whose parameters are the output
 *    fields. One model call is one step.
 * 2. The calls of a step run side by side, bounded; their results go back in one turn. What a tool failed with goes
 *    back too, or ends the run, as the tool declares.
 * 3. A prompt that has outgrown the model's window loses its oldest step, and the step is asked again.
 * 4. At a limit (steps, requests, tokens, time) the model gets one last step, in which it must submit.
 * 5. What is submitted is checked like any output; findings go back. The plain output comes back.
 *
 * `ReActLoop` runs it; this module is the value users make and what they hear of it.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Call from "./Call.ts"
import type * as Example from "./Example.ts"
import type { LM } from "./LM.ts"
import type * as Settings from "./LM/Settings.ts"
import type * as PredictError from "./PredictError.ts"
import type { ReActError } from "./ReActError.ts"
import * as Loop from "./ReActLoop.ts"
import * as Rendered from "./Rendered.ts"
import type * as Signature from "./Signature.ts"
import * as Step from "./Step.ts"
import type * as Tool from "./Tool.ts"

/**
 * When an agent must stop. The one reached first counts.
 *
 * - `steps`: model calls, the last one included (default 20)
 * - `requests`: those sent, retries included; `tokens`: input and output together
 * - `duration`: looked at before each step; a step or tool that hangs is a matter of timeouts
 *
 * @category models
 */
export interface Limits {
  readonly steps?: number
  readonly requests?: number
  readonly tokens?: number
  readonly duration?: Duration.Input
}

/**
 * - `concurrency`: tools of one step that run at once (default 8)
 * - `settings`: over `LM.Settings`, under `Parameters`; attempts and timeout are those of one step
 * - `demos`: worked examples of input and output
 *
 * @category models
 */
export interface Options<I, O, T extends Tool.Any> {
  readonly tools: ReadonlyArray<T>
  readonly limits?: Limits
  readonly concurrency?: number
  readonly settings?: Settings.Settings
  readonly demos?: ReadonlyArray<Example.Example<I, O>>
}

/**
 * What is heard of a run, step by step.
 *
 * - `Thought`: what the model wrote beside its calls
 * - `Called`, `Answered`: a tool call and what the model is told of it
 * - `Shortened`: the oldest step was dropped, because the prompt outgrew the model's window
 * - `Limit`: which limit was reached; one last step follows
 *
 * @category models
 */
export type Event<O> =
  | { readonly _tag: "Thought"; readonly step: number; readonly text: string }
  | {
    readonly _tag: "Called"
    readonly step: number
    readonly id: string
    readonly tool: string
    readonly argument: unknown
  }
  | {
    readonly _tag: "Answered"
    readonly step: number
    readonly id: string
    readonly tool: string
    readonly content: string
    readonly isError: boolean
  }
  | { readonly _tag: "Shortened"; readonly step: number }
  | { readonly _tag: "Limit"; readonly step: number; readonly limit: keyof Limits }
  | { readonly _tag: "Done"; readonly output: O }

/**
 * A predictor with tools. `followed` is the same call, telling of its steps; see `stream`.
 *
 * @category models
 */
export interface Agent<Name extends string, I extends Signature.Fields, O extends Signature.Fields, E, R>
  extends
    Step.Step<Schema.Struct<I>["Type"], Schema.Struct<O>["Type"], PredictError.PredictError | ReActError | E, LM | R>
{
  readonly signature: Signature.Signature<Name, I, O>
  readonly named: (name: string) => Agent<Name, I, O, E, R>
  readonly followed: (
    input: Schema.Struct<I>["Type"],
    listener: (event: Event<Schema.Struct<O>["Type"]>) => Effect.Effect<void>
  ) => Effect.Effect<Schema.Struct<O>["Type"], PredictError.PredictError | ReActError | E, LM | R>
}

/**
 * Makes an agent. Do it once, at module level.
 *
 * ```ts
 * import { ReAct, Signature, Tool } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * const population = Tool.make("population", {
 *   description: "Looks up how many people live in a city.",
 *   parameters: { city: Schema.String },
 *   success: Schema.Int,
 *   run: ({ city }) => Effect.succeed(city === "Oslo" ? 717_710 : 0)
 * })
 * const ask = ReAct.make(
 *   Signature.make("Ask", { input: { question: Schema.String }, output: { answer: Schema.Int } }),
 *   { tools: [population] }
 * )
 * const script = [TestLM.calls(["population", { city: "Oslo" }]), TestLM.calls(["submit", { answer: 717_710 }])]
 * const program = ask({ question: "How many people live in Oslo?" })
 * await Effect.runPromise(Effect.provide(program, TestLM.layer(script))) // => { answer: 717710 }
 * ```
 *
 * @category constructors
 */
export const make = <
  Name extends string,
  I extends Signature.Fields,
  O extends Signature.Fields,
  const T extends Tool.Any = never
>(
  signature: Signature.Signature<Name, I, O>,
  options: Options<Schema.Struct<I>["Type"], Schema.Struct<O>["Type"], T>
): Agent<Name, I, O, Tool.Failure<T>, Tool.Services<T>> => {
  const kit = Loop.toolbox(signature, options.tools)
  return build(signature, options, kit, Rendered.cache(signature, options.demos), signature.name)
}

const build = <Name extends string, I extends Signature.Fields, O extends Signature.Fields, T extends Tool.Any>(
  signature: Signature.Signature<Name, I, O>,
  options: Options<Schema.Struct<I>["Type"], Schema.Struct<O>["Type"], T>,
  kit: Loop.Toolbox,
  rendered: Rendered.Cache,
  name: string
): Agent<Name, I, O, Tool.Failure<T>, Tool.Services<T>> => {
  type In = Schema.Struct<I>["Type"]
  type Out = Schema.Struct<O>["Type"]
  type Result = Effect.Effect<Out, PredictError.PredictError | ReActError | Tool.Failure<T>, LM | Tool.Services<T>>
  const { concurrency, limits, settings } = options
  const definition: Call.Definition = { kind: "ReAct", signature, name, rendered, adapter: Loop.adapter, settings }
  // The loop knows no types; output, failures and services are those of the signature and the tools.
  const call = (input: In, listener?: Loop.Listener) =>
    Call.run(
      definition,
      input,
      (opened) => Loop.make(signature, opened, { kit, limits: limits ?? {}, concurrency: concurrency ?? 8, listener })
    ) as Result
  return Step.callable((input: In) => call(input), {
    name,
    signature,
    input: signature.input,
    output: signature.output,
    named: (other: string) => build(signature, options, kit, rendered, other),
    followed: (input: In, listener: (event: Event<Out>) => Effect.Effect<void>) =>
      call(input, listener as Loop.Listener)
  })
}

/** Events a reader may be behind before the agent waits. */
const bufferSize = 64

/**
 * A run as a stream of its steps, with `Done` at the end. Leaving the stream early interrupts the run: its model call
 * and its tools.
 *
 * @category streaming
 */
export const stream = <I, O, E, R>(
  agent: {
    readonly followed: (input: I, listener: (event: Event<O>) => Effect.Effect<void>) => Effect.Effect<O, E, R>
  },
  input: I
): Stream.Stream<Event<O>, E, R> =>
  Stream.callback<Event<O>, E, R>(
    (queue) =>
      agent.followed(input, (event) => Effect.asVoid(Queue.offer(queue, event))).pipe(
        Effect.flatMap((output) => Queue.offer(queue, { _tag: "Done", output })),
        Effect.matchCauseEffect({
          onFailure: (cause) => Queue.failCause(queue, cause),
          onSuccess: () => Queue.end(queue)
        })
      ),
    { bufferSize }
  )
