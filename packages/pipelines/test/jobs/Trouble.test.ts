/** Databases that are locked, full or gone, and clocks that are wrong: typed errors, no lost job, no restart. */
import { Job, Jobs, Worker } from "@effect-dspy/pipelines/jobs"
import { Postgres } from "@effect-dspy/pipelines/postgres"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterAll, beforeAll } from "vitest"
import * as postgres from "./postgres.ts"

const directory = mkdtempSync(join(tmpdir(), "effect-dspy-trouble-"))
let server: Awaited<ReturnType<typeof postgres.serve>> | undefined
beforeAll(async () => {
  server = await postgres.serve()
}, 60_000)
afterAll(async () => {
  await server?.close()
  rmSync(directory, { recursive: true, force: true })
}, 60_000)

let files = 0
const file = () => join(directory, `${files++}.db`)
let databases = 0
const database = Effect.suspend(() =>
  server === undefined
    ? Effect.die("no PostgreSQL")
    : postgres.createDatabase(server, `trouble_${process.pid}_${databases++}`)
)

const Echo = Job.make("echo", { payload: { n: Schema.Int }, success: Schema.String })

/** A handler that takes a while, gives something big, and counts its runs. */
const echo = (runs: Map<number, number>, options: { readonly size?: number; readonly millis?: number } = {}) =>
  Echo.toLayer(({ n }) =>
    Effect.suspend(() => {
      runs.set(n, (runs.get(n) ?? 0) + 1)
      return Effect.as(Effect.sleep(options.millis ?? 20), "x".repeat(options.size ?? 1))
    })
  )

const numbers = (count: number) => Array.from({ length: count }, (_, n) => ({ n }))

const allSucceed = (count: number) =>
  Effect.gen(function*() {
    const jobs = yield* Jobs
    while (true) {
      // The database may be away while we ask.
      const counts = yield* Effect.orElseSucceed(jobs.counts, () => [])
      if (counts.some((row) => row.state === "succeeded" && row.count === count)) {
        return yield* jobs.list({ limit: count })
      }
      yield* Effect.sleep("50 millis")
    }
  })

describe("a locked file", () => {
  it.live("fails enqueuers with a retryable error, and workers wait for it", () =>
    Effect.gen(function*() {
      const filename = file()
      const runs = new Map<number, number>()
      const store = Sqlite.layer({ filename, busyTimeout: "20 millis", poll: "100 millis" })
      yield* Effect.gen(function*() {
        yield* Job.enqueueMany(Echo, numbers(20))
        const worker = yield* Effect.forkChild(
          Layer.launch(Worker.layer([echo(runs, { millis: 100 })], { queues: { default: 5 } }))
        )
        while (runs.size < 3) yield* Effect.sleep("5 millis")
        const other = new DatabaseSync(filename)
        other.exec("PRAGMA busy_timeout = 2000; BEGIN IMMEDIATE")
        const error = yield* Effect.flip(Job.enqueue(Echo, { n: 99 }))
        assert.strictEqual(error._tag, "StoreError")
        assert.isTrue(error._tag === "StoreError" && error.isRetryable)
        yield* Effect.sleep("1 second")
        other.exec("COMMIT")
        other.close()
        const ended = yield* allSucceed(20)
        assert.isTrue(ended.every(({ attempts }) => attempts === 1))
        assert.deepStrictEqual([...runs.values()], Array.from({ length: 20 }, () => 1))
        yield* Fiber.interrupt(worker)
      }).pipe(Effect.provide(store))
    }), 30_000)
})

describe("a full database", () => {
  it.live(
    "fails enqueuers with a typed error, and workers go on when there is room again",
    () =>
      Effect.gen(function*() {
        const runs = new Map<number, number>()
        yield* Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* Job.enqueueMany(Echo, numbers(30))
          const [pages] = yield* sql<{ readonly page_count: number }>`PRAGMA page_count`
          yield* sql`PRAGMA max_page_count = ${sql.literal(String((pages?.page_count ?? 0) + 4))}`
          const worker = yield* Effect.forkChild(
            Layer.launch(Worker.layer([echo(runs, { size: 20_000 })], { queues: { default: 5 } }))
          )
          yield* Effect.sleep("1 second")
          const error = yield* Effect.flip(Job.enqueueMany(Echo, numbers(500)))
          assert.strictEqual(error._tag, "StoreError")
          assert.include(error.message, "full")
          // Nothing of it is there.
          const jobs = yield* Jobs
          assert.strictEqual((yield* jobs.list({ limit: 1000 })).length, 30)
          assert.isBelow((yield* jobs.list({ state: "succeeded" })).length, 30)
          yield* sql`PRAGMA max_page_count = 100000`
          const ended = yield* allSucceed(30)
          assert.isTrue(ended.every(({ attempts }) => attempts === 1))
          assert.deepStrictEqual([...runs.values()], Array.from({ length: 30 }, () => 1))
          const [check] = yield* sql<{ readonly integrity_check: string }>`PRAGMA integrity_check`
          assert.strictEqual(check?.integrity_check, "ok")
          yield* Fiber.interrupt(worker)
        }).pipe(Effect.provide(Sqlite.layer({ filename: file(), poll: "100 millis" })))
      }),
    30_000
  )
})

