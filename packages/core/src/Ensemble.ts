/**
 * Several steps for one task: they run side by side, and one output is made of theirs.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Majority from "./Majority.ts"
import * as Step from "./Step.ts"

/**
 * - `reduce`: makes one output of those that came, in the order of the steps; default: what most of them say
 * - `minimum`: how many must succeed (default: all)
 * - `concurrency`: steps that run at once (default: all)
 *
 * @category models
 */
export interface Options<O> {
  readonly reduce?: (outputs: readonly [O, ...ReadonlyArray<O>]) => O
  readonly minimum?: number
  readonly concurrency?: number
}

/**
 * A step made of steps with the same fields: other models, other prompts, other programs.
 *
 * ```ts
 * import { Ensemble, Step } from "@effect-dspy/core"
 * import { Effect, Schema } from "effect"
 *
 * const guess = (name: string, age: number) =>
 *   Step.make(name, { input: {}, output: { age: Schema.Int }, run: () => Effect.succeed({ age }) })
 * const mean = Ensemble.make("Mean", [guess("A", 10), guess("B", 20)], {
 *   reduce: (outputs) => ({ age: outputs.reduce((sum, { age }) => sum + age, 0) / outputs.length })
 * })
 * await Effect.runPromise(mean({})) // => { age: 15 }
 * ```
 *
 * @category constructors
 */
export const make = <I, O, E, R>(
  name: string,
  steps: readonly [Step.Step<I, O, E, R>, ...ReadonlyArray<Step.Step<I, O, E, R>>],
  options: Options<O> = {}
): Step.Step<I, O, E, R> => {
  const reduce = options.reduce ??
    ((outputs: readonly [O, ...ReadonlyArray<O>]) => Majority.vote(outputs) ?? outputs[0])
  const minimum = Math.max(1, options.minimum ?? steps.length)
  const [head] = steps
  return Step.callable((input: I) =>
    Effect.suspend(() => {
      let failures = 0
      // One failure too many ends all of them at once.
      const runs = Effect.forEach(steps, (step) =>
        Effect.flatMap(Effect.exit(step(input)), (exit): Effect.Effect<ReadonlyArray<O>, E> => {
          if (Exit.isSuccess(exit)) {
            return Effect.succeed([exit.value])
          }
          return Exit.hasFails(exit) && ++failures <= steps.length - minimum
            ? Effect.succeed([])
            : Effect.failCause(exit.cause)
        }), { concurrency: options.concurrency ?? "unbounded" })
      return Effect.map(runs, (found) => {
        const [first, ...others] = found.flat()
        // At least one succeeded, or the runs have failed.
        if (first === undefined) {
          throw new TypeError(`${name}: no step gave an output`)
        }
        return reduce([first, ...others])
      })
    }), { name, input: head.input, output: head.output })
}
