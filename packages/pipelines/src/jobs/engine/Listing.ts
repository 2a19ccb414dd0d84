/**
 * Jobs as they are seen from outside. State, attempts and due time are read where the queue keeps them.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Failure from "../Failure.ts"
import type { JobId, JobInfo, State } from "../JobInfo.ts"
import type { Count, Ending, Filter, GroupInfo, Waiting } from "../Jobs.ts"
import * as Counts from "./Counts.ts"
import type { Dialect } from "./Dialect.ts"
import * as Oldest from "./Oldest.ts"
import * as Pages from "./Pages.ts"

/** A job as the database gives it; PostgreSQL gives big integers in more than one form. */
interface Row {
  readonly id: JobId
  readonly name: string
  readonly queue: string
  readonly state: State
  readonly attempts: number | string
  readonly priority: number | string
  readonly hold: string | null
  readonly group_id: string | null
  readonly parent_id: string | null
  readonly progress: string | null
  readonly failure: string | null
  readonly enqueued_at: number | string
  readonly due_at: number | string
  readonly started_at: number | string | null
  readonly finished_at: number | string | null
}

/**
 * The questions of `Jobs`.
 *
 * @category models
 */
export interface Listing {
  readonly find: (id: JobId) => Effect.Effect<Option.Option<JobInfo>, SqlError>
  readonly ending: (id: JobId) => Effect.Effect<Option.Option<Ending>, SqlError>
  readonly page: (question: Pages.Question) => Effect.Effect<Page, SqlError>
  readonly list: (filter: Filter) => Effect.Effect<ReadonlyArray<JobInfo>, SqlError>
  readonly counts: Effect.Effect<ReadonlyArray<Count>, SqlError>
  readonly oldest: Effect.Effect<ReadonlyArray<Waiting>, SqlError>
  readonly findGroup: (id: string) => Effect.Effect<Option.Option<GroupInfo>, SqlError>
}

/**
 * A part of a list; `next` is where the next one begins, absent at the end.
 *
 * @category models
 */
export interface Page {
  readonly jobs: ReadonlyArray<JobInfo>
  readonly next?: string
}

/**
 * Answers from a database.
 *
 * @category constructors
 */
export const make = (sql: SqlClient.SqlClient, dialect: Dialect): Listing => {
  const state = sql`CASE
    WHEN j.state <> 'open' THEN j.state
    WHEN q.state = 'failed' THEN 'dead'
    WHEN q.acquired_by IS NOT NULL THEN 'running'
    WHEN j.hold = 'unknown' OR q.visible_at <= ${dialect.now} THEN 'queued'
    WHEN j.hold IS NULL AND j.failure IS NOT NULL THEN 'retrying'
    ELSE 'scheduled' END`
  const from = sql`FROM effect_dspy_jobs j JOIN effect_queue q ON q.id = j.id AND q.queue_name = j.queue`
  const columns = sql`j.id, j.name, j.queue, ${state} AS state, q.attempts, j.priority, j.hold, j.group_id, j.parent_id,
    j.progress, j.failure, j.enqueued_at, j.started_at, j.finished_at, ${dialect.millis(sql`q.visible_at`)} AS due_at`
  const keys = Pages.make(sql, state)
  const page = Effect.fnUntraced(function*(question: Pages.Question) {
    const { ids, next } = yield* keys(question)
    const rows = ids.length === 0 ? [] : yield* sql<Row>`
      SELECT ${columns} ${from} WHERE j.id IN (
        SELECT x.id FROM ${dialect.rows({ id: "text" }, ids.map((id) => ({ id })))}
      )`
    const jobs = new Map(rows.map((row) => [row.id, info(row)]))
    return {
      jobs: ids.flatMap((id) => jobs.get(id) ?? []),
      ...(next === undefined ? undefined : { next })
    }
  })
  return {
    find: (id) =>
      Effect.map(
        sql<Row>`SELECT ${columns} ${from} WHERE j.id = ${id}`,
        ([row]) => row === undefined ? Option.none() : Option.some(info(row))
      ),
    page,
    ending: (id) =>
      Effect.map(
        sql<Pick<Row, "state" | "failure"> & { readonly result: string | null; readonly error: string | null }>`
          SELECT ${state} AS state, j.result, j.failure, j.error ${from} WHERE j.id = ${id}`,
        ([row]) =>
          row === undefined ? Option.none() : Option.some({
            state: row.state,
            ...(row.result === null ? undefined : { result: row.result }),
            ...(row.error === null ? undefined : { error: row.error }),
            ...(row.failure === null ? undefined : { failure: failure(row.failure) })
          })
      ),
    list: Effect.fnUntraced(function*(filter) {
      const limit = filter.limit ?? 100
      const jobs: Array<JobInfo> = []
      let cursor: string | undefined
      do {
        const found: Page = yield* page({
          ...filter,
          limit: limit - jobs.length,
          ...(cursor === undefined ? undefined : { cursor })
        })
        jobs.push(...found.jobs)
        cursor = found.next
      } while (cursor !== undefined && jobs.length < limit)
      return jobs
    }),
    counts: Counts.make(sql, dialect),
    oldest: Oldest.make(sql, dialect),
    findGroup: (id) =>
      Effect.map(
        sql<{ readonly [K in keyof GroupInfo]: K extends "id" ? string : number | string }>`
          SELECT id, total, pending, failed FROM effect_dspy_groups WHERE id = ${id}`,
        ([row]) =>
          row === undefined ? Option.none() : Option.some({
            id: row.id,
            total: Number(row.total),
            pending: Number(row.pending),
            failed: Number(row.failed)
          })
      )
  }
}

const info = (row: Row): JobInfo => ({
  id: row.id,
  name: row.name,
  queue: row.queue,
  state: row.state,
  attempts: Number(row.attempts),
  priority: Number(row.priority),
  unknown: row.hold === "unknown",
  ...(row.group_id === null ? undefined : { group: row.group_id }),
  ...(row.parent_id === null ? undefined : { parent: row.parent_id }),
  ...(row.progress === null ? undefined : { progress: JSON.parse(row.progress) }),
  ...(row.failure === null ? undefined : { failure: failure(row.failure) }),
  enqueuedAt: Number(row.enqueued_at),
  dueAt: Number(row.due_at),
  ...(row.started_at === null ? undefined : { startedAt: Number(row.started_at) }),
  ...(row.finished_at === null ? undefined : { finishedAt: Number(row.finished_at) })
})

/** Failures are written by `Settle` alone; one that can't be read is a bug. */
const failure = (text: string): Failure.Failure => readFailure(text)

const readFailure = Schema.decodeUnknownSync(Schema.fromJsonString(Failure.Failure))
