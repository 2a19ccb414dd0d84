/**
 * The events of durable jobs, where somebody listens: enqueued by whom, run by which worker, with what end.
 */
import type { JobEnded } from "@effect-dspy/core/Event"
import * as Telling from "@effect-dspy/core/Telling"
import * as Usage from "@effect-dspy/core/Usage"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Claim, Settlement } from "./Claims.ts"
import type { Entry } from "./Jobs.ts"

/**
 * Tells that jobs are in the store.
 *
 * @category telling
 */
export const enqueued = (entries: ReadonlyArray<Entry>): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const to = Telling.listener(fiber)
    if (to !== undefined) {
      for (const { delayMillis, id, name, queue } of entries) {
        Telling.tell(to, fiber, { _tag: "JobEnqueued", job: id, name, queue, delayMs: delayMillis })
      }
    }
    return Effect.void
  })

/**
 * Tells of one run of a job's handler, and makes the job the place of what happens in it.
 *
 * @category combinators
 */
export const attempt = (claim: Claim, self: Effect.Effect<Settlement>): Effect.Effect<Settlement> =>
  Effect.withFiber((fiber) => {
    const to = Telling.listener(fiber)
    if (to === undefined) return self
    const { attempt, id, name, queue } = claim
    const about = { name, queue, attempt }
    const told = Effect.withFiber<Settlement>((fiber) => {
      const clock = fiber.getRef(Clock.Clock)
      const start = clock.currentTimeMillisUnsafe()
      let usage = Usage.zero
      const end = (how: Pick<JobEnded, "outcome" | "error" | "delayMs">) =>
        Telling.tell(to, fiber, {
          _tag: "JobEnded",
          ...about,
          ...how,
          usage,
          ms: clock.currentTimeMillisUnsafe() - start
        })
      Telling.tell(to, fiber, { _tag: "JobStarted", ...about, waitedMs: claim.waitedMs })
      const counted = Usage.observe((more) => {
        usage = Usage.add(usage, more)
      })(self)
      return counted.pipe(
        Effect.tap((settlement) => Effect.sync(() => end(endOf(settlement)))),
        // The worker ends: the job is handed back.
        Effect.onInterrupt(() => Effect.sync(() => end({ outcome: "returned" })))
      )
    })
    return Telling.within(fiber, { job: id }, told)
  })

const endOf = (settlement: Settlement): Pick<JobEnded, "outcome" | "error" | "delayMs"> => {
  switch (settlement._tag) {
    case "Succeeded":
      return { outcome: "succeeded" }
    case "Cancelled":
      return { outcome: "cancelled" }
    case "Dead":
      return { outcome: "dead", error: settlement.failure.name }
    case "Retry":
      return { outcome: "retrying", error: settlement.failure.name, delayMs: settlement.delayMillis }
    case "Back":
      return {
        outcome: "returned",
        delayMs: settlement.delayMillis,
        ...(settlement.failure === undefined ? undefined : { error: settlement.failure.name })
      }
    case "Parked":
      return {
        outcome: "parked",
        ...(settlement.delayMillis === undefined ? undefined : { delayMs: settlement.delayMillis })
      }
  }
}
