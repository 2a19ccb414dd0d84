/**
 * Gauges of the store of jobs: how many are in which state, and how long the oldest one waits.
 *
 * They are the same whoever asks, so one process that asks is enough. What single runs take and cost is counted by
 * core's `Metrics`, in the workers.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import { Jobs } from "./Jobs.ts"
import type { StoreError } from "./StoreError.ts"

const jobs = Metric.gauge("effect_dspy.jobs", {
  description: "Jobs by queue and state.",
  attributes: { unit: "{job}" }
})

const oldest = Metric.gauge("effect_dspy.jobs.oldest_pending", {
  description: "How long the job that is next in a queue has been due.",
  attributes: { unit: "s" }
})

const names = { queue: "messaging.destination.name", state: "effect_dspy.job.state" }

/** What is not there any more is 0, not as it was. */
interface Seen {
  readonly states: Map<string, Metric.Gauge<number>>
  readonly waits: Map<string, Metric.Gauge<number>>
}

const look = (seen: Seen): Effect.Effect<void, StoreError, Jobs> =>
  Effect.gen(function*() {
    const store = yield* Jobs
    const counts = yield* store.counts
    const waiting = yield* store.oldest
    const context = yield* Effect.context<never>()
    const set = (
      gauges: Map<string, Metric.Gauge<number>>,
      gauge: Metric.Gauge<number>,
      values: ReadonlyArray<readonly [labels: Record<string, string>, value: number]>
    ) => {
      const left = new Map(gauges)
      for (const [labels, value] of values) {
        const key = Object.values(labels).join("\u0000")
        const known = gauges.get(key) ?? Metric.withAttributes(gauge, labels)
        gauges.set(key, known)
        left.delete(key)
        known.updateUnsafe(value, context)
      }
      for (const gone of left.values()) gone.updateUnsafe(0, context)
    }
    set(
      seen.states,
      jobs,
      counts.map(({ count, queue, state }) => [{ [names.queue]: queue, [names.state]: state }, count])
    )
    set(seen.waits, oldest, waiting.map(({ queue, waitedMs }) => [{ [names.queue]: queue }, waitedMs / 1000]))
  })

/**
 * Looks at the store now and then, default every 15 seconds. A store that can't be reached leaves the gauges as they
 * are.
 *
 * @category layers
 */
export const layer = (options: { readonly every?: Duration.Input } = {}): Layer.Layer<never, never, Jobs> =>
  Layer.effectDiscard(Effect.suspend(() => {
    const seen: Seen = { states: new Map(), waits: new Map() }
    const once = Effect.catch(
      look(seen),
      (error) => Effect.logWarning("JobMetrics: the store could not be read", error)
    )
    return Effect.andThen(
      once,
      Effect.forkScoped(
        Effect.repeat(Effect.delay(once, options.every ?? "15 seconds"), Schedule.forever)
      )
    )
  }))
