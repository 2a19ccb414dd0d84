/**
 * What people and programs ask of jobs and queues from outside: cancel, pause, signal, prune.
 */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { JobId } from "../JobInfo.ts"
import type { Retention } from "../Jobs.ts"
import type { Dialect } from "./Dialect.ts"
import type { Ended } from "./Finish.ts"
import { store } from "./Settle.ts"
import * as Statistics from "./Statistics.ts"

/** Rows deleted in one transaction: few enough that workers hardly notice. */
const pruneBatch = 500

/**
 * Cancels a waiting job at once; a running one is asked to stop.
 *
 * @category constructors
 */
export const cancel = (
  sql: SqlClient.SqlClient,
  dialect: Dialect,
  finish: (ended: ReadonlyArray<Ended>) => Effect.Effect<void, SqlError>
) =>
(id: JobId): Effect.Effect<"cancelled" | "requested" | undefined, SqlError> =>
  sql.withTransaction(Effect.gen(function*() {
    const open = yield* sql<
      { readonly id: JobId; readonly group_id: string | null; readonly parent_id: string | null }
    >`
      UPDATE effect_dspy_jobs SET cancel = 1 WHERE id = ${id} AND state = 'open' RETURNING id, group_id, parent_id`
    const [job] = open
    if (job === undefined) return undefined
    const waiting = yield* sql`
      UPDATE effect_queue SET state = 'completed', updated_at = ${dialect.now}
      WHERE id = ${id} AND state = 'pending' AND acquired_by IS NULL RETURNING id`
    if (waiting.length === 0) return "requested"
    yield* sql`UPDATE effect_dspy_jobs SET state = 'cancelled', finished_at = ${dialect.nowMillis} WHERE id = ${id}`
    yield* finish([{ id, group: job.group_id ?? undefined, parent: job.parent_id ?? undefined, failed: true }])
    return "cancelled"
  }))

/**
 * Leaves a value for a job and makes it due, asleep or not.
 *
 * @category constructors
 */
export const signal =
  (sql: SqlClient.SqlClient, dialect: Dialect) =>
  (id: JobId, name: string, value: string): Effect.Effect<void, SqlError> =>
    sql.withTransaction(Effect.gen(function*() {
      yield* sql`
        INSERT INTO effect_dspy_signals (job_id, name, value) VALUES (${id}, ${name}, ${value})
        ON CONFLICT (job_id, name) DO UPDATE SET value = excluded.value`
      yield* sql`
        UPDATE effect_queue SET visible_at = ${dialect.now}
        WHERE state = 'pending' AND id IN (SELECT id FROM effect_dspy_jobs WHERE id = ${id} AND hold = 'parked')`
    }))

/**
 * Deletes what ended long ago, in small transactions; gives how many jobs.
 *
 * @category constructors
 */
export const prune = (sql: SqlClient.SqlClient, dialect: Dialect) =>
(
  retention: Retention
): Effect.Effect<number, SqlError> =>
  Effect.gen(function*() {
    let pruned = 0
    for (
      const { kept, state } of [
        { state: "succeeded", kept: retention.succeededMillis },
        { state: "cancelled", kept: retention.succeededMillis },
        { state: "dead", kept: retention.deadMillis }
      ]
    ) {
      let deleted: number
      do {
        deleted = yield* batch(sql, dialect, state, kept)
        pruned += deleted
      } while (deleted === pruneBatch)
    }
    yield* Statistics.merge(sql, dialect)
    yield* sql`
      DELETE FROM effect_dspy_groups WHERE finished_at <= ${dialect.nowMillis} - ${Math.ceil(retention.deadMillis)}`
    return pruned
  })

const batch = (sql: SqlClient.SqlClient, dialect: Dialect, state: string, keptMillis: number) =>
  sql.withTransaction(Effect.gen(function*() {
    const gone = yield* sql<{ readonly id: JobId }>`
      DELETE FROM effect_dspy_jobs WHERE id IN (
        SELECT id FROM effect_dspy_jobs
        WHERE state <> 'open' AND state = ${state} AND finished_at <= ${dialect.nowMillis} - ${Math.ceil(keptMillis)}
        LIMIT ${pruneBatch}
      ) RETURNING id`
    if (gone.length === 0) return 0
    const x = dialect.rows({ id: "text", store: "text" }, gone.map(({ id }) => ({ id, store: store(id) })))
    yield* sql`DELETE FROM effect_queue WHERE id IN (SELECT x.id FROM ${x})`
    yield* sql`DELETE FROM effect_dspy_signals WHERE job_id IN (SELECT x.id FROM ${x})`
    yield* sql`DELETE FROM effect_persistence WHERE store_id IN (SELECT x.store FROM ${x})`
    return gone.length
  }))
