/**
 * A predictor for inputs too large to read: the model explores them by writing code (Zhang et al., "Recursive
 * Language Models", 2025).
 *
 * The life of a run:
 * 1. The input becomes variables of a `CodeExecutor` session. No prompt holds it, only what it is called, how large
 *    it is and how it begins.
 * 2. In each turn the model writes a program. What that prints comes back, cut where it is long; so does an error.
 * 3. A program may ask the model itself, or a smaller one, with `llm_query`: a text goes in, a text comes out. All
 *    queries of a run share one bound and one limit.
 * 4. `SUBMIT` hands in the output fields. Ones that do not fit go back with what was expected.
 * 5. At a limit (turns, time) the output is read out of what was found so far, by one last call.
 *
 * Its predictors are tuned and traced as `Name/explore`, `Name/query` and `Name/extract`; what a model must know of
 * the environment is input of `explore`, so instructions can be replaced without losing it. `RlmRun` runs it.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { CodeError } from "./CodeError.ts"
import type * as CodeExecutor from "./CodeExecutor.ts"
import type { LM } from "./LM.ts"
import type * as PredictError from "./PredictError.ts"
import * as Run from "./RlmRun.ts"
import type * as Signature from "./Signature.ts"
import * as Step from "./Step.ts"

/**
 * - `turns`: programs the model may write (default 20)
 * - `queries`: texts `llm_query` and `llm_query_batched` may send together (default 50)
 * - `outputChars`: of one turn's output that the model is shown (default 10,000)
 * - `duration`: of the exploration; a program that still runs then is interrupted
 *
 * @category models
 */
export interface Limits {
  readonly turns?: number
  readonly queries?: number
  readonly outputChars?: number
  readonly duration?: Duration.Input
}

/**
 * - `concurrency`: queries that run at once (default 8)
 * - `code`: limits of the programs
 * - `queryWith`: runs the queries elsewhere, such as `models.use("fast")`; default: on the same model
 *
 * @category models
 */
export interface Options {
  readonly limits?: Limits
  readonly concurrency?: number
  readonly code?: CodeExecutor.Limits
  readonly queryWith?: <A, E>(self: Effect.Effect<A, E, LM>) => Effect.Effect<A, E, LM>
}

/**
 * What is heard of a run, turn by turn.
 *
 * - `Program`: what the model wrote; `Output`: what it is told of it
 * - `Query`: a program asks
 * - `Shortened`: the oldest turn was dropped, because the prompt outgrew the model's window
 * - `Limit`: which limit was reached; the output is then read out of the turns
 *
 * @category models
 */
export type Event<O> =
  | { readonly _tag: "Program"; readonly turn: number; readonly reasoning: string; readonly code: string }
  | { readonly _tag: "Query"; readonly turn: number; readonly prompt: string }
  | { readonly _tag: "Output"; readonly turn: number; readonly output: string; readonly isError: boolean }
  | { readonly _tag: "Shortened"; readonly turn: number }
  | { readonly _tag: "Limit"; readonly turn: number; readonly limit: "turns" | "duration" }
  | { readonly _tag: "Done"; readonly output: O }

/** What a run may fail with. */
type Failure = PredictError.PredictError | CodeError

/** What a run needs. */
type Services = LM | CodeExecutor.CodeExecutor

/**
 * A predictor that explores. `followed` is the same call, telling of its turns; see `stream`.
 *
 * @category models
 */
export interface Explorer<Name extends string, I extends Signature.Fields, O extends Signature.Fields>
  extends Step.Step<Schema.Struct<I>["Type"], Schema.Struct<O>["Type"], Failure, Services>
{
  readonly signature: Signature.Signature<Name, I, O>
  readonly named: (name: string) => Explorer<Name, I, O>
  readonly followed: (
    input: Schema.Struct<I>["Type"],
    listener: (event: Event<Schema.Struct<O>["Type"]>) => Effect.Effect<void>
  ) => Effect.Effect<Schema.Struct<O>["Type"], Failure, Services>
}

/**
 * Makes an explorer. Do it once, at module level.
 *
 * ```ts
 * import { Rlm, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Sandbox } from "@effect-dspy/pipelines/sandbox"
 * import { Effect } from "effect"
 *
 * const count = Rlm.make(Signature.parse("log, word -> count: integer", { name: "Count" }))
 * const lm = TestLM.layer([{ reasoning: "Split it.", code: "SUBMIT({ count: log.split(word).length - 1 })" }])
 * const program = count({ log: "tide ".repeat(100_000), word: "tide" })
 * await Effect.runPromise(program.pipe(Effect.provide(lm), Effect.provide(Sandbox.layer()))) // => { count: 100000 }
 * ```
 *
 * @category constructors
 */
export const make = <Name extends string, I extends Signature.Fields, O extends Signature.Fields>(
  signature: Signature.Signature<Name, I, O>,
  options: Options = {}
): Explorer<Name, I, O> => build(signature, options, Run.predictors(signature), signature.name)

const build = <Name extends string, I extends Signature.Fields, O extends Signature.Fields>(
  signature: Signature.Signature<Name, I, O>,
  options: Options,
  predictors: Run.Predictors,
  name: string
): Explorer<Name, I, O> => {
  type In = Schema.Struct<I>["Type"]
  type Out = Schema.Struct<O>["Type"]
  // What comes back was decoded by the signature; the types of a generic struct can't tell.
  const call = (input: In, listener?: Run.Listener) =>
    Run.run(signature, predictors, options, name, input, listener) as Effect.Effect<Out, Failure, Services>
  return Step.callable((input: In) => call(input), {
    name,
    signature,
    input: signature.input,
    output: signature.output,
    named: (other: string) => build(signature, options, predictors, other),
    followed: (input: In, listener: (event: Event<Out>) => Effect.Effect<void>) => call(input, listener as Run.Listener)
  })
}

/** Events a reader may be behind before the exploration waits. */
const bufferSize = 64

/**
 * A run as a stream of its turns, with `Done` at the end. Leaving the stream early interrupts the run: its model
 * call, its program and its queries.
 *
 * @category streaming
 */
export const stream = <I, O, E, R>(
  explorer: {
    readonly followed: (input: I, listener: (event: Event<O>) => Effect.Effect<void>) => Effect.Effect<O, E, R>
  },
  input: I
): Stream.Stream<Event<O>, E, R> =>
  Stream.callback<Event<O>, E, R>(
    (queue) =>
      explorer.followed(input, (event) => Effect.asVoid(Queue.offer(queue, event))).pipe(
        Effect.flatMap((output) => Queue.offer(queue, { _tag: "Done", output })),
        Effect.matchCauseEffect({
          onFailure: (cause) => Queue.failCause(queue, cause),
          onSuccess: () => Queue.end(queue)
        })
      ),
    { bufferSize }
  )
