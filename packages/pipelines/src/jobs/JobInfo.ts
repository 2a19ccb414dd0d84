/**
 * What is known of a job: its state, its attempts, how far it is, how it ended.
 */
import type { Failure } from "./Failure.ts"

/**
 * Names a job in the store: the job's name and its key, or a random one.
 *
 * @category models
 */
export type JobId = string

/**
 * - `scheduled`: due later, or asleep, or waiting for something; `queued`: due; `running`: claimed by a worker
 * - `retrying`: failed, and due again later
 * - `succeeded`, `dead`, `cancelled`: ended. A dead job failed for good and can be requeued.
 *
 * @category models
 */
export type State = "scheduled" | "queued" | "running" | "retrying" | "succeeded" | "dead" | "cancelled"

/**
 * - `attempts`: runs of the handler that count; runs handed back don't
 * - `unknown`: no worker that claimed it knows its name; it waits for one that does
 * - `progress`: what the handler last said of it
 * - `startedAt`: when its last run began; of a job that runs, known a moment later
 * - times are in milliseconds of the store's clock
 *
 * @category models
 */
export interface JobInfo {
  readonly id: JobId
  readonly name: string
  readonly queue: string
  readonly state: State
  readonly attempts: number
  readonly priority: number
  readonly unknown: boolean
  readonly group?: string
  readonly parent?: JobId
  readonly progress?: unknown
  readonly failure?: Failure
  readonly enqueuedAt: number
  readonly dueAt: number
  readonly startedAt?: number
  readonly finishedAt?: number
}

/**
 * Whether a job has ended.
 *
 * @category guards
 */
export const isFinal = (state: State): boolean => state === "succeeded" || state === "dead" || state === "cancelled"
