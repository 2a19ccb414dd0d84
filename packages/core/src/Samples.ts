/**
 * Several independent runs of one step with one input: what `BestOfN`, `Majority` and their kin choose from.
 *
 * Samples run side by side, bounded, each with a `rollout` of its own, so that caches and recordings keep them apart,
 * and with a temperature at which they differ. Whoever chooses may end the sampling early: what still runs is then
 * interrupted, down to its sockets.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Settings from "./LM/Settings.ts"
import type { Step } from "./Step.ts"

/**
 * - `n`: how many samples
 * - `temperature`: over `LM.Settings`, under a predictor's own settings (default 1)
 * - `concurrency`: samples that run at once (default: all)
 *
 * @category models
 */
export interface Options {
  readonly n: number
  readonly temperature?: number
  readonly concurrency?: number
}

/**
 * The same step as its sample number `index` of `n`. Samples of samples are told apart too.
 *
 * @category combinators
 */
export const sample = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  index: number,
  options: Options
): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    Settings.Settings,
    ({ rollout = 0 }) =>
      Settings.provide({ rollout: rollout * options.n + index, temperature: options.temperature ?? 1 })(self)
  )

/**
 * Runs the samples of a step. `each` sees every output as it comes, and ends the sampling by giving a value; `rest`
 * gives one when all have ended. A sample that fails is left out; when all fail, the first failure is that of the
 * whole, and so is a defect of any.
 *
 * @category combinators
 */
export const choose = <I, O, A, E, R, E2, R2>(
  step: Step<I, O, E, R>,
  input: I,
  options: Options,
  each: (output: O, index: number) => Effect.Effect<A | undefined, E2, R2>,
  rest: () => A
): Effect.Effect<A, E | E2, R | R2> =>
  first(
    Array.from({ length: options.n }, (_, index) => sample(step(input), index, options)),
    options.concurrency,
    each,
    rest
  )

/**
 * Runs effects side by side in the manner of `choose`.
 *
 * @category combinators
 */
export const first = <O, A, E, R, E2, R2>(
  runs: ReadonlyArray<Effect.Effect<O, E, R>>,
  concurrency: number | undefined,
  each: (output: O, index: number) => Effect.Effect<A | undefined, E2, R2>,
  rest: () => A
): Effect.Effect<A, E | E2, R | R2> =>
  Effect.suspend(() => {
    const decided = Deferred.makeUnsafe<A>()
    let succeeded = 0
    let failure: Cause.Cause<E> | undefined
    const one = (run: Effect.Effect<O, E, R>, index: number) =>
      Effect.flatMap(Effect.exit(run), (exit): Effect.Effect<unknown, E | E2, R2> => {
        if (Exit.isFailure(exit)) {
          // A failure costs its sample; anything else is a bug or an interruption, and ends all of them.
          if (!exit.cause.reasons.every(Cause.isFailReason)) {
            return Effect.failCause(exit.cause)
          }
          failure ??= exit.cause
          return Effect.void
        }
        succeeded++
        return Effect.flatMap(
          each(exit.value, index),
          (choice) => choice === undefined ? Effect.void : Deferred.succeed(decided, choice)
        )
      })
    const all = Effect.forEach(
      runs,
      // An answer that is there at once decides before the others are interrupted.
      (run, index) => Effect.suspend(() => Deferred.isDoneUnsafe(decided) ? Effect.void : one(run, index)),
      { concurrency: concurrency ?? "unbounded", discard: true }
    )
    const ended = Effect.flatMap(all, (): Effect.Effect<A, E> =>
      Deferred.isDoneUnsafe(decided)
        ? Deferred.await(decided)
        : succeeded === 0 && failure !== undefined
        ? Effect.failCause(failure)
        : Effect.sync(rest))
    return Effect.raceFirst(Deferred.await(decided), ended)
  })
