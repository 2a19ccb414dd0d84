/**
 * How long the job that is next in each queue has been due: one look at the head of an index for each queue.
 */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Waiting } from "../Jobs.ts"
import type { Dialect } from "./Dialect.ts"

/**
 * The wait of each queue in which a job is due and not taken.
 *
 * @category constructors
 */
export const make = (sql: SqlClient.SqlClient, dialect: Dialect): Effect.Effect<ReadonlyArray<Waiting>, SqlError> => {
  const queues = sql<{ readonly queue: string }>`
    SELECT DISTINCT queue FROM effect_dspy_counts WHERE state = 'open' AND count <> 0 ORDER BY queue`
  const head = (queue: string) =>
    sql<{ readonly due: number | string; readonly enqueued: number | string; readonly now: number | string }>`
      SELECT ${dialect.millis(sql`q.visible_at`)} AS due, j.enqueued_at AS enqueued, ${dialect.nowMillis} AS now
      FROM effect_queue q JOIN effect_dspy_jobs j ON j.id = q.id
      WHERE q.queue_name = ${queue} AND q.state = 'pending' AND q.acquired_by IS NULL
        AND q.visible_at <= ${dialect.now}
      ORDER BY q.visible_at LIMIT 1`
  return Effect.gen(function*() {
    const oldest: Array<Waiting> = []
    for (const { queue } of yield* queues) {
      const [row] = yield* head(queue)
      if (row === undefined) continue
      // A head start makes a job due before it was there.
      const since = Math.max(Number(row.due), Number(row.enqueued))
      oldest.push({ queue, waitedMs: Math.max(0, Number(row.now) - since) })
    }
    return oldest
  })
}
