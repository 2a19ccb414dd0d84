/**
 * Different steps with their inputs, run side by side under one bound.
 *
 * For one step over many inputs there is `Batch` in `@effect-dspy/pipelines`, for steps that need each other's fields
 * `Pipeline`; to stop at the first failure, `Effect.all` is enough.
 */
import * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import type * as Step from "./Step.ts"

/** A step, and the input it is to be run with. */
type Pair = readonly [step: Step.Any, input: unknown]

/** Pairs whose inputs are those of their steps. */
type Fitting<P extends ReadonlyArray<Pair>> = {
  readonly [K in keyof P]: P[K][0] extends Step.Step<infer I, unknown, unknown, unknown>
    ? readonly [P[K][0], P[K][1] extends I ? P[K][1] : I]
    : never
}

/** What becomes of a pair. */
type Outcome<P extends Pair> = P[0] extends Step.Step<never, infer O, infer E, unknown> ? Result.Result<O, E> : never

type Services<P extends Pair> = P[0] extends Step.Step<never, unknown, unknown, infer R> ? R : never

/** Eight at once: enough to hide latency, few enough for any endpoint. */
const defaultConcurrency = 8

/**
 * Runs pairs, and gives what became of each, in their order. `concurrency` bounds how many run at once (default 8).
 *
 * ```ts
 * import { Parallel, Step } from "@effect-dspy/core"
 * import { Effect, Result, Schema } from "effect"
 *
 * const text = { text: Schema.String }
 * const count = Step.make("Count", { input: text, output: { n: Schema.Int }, run: ({ text }) => Effect.succeed({ n: text.length }) })
 * const fail = Step.make("Fail", { input: text, output: { n: Schema.Int }, run: () => Effect.fail("no") })
 * const [first, second] = await Effect.runPromise(Parallel.run([[count, { text: "four" }], [fail, { text: "x" }]]))
 * first // => Result.succeed({ n: 4 })
 * second // => Result.fail("no")
 * ```
 *
 * @category constructors
 */
export const run = <const P extends ReadonlyArray<Pair>>(
  pairs: P & Fitting<P>,
  options: { readonly concurrency?: number } = {}
): Effect.Effect<{ -readonly [K in keyof P]: Outcome<P[K]> }, never, Services<P[number]>> =>
  // The type has checked each input; results come in the order of the pairs.
  Effect.forEach(pairs as ReadonlyArray<Pair>, ([step, input]) => Effect.result(step(input as never)), {
    concurrency: options.concurrency ?? defaultConcurrency
  }) as Effect.Effect<never, never, never>
