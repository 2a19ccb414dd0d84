/**
 * The store of jobs as workers see it: claim a job, do it, settle it.
 *
 * A claim carries a token that is new for each time a job is taken. Whatever a worker writes about the job is
 * written only while the store still knows that token; a worker that was stalled past its lock, and whose job
 * another one has taken since, writes nothing.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Failure } from "./Failure.ts"
import type { JobId } from "./JobInfo.ts"
import type { StoreError } from "./StoreError.ts"

/**
 * A job in the hands of a worker.
 *
 * - `payload`: as it was stored, sealed
 * - `attempt`: 1 for the first
 * - `cancelled`, `paused`: asked for since it was enqueued
 * - `trace`: the span that enqueued it, as a `traceparent`
 * - `remembered`: an earlier run left answers in the memo
 * - `history`: what earlier runs have told of themselves (see `History`)
 * - `claimedAt`: milliseconds of the store's clock; `waitedMs`: how long it was due before that
 *
 * @category models
 */
export interface Claim {
  readonly id: JobId
  readonly name: string
  readonly queue: string
  readonly payload: string
  readonly attempt: number
  readonly token: string
  readonly cancelled: boolean
  readonly paused: boolean
  readonly remembered: boolean
  readonly claimedAt: number
  readonly waitedMs: number
  readonly history?: string
  readonly group?: string
  readonly parent?: JobId
  readonly trace?: string | undefined
}

/**
 * What becomes of a claimed job.
 *
 * - `forget`: the run left a memo, which nobody needs any more
 * - `Retry` counts the attempt; `Back` doesn't: the job was not run, or is to be run again without blame
 * - `Parked`: asleep until `delayMillis` are over, or until one of `children` ends or one of `signals` comes;
 *   its slot is free and the attempt is not counted
 *
 * @category models
 */
export type Settlement =
  | { readonly _tag: "Succeeded"; readonly result: string | undefined; readonly forget: boolean }
  | { readonly _tag: "Dead"; readonly failure: Failure; readonly error?: string | undefined }
  | { readonly _tag: "Cancelled" }
  | { readonly _tag: "Retry"; readonly failure: Failure; readonly delayMillis: number }
  | { readonly _tag: "Back"; readonly delayMillis: number; readonly unknown?: boolean; readonly failure?: Failure }
  | {
    readonly _tag: "Parked"
    readonly delayMillis: number | undefined
    readonly children: ReadonlyArray<JobId>
    readonly signals: ReadonlyArray<string>
  }

/**
 * - `take`: waits for a job of a queue and runs `work` on it, which settles it; interrupted, the job is handed
 *   back uncounted
 * - `bell`: makes those who wait for a queue look at once
 * - `dueWithin`: in how many milliseconds the next waiting job of each queue is due, of those that have one due in
 *   that time; below zero when it fell due just now
 * - `settle`: tells whether the job was still this worker's; `history` is written with it
 * - `record`: writes the history of running jobs, of those that are still this worker's
 * - `remember`, `recall`, `forget`: the memo of a job, sealed text by key
 * - `heard`: the value of a signal, if it came
 * - `cancelRequested`: those of `ids` that somebody wants cancelled
 * - `adopt`: makes jobs due that waited for a worker who knows their name
 *
 * @category models
 */
export interface Service {
  readonly take: (queue: string, work: (claim: Claim) => Effect.Effect<void>) => Effect.Effect<void, StoreError>
  readonly bell: (queue: string) => Effect.Effect<void, StoreError>
  readonly dueWithin: (
    queues: ReadonlyArray<string>,
    millis: number
  ) => Effect.Effect<ReadonlyMap<string, number>, StoreError>
  readonly settle: (claim: Claim, settlement: Settlement, history?: string) => Effect.Effect<boolean, StoreError>
  readonly record: (
    histories: ReadonlyArray<{ readonly claim: Claim; readonly history: string }>
  ) => Effect.Effect<void, StoreError>
  readonly recall: (id: JobId, key: string) => Effect.Effect<string | undefined, StoreError>
  readonly remember: (id: JobId, key: string, value: string) => Effect.Effect<void, StoreError>
  readonly forget: (id: JobId) => Effect.Effect<void, StoreError>
  readonly heard: (id: JobId, name: string) => Effect.Effect<string | undefined, StoreError>
  readonly cancelRequested: (ids: ReadonlyArray<JobId>) => Effect.Effect<ReadonlyArray<JobId>, StoreError>
  readonly adopt: (names: ReadonlyArray<string>) => Effect.Effect<void, StoreError>
}

/**
 * The worker's side of the store of jobs.
 *
 * @category services
 */
export class Claims extends Context.Service<Claims, Service>()("@effect-dspy/pipelines/jobs/Claims") {}