/** A clock an hour behind, that after a while goes back by another hour. */
const wrong = (clock: Clock.Clock): Clock.Clock => {
  const started = clock.currentTimeMillisUnsafe()
  const millis = () => {
    const now = clock.currentTimeMillisUnsafe()
    return now - 3_600_000 - (now - started > 500 ? 3_600_000 : 0)
  }
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: () => BigInt(millis()) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(millis()) * 1_000_000n),
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) => clock.sleep(duration)
  }
}

const clockTest = (
  name: string,
  makeStore: Effect.Effect<ReturnType<typeof Sqlite.layer> | ReturnType<typeof Postgres.layer>>
) =>
  it.live(`does no harm (${name})`, () =>
    Effect.gen(function*() {
      const store = yield* makeStore
      const runs = new Map<number, number>()
      const Nap = Job.make("nap", { payload: {}, queue: "naps", success: Schema.Finite })
      const nap = Nap.toLayer(() => Effect.andThen(Job.sleep("nap", "700 millis"), Effect.sync(() => Date.now())))
      const clock = yield* Clock.Clock
      yield* Effect.gen(function*() {
        const started = Date.now()
        const slept = yield* Job.enqueue(Nap, {})
        yield* Job.enqueueMany(Echo, numbers(60), { delay: "300 millis" })
        const ended = yield* allSucceed(60).pipe(
          Effect.provide(Worker.layer([echo(runs)], { queues: { default: 3 } })),
          Effect.provide(
            Worker.layer([echo(runs), nap], { queues: { default: 3, naps: 1 } }).pipe(
              Layer.provide(Layer.fresh(store)),
              Layer.provide(Layer.succeed(Clock.Clock, wrong(clock)))
            ),
            { local: true }
          ),
          Effect.tap(() =>
            Effect.map(Job.result(Nap, slept), (woke) => {
              assert.isAtLeast(woke - started, 699)
              assert.isBelow(woke - started, 10_000)
            }).pipe(Effect.provide(Worker.layer([nap], { queues: { naps: 1 } })))
          )
        )
        assert.isTrue(ended.filter(({ name }) => name === "echo").every(({ attempts }) => attempts === 1))
        assert.strictEqual(runs.size, 60)
        assert.isTrue([...runs.values()].every((count) => count === 1))
      }).pipe(Effect.provide(store))
    }), 30_000)

describe("a worker whose clock is an hour behind and jumps back", () => {
  clockTest("sqlite", Effect.sync(() => Sqlite.layer({ filename: file(), poll: "100 millis" })))
  clockTest("postgres", Effect.map(database, (url) => Postgres.layer({ url, poll: "100 millis" })))
})

describe("a PostgreSQL that is restarted under load", () => {
  it.live.skipIf(process.env["DATABASE_URL"] !== undefined)(
    "loses nothing, and its workers go on by themselves",
    () =>
      Effect.gen(function*() {
        const url = yield* database
        const runs = new Map<number, number>()
        yield* Effect.gen(function*() {
          yield* Job.enqueueMany(Echo, numbers(150))
          const worker = yield* Effect.forkChild(
            Layer.launch(Worker.layer([echo(runs, { millis: 100 })], { queues: { default: 10 } }))
          )
          while (runs.size < 30) yield* Effect.sleep("10 millis")
          yield* Effect.promise(async () => server?.stop())
          const error = yield* Effect.flip(Job.enqueue(Echo, { n: 999 }))
          assert.strictEqual(error._tag, "StoreError")
          yield* Effect.sleep("1 second")
          yield* Effect.promise(async () => server?.start())
          yield* allSucceed(150)
          assert.strictEqual(runs.size, 150)
          const repeated = [...runs.values()].filter((count) => count > 1).length
          // At most those that were in a worker's hands when the server went.
          assert.isAtMost(repeated, 10)
          yield* Fiber.interrupt(worker)
        }).pipe(Effect.provide(Postgres.layer({ url, lock: "3 seconds", poll: "250 millis" })))
      }),
    60_000
  )
})
