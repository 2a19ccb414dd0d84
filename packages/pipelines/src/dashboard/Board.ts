/**
 * What the dashboard shows, read from the store of jobs. Every question is answered from counters and indexes, so it
 * takes as long over a million jobs as over ten.
 */
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as Dialect from "../jobs/engine/Dialect.ts"
import * as Listing from "../jobs/engine/Listing.ts"
import type { Question } from "../jobs/engine/Pages.ts"
import { store } from "../jobs/engine/Settle.ts"
import { bucketMillis } from "../jobs/engine/Statistics.ts"
import * as History from "../jobs/History.ts"
import type { JobId } from "../jobs/JobInfo.ts"
import { Jobs } from "../jobs/Jobs.ts"
import { during, type StoreError } from "../jobs/StoreError.ts"
import type { Activity, Causes, Detail, Live, Page, Queue, State } from "./Wire.ts"

/** Running jobs that are shown; a worker may have hundreds. */
const shown = 60

const hour = 3_600_000

/** Dead jobs whose causes are counted. */
const looked = 500

/** The longest text of a payload, result or answer that is shown. */
const longest = 100_000

/**
 * - `detail`: `undefined` when there is no such job
 * - `hurry`: makes jobs that wait for a time due now; gives how many
 * - `dead`: some dead jobs
 *
 * @category models
 */
export interface Board {
  readonly live: Effect.Effect<Live, StoreError>
  readonly activity: Effect.Effect<Activity, StoreError>
  readonly page: (question: Question) => Effect.Effect<Page, StoreError>
  readonly causes: (queue: string | undefined) => Effect.Effect<Causes, StoreError>
  readonly detail: (id: JobId) => Effect.Effect<Detail | undefined, StoreError>
  readonly hurry: (ids: ReadonlyArray<JobId>) => Effect.Effect<number, StoreError>
  readonly dead: (queue: string | undefined, limit: number) => Effect.Effect<ReadonlyArray<JobId>, StoreError>
}

