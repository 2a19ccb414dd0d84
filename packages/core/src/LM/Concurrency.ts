/**
 * One bound on the requests in flight, for everything below a layer.
 *
 * It goes under retry: a call that waits 30 s for its next attempt must not hold a permit meanwhile. It goes over the
 * timeout of an attempt: waiting for a permit is not slowness.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as PartitionedSemaphore from "effect/PartitionedSemaphore"
import type { Completion } from "../Completion.ts"
import type { LMError } from "../LMError.ts"
import * as Telling from "../Telling.ts"
import * as Ceiling from "./Ceiling.ts"
import type { Decorator } from "./Decorator.ts"
import * as Group from "./Group.ts"
import { wrap } from "./Make.ts"

/**
 * - `max`: most requests in flight, default 64
 * - `adaptive`: begins with few and goes by how the endpoint takes them; `Ceiling.ts` tells how
 *
 * @category models
 */
export interface Options {
  readonly max?: number
  readonly adaptive?: boolean
}

/**
 * At most this many requests at once. The others wait: groups (`LM.withGroup`) in turn, each first come, first served.
 *
 * A request that an adaptive bound sent too many of comes back refused and goes up to retry, which is why it goes
 * under one. A bound below 1, which nothing could pass, throws.
 *
 * @category decorators
 */
export const concurrency = (options: number | Options): Decorator => {
  const { adaptive = false, max = 64 } = typeof options === "number" ? { max: options } : options
  if (!(max >= 1)) throw new TypeError(`LM.concurrency: at least 1 request at once, not ${max}`)
  return (lm) =>
    Effect.map(
      adaptive ? adapting(max) : fixed(max),
      (bound) => wrap(lm, (request) => Effect.withFiber((fiber) => bound(fiber, lm.generate(request))))
    )
}

interface Bound {
  (
    fiber: Fiber.Fiber<unknown, unknown>,
    request: Effect.Effect<Completion, LMError>
  ): Effect.Effect<Completion, LMError>
}

const fixed = (permits: number): Effect.Effect<Bound> =>
  Effect.map(
    PartitionedSemaphore.make<string>({ permits }),
    (semaphore): Bound => (fiber, request) =>
      Telling.queueing(
        "permit",
        isFree(semaphore),
        request,
        (ready) => Group.inTurn(semaphore, ready, semaphore.withPermit(fiber.getRef(Group.Group)))
      )
  )

const isFree = (semaphore: PartitionedSemaphore.PartitionedSemaphore<string>): Effect.Effect<boolean> =>
  Effect.map(semaphore.available, (free) => free > 0)

/** More permits than any process has use for; an unbounded semaphore would have none to hold back. */
const plenty = 100_000

// The semaphore has as many permits as there may ever be. Those above the limit are held back: taken at the start,
// and not given back as requests end while there are too many.
const adapting = (max: number): Effect.Effect<Bound> => {
  const permits = Math.min(max, plenty)
  const ceiling = Ceiling.make(permits)
  const semaphore = PartitionedSemaphore.makeUnsafe<string>({ permits })
  let given = ceiling.limit
  const giveBack = Effect.suspend(() => {
    const more = ceiling.limit - given
    given += Math.max(-1, more)
    return semaphore.release(Math.max(0, 1 + more))
  })
  const bound: Bound = (fiber, request) =>
    Telling.queueing("permit", isFree(semaphore), request, (asked) =>
      Group.inTurn(
        semaphore,
        asked,
        (ready) =>
          Effect.uninterruptibleMask((restore) =>
            Effect.flatMap(restore(semaphore.take(fiber.getRef(Group.Group), 1)), () => {
              const clock = fiber.getRef(Clock.Clock)
              const begin = clock.currentTimeMillisUnsafe()
              const sent = Ceiling.sent(ceiling)
              return Effect.onExit(restore(ready), (exit) => {
                if (Exit.isSuccess(exit)) Ceiling.answered(ceiling, sent, clock.currentTimeMillisUnsafe() - begin)
                else if (isRefusal(exit)) Ceiling.refused(ceiling, sent)
                else Ceiling.ended(ceiling)
                return giveBack
              })
            })
          )
      ))
  return Effect.as(semaphore.take("", permits - given), bound)
}

const isRefusal = (exit: Exit.Exit<unknown, LMError>): boolean =>
  Option.exists(
    Exit.findErrorOption(exit),
    ({ reason: { _tag } }) => _tag === "RateLimited" || _tag === "Overloaded" || _tag === "Timeout"
  )
