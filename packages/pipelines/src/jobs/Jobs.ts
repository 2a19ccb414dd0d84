/**
 * The store of jobs as a service: what an app and a worker ask of it, whatever engine stands behind.
 *
 * Jobs are enqueued and awaited through `Job`, typed; here they are seen from outside, by id. The engines are
 * `Sqlite.layer`, `Postgres.layer` and `Sqlite.memory`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { Codec } from "./Codec.ts"
import type { Failure } from "./Failure.ts"
import type { GroupNotFound } from "./JobError.ts"
import type { JobId, JobInfo, State } from "./JobInfo.ts"
import type { StoreError } from "./StoreError.ts"
import type { Wake } from "./Wake.ts"

/**
 * A job as it goes into the store. `payload` is encoded and sealed already.
 *
 * - `delayMillis`: due so much later
 * - `priority`: minutes of head start over jobs that came before
 * - `trace`: the span that enqueued it, as a `traceparent`
 *
 * @category models
 */
export interface Entry {
  readonly id: JobId
  readonly name: string
  readonly queue: string
  readonly payload: string
  readonly priority: number
  readonly delayMillis: number
  readonly group?: string | undefined
  readonly parent?: JobId | undefined
  readonly trace?: string | undefined
}

/**
 * How a job ended, if it has: `result` and `error` are sealed text.
 *
 * @category models
 */
export interface Ending {
  readonly state: State
  readonly result?: string
  readonly failure?: Failure
  readonly error?: string
}

/**
 * Which jobs to list, newest first: ended ones by their end, others by when they came. `limit` defaults to 100.
 *
 * @category models
 */
export interface Filter {
  readonly state?: State
  readonly queue?: string
  readonly name?: string
  readonly group?: string
  readonly limit?: number
}

/**
 * How many jobs of a queue are in a state. Of a long queue some counts are only known to be `atLeast` so many.
 *
 * @category models
 */
export interface Count {
  readonly queue: string
  readonly state: State
  readonly count: number
  readonly atLeast?: true
}

/**
 * How long the next job of a queue has been due, in milliseconds.
 *
 * @category models
 */
export interface Waiting {
  readonly queue: string
  readonly waitedMs: number
}

/**
 * A group of jobs with the callbacks that are enqueued when its last job has ended.
 *
 * @category models
 */
export interface GroupEntry {
  readonly id: string
  readonly onComplete?: Entry | undefined
  readonly onSuccess?: Entry | undefined
}

/**
 * How far a group is: `pending` have not ended, `failed` are dead or cancelled.
 *
 * @category models
 */
export interface GroupInfo {
  readonly id: string
  readonly total: number
  readonly pending: number
  readonly failed: number
}

/**
 * What ended jobs are kept: durations in milliseconds.
 *
 * @category models
 */
export interface Retention {
  readonly succeededMillis: number
  readonly deadMillis: number
}

/**
 * What an engine does for those who enqueue, await and look after jobs. Everything joins an open transaction
 * of the same `SqlClient`.
 *
 * - `enqueue`: an id that is there already is left as it is; a dead one is requeued. A group must be there.
 * - `group`: opens a group, runs what enqueues its jobs, and closes it, all in one transaction
 * - `oldest`: of each queue in which a job is due and not taken
 * - `cancel`: `cancelled` at once, or `requested` of the worker that runs it; `undefined` when it has ended
 * - `requeue`: puts dead and cancelled jobs back with fresh attempts; gives how many
 * - `signal`: what a job waits for with `Job.waitFor`; kept until it asks
 * - `prune`: deletes ended jobs older than the retention; gives how many
 *
 * @category models
 */
export interface Service {
  readonly codec: Codec
  readonly wake: Wake
  readonly enqueue: (entries: ReadonlyArray<Entry>) => Effect.Effect<void, StoreError | GroupNotFound>
  readonly group: <A, E, R>(group: GroupEntry, fill: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StoreError, R>
  readonly findGroup: (id: string) => Effect.Effect<Option.Option<GroupInfo>, StoreError>
  readonly find: (id: JobId) => Effect.Effect<Option.Option<JobInfo>, StoreError>
  readonly ending: (id: JobId) => Effect.Effect<Option.Option<Ending>, StoreError>
  readonly list: (filter: Filter) => Effect.Effect<ReadonlyArray<JobInfo>, StoreError>
  readonly counts: Effect.Effect<ReadonlyArray<Count>, StoreError>
  readonly oldest: Effect.Effect<ReadonlyArray<Waiting>, StoreError>
  readonly cancel: (id: JobId) => Effect.Effect<"cancelled" | "requested" | undefined, StoreError>
  readonly requeue: (ids: ReadonlyArray<JobId>) => Effect.Effect<number, StoreError>
  readonly pause: (queue: string) => Effect.Effect<void, StoreError>
  readonly resume: (queue: string) => Effect.Effect<void, StoreError>
  readonly paused: Effect.Effect<ReadonlyArray<string>, StoreError>
  readonly signal: (id: JobId, name: string, value: string) => Effect.Effect<void, StoreError>
  readonly progress: (id: JobId, value: string) => Effect.Effect<void, StoreError>
  readonly prune: (retention: Retention) => Effect.Effect<number, StoreError>
}

/**
 * The store of jobs.
 *
 * @category services
 */
export class Jobs extends Context.Service<Jobs, Service>()("@effect-dspy/pipelines/jobs/Jobs") {}
