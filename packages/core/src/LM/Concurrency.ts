/**
 * One bound on the requests in flight, for everything below a layer.
 *
 * It goes under retry: a call that waits 30 s for its next attempt must not hold a permit meanwhile.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Decorator } from "./Decorator.ts"
import { wrap } from "./Make.ts"

/**
 * At most `permits` requests at once; the others wait their turn, first come, first served.
 *
 * @category decorators
 */
export const concurrency = (permits: number): Decorator => (lm) =>
  Effect.map(
    Semaphore.make(permits),
    (semaphore) => wrap(lm, (request) => semaphore.withPermit(lm.generate(request)))
  )
