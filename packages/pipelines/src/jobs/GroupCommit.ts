/**
 * Writes of fibers that run at the same time, in one transaction.
 *
 * A commit costs a write to the disk whatever it holds. So while one batch is being committed, the writes that
 * come in wait and make up the next. Nobody waits longer than the batch before: a write that comes alone is
 * committed alone, at once.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"

/** A write and the fiber that waits for it. */
interface Waiting<A, B, E> {
  readonly item: A
  readonly resume: (result: Effect.Effect<B, E>) => void
}

/**
 * Makes a function that hands its argument to `run` together with others. `run` gives one result for each, in
 * their order. A batch that fails is tried again one by one, so that nobody fails for another's sake.
 *
 * @category constructors
 */
export const make = <A, B, E>(
  run: (batch: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<B>, E>,
  options: { readonly atMost: number }
): Effect.Effect<(item: A) => Effect.Effect<B, E>, never, Scope.Scope> =>
  Effect.gen(function*() {
    let waiting: Array<Waiting<A, B, E>> = []
    const some = Latch.makeUnsafe(false)
    const single = (one: Waiting<A, B, E>) =>
      Effect.map(Effect.exit(run([one.item])), (exit) => {
        // One item in, one result out.
        one.resume(Exit.isSuccess(exit) ? Effect.succeed(exit.value[0] as B) : Effect.failCause(exit.cause))
      })
    const commit = (batch: ReadonlyArray<Waiting<A, B, E>>): Effect.Effect<void> => {
      const [first] = batch
      if (first !== undefined && batch.length === 1) return single(first)
      return Effect.flatMap(Effect.exit(run(batch.map(({ item }) => item))), (exit) => {
        if (Exit.isFailure(exit)) return Effect.forEach(batch, single, { discard: true, concurrency: 1 })
        batch.forEach(({ resume }, index) => resume(Effect.succeed(exit.value[index] as B)))
        return Effect.void
      })
    }
    const next = Effect.suspend(() => {
      const batch = waiting.slice(0, options.atMost)
      waiting = waiting.slice(options.atMost)
      if (waiting.length === 0) some.closeUnsafe()
      return Effect.uninterruptible(commit(batch))
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(some.await, Effect.andThen(Effect.yieldNow, next))))
    return (item) =>
      Effect.callback<B, E>((resume) => {
        waiting.push({ item, resume })
        some.openUnsafe()
      })
  })
