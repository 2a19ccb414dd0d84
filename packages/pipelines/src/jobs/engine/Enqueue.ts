/**
 * Jobs go in: a row in effect's queue and one beside it, in one transaction.
 *
 * The queue's own `offer` takes one element at a time and knows no priority, so rows are inserted here, many in
 * one statement, in the form `offer` gives them. A contract test holds the two together.
 */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { GroupNotFound } from "../JobError.ts"
import type { JobId } from "../JobInfo.ts"
import type { Entry } from "../Jobs.ts"
import type { Dialect } from "./Dialect.ts"
import * as Requeue from "./Requeue.ts"

/** One minute of head start for each step of priority. */
const headStartMillis = 60_000

const columns = {
  id: "text",
  name: "text",
  queue: "text",
  priority: "float8",
  element: "text",
  due: "bigint",
  grp: "text",
  parent: "text"
} as const

/** A job as a record of a batch. */
interface Row {
  readonly id: JobId
  readonly group: string | undefined
  readonly record: { readonly [K in keyof typeof columns]: unknown }
}

/**
 * Inserts jobs. An id that is there already is left as it is; a dead one is requeued. A group that is not there fails
 * all of them.
 *
 * @category constructors
 */
export const make = (
  sql: SqlClient.SqlClient,
  dialect: Dialect
): (entries: ReadonlyArray<Entry>) => Effect.Effect<void, SqlError | GroupNotFound> => {
  const write = insert(sql, dialect)
  const requeue = Requeue.make(sql, dialect)
  const all = Effect.fnUntraced(function*(rows: ReadonlyArray<Row>) {
    const inserted = yield* write(rows)
    if (inserted.length < rows.length) {
      const fresh = new Set(inserted.map(({ id }) => id))
      yield* requeue(rows.flatMap(({ id }) => fresh.has(id) ? [] : [id]), ["dead"])
    }
    const fresh = new Set(inserted.map(({ id }) => id))
    const grouped = new Map<string, number>()
    for (const { group, id } of rows) {
      if (group !== undefined && fresh.has(id)) grouped.set(group, (grouped.get(group) ?? 0) + 1)
    }
    for (const [group, count] of grouped) {
      const found = yield* sql`UPDATE effect_dspy_groups SET total = total + ${count}, pending = pending + ${count},
        finished_at = NULL WHERE id = ${group} RETURNING id`
      if (found.length === 0) return yield* new GroupNotFound({ group })
    }
  })
  return (entries) => {
    const rows = [...new Map(entries.map((entry) => [entry.id, row(entry)])).values()]
    if (rows.length === 0) return Effect.void
    // A single insert is a transaction by itself; counting it in a group is a second statement.
    return rows.some(({ group }) => group !== undefined) ? sql.withTransaction(all(rows)) : all(rows)
  }
}

const row = (entry: Entry): Row => ({
  id: entry.id,
  group: entry.group,
  record: {
    id: entry.id,
    name: entry.name,
    queue: entry.queue,
    priority: entry.priority,
    element: JSON.stringify({ payload: entry.payload, trace: entry.trace }),
    // A head start would make a delayed job due before its time.
    due: entry.delayMillis > 0 ? Math.ceil(entry.delayMillis) : Math.round(-entry.priority * headStartMillis),
    grp: entry.group ?? null,
    parent: entry.parent ?? null
  }
})

type Inserted = Effect.Effect<ReadonlyArray<{ readonly id: JobId }>, SqlError>

const insert = (sql: SqlClient.SqlClient, dialect: Dialect): (rows: ReadonlyArray<Row>) => Inserted => {
  const jobColumns = sql.literal(
    "effect_dspy_jobs (id, name, queue, priority, state, cancel, group_id, parent_id, enqueued_at)"
  )
  const queueColumns = sql.literal(
    "effect_queue (id, queue_name, element, state, attempts, visible_at, created_at, updated_at)"
  )
  const job = sql`x.id, x.name, x.queue, x.priority, 'open', 0, x.grp, x.parent, ${dialect.nowMillis}`
  const queued = sql`x.id, x.queue, x.element, 'pending', 0, ${
    dialect.later(sql`x.due`)
  }, ${dialect.now}, ${dialect.now}`
  return sql.onDialectOrElse({
    // One round trip.
    pg: () => (rows: ReadonlyArray<Row>): Inserted => {
      const records = rows.map(({ record }) => record)
      return sql<{ readonly id: JobId }>`
        WITH x AS MATERIALIZED (SELECT * FROM ${dialect.rows(columns, records)}),
        fresh AS (
          INSERT INTO ${jobColumns} SELECT ${job} FROM x ON CONFLICT (id) DO NOTHING RETURNING id
        ),
        queued AS (
          INSERT INTO ${queueColumns} SELECT ${queued} FROM x JOIN fresh ON fresh.id = x.id
        )
        SELECT id FROM fresh`
    },
    orElse: () => (rows: ReadonlyArray<Row>): Inserted =>
      sql.withTransaction(Effect.gen(function*() {
        const inserted = yield* sql<{ readonly id: JobId }>`
          INSERT INTO ${jobColumns} SELECT ${job} FROM ${dialect.rows(columns, rows.map(({ record }) => record))}
          WHERE true ON CONFLICT (id) DO NOTHING RETURNING id`
        const fresh = new Set(inserted.map(({ id }) => id))
        const records = rows.flatMap(({ id, record }) => fresh.has(id) ? [record] : [])
        if (records.length > 0) {
          yield* sql`INSERT INTO ${queueColumns} SELECT ${queued} FROM ${dialect.rows(columns, records)}`
        }
        return inserted
      }))
  })
}
