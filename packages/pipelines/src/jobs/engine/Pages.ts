/**
 * Lists of jobs, a page at a time, in a store of any size.
 *
 * A page begins where the one before ended (its `cursor` says so), never at a number of rows to skip. A question
 * that no index answers looks at so many jobs and no more; what it has found comes back with a cursor to go on from,
 * even when the page is not full.
 */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import { isFinal, type JobId } from "../JobInfo.ts"
import type { Filter } from "../Jobs.ts"

/** Jobs looked at for one page: about 50 ms on SQLite. */
const lookedAt = 10_000

/**
 * - `search`: part of an id, of a job's name, or of what is known of its failure
 * - `cursor`: where the page before ended
 *
 * @category models
 */
export interface Question extends Filter {
  readonly search?: string
  readonly cursor?: string
}

/**
 * The keys of a page's jobs, in order. `next` is absent at the end.
 *
 * @category models
 */
export interface Keys {
  readonly ids: ReadonlyArray<JobId>
  readonly next?: string
}

/** One order of jobs, by which pages follow each other. */
interface Order {
  readonly from: Fragment
  readonly where: ReadonlyArray<Fragment>
  readonly key: Fragment
  readonly byId: boolean
}

interface Row {
  readonly id: JobId
  readonly place: number | string
}

/**
 * Finds a page.
 *
 * @category constructors
 */
export const make = (
  sql: SqlClient.SqlClient,
  state: Fragment
): (question: Question) => Effect.Effect<Keys, SqlError> => {
  const contains = (column: Fragment, text: string) =>
    sql.onDialectOrElse({
      pg: () => sql`strpos(lower(${column}), ${text}) > 0`,
      orElse: () => sql`instr(lower(${column}), ${text}) > 0`
    })
  const order = (question: Question): Order => {
    const ofQueue = question.queue === undefined ? [] : [sql`j.queue = ${question.queue}`]
    if (question.state === undefined) {
      return {
        from: sql`effect_queue q JOIN effect_dspy_jobs j ON j.id = q.id`,
        where: [],
        key: sql`q.sequence`,
        byId: false
      }
    }
    if (question.state === "running") {
      return {
        from: sql`effect_queue q JOIN effect_dspy_jobs j ON j.id = q.id`,
        where: [sql`q.acquired_by IS NOT NULL`],
        // As an expression: by its primary key SQLite would go through every job there is to find those few in order.
        key: sql`+q.sequence`,
        byId: false
      }
    }
    // Said twice and without parameters: SQLite takes a partial index only where its condition stands word for word.
    return isFinal(question.state)
      ? {
        from: sql`effect_dspy_jobs j`,
        where: [sql`j.state <> 'open' AND j.state = ${question.state}`, ...ofQueue],
        key: sql`j.finished_at`,
        byId: true
      }
      : { from: sql`effect_dspy_jobs j`, where: [sql`j.state = 'open'`], key: sql`j.enqueued_at`, byId: true }
  }
  /** The conditions that the order itself does not meet. */
  const conditions = (question: Question): ReadonlyArray<Fragment> => [
    ...(question.state === undefined || isFinal(question.state) ? [] : [sql`${state} = ${question.state}`]),
    ...(question.queue === undefined || (question.state !== undefined && isFinal(question.state))
      ? []
      : [sql`j.queue = ${question.queue}`]),
    ...(question.name === undefined ? [] : [sql`j.name = ${question.name}`]),
    ...(question.group === undefined ? [] : [sql`j.group_id = ${question.group}`]),
    ...(question.search === undefined ? [] : [
      sql`(${
        sql.or([sql`j.id`, sql`j.name`, sql`COALESCE(j.failure, '')`].map((column) =>
          contains(column, question.search?.toLowerCase() ?? "")
        ))
      })`
    ])
  ]
  return Effect.fnUntraced(function*(question) {
    const { byId, from, key, where } = order(question)
    const limit = question.limit ?? 100
    const filters = conditions(question)
    const after = read(question.cursor)
    const start = after === undefined ? [] : byId
      ? [sql`(${key}, j.id) < (${after.at}, ${after.id})`]
      : [sql`${key} < ${after.at}`]
    const sorted = byId ? sql`place DESC, id DESC` : sql`place DESC`
    const inner = (count: number, skip: number) =>
      sql`SELECT j.id AS id, ${key} AS place FROM ${from} WHERE ${sql.and([sql`1 = 1`, ...where, ...start])}
        ORDER BY ${sorted} LIMIT ${count} OFFSET ${skip}`
    if (filters.length === 0) {
      const rows = yield* sql<Row>`${inner(limit + 1, 0)}`
      return keys(rows, limit)
    }
    const rows = yield* sql<Row>`
      SELECT s.id AS id, s.place AS place FROM (${inner(lookedAt, 0)}) AS s
      JOIN effect_dspy_jobs j ON j.id = s.id JOIN effect_queue q ON q.id = j.id AND q.queue_name = j.queue
      WHERE ${sql.and(filters)} ORDER BY s.place DESC${sql.literal(byId ? ", s.id DESC" : "")} LIMIT ${limit + 1}`
    if (rows.length > limit) return keys(rows, limit)
    const [last] = yield* sql<Row>`${inner(1, lookedAt - 1)}`
    return { ids: rows.map(({ id }) => id), ...(last === undefined ? undefined : { next: cursor(last) }) }
  })
}

const keys = (rows: ReadonlyArray<Row>, limit: number): Keys => {
  const last = rows[limit - 1]
  return {
    ids: rows.slice(0, limit).map(({ id }) => id),
    ...(rows.length > limit && last !== undefined ? { next: cursor(last) } : undefined)
  }
}

const cursor = ({ id, place }: Row): string => `${place}:${id}`

/** A cursor that this module did not write starts at the beginning. */
const read = (cursor: string | undefined): { readonly at: number; readonly id: JobId } | undefined => {
  const [, at, id] = /^(\d+):(.*)$/s.exec(cursor ?? "") ?? []
  return at === undefined || id === undefined ? undefined : { at: Number(at), id }
}
