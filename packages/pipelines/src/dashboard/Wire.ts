/**
 * What the dashboard's server tells its page, as JSON. The page is checked against these types and shares nothing
 * else with the server, so this module imports nothing. `typetest/Wire.ts` compares them with the server's own.
 */

/**
 * The states of a job; see `JobInfo.State`.
 *
 * @category models
 */
export type State = "scheduled" | "queued" | "running" | "retrying" | "succeeded" | "dead" | "cancelled"

/**
 * How a job failed; see `Failure.Failure`.
 *
 * @category models
 */
export interface Failure {
  readonly kind: string
  readonly name: string
  readonly message?: string
  readonly where?: string
  readonly attempt: number
}

/**
 * What model calls cost; see `Usage.Usage`.
 *
 * @category models
 */
export interface Usage {
  readonly calls: number
  readonly inputTokens?: number
  readonly outputTokens?: number
  readonly costUsd?: number
}

/**
 * One thing a run of a job did or is doing. Times are in milliseconds from the beginning of the run.
 *
 * - `within`: the number of the entry it is a part of; entries are numbered in their order
 * - `kept`: an answer that an earlier run had kept; `sent`: requests sent for a call
 * - `characters`: written so far of an answer that is streamed
 *
 * @category models
 */
export interface Entry {
  readonly kind: "run" | "step" | "call" | "tool" | "wait"
  readonly name: string
  readonly at: number
  readonly ms?: number
  readonly outcome?: "succeeded" | "failed" | "interrupted"
  readonly error?: string
  readonly within?: number
  readonly kept?: true
  readonly sent?: number
  readonly model?: string
  readonly usage?: Usage
  readonly firstTokenMs?: number
  readonly characters?: number
}

/**
 * One run of a job. `startedAt` is in milliseconds of the store's clock; `more` says how many entries were left out.
 *
 * @category models
 */
export interface Attempt {
  readonly attempt: number
  readonly startedAt: number
  readonly ms?: number
  readonly outcome?: "succeeded" | "retrying" | "dead" | "cancelled" | "parked" | "returned" | "crashed"
  readonly error?: string
  readonly trace?: string
  readonly usage?: Usage
  readonly entries: ReadonlyArray<Entry>
  readonly more?: number
}

/**
 * A job in a list.
 *
 * @category models
 */
export interface Job {
  readonly id: string
  readonly name: string
  readonly queue: string
  readonly state: State
  readonly attempts: number
  readonly priority: number
  readonly unknown: boolean
  readonly group?: string
  readonly parent?: string
  readonly progress?: unknown
  readonly failure?: Failure
  readonly enqueuedAt: number
  readonly dueAt: number
  readonly startedAt?: number
  readonly finishedAt?: number
}

/**
 * A job that runs, with what its present run has told of itself. `writing` is the end of what its models write right
 * now, where content is shown and the job runs in the dashboard's process.
 *
 * @category models
 */
export interface Running extends Job {
  readonly run?: Attempt
  readonly writing?: ReadonlyArray<string>
}

/**
 * A queue. `atLeast` names the states of which there are more than were counted; `oldestMs` is how long its oldest
 * due job waits.
 *
 * @category models
 */
export interface Queue {
  readonly name: string
  readonly paused: boolean
  readonly counts: { readonly [S in State]?: number }
  readonly atLeast: ReadonlyArray<State>
  readonly oldestMs?: number
}

/**
 * What is going on: sent whenever it has changed. `now` is the store's clock.
 *
 * @category models
 */
export interface Live {
  readonly now: number
  readonly queues: ReadonlyArray<Queue>
  readonly running: ReadonlyArray<Running>
}

/**
 * What ended in the last hour: parallel lists, one number for each `stepMs` from `from` on. Durations are means, from
 * enqueueing to the end and of the last run; `null` where nothing ended.
 *
 * @category models
 */
export interface Activity {
  readonly from: number
  readonly stepMs: number
  readonly succeeded: ReadonlyArray<number>
  readonly dead: ReadonlyArray<number>
  readonly totalMs: ReadonlyArray<number | null>
  readonly ranMs: ReadonlyArray<number | null>
}

/**
 * A page of a list. `next` is where the next one begins; a page that is not full may have one too.
 *
 * @category models
 */
export interface Page {
  readonly jobs: ReadonlyArray<Job>
  readonly next?: string
}

/**
 * What the dead died of: how many of the newest `of` failed in which way, the most frequent first.
 *
 * @category models
 */
export interface Causes {
  readonly of: number
  readonly causes: ReadonlyArray<Pick<Failure, "kind" | "name" | "message"> & { readonly count: number }>
}

/**
 * Everything about one job. `kept` counts the answers it has kept; `payload`, `result`, `failed` (an error of the job's
 * own schema) and `answers` are there where content is shown.
 *
 * @category models
 */
export interface Detail {
  readonly job: Job
  readonly runs: ReadonlyArray<Attempt>
  readonly kept: number
  readonly content?: {
    readonly payload: string
    readonly result?: string
    readonly failed?: string
    readonly answers: ReadonlyArray<{ readonly key: string; readonly text: string }>
  }
}

/**
 * What the page may do. `canChange` tells whether the request's token was right; without one it may only look.
 *
 * @category models
 */
export interface Session {
  readonly canChange: boolean
  readonly showContent: boolean
}

/**
 * A change somebody asks for.
 *
 * - `requeue`: dead and cancelled jobs run again; `hurry`: jobs that wait for a time are due now
 * - `requeueAll`: all dead jobs, or those of a queue, so many at a time: `again` in the answer says there are more
 *
 * @category models
 */
export type Change =
  | { readonly change: "cancel" | "requeue" | "hurry"; readonly ids: ReadonlyArray<string> }
  | { readonly change: "requeueAll"; readonly queue?: string }
  | { readonly change: "pause" | "resume"; readonly queue: string }

/**
 * What came of a change: how many jobs it moved.
 *
 * @category models
 */
export interface Changed {
  readonly count: number
  readonly again: boolean
}
