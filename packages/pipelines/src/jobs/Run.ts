/**
 * A job while it runs: what its handler can reach from inside.
 *
 * A handler may be run more than once (a retry, a crash, a sleep), from its beginning each time. What it asks of
 * the run gets a key, and the same question in the same place gets the same key again: that is how answers are
 * found that an earlier run has kept.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Schedule from "effect/Schedule"
import type { Claim, Service as Claims } from "./Claims.ts"
import type { JobId } from "./JobInfo.ts"
import type { Service as Jobs } from "./Jobs.ts"
import type { StoreError } from "./StoreError.ts"

/**
 * What a handler that gives its slot back waits for: a time, the end of a job, a signal.
 *
 * @category models
 */
export interface Wait {
  readonly delayMillis?: number
  readonly child?: JobId
  readonly signal?: string
}

/**
 * Why a run ends from outside its handler.
 *
 * @category models
 */
export type Stop = { readonly _tag: "Cancel" } | { readonly _tag: "Park"; readonly waits: ReadonlyArray<Wait> }

/**
 * - `now`: milliseconds of the store's clock, whatever this process's clock says
 * - `key`: numbers a question, so that asking it three times gives three keys
 * - `recall`, `remember`: the memo of this job. They wait for a store that is out of reach: an answer is not
 *   paid for again only because nobody could look.
 * - `working`: marks work that a park waits for, because interrupting it would lose something
 * - `park`: gives the slot back; the handler runs again when one of its waits is over
 * - `wrote`: whether there is a memo to forget
 *
 * @category models
 */
export interface Run {
  readonly claim: Claim
  readonly jobs: Jobs
  readonly claims: Claims
  readonly stop: Deferred.Deferred<Stop>
  readonly now: Effect.Effect<number>
  readonly key: (question: string) => string
  readonly recall: (key: string) => Effect.Effect<string | undefined>
  readonly remember: (key: string, text: string) => Effect.Effect<void>
  readonly working: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly park: (wait: Wait) => Effect.Effect<never>
  readonly wrote: () => boolean
}

/**
 * The job the running fiber belongs to.
 *
 * @category services
 */
export const Current = Context.Reference<Run | undefined>("@effect-dspy/pipelines/jobs/Run", {
  defaultValue: () => undefined
})

/**
 * How long to wait between tries of a store that doesn't answer: from 100 ms up to 5 seconds, for ever.
 *
 * @category constants
 */
export const patience = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")])

/**
 * A run of a claimed job.
 *
 * @category constructors
 */
export const make = (claim: Claim, jobs: Jobs, claims: Claims): Effect.Effect<Run> =>
  Effect.map(Clock.monotonicTimeNanos, (startedAt) => {
    const stop = Deferred.makeUnsafe<Stop>()
    const asked = new Map<string, number>()
    const waits: Array<Wait> = []
    const idle = Latch.makeUnsafe(true)
    let busy = 0
    let wrote = claim.remembered
    const patiently = <A>(self: Effect.Effect<A, StoreError>) => Effect.orDie(Effect.retry(self, patience))
    return {
      claim,
      jobs,
      claims,
      stop,
      // From a clock that nobody sets: the time of day may jump while the job runs.
      now: Effect.map(Clock.monotonicTimeNanos, (now) => claim.claimedAt + Number(now - startedAt) / 1_000_000),
      key: (question) => {
        const nth = asked.get(question) ?? 0
        asked.set(question, nth + 1)
        return `${question}/${nth}`
      },
      recall: (key) => claim.remembered ? patiently(claims.recall(claim.id, key)) : Effect.undefined,
      remember: (key, text) =>
        Effect.suspend(() => {
          wrote = true
          return patiently(claims.remember(claim.id, key, text))
        }),
      working: (self) =>
        Effect.suspend(() => {
          busy++
          idle.closeUnsafe()
          return Effect.ensuring(
            self,
            Effect.sync(() => {
              if (--busy === 0) idle.openUnsafe()
            })
          )
        }),
      park: (wait) =>
        Effect.gen(function*() {
          waits.push(wait)
          // A branch that has just ended one piece of work may begin the next within the same turn.
          do {
            yield* idle.await
            yield* Effect.yieldNow
            yield* Effect.yieldNow
          } while (busy > 0)
          yield* Deferred.succeed(stop, { _tag: "Park", waits })
          return yield* Effect.never
        }),
      wrote: () => wrote
    }
  })
