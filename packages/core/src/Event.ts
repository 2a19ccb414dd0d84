/**
 * What happens while programs run, as data: calls, requests, waits, tools, steps, jobs.
 *
 * `Events` tells of them. An event is flat, JSON as it stands, and says where it happened: in which job, pipeline run,
 * step and predictor call. It holds no prompt, reply or payload unless `Content` was asked for.
 */
import type { Usage } from "./Usage.ts"

/**
 * Where something happens. A key is absent where there is no such thing around the event.
 *
 * - `trace`: id of the trace, where a tracer is installed
 * - `job`: id of the durable job
 * - `run`: one run of one pipeline; `step`: path of the step in it (`Document/summarize`)
 * - `call`: one call of a predictor, or one batch of texts that are embedded
 *
 * `run` and `call` are numbers in text, unique among the events of one process.
 *
 * @category models
 */
export interface Place {
  readonly trace?: string
  readonly job?: string
  readonly run?: string
  readonly step?: string
  readonly call?: string
}

/**
 * How something ended.
 *
 * @category models
 */
export type Outcome = "succeeded" | "failed" | "interrupted"

/**
 * How something ended, after how many milliseconds. `error` is the tag of the failure's reason (`RateLimited`,
 * `Truncated`), never its words.
 *
 * @category models
 */
export interface Ended {
  readonly outcome: Outcome
  readonly error?: string
  readonly ms: number
}

/**
 * A predictor call. `path` is where parameters find it, `kind` what it is (`Predict`, `ReAct`); `input` is its JSON
 * text, where content is shown.
 *
 * @category models
 */
export interface CallStarted {
  readonly _tag: "CallStarted"
  readonly predictor: string
  readonly kind: string
  readonly signature: string
  readonly path: string
  readonly input?: string
}

/**
 * The end of a predictor call. `model` and `finishReason` are those of the last reply; `output` is JSON text, where
 * content is shown.
 *
 * @category models
 */
export interface CallEnded extends Ended {
  readonly _tag: "CallEnded"
  readonly predictor: string
  readonly path: string
  readonly usage: Usage
  readonly attempts: number
  readonly provider: string
  readonly model: string
  readonly finishReason?: string
  readonly output?: string
}

/**
 * What a request asks for, where that is not an answer: vectors of so many `texts`. Several callers may share such a
 * request. Its events are told once, in the place its first text comes from.
 *
 * @category models
 */
export interface Operation {
  readonly operation?: "embeddings"
  readonly texts?: number
}

/**
 * A request leaves; `attempt` counts those of its logical call from 1.
 *
 * @category models
 */
export interface AttemptStarted extends Operation {
  readonly _tag: "AttemptStarted"
  readonly attempt: number
  readonly provider: string
  readonly model: string
}

/**
 * The first piece of a streamed answer.
 *
 * @category models
 */
export interface FirstToken {
  readonly _tag: "FirstToken"
  readonly attempt: number
  readonly provider: string
  readonly model: string
  readonly ms: number
}

/**
 * How much of a streamed answer is written: `characters` from its beginning. There are at most ten of these events a
 * second, the last one before `AttemptEnded`. `text` is what came since the previous one, where content is shown
 * without a redactor.
 *
 * @category models
 */
export interface Written {
  readonly _tag: "Written"
  readonly attempt: number
  readonly characters: number
  readonly text?: string
}

/**
 * The answer to a request, or its failure. `model` was asked; `answeredBy` is how the answer names its model.
 * `firstTokenMs` is there for streamed answers.
 *
 * @category models
 */
export interface AttemptEnded extends Ended, Operation {
  readonly _tag: "AttemptEnded"
  readonly attempt: number
  readonly provider: string
  readonly model: string
  readonly usage: Usage
  readonly answeredBy?: string
  readonly finishReason?: string
  readonly firstTokenMs?: number
  readonly retryAfterMs?: number
}

/**
 * What an answer cost, where `LM.price` knows it: endpoints that tell it themselves do so in `AttemptEnded`.
 *
 * @category models
 */
export interface Priced {
  readonly _tag: "Priced"
  readonly provider: string
  readonly model: string
  readonly costUsd: number
}

/**
 * What is waited for: the time until a retry, a turn under a rate limit, a permit of a bound on requests, a turn of a
 * pipeline that bounds its steps, or vectors from a batch whose events are told elsewhere. The events of such a wait
 * have the `call` of the batch.
 *
 * @category models
 */
