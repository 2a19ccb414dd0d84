/**
 * For whom a call is made, where many share one endpoint.
 *
 * `LM.concurrency` and `LM.rateLimit` serve the groups in turn, and each group in the order its calls came: a job of
 * ten thousand calls does not keep the next one waiting until it is through.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as PartitionedSemaphore from "effect/PartitionedSemaphore"

/**
 * The group of the running fiber; the empty string where nobody named one.
 *
 * @category services
 */
export const Group = Context.Reference<string>("@effect-dspy/core/LM/Group", { defaultValue: () => "" })

/**
 * Runs a program as one group.
 *
 * @category combinators
 */
export const provide = (name: string) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(self, Group, name)

/**
 * Runs `self` behind a semaphore, by `acquire`. A caller that had to wait for its permit lets everybody else run once
 * before it begins: when a crowd is interrupted, the permits of those who ran pass on to those who wait, and these
 * should not begin just to be interrupted in their turn.
 *
 * @category combinators
 */
export const inTurn = <A, E>(
  semaphore: PartitionedSemaphore.PartitionedSemaphore<string>,
  self: Effect.Effect<A, E>,
  acquire: (ready: Effect.Effect<A, E>) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.flatMap(semaphore.available, (free) => acquire(free > 0 ? self : Effect.andThen(Effect.yieldNow, self)))
