/**
 * The statements of a running job that many jobs share: looking at fresh claims, keeping answers.
 */
import * as Effect from "effect/Effect"
import type * as Persistence from "effect/persistence/Persistence"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Claim } from "../Claims.ts"
import type { JobId } from "../JobInfo.ts"
import type { Dialect } from "./Dialect.ts"
import { store } from "./Settle.ts"

/**
 * What effect's queue says of a job it has claimed.
 *
 * @category models
 */
export interface Taken {
  readonly id: JobId
  readonly queue: string
  readonly attempt: number
  readonly element: unknown
}

interface Row {
  readonly id: JobId
  readonly name: string
  readonly token: string
  readonly cancel: number
  readonly paused: string | null
  readonly memo: number | boolean
  readonly now: number | string
  readonly due: number | string
  readonly enqueued: number | string
  readonly group_id: string | null
  readonly parent_id: string | null
  readonly history: string | null
}

/**
 * Looks at fresh claims, many at once. A claim is `undefined` when it is no longer this worker's: it was stalled
 * for so long that the job has been claimed again since.
 *
 * @category constructors
 */
export const make = (
  sql: SqlClient.SqlClient,
  dialect: Dialect
): (batch: ReadonlyArray<Taken>) => Effect.Effect<ReadonlyArray<Claim | undefined>, SqlError> =>
(batch) =>
  Effect.map(
    sql<Row>`
      SELECT j.id, j.name, j.cancel, j.group_id, j.parent_id, j.history, q.acquired_by AS token, p.queue AS paused,
        EXISTS (SELECT 1 FROM effect_persistence m WHERE m.store_id = x.memo) AS memo, ${dialect.nowMillis} AS now,
        ${dialect.millis(sql`q.visible_at`)} AS due, j.enqueued_at AS enqueued
      FROM ${
      dialect.rows(
        { id: "text", queue: "text", attempt: "bigint", memo: "text" },
        batch.map(({ attempt, id, queue }) => ({ id, queue, attempt, memo: store(id) }))
      )
    }
      JOIN effect_queue q ON q.id = x.id AND q.queue_name = x.queue AND q.attempts = x.attempt
      JOIN effect_dspy_jobs j ON j.id = x.id
      LEFT JOIN effect_dspy_paused p ON p.queue = x.queue
      WHERE q.acquired_by IS NOT NULL`,
    (rows) => {
      const byId = new Map(rows.map((row) => [row.id, row]))
      return batch.map((taken) => {
        const row = byId.get(taken.id)
        return row === undefined ? undefined : claim(taken, row)
      })
    }
  )

const claim = ({ attempt, element, id, queue }: Taken, row: Row): Claim => ({
  id,
  name: row.name,
  queue,
  payload: said(element, "payload") ?? "",
  attempt,
  token: row.token,
  cancelled: Number(row.cancel) === 1,
  paused: row.paused !== null,
  remembered: Number(row.memo) > 0,
  claimedAt: Number(row.now),
  // A head start makes a job due before it was there.
  waitedMs: Math.max(0, Number(row.now) - Math.max(Number(row.due), Number(row.enqueued))),
  ...(row.group_id === null ? undefined : { group: row.group_id }),
  ...(row.history === null ? undefined : { history: row.history }),
  ...(row.parent_id === null ? undefined : { parent: row.parent_id }),
  trace: said(element, "trace")
})

// What no `Enqueue` wrote is not a payload; as empty text it decodes to nothing and goes to the dead set.
const said = (element: unknown, key: "payload" | "trace"): string | undefined => {
  if (typeof element !== "object" || element === null || !Object.hasOwn(element, key)) return undefined
  const value = (element as { readonly [K in typeof key]?: unknown })[key]
  return typeof value === "string" ? value : undefined
}

/**
 * In how many milliseconds the next jobs of queues are due: one range of the queue's own index for each. What fell due
 * just before counts too, for a slot may have looked before that.
 *
 * @category constructors
 */
export const dueWithin = (
  sql: SqlClient.SqlClient,
  dialect: Dialect
) =>
(
  queues: ReadonlyArray<string>,
  millis: number
): Effect.Effect<ReadonlyMap<string, number>, SqlError> =>
  Effect.map(
    sql<{ readonly queue: string; readonly due: number | string | null; readonly now: number | string }>`
      WITH t AS (SELECT ${dialect.later(sql`${-millis}`)} AS earlier, ${dialect.later(sql`${millis}`)} AS later)
      SELECT x.queue, ${dialect.nowMillis} AS now, (
        SELECT ${dialect.millis(sql`q.visible_at`)} FROM effect_queue q
        WHERE q.queue_name = x.queue AND q.state = 'pending' AND q.visible_at > t.earlier AND q.visible_at <= t.later
          AND q.acquired_by IS NULL
        ORDER BY q.visible_at LIMIT 1
      ) AS due
      FROM ${dialect.rows({ queue: "text" }, queues.map((queue) => ({ queue })))} CROSS JOIN t`,
    (rows) => new Map(rows.flatMap(({ due, now, queue }) => due === null ? [] : [[queue, Number(due) - Number(now)]]))
  )

/**
 * Keeps answers of many jobs in one transaction.
 *
 * @category constructors
 */
export const remember = (
  sql: SqlClient.SqlClient,
  persistence: Persistence.BackingPersistence["Service"]
) =>
(
  batch: ReadonlyArray<{ readonly id: JobId; readonly key: string; readonly value: string }>
): Effect.Effect<ReadonlyArray<void>, SqlError | Persistence.PersistenceError> =>
  sql.withTransaction(Effect.forEach(
    batch,
    ({ id, key, value }) =>
      Effect.flatMap(Effect.scoped(persistence.make(store(id))), (memo) => memo.set(key, { value }, undefined)),
    { concurrency: 1 }
  ))

/**
 * The text in what the memo gave.
 *
 * @category getters
 */
export const remembered = (value: object | undefined): string | undefined =>
  value !== undefined && "value" in value && typeof value.value === "string" ? value.value : undefined