export type Wait = "retry" | "rateLimit" | "permit" | "turn" | "batch"

/**
 * A wait begins; `ms` says how long it will be, where that is known, and `error` what it is for.
 *
 * @category models
 */
export interface Waiting {
  readonly _tag: "Waiting"
  readonly for: Wait
  readonly ms?: number
  readonly error?: string
}

/**
 * A wait is over.
 *
 * @category models
 */
export interface Waited extends Ended {
  readonly _tag: "Waited"
  readonly for: Wait
}

/**
 * An answer that was not asked for again: kept in memory (or shared with a call in flight), in a store, or in the
 * memo of a job.
 *
 * @category models
 */
export interface CacheHit {
  readonly _tag: "CacheHit"
  readonly cache: "memory" | "store" | "job"
  readonly provider: string
  readonly model: string
}

/**
 * A model calls a tool; `id` is the model's name for the call.
 *
 * @category models
 */
export interface ToolStarted {
  readonly _tag: "ToolStarted"
  readonly tool: string
  readonly id: string
}

/**
 * The end of a tool call. An error that was told to the model is `failed` too.
 *
 * @category models
 */
export interface ToolEnded extends Ended {
  readonly _tag: "ToolEnded"
  readonly tool: string
  readonly id: string
}

/**
 * A pipeline begins. `steps` is its graph: which steps each one waits for. `parent` is the run in whose `step` it is.
 *
 * @category models
 */
export interface RunStarted {
  readonly _tag: "RunStarted"
  readonly pipeline: string
  readonly parent?: string
  readonly steps: ReadonlyArray<{ readonly name: string; readonly after: ReadonlyArray<string> }>
}

/**
 * The end of a run of a pipeline.
 *
 * @category models
 */
export interface RunEnded extends Ended {
  readonly _tag: "RunEnded"
  readonly pipeline: string
}

/**
 * A step of a pipeline: its fields have arrived and its turn has come.
 *
 * @category models
 */
export interface StepStarted {
  readonly _tag: "StepStarted"
  readonly name: string
}

/**
 * The end of a step, with what its model calls cost.
 *
 * @category models
 */
export interface StepEnded extends Ended {
  readonly _tag: "StepEnded"
  readonly name: string
  readonly usage: Usage
}

/**
 * A durable job is in the store: `job` is its id.
 *
 * @category models
 */
export interface JobEnqueued {
  readonly _tag: "JobEnqueued"
  readonly job: string
  readonly name: string
  readonly queue: string
  readonly delayMs: number
}

/**
 * A worker runs a job; `attempt` counts from 1. `waitedMs` is how long it had been due.
 *
 * @category models
 */
export interface JobStarted {
  readonly _tag: "JobStarted"
  readonly name: string
  readonly queue: string
  readonly attempt: number
  readonly waitedMs: number
}

/**
 * The end of a run of a job: `retrying` and `returned` run again after `delayMs`, the latter without being counted; a
 * `parked` job waits for a time, a child or a signal.
 *
 * @category models
 */
export interface JobEnded {
  readonly _tag: "JobEnded"
  readonly name: string
  readonly queue: string
  readonly attempt: number
  readonly outcome: "succeeded" | "retrying" | "dead" | "cancelled" | "parked" | "returned"
  readonly error?: string
  readonly delayMs?: number
  readonly usage: Usage
  readonly ms: number
}

/**
 * Told to a subscriber that was slow: it has lost this many events before the next one.
 *
 * @category models
 */
export interface Missed {
  readonly _tag: "Missed"
  readonly count: number
}

/**
 * What can happen.
 *
 * @category models
 */
export type Happening =
  | CallStarted
  | CallEnded
  | AttemptStarted
  | FirstToken
  | Written
  | AttemptEnded
  | Priced
  | Waiting
  | Waited
  | CacheHit
  | ToolStarted
  | ToolEnded
  | RunStarted
  | RunEnded
  | StepStarted
  | StepEnded
  | JobEnqueued
  | JobStarted
  | JobEnded
  | Missed

/**
 * Something that happened, where, and when: `at` in milliseconds of the Clock.
 *
 * @category models
 */
export type Event = Happening & Place & { readonly at: number }