/**
 * A board over the store in context.
 *
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(showContent: boolean) {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  const jobs = yield* Jobs
  const dialect = Dialect.make(sql)
  const listing = Listing.make(sql, dialect)

  const now = Effect.map(
    sql<{ readonly now: number | string }>`SELECT ${dialect.nowMillis} AS now`,
    ([row]) => Number(row?.now)
  )
  const histories = (ids: ReadonlyArray<JobId>) =>
    sql<{ readonly id: JobId; readonly history: string | null }>`
      SELECT id, history FROM effect_dspy_jobs WHERE id IN (
        SELECT x.id FROM ${dialect.rows({ id: "text" }, ids.map((id) => ({ id })))}
      )`
  const oldest = (queue: string, now: number) =>
    Effect.map(
      sql<{ readonly due: number | string }>`
        SELECT ${dialect.millis(sql`visible_at`)} AS due FROM effect_queue
        WHERE queue_name = ${queue} AND state = 'pending' AND acquired_by IS NULL AND visible_at <= ${dialect.now}
        ORDER BY visible_at LIMIT 1`,
      ([row]) => row === undefined ? undefined : Math.max(0, now - Number(row.due))
    )

  const queues = Effect.fnUntraced(function*(now: number) {
    const counts = yield* jobs.counts
    const paused = new Set(yield* jobs.paused)
    const names = new Set([...counts.map(({ queue }) => queue), ...paused])
    return yield* Effect.forEach([...names].toSorted(), (name) => {
      const own = counts.filter(({ queue }) => queue === name)
      const queue: Queue = {
        name,
        paused: paused.has(name),
        counts: Object.fromEntries(own.map(({ count, state }) => [state, count])),
        atLeast: own.flatMap(({ atLeast, state }): ReadonlyArray<State> => atLeast ? [state] : [])
      }
      return Effect.map(
        queue.counts.queued === undefined ? Effect.undefined : oldest(name, now),
        (oldestMs): Queue => oldestMs === undefined ? queue : { ...queue, oldestMs }
      )
    }, { concurrency: 1 })
  })

  const running = Effect.gen(function*() {
    const { jobs } = yield* listing.page({ state: "running", limit: shown })
    if (jobs.length === 0) return []
    const byId = new Map((yield* histories(jobs.map(({ id }) => id))).map(({ history, id }) => [id, history]))
    return yield* Effect.forEach(jobs, (job) =>
      Effect.map(History.read(byId.get(job.id) ?? null), (runs) => {
        const run = runs.at(-1)
        // Nothing is told of the present run yet when the last one known has ended.
        return run === undefined || run.outcome !== undefined ? job : { ...job, run }
      }), { concurrency: 1 })
  })

  const content = Effect.fnUntraced(function*(id: JobId) {
    const open = (sealed: string) =>
      Effect.match(jobs.codec.open(sealed), {
        onFailure: () => "(sealed)",
        onSuccess: (text) => text.length > longest ? `${text.slice(0, longest)} …` : text
      })
    const [row] = yield* sql<
      { readonly element: string; readonly result: string | null; readonly error: string | null }
    >`
      SELECT q.element, j.result, j.error FROM effect_dspy_jobs j
      JOIN effect_queue q ON q.id = j.id AND q.queue_name = j.queue WHERE j.id = ${id}`
    const answers = yield* sql<{ readonly id: string; readonly value: string }>`
      SELECT id, value FROM effect_persistence WHERE store_id = ${store(id)} LIMIT 50`
    return {
      payload: yield* open(textIn(row?.element ?? "", "payload")),
      ...(row?.result == null ? undefined : { result: yield* open(row.result) }),
      ...(row?.error == null ? undefined : { failed: yield* open(row.error) }),
      answers: yield* Effect.forEach(
        answers,
        ({ id, value }) => Effect.map(open(textIn(value, "value")), (text) => ({ key: id, text })),
        { concurrency: 1 }
      )
    }
  })

  const board: Board = {
    live: during("list")(Effect.gen(function*() {
      const at = yield* now
      return { now: at, queues: yield* queues(at), running: yield* running }
    })),
    activity: during("list")(Effect.gen(function*() {
      const last = Math.floor((yield* now) / bucketMillis)
      const first = last - hour / bucketMillis + 1
      const rows = yield* sql<{ readonly [column: string]: number | string }>`
        SELECT bucket, SUM(succeeded) AS succeeded, SUM(dead) AS dead, SUM(total_ms) AS total_ms, SUM(ran) AS ran,
          SUM(ran_ms) AS ran_ms FROM effect_dspy_activity WHERE bucket >= ${first} GROUP BY bucket`
      const byBucket = new Map(rows.map((row) => [Number(row["bucket"]), row]))
      const buckets = Array.from({ length: last - first + 1 }, (_, index) => byBucket.get(first + index))
      const column = (name: string) => buckets.map((row) => Number(row?.[name] ?? 0))
      const [succeeded, dead, ran] = [column("succeeded"), column("dead"), column("ran")]
      const mean = (sums: ReadonlyArray<number>, count: (index: number) => number) =>
        sums.map((sum, index) => count(index) > 0 ? Math.round(sum / count(index)) : null)
      return {
        from: first * bucketMillis,
        stepMs: bucketMillis,
        succeeded,
        dead,
        totalMs: mean(column("total_ms"), (index) => (succeeded[index] ?? 0) + (dead[index] ?? 0)),
        ranMs: mean(column("ran_ms"), (index) => ran[index] ?? 0)
      }
    })),
    page: Effect.fnUntraced(function*(question) {
      // Whoever searches for a whole id wants that job.
      if (question.search !== undefined && question.cursor === undefined) {
        const exact = yield* jobs.find(question.search)
        if (exact._tag === "Some") return { jobs: [exact.value] }
      }
      return yield* during("list")(listing.page(question))
    }),
    causes: (queue) =>
      Effect.map(
        during("list")(
          listing.page({ state: "dead", limit: looked, ...(queue === undefined ? undefined : { queue }) })
        ),
        ({ jobs }) => {
          const counts = new Map<string, Causes["causes"][number]>()
          for (const { failure } of jobs) {
            const { kind, message, name } = failure ?? { kind: "failed", name: "unknown" }
            const key = `${kind} ${name} ${message ?? ""}`
            const count = (counts.get(key)?.count ?? 0) + 1
            counts.set(key, { kind, name, count, ...(message === undefined ? undefined : { message }) })
          }
          return { of: jobs.length, causes: [...counts.values()].toSorted((a, b) => b.count - a.count).slice(0, 20) }
        }
      ),
    detail: (id) =>
      during("find")(Effect.gen(function*() {
        const job = yield* jobs.find(id)
        if (job._tag === "None") return undefined
        const [row] = yield* histories([id])
        const [memo] = yield* sql<{ readonly kept: number | string }>`
          SELECT COUNT(*) AS kept FROM effect_persistence WHERE store_id = ${store(id)}`
        return {
          job: job.value,
          runs: yield* History.read(row?.history ?? null),
          kept: Number(memo?.kept ?? 0),
          ...(showContent ? { content: yield* content(id) } : undefined)
        }
      })),
    hurry: (ids) =>
      during("signal")(Effect.gen(function*() {
        const due = yield* sql`
          UPDATE effect_queue SET visible_at = ${dialect.now}
          WHERE state = 'pending' AND acquired_by IS NULL AND visible_at > ${dialect.now} AND id IN (
            SELECT j.id FROM effect_dspy_jobs j WHERE j.state = 'open' AND j.id IN (
              SELECT x.id FROM ${dialect.rows({ id: "text" }, ids.map((id) => ({ id })))}
            )
          ) RETURNING id`
        yield* jobs.wake.ring("*")
        return due.length
      })),
    dead: (queue, limit) =>
      Effect.map(
        during("list")(listing.page({ state: "dead", limit, ...(queue === undefined ? undefined : { queue }) })),
        ({ jobs }) => jobs.map(({ id }) => id)
      )
  }
  return board
})

/** A text in a JSON object the store wrote. */
const textIn = (json: string, key: string): string => {
  const value: unknown = json === "" ? undefined : JSON.parse(json)
  const text = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined
  return typeof text === "string" ? text : ""
}
