/**
 * What the engine relies on in effect's queue, and the defects it works around. When a test of the second kind
 * fails, effect has mended something and the place it names can become simpler.
 */
import { Job, Jobs, Worker } from "@effect-dspy/pipelines/jobs"
import { Sqlite, SqliteClient } from "@effect-dspy/pipelines/sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Schedule, Schema } from "effect"
import { PersistedQueue } from "effect/persistence"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { onEveryEngine } from "./engines.ts"

const Echo = Job.make("echo", { payload: { n: Schema.Int } })

onEveryEngine("effect's queue", (test) => {
  test("takes the rows that Enqueue writes for its own", (store) =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const queue = yield* PersistedQueue.makeStoreSql()
      yield* queue.offer({ name: "default", id: "theirs", element: { payload: "{}" }, isCustomId: true })
      yield* Job.enqueue(Echo, { n: 1 }, { id: "ours" })
      const rows = yield* sql<Record<string, unknown>>`SELECT * FROM effect_queue ORDER BY sequence`
      const [theirs, ours] = rows.map((row) => {
        const { attempts, state } = row
        return {
          columns: Object.keys(row),
          empty: Object.keys(row).filter((key) => row[key] === null),
          attempts,
          state
        }
      })
      assert.deepStrictEqual(ours, theirs)
      assert.deepStrictEqual(
        theirs?.columns,
        [
          "sequence",
          "id",
          "queue_name",
          "element",
          "attempts",
          "last_failure",
          "acquired_at",
          "acquired_by",
          "created_at",
          "updated_at",
          "state",
          "visible_at"
        ].toSorted((a, b) => (theirs?.columns.indexOf(a) ?? 0) - (theirs?.columns.indexOf(b) ?? 0))
      )
    }).pipe(Effect.provide(store)))
})

const retried = (delay: string) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const queue = yield* PersistedQueue.make({
      name: "q",
      schema: Schema.String,
      retrySchedule: Schedule.spaced(delay as "1 second")
    })
    yield* queue.offer("element")
    yield* Effect.ignore(queue.take(() => Effect.fail({ _tag: "Leaky", message: "the whole prompt" })))
    const [row] = yield* sql<{ readonly delay: number; readonly last_failure: string }>`
      SELECT (unixepoch(visible_at, 'subsec') - unixepoch(CURRENT_TIMESTAMP, 'subsec')) AS delay, last_failure FROM effect_queue`
    return { delay: row?.delay ?? 0, failure: row?.last_failure ?? "" }
  }).pipe(
    Effect.provide(PersistedQueue.layer.pipe(
      Layer.provideMerge(PersistedQueue.layerStoreSql()),
      Layer.provideMerge(SqliteClient.layer({ filename: ":memory:" }))
    ))
  )

describe("effect's queue still", () => {
  it.effect("retries early on SQLite (jobs/engine/Settle.ts)", () =>
    Effect.gen(function*() {
      // Half a second into a second.
      yield* TestClock.adjust("500 millis")
      assert.isBelow((yield* retried("1 second")).delay, 1)
    }))

  it.effect("writes down whole causes (jobs/engine/Settle.ts)", () =>
    Effect.gen(function*() {
      assert.include((yield* retried("1 second")).failure, "the whole prompt")
    }))
})

describe("the memory engine", () => {
  it.effect("goes by the virtual clock", () =>
    Effect.gen(function*() {
      const jobs = yield* Jobs
      const id = yield* Job.enqueue(Echo, { n: 1 }, { delay: "1 minute" })
      const result = yield* Effect.forkChild(Job.result(Echo, id))
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(Option.getOrThrow(yield* jobs.find(id)).state, "scheduled")
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(result)
      assert.deepInclude(Option.getOrThrow(yield* jobs.find(id)), { state: "succeeded", attempts: 1 })
    }).pipe(Effect.provide(
      Worker.layer([Echo.toLayer(() => Effect.void)], { queues: { default: 2 } }).pipe(
        Layer.provideMerge(Sqlite.memory())
      )
    )))
})
