/**
 * A claimed job is settled: the outcome is written beside the queue and the queue's row released, in one transaction,
 * and only for a worker that still holds the claim.
 *
 * Effect's queue settles too, right after, and finds that the row is no longer its own to settle. It is done
 * here first because the queue would do it in a statement of its own (a crash between the two would leave a
 * result without an end, or an end without a result), rounds retries to whole seconds, lets them come up to a
 * second early on SQLite, and writes down whole causes, prompts and all.
 */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Claim, Settlement } from "../Claims.ts"
import { describe } from "../Failure.ts"
import type { JobId } from "../JobInfo.ts"
import type { Dialect } from "./Dialect.ts"
import type { Ended } from "./Finish.ts"

/**
 * A settlement with the claim it is for.
 *
 * @category models
 */
export interface Settled {
  readonly claim: Claim
  readonly settlement: Settlement
  readonly history: string | undefined
}

/** Nobody waits that long: a job that sleeps until something wakes it. */
const foreverMillis = 100 * 365 * 24 * 3_600_000

const columns = {
  id: "text",
  token: "uuid",
  state: "text",
  queued: "text",
  uncounted: "bigint",
  delay: "bigint",
  hold: "text",
  result: "text",
  failure: "text",
  error: "text",
  reason: "text",
  history: "text",
  started: "bigint"
} as const

/**
 * Settles jobs together; tells for each whether it was still its worker's.
 *
 * @category constructors
 */
export const make = (
  sql: SqlClient.SqlClient,
  dialect: Dialect,
  finish: (ended: ReadonlyArray<Ended>) => Effect.Effect<void, SqlError>
): (batch: ReadonlyArray<Settled>) => Effect.Effect<ReadonlyArray<boolean>, SqlError> => {
  const release = (records: ReadonlyArray<unknown>) =>
    sql<{ readonly id: JobId }>`
      UPDATE effect_queue
      SET state = x.queued, acquired_at = NULL, acquired_by = NULL, updated_at = ${dialect.now},
        attempts = effect_queue.attempts - x.uncounted, last_failure = x.reason,
        visible_at = CASE WHEN x.queued = 'pending' THEN ${dialect.later(sql`x.delay`)} ELSE visible_at END
      FROM ${dialect.rows(columns, records)}
      WHERE effect_queue.id = x.id AND effect_queue.acquired_by = x.token
      RETURNING effect_queue.id`
  const write = (records: ReadonlyArray<unknown>) =>
    sql`
      UPDATE effect_dspy_jobs
      SET state = x.state, hold = x.hold, result = x.result, error = x.error,
        failure = CASE WHEN x.state = 'open' AND x.failure IS NULL THEN effect_dspy_jobs.failure ELSE x.failure END,
        finished_at = CASE WHEN x.state = 'open' THEN NULL ELSE ${dialect.nowMillis} END,
        history = COALESCE(x.history, effect_dspy_jobs.history),
        started_at = COALESCE(x.started, effect_dspy_jobs.started_at)
      FROM ${dialect.rows(columns, records)}
      WHERE effect_dspy_jobs.id = x.id`
  const wakeIfAnswered = Effect.fnUntraced(function*({ claim, settlement }: Settled) {
    if (settlement._tag !== "Parked") return
    const { children, signals } = settlement
    const ended = children.length === 0 ? [] : yield* sql`
      SELECT id FROM effect_dspy_jobs WHERE ${sql.in("id", children)} AND state <> 'open'`
    const heard = signals.length === 0 ? [] : yield* sql`
      SELECT name FROM effect_dspy_signals WHERE job_id = ${claim.id} AND ${sql.in("name", signals)}`
    if (ended.length + heard.length === 0) return
    yield* sql`UPDATE effect_queue SET visible_at = ${dialect.now} WHERE id = ${claim.id}`
  })
  return (batch) =>
    sql.withTransaction(Effect.gen(function*() {
      const records = batch.map(row)
      const released = yield* release(records)
      const ours = new Set(released.map(({ id }) => id))
      const held = batch.filter(({ claim }) => ours.has(claim.id))
      if (held.length === 0) return batch.map(() => false)
      yield* write(held.map(row))
      for (const settled of held) yield* wakeIfAnswered(settled)
      const forgotten = held.flatMap(({ claim, settlement }) =>
        settlement._tag === "Succeeded" && settlement.forget ? [store(claim.id)] : []
      )
      if (forgotten.length > 0) yield* sql`DELETE FROM effect_persistence WHERE ${sql.in("store_id", forgotten)}`
      yield* finish(held.flatMap(ended))
      return batch.map(({ claim }) => ours.has(claim.id))
    }))
}

/**
 * Writes what running jobs tell of themselves, of those whose claim still holds.
 *
 * @category constructors
 */
export const record =
  (sql: SqlClient.SqlClient, dialect: Dialect) =>
  (histories: ReadonlyArray<{ readonly claim: Claim; readonly history: string }>): Effect.Effect<void, SqlError> =>
    Effect.asVoid(sql`
      UPDATE effect_dspy_jobs SET history = x.history, started_at = x.started
      FROM ${
      dialect.rows(
        { id: "text", token: "uuid", history: "text", started: "bigint" },
        histories.map(({ claim: { claimedAt, id, token }, history }) => ({ id, token, history, started: claimedAt }))
      )
    }
      JOIN effect_queue q ON q.id = x.id AND q.acquired_by = x.token
      WHERE effect_dspy_jobs.id = x.id`)

/**
 * The name of a job's memo in effect's persistence.
 *
 * @category getters
 */
export const store = (id: JobId): string => `effect-dspy/jobs/${id}`

const ended = ({ claim, settlement }: Settled): ReadonlyArray<Ended> => {
  switch (settlement._tag) {
    case "Succeeded":
    case "Dead":
    case "Cancelled":
      return [{ id: claim.id, group: claim.group, parent: claim.parent, failed: settlement._tag !== "Succeeded" }]
    default:
      return []
  }
}

const row = ({ claim, history, settlement }: Settled) => {
  const open = {
    id: claim.id,
    token: claim.token,
    state: "open",
    queued: "pending",
    uncounted: 0,
    delay: 0,
    // A job that was not run did not begin.
    ...(history === undefined ? undefined : { history, started: claim.claimedAt })
  }
  switch (settlement._tag) {
    case "Succeeded":
      return { ...open, state: "succeeded", queued: "completed", result: settlement.result ?? null }
    case "Cancelled":
      return { ...open, state: "cancelled", queued: "completed" }
    case "Dead": {
      const { error, failure } = settlement
      return {
        ...open,
        state: "dead",
        queued: "failed",
        failure: JSON.stringify(failure),
        error: error ?? null,
        reason: describe(failure)
      }
    }
    case "Retry": {
      const { delayMillis, failure } = settlement
      return { ...open, delay: Math.ceil(delayMillis), failure: JSON.stringify(failure), reason: describe(failure) }
    }
    case "Back": {
      const { delayMillis, failure, unknown } = settlement
      return {
        ...open,
        uncounted: 1,
        delay: Math.ceil(delayMillis),
        hold: unknown ? "unknown" : null,
        ...(failure === undefined ? undefined : { failure: JSON.stringify(failure), reason: describe(failure) })
      }
    }
    case "Parked":
      return { ...open, uncounted: 1, delay: Math.ceil(settlement.delayMillis ?? foreverMillis), hold: "parked" }
  }
}
