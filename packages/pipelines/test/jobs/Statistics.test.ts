/**
 * What triggers count against what is there, and lists in pages against lists in one.
 */
import { Job, Jobs, Worker } from "@effect-dspy/pipelines/jobs"
import { assert } from "@effect/vitest"
import { Effect, Layer, Schedule, Schema } from "effect"
import { SqlClient } from "effect/sql"
import * as Dialect from "../../src/jobs/engine/Dialect.ts"
import * as Listing from "../../src/jobs/engine/Listing.ts"
import { onEveryEngine } from "./engines.ts"

const Work = Job.make("work", {
  payload: { n: Schema.Int },
  id: ({ n }) => `${n}`,
  // No second attempt within a test.
  retry: Schedule.spaced("1 hour")
})
const Other = Job.make("other", { payload: { n: Schema.Int }, queue: "other" })

const listing = Effect.map(SqlClient.SqlClient, (sql) => Listing.make(sql, Dialect.make(sql)))

/** Every job by its queue and state, one by one. */
const scanned = Effect.gen(function*() {
  const counts = new Map<string, number>()
  for (const { queue, state } of yield* (yield* Jobs).list({ limit: 100_000 })) {
    counts.set(`${queue}/${state}`, (counts.get(`${queue}/${state}`) ?? 0) + 1)
  }
  return Object.fromEntries(counts)
})

const counted = Effect.gen(function*() {
  const counts = yield* (yield* Jobs).counts
  return Object.fromEntries(counts.map(({ count, queue, state }) => [`${queue}/${state}`, count]))
})

onEveryEngine("statistics", (test, engine) => {
  test("what is counted on the way is what is there", (store) =>
    Effect.gen(function*() {
      const jobs = yield* Jobs
      const numbers = Array.from({ length: 60 }, (_, n) => ({ n }))
      yield* Job.enqueueMany(Work, numbers)
      yield* Job.enqueueMany(Other, numbers.slice(0, 7), { delay: "1 hour" })
      yield* Effect.scoped(Effect.andThen(
        Layer.build(Worker.layer([
          Work.toLayer(({ n }) => n % 10 === 3 ? Effect.die("bug") : Effect.void)
        ], { queues: { default: 10 }, drain: 0 })),
        Effect.sleep("10 millis").pipe(
          Effect.andThen(jobs.counts),
          Effect.repeat({ until: (counts) => counts.every(({ state }) => state !== "queued" && state !== "running") })
        )
      ))
      assert.deepEqual(yield* counted, yield* scanned)
      assert.deepEqual(yield* counted, { "default/retrying": 6, "default/succeeded": 54, "other/scheduled": 7 })
      for (const { id, name } of yield* jobs.list({})) {
        if (name === "other" || id.endsWith("3")) yield* jobs.cancel(id)
      }
      assert.deepEqual(yield* counted, yield* scanned)
      yield* jobs.requeue(["work/13", "work/33"])
      yield* jobs.prune({ succeededMillis: 0, deadMillis: 0 })
      assert.deepEqual(yield* counted, yield* scanned)
      assert.deepEqual(yield* counted, { "default/queued": 2 })
    }).pipe(Effect.provide(store)))

  test("pages follow each other, and nothing is left out or told twice", (store) =>
    Effect.gen(function*() {
      const jobs = yield* Jobs
      const { page } = yield* listing
      yield* Job.enqueueMany(Work, Array.from({ length: 25 }, (_, n) => ({ n })))
      yield* Job.enqueueMany(Other, Array.from({ length: 25 }, (_, n) => ({ n })), { delay: "1 hour" })
      // Many of one moment: their ids decide.
      for (const { id } of yield* jobs.list({ queue: "other" })) yield* jobs.cancel(id)
      for (
        const question of [
          {},
          { state: "queued" },
          { state: "cancelled" },
          { queue: "other" },
          { state: "cancelled", queue: "other", name: "other" },
          { search: "WORK/1" }
        ] as const
      ) {
        const all = (yield* jobs.list(question.search === undefined ? question : {})).map(({ id }) => id)
          .filter((id) => question.search === undefined || id.startsWith("work/1"))
        const paged: Array<string> = []
        let cursor: string | undefined
        do {
          const found: Listing.Page = yield* page({
            ...question,
            limit: 7,
            ...(cursor === undefined ? {} : { cursor })
          })
          assert.isAtMost(found.jobs.length, 7)
          paged.push(...found.jobs.map(({ id }) => id))
          cursor = found.next
        } while (cursor !== undefined)
        assert.deepEqual(paged, all)
        assert.isAbove(paged.length, 10)
      }
      assert.deepEqual((yield* page({ state: "succeeded" })).jobs, [])
      assert.lengthOf((yield* page({ cursor: "none of ours", limit: 3 })).jobs, 3)
    }).pipe(Effect.provide(store)))

  // In memory there is nothing left when the first process is gone.
  if (engine !== "memory") {
    test("what processes have counted that are gone is added up", (store) =>
      Effect.gen(function*() {
        for (let process = 0; process < 3; process++) {
          yield* Job.enqueueMany(Other, [{ n: 1 }, { n: 2 }], { delay: "1 hour" }).pipe(
            Effect.provide(Layer.fresh(store), { local: true })
          )
        }
        yield* Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* (yield* Jobs).prune({ succeededMillis: 0, deadMillis: 0 })
          assert.deepEqual(yield* counted, { "other/scheduled": 6 })
          const rows = yield* sql<{ readonly slot: number | string; readonly count: number | string }>`
            SELECT slot, count FROM effect_dspy_counts`
          assert.deepEqual(rows.map(({ count, slot }) => [Number(slot), Number(count)]), [[0, 6]])
        }).pipe(Effect.provide(store))
      }))
  }
})
