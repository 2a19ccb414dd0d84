/**
 * A month of finished jobs: whether a store that keeps a million of them is as quick as an empty one. Both take turns,
 * round by round; medians and their ratio are what to read.
 */
import { Job, Jobs, Worker } from "@effect-dspy/pipelines/jobs"
import { Effect, Exit, Layer, Scope } from "effect"
import { SqlClient } from "effect/sql"
import { median } from "../Measure.ts"
import { store, Trivial } from "./Work.ts"

const rounds = 5
const jobsEach = 1000

const numbers = (count: number) => Array.from({ length: count }, (_, n) => ({ n }))

/** Finished jobs of three queues, written as the engine leaves them. */
const fill = (count: number) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const batch = 50_000
    const [pg, series] = sql.onDialectOrElse({
      pg: () =>
        [true, (from: number, to: number) => sql`generate_series(${from}::bigint, ${to}::bigint) AS s(n)`] as const,
      orElse: () =>
        [
          false,
          (from: number, to: number) =>
            sql`(WITH RECURSIVE s(n) AS (SELECT ${from} UNION ALL SELECT n + 1 FROM s WHERE n < ${to}) SELECT n FROM s)`
        ] as const
    })
    const id = sql`'trivial/old-' || n`
    const queue = sql`CASE n % 10 WHEN 0 THEN 'slow' WHEN 1 THEN 'fast' ELSE 'default' END`
    const state = sql`CASE n % 50 WHEN 0 THEN 'dead' ELSE 'succeeded' END`
    const failure = sql`CASE n % 50 WHEN 0 THEN '{"kind":"failed","name":"Broken","attempt":5}' END`
    const queued = sql`CASE n % 50 WHEN 0 THEN 'failed' ELSE 'completed' END`
    const now = Date.now()
    const at = sql`${now} - ${count} + n`
    const time = pg ? sql`NOW()::timestamp` : sql`CURRENT_TIMESTAMP`
    for (let from = 1; from <= count; from += batch) {
      const rows = series(from, Math.min(from + batch - 1, count))
      yield* sql.withTransaction(Effect.andThen(
        sql`INSERT INTO effect_dspy_jobs
          (id, name, queue, priority, state, cancel, failure, result, enqueued_at, started_at, finished_at)
          SELECT ${id}, 'trivial', ${queue}, 0, ${state}, 0, ${failure}, 'null', ${at}, ${at}, ${at} FROM ${rows}`,
        sql`INSERT INTO effect_queue
          (id, queue_name, element, state, attempts, visible_at, created_at, updated_at)
          SELECT ${id}, ${queue}, '{"payload":"{}"}', ${queued}, 1, ${time}, ${time}, ${time} FROM ${rows}`
      ))
    }
    yield* pg ? sql`ANALYZE` : sql`SELECT 1`
  })

/** Enqueues and does jobs in this process; milliseconds each job took. */
const measure = Effect.gen(function*() {
  const jobs = yield* Jobs
  const start = performance.now()
  yield* Effect.forEach(numbers(jobsEach), (payload) => Job.enqueue(Trivial, payload), {
    concurrency: 20,
    discard: true
  })
  const enqueued = performance.now()
  let left = jobsEach
  const done = Effect.suspend(() => {
    left--
    return Effect.void
  })
  yield* Effect.gen(function*() {
    while (left > 0) yield* Effect.sleep("5 millis")
  }).pipe(Effect.provide(Worker.layer([Trivial.toLayer(() => done)], { queues: { default: 50 } })))
  const claimed = performance.now()
  yield* jobs.counts
  const counted = performance.now()
  const listings = [{}, { state: "dead" }, { queue: "fast" }, { queue: "slow", state: "dead" }, {
    state: "queued"
  }] as const
  let slowest = 0
  for (const filter of listings) {
    const asked = performance.now()
    yield* jobs.list({ ...filter, limit: 50 })
    slowest = Math.max(slowest, performance.now() - asked)
  }
  return {
    "enqueue": (enqueued - start) / jobsEach,
    "claim, run, settle": (claimed - enqueued) / jobsEach,
    "counts": counted - claimed,
    "slowest of five listings": slowest
  }
})

export const retention = async (name: string, empty: string, full: string, count: number) => {
  const scope = Scope.makeUnsafe()
  const open = (at: string) => Effect.runPromise(Layer.buildWithScope(store(at), scope))
  const stores = [["empty", await open(empty)], ["full", await open(full)]] as const
  const start = performance.now()
  await Effect.runPromise(Effect.provide(fill(count), stores[1][1]))
  console.log(`${name}: ${count} finished jobs, written in ${Math.round((performance.now() - start) / 1000)} s`)
  const samples = new Map<string, { readonly empty: Array<number>; readonly full: Array<number> }>()
  for (let round = 0; round <= rounds; round++) {
    for (const [which, context] of stores) {
      const figures = await Effect.runPromise(Effect.provide(measure, context))
      // The first round warms up.
      if (round === 0) continue
      for (const [what, millis] of Object.entries(figures)) {
        const row = samples.get(what) ?? { empty: [], full: [] }
        samples.set(what, row)
        row[which].push(millis)
      }
    }
  }
  console.table(Object.fromEntries(
    [...samples].map(([what, row]) => [what, {
      "empty, ms": Number(median(row.empty).toFixed(3)),
      "full, ms": Number(median(row.full).toFixed(3)),
      "full to empty": `${(median(row.full) / median(row.empty)).toFixed(2)}x`
    }])
  ))
  await Effect.runPromise(Scope.close(scope, Exit.void))
}
