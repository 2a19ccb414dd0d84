/**
 * Ended jobs go in again, with fresh attempts and the memo they left.
 */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { JobId } from "../JobInfo.ts"
import type { Dialect } from "./Dialect.ts"

/**
 * Makes jobs of these ids due again where they ended in one of `states`; gives how many.
 *
 * @category constructors
 */
export const make = (
  sql: SqlClient.SqlClient,
  dialect: Dialect
): (ids: ReadonlyArray<JobId>, states: ReadonlyArray<"dead" | "cancelled">) => Effect.Effect<number, SqlError> => {
  return (ids, states) => {
    if (ids.length === 0) return Effect.succeed(0)
    return sql.withTransaction(Effect.gen(function*() {
      const records = ids.map((id) => ({ id }))
      const opened = yield* sql<{ readonly id: JobId; readonly group_id: string | null }>`
        UPDATE effect_dspy_jobs
        SET state = 'open', hold = NULL, cancel = 0, failure = NULL, error = NULL, finished_at = NULL
        WHERE ${sql.in("state", states)} AND id IN (SELECT x.id FROM ${dialect.rows({ id: "text" }, records)})
        RETURNING id, group_id`
      if (opened.length === 0) return 0
      yield* sql`
        UPDATE effect_queue
        SET state = 'pending', attempts = 0, acquired_at = NULL, acquired_by = NULL, last_failure = NULL,
          visible_at = ${dialect.now}, updated_at = ${dialect.now}
        WHERE id IN (SELECT x.id FROM ${dialect.rows({ id: "text" }, opened)})`
      for (const { group_id } of opened) {
        if (group_id === null) continue
        yield* sql`
          UPDATE effect_dspy_groups SET pending = pending + 1, failed = failed - 1, finished_at = NULL
          WHERE id = ${group_id}`
      }
      return opened.length
    }))
  }
}
