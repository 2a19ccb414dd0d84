/**
 * A step over many inputs: a stream in, a stream out, a bounded number in flight.
 *
 * Inputs are pulled as results are taken, so a slow consumer slows the source down and a million inputs
 * need no more memory than the few in flight. Leaving the stream early interrupts what is in flight.
 */
import * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import * as Stream from "effect/Stream"

/**
 * - `concurrency`: inputs in flight at once, default 8
 * - `ordered`: results in input order (default), or as they come; in order, a slow input holds back the
 *   results behind it, and no more than `concurrency` of them are waiting
 * - `onFailure`: `stop` fails the stream at the first failure and interrupts the rest, `keep` (default)
 *   gives failures as results and goes on
 *
 * @category models
 */
export interface Options {
  readonly concurrency?: number
  readonly ordered?: boolean
  readonly onFailure?: "stop" | "keep"
}

/**
 * One input and what came of it; `index` counts inputs from 0.
 *
 * @category models
 */
export interface Item<out I, out A> {
  readonly index: number
  readonly input: I
  readonly result: A
}

/**
 * Runs a step, or any function to an Effect, over inputs.
 *
 * ```ts
 * import { Batch } from "@effect-dspy/pipelines"
 * import { Effect, Result, Stream } from "effect"
 *
 * const half = (n: number) => n % 2 === 0 ? Effect.succeed(n / 2) : Effect.fail(`${n} is odd`)
 * const results = Batch.run([2, 3, 8], half, { concurrency: 2 }).pipe(
 *   Stream.map(({ result }) => Result.isSuccess(result) ? result.success : result.failure),
 *   Stream.runCollect
 * )
 * await Effect.runPromise(results) // => [1, "3 is odd", 4]
 * ```
 *
 * @category constructors
 */
export function run<I, O, E, R, E2 = never, R2 = never>(
  inputs: Iterable<I> | Stream.Stream<I, E2, R2>,
  step: (input: I) => Effect.Effect<O, E, R>,
  options: Options & { readonly onFailure: "stop" }
): Stream.Stream<Item<I, O>, E | E2, R | R2>
export function run<I, O, E, R, E2 = never, R2 = never>(
  inputs: Iterable<I> | Stream.Stream<I, E2, R2>,
  step: (input: I) => Effect.Effect<O, E, R>,
  options?: Options & { readonly onFailure?: "keep" }
): Stream.Stream<Item<I, Result.Result<O, E>>, E2, R | R2>
export function run<I, O, E, R, E2, R2>(
  inputs: Iterable<I> | Stream.Stream<I, E2, R2>,
  step: (input: I) => Effect.Effect<O, E, R>,
  options: Options = {}
): Stream.Stream<Item<I, O | Result.Result<O, E>>, E | E2, R | R2> {
  const concurrency = options.concurrency ?? 8
  // NaN is not at least 1 either.
  if (!(concurrency >= 1)) throw new TypeError(`Batch.run: at least 1 input at once, not ${concurrency}`)
  const work = (input: I): Effect.Effect<O | Result.Result<O, E>, E, R> =>
    options.onFailure === "stop" ? step(input) : Effect.result(step(input))
  return Stream.suspend(() => {
    let next = 0
    return toStream(inputs).pipe(
      Stream.map((input) => ({ index: next++, input })),
      Stream.mapEffect(
        ({ index, input }) => Effect.map(work(input), (result) => ({ index, input, result })),
        { concurrency, unordered: options.ordered === false }
      )
    )
  })
}

// One element a chunk: an iterable may do work for each, and should not be asked ahead.
const toStream = <I, E, R>(inputs: Iterable<I> | Stream.Stream<I, E, R>): Stream.Stream<I, E, R> =>
  isStream(inputs) ? inputs : Stream.fromIterable(inputs, { chunkSize: 1 })

const isStream = <I, E, R>(inputs: Iterable<I> | Stream.Stream<I, E, R>): inputs is Stream.Stream<I, E, R> =>
  Stream.isStream(inputs)
