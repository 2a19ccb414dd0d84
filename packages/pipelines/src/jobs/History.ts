/**
 * What a job tells of its runs: when each began and ended, which steps and model calls it was made of, what they
 * cost. It is kept with the job, for people who look after it, and holds no prompt, reply or payload.
 *
 * A running job's history is written a moment after it changes, a finished run's together with its outcome. It is
 * bounded: the last runs of a job, and of each so many entries.
 */
import { Usage } from "@effect-dspy/core/Usage"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/**
 * One thing a run did or is doing. Times are in milliseconds from the beginning of the run.
 *
 * - `within`: the index of the entry it is a part of
 * - `kept`: an answer an earlier run had kept; `sent`: requests sent for a call
 * - `characters`: how much is written of an answer that is streamed
 * - `ms`, `outcome`: absent while it goes on
 *
 * @category models
 */
export const Entry = Schema.Struct({
  kind: Schema.Literals(["run", "step", "call", "tool", "wait"]),
  name: Schema.String,
  at: Schema.Finite,
  ms: Schema.optionalKey(Schema.Finite),
  outcome: Schema.optionalKey(Schema.Literals(["succeeded", "failed", "interrupted"])),
  error: Schema.optionalKey(Schema.String),
  within: Schema.optionalKey(Schema.Int),
  kept: Schema.optionalKey(Schema.Literal(true)),
  sent: Schema.optionalKey(Schema.Int),
  model: Schema.optionalKey(Schema.String),
  usage: Schema.optionalKey(Usage),
  firstTokenMs: Schema.optionalKey(Schema.Finite),
  characters: Schema.optionalKey(Schema.Int)
})

/**
 * One thing a run did or is doing; see the schema of the same name.
 *
 * @category models
 */
export type Entry = typeof Entry.Type

/**
 * One run of a job's handler.
 *
 * - `startedAt`: milliseconds of the store's clock
 * - `outcome`: absent while it runs; `crashed`: its worker died
 * - `trace`: id of the trace, where a tracer is installed
 * - `more`: how many entries were left out
 *
 * @category models
 */
export const Attempt = Schema.Struct({
  attempt: Schema.Int,
  startedAt: Schema.Finite,
  ms: Schema.optionalKey(Schema.Finite),
  outcome: Schema.optionalKey(
    Schema.Literals(["succeeded", "retrying", "dead", "cancelled", "parked", "returned", "crashed"])
  ),
  error: Schema.optionalKey(Schema.String),
  trace: Schema.optionalKey(Schema.String),
  usage: Schema.optionalKey(Usage),
  entries: Schema.Array(Entry),
  more: Schema.optionalKey(Schema.Int)
})

/**
 * One run of a job's handler; see the schema of the same name.
 *
 * @category models
 */
export type Attempt = typeof Attempt.Type

/**
 * Runs of a job that are kept, and entries of one run.
 *
 * @category constants
 */
export const limits = { runs: 5, entries: 100 } as const

const text = Schema.fromJsonString(Schema.Array(Attempt))

/**
 * Reads a history; one that can't be read is empty.
 *
 * @category decoding
 */
export const read = (history: string | null): Effect.Effect<ReadonlyArray<Attempt>> =>
  history === null
    ? Effect.succeed([])
    : Effect.map(Effect.option(Schema.decodeEffect(text)(history)), Option.getOrElse(() => []))

/**
 * Writes a history, the oldest runs left out.
 *
 * @category encoding
 */
export const write = (runs: ReadonlyArray<Attempt>): string => JSON.stringify(runs.slice(-limits.runs))
