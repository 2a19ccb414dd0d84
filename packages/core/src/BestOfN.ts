/**
 * The best of several samples by a reward.
 *
 * The samples run side by side; the first that reaches the threshold wins, and the others are interrupted.
 */
import * as Effect from "effect/Effect"
import * as Samples from "./Samples.ts"
import * as Step from "./Step.ts"

/**
 * - `reward`: how good an output is; higher is better
 * - `threshold`: good enough; without one all samples run
 *
 * @category models
 */
export interface Options<I, O, E, R> extends Samples.Options {
  readonly reward: (input: I, output: O) => number | Effect.Effect<number, E, R>
  readonly threshold?: number
}

/**
 * A step that runs another one `n` times and gives the output with the highest reward; of equal ones the first. It
 * fails when every sample does.
 *
 * ```ts
 * import { BestOfN, Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * const slogan = Predict.make(Signature.make("Slogan", { input: { product: Schema.String }, output: { slogan: Schema.String } }))
 * const short = BestOfN.make(slogan, { n: 3, reward: (_, { slogan }) => -slogan.length })
 * const lm = TestLM.layer([{ slogan: "Tea for all" }, { slogan: "Tea!" }, { slogan: "More tea" }])
 * await Effect.runPromise(short({ product: "tea" }).pipe(Effect.provide(lm))) // => { slogan: "Tea!" }
 * ```
 *
 * @category constructors
 */
export const make = <I, O, E, R, E2 = never, R2 = never>(
  step: Step.Step<I, O, E, R>,
  options: Options<I, O, E2, R2>
): Step.Step<I, O, E | E2, R | R2> => {
  const { threshold } = options
  const run = (input: I) =>
    Effect.suspend(() => {
      let best: { readonly output: O; readonly reward: number; readonly index: number } | undefined
      return Samples.choose(step, input, options, (output, index) =>
        Effect.map(scored(options.reward(input, output)), (reward) => {
          if (best === undefined || reward > best.reward || (reward === best.reward && index < best.index)) {
            best = { output, reward, index }
          }
          return threshold !== undefined && reward >= threshold ? best : undefined
        }), () =>
        best)
    })
  return Step.wrap(step, (inner) => make(inner, options), (input) =>
    Effect.map(run(input), (best) => {
      // Either a sample succeeded or `choose` has failed.
      if (best === undefined) throw new TypeError(`${step.name}: n must be at least 1`)
      return best.output
    }))
}

const scored = <E, R>(reward: number | Effect.Effect<number, E, R>): Effect.Effect<number, E, R> =>
  typeof reward === "number" ? Effect.succeed(reward) : reward
