/**
 * Jobs that are enqueued by the clock.
 *
 * Every worker that has a cron entry enqueues it when its time comes, under an id made of that time; the store takes
 * the first and knows the others. So any number of workers enqueue one job, and a worker whose clock is wrong adds
 * none: what it enqueues late is there already. Times that pass while no worker runs are skipped.
 */
import * as Clock from "effect/Clock"
import * as EffectCron from "effect/Cron"
import type * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { EnqueueError, Job } from "./Job.ts"
import * as JobModule from "./Job.ts"
import type { Jobs } from "./Jobs.ts"

/**
 * A job with its times.
 *
 * @category models
 */
export interface Cron {
  readonly name: string
  readonly cron: EffectCron.Cron
  readonly enqueue: (slot: Date) => Effect.Effect<unknown, EnqueueError, Jobs>
}

/**
 * A job at the times of a cron expression (five fields, or six with seconds). `payload` may depend on the time.
 *
 * ```ts
 * import { Cron, Job, Worker } from "@effect-dspy/pipelines/jobs"
 * import { Effect, Schema } from "effect"
 *
 * const Cleanup = Job.make("cleanup", { payload: { days: Schema.Int } })
 * const nightly = Cron.make("0 3 * * *", Cleanup, () => ({ days: 30 }), { timeZone: "Europe/Berlin" })
 * const worker = Worker.layer([Cleanup.toLayer(() => Effect.void)], { queues: { default: 4 }, cron: [nightly] })
 * nightly.name // => "cleanup"
 * ```
 *
 * @category constructors
 */
export const make = <P, A, E>(
  expression: string,
  job: Job<P, A, E>,
  payload: (slot: Date) => P,
  options: { readonly timeZone?: DateTime.TimeZone | string } = {}
): Cron => ({
  name: job.name,
  cron: EffectCron.parseUnsafe(expression, options.timeZone),
  enqueue: (slot) => JobModule.enqueue(job, payload(slot), { id: `cron@${slot.toISOString()}` })
})

/** A clock may be set while a worker waits for it; it is looked at again at least that often. */
const lookMillis = 30_000

/**
 * Enqueues a job whenever its time comes, for ever.
 *
 * @category combinators
 */
export const run = (
  self: Cron,
  enqueue: (slot: Date) => Effect.Effect<void>
): Effect.Effect<never> =>
  Effect.gen(function*() {
    let slot = EffectCron.next(self.cron, yield* Clock.currentTimeMillis)
    while (true) {
      const left = slot.getTime() - (yield* Clock.currentTimeMillis)
      if (left > 0) {
        yield* Effect.sleep(Duration.millis(Math.min(left, lookMillis)))
      } else {
        yield* enqueue(slot)
        slot = EffectCron.next(self.cron, yield* Clock.currentTimeMillis)
      }
    }
  })
