/**
 * When a failed job is run again.
 *
 * A schedule is replayed up to the attempt that failed, so that its delays go on growing whichever process runs
 * the attempts. When it ends, the job is dead.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"

/**
 * Gives the delay after an attempt. Its input is the attempt's number.
 *
 * @category models
 */
export type Retry = Schedule.Schedule<unknown, number>

/**
 * 1 second, doubled each time up to 5 minutes, with up to a quarter more by chance, so that jobs that failed
 * together don't come back together.
 *
 * @category constructors
 */
export const standard: Retry = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("5 minutes")]).pipe(
  Schedule.modifyDelay(({ duration }) => Effect.map(Random.next, (chance) => Duration.times(duration, 1 + chance / 4)))
)

/**
 * Sidekiq's retries as options of a job: 25 of them, at first after seconds, at last after days, about three
 * weeks in all (attempt⁴ + 15 seconds, and up to 10 seconds × attempt by chance).
 *
 * ```ts
 * import { Job, Retry } from "@effect-dspy/pipelines/jobs"
 * import { Schema } from "effect"
 *
 * const Invoice = Job.make("invoice", { payload: { id: Schema.String }, ...Retry.sidekiq })
 * Invoice.maxAttempts // => 26
 * ```
 *
 * @category constructors
 */
export const sidekiq: { readonly retry: Retry; readonly maxAttempts: number } = {
  maxAttempts: 26,
  retry: Schedule.recurs(25).pipe(
    Schedule.modifyDelay(({ output: count }) =>
      Effect.map(Random.next, (chance) => Duration.seconds(count ** 4 + 15 + Math.floor(chance * 10) * (count + 1)))
    )
  )
}

/**
 * The delay after an attempt that failed, or `undefined` when there is no other one.
 *
 * @category getters
 */
export const delayAfter = Effect.fnUntraced(function*(retry: Retry, attempt: number) {
  const step = yield* Schedule.toStep(retry)
  let elapsed = 0
  let delay: Duration.Duration | undefined
  for (let count = 1; count <= attempt; count++) {
    const next = yield* Pull.catchDone(step(elapsed, count), () => Effect.undefined)
    if (next === undefined) return undefined
    delay = next[1]
    elapsed += Duration.toMillis(delay)
  }
  return delay
})
