import { LM } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { RateLimiterStore } from "@effect-dspy/pipelines/sql"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Fiber, Layer, Random, type Scope } from "effect"
import { RateLimiter } from "effect/persistence"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll } from "vitest"
import * as postgres from "../jobs/postgres.ts"
import * as Database from "./database.ts"

const pick = <A>(values: ReadonlyArray<A>) =>
  Effect.map(Random.nextIntBetween(0, values.length - 1), (index) => values[index] as A)

type Store = RateLimiter.RateLimiterStore["Service"]

/** One of the questions a limiter asks, with numbers of its own. */
const question = Effect.gen(function*() {
  const key = yield* pick(["a", "b"])
  const tokens = yield* pick([1, 1, 3])
  const limit = yield* pick([1, 5, 10])
  const refillRate = Duration.millis(yield* pick([100, 1000.25]))
  const allowOverflow = yield* Random.nextBoolean
  const retryAfter = Duration.millis(yield* pick([0, 300, 3000]))
  const epoch = yield* pick([0, 1, 2, 3, 4])
  return yield* pick<(store: Store) => Effect.Effect<unknown, RateLimiter.RateLimiterError>>([
    (store) => store.tokenBucket({ key, tokens, limit, refillRate, allowOverflow }),
    (store) => store.fixedWindow({ key, tokens, limit: allowOverflow ? undefined : limit, refillRate }),
    (store) => store.adaptiveConsume({ key, tokens, fallbackLimit: 1, fallbackWindow: Duration.seconds(10) }),
    (store) => store.adaptiveFeedback({ key, tokens, epoch, status: 429, retryAfter })
  ])
})

let server: Awaited<ReturnType<typeof postgres.serve>> | undefined
let databases = 0
beforeAll(async () => {
  server = await postgres.serve()
}, 60_000)
afterAll(() => server?.close(), 60_000)

/** Places of new databases, gone with the scope. */
const places: { readonly [engine: string]: Effect.Effect<string, never, Scope.Scope> } = {
  sqlite: Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-dspy-limits-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    ),
    (folder) => join(folder, "limits.db")
  ),
  postgres: Effect.suspend(() =>
    server === undefined
      ? Effect.die("no PostgreSQL")
      : postgres.createDatabase(server, `limits_test_${process.pid}_${databases++}`)
  )
}

for (const [engine, place] of Object.entries(places)) {
  describe(`RateLimiterStore (${engine})`, () => {
    it.effect("answers as effect's own store does", () =>
      Effect.gen(function*() {
        const memory = Context.get(yield* Layer.build(RateLimiter.layerStoreMemory), RateLimiter.RateLimiterStore)
        const database = Context.get(yield* Layer.build(Database.layer(yield* place)), SqlClient.SqlClient)
        const stored = yield* Effect.provideService(RateLimiterStore.make(), SqlClient.SqlClient, database)
        for (let step = 0; step < 1000; step++) {
          yield* TestClock.adjust(yield* pick([0, 0, 1, 50, 400, 1000, 70_000]))
          const ask = yield* question
          assert.deepStrictEqual(yield* ask(stored), yield* ask(memory), `step ${step}`)
        }
      }), 60_000)

    it.live("three processes together keep to one limit, and make its table together", () =>
      Effect.gen(function*() {
        const at = yield* place
        const taken = yield* Effect.forEach([1, 2, 3], () => takers(at, 15), { concurrency: "unbounded" })
        const slots = taken.flat().sort((a, b) => a - b)
        assert.lengthOf(slots, 45)
        // Every slot is taken once, 50 ms after the one before it.
        for (let index = 1; index < slots.length; index++) {
          assert.isAtLeast((slots[index] ?? 0) - (slots[index - 1] ?? 0), 50)
        }
      }), 60_000)

    it.live("fifty fibers of one process as well", () =>
      Effect.gen(function*() {
        const store = yield* RateLimiterStore.make()
        const taken = yield* Effect.forEach(
          Array.from({ length: 50 }),
          () => store.fixedWindow({ key: "k", tokens: 1, refillRate: Duration.minutes(1), limit: undefined }),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          taken.map(([count]) => count).sort((a, b) => a - b),
          Array.from({ length: 50 }, (_, index) => index + 1)
        )
      }).pipe(Effect.provide(Layer.unwrap(Effect.map(place, Database.layer)))), 60_000)
  })
}

describe("RateLimiterStore", () => {
  it.effect("is found by LM.rateLimit and shared by all who name the same key", () =>
    Effect.gen(function*() {
      const sentAt: Array<number> = []
      const noting: LM.Decorator = (lm) =>
        Effect.succeed(LM.wrap(lm, (request) =>
          Effect.flatMap(Clock.currentTimeMillis, (ms) => {
            sentAt.push(ms)
            return lm.generate(request)
          })))
      const job = Effect.forEach(Array.from({ length: 70 }), () => LM.generate({ messages: [] }), {
        concurrency: "unbounded",
        discard: true
      })
      const worker = Effect.suspend(() =>
        Effect.provide(
          job,
          TestLM.layer(() => "ok").pipe(
            LM.decorate(noting),
            LM.resilient({ rateLimit: { requests: 60, per: "1 minute", key: "account" } })
          )
        )
      )
      const workers = Effect.all([worker, worker], { concurrency: 2 }).pipe(
        Effect.provide(RateLimiterStore.layer({ table: "limits" }).pipe(Layer.provideMerge(Database.layer(":memory:"))))
      )
      const fiber = yield* Effect.forkChild(workers)
      yield* TestClock.adjust("10 minutes")
      yield* Fiber.join(fiber)
      assert.lengthOf(sentAt, 140)
      for (const start of sentAt) {
        assert.isAtMost(sentAt.filter((ms) => ms >= start && ms <= start + 60_000).length, 60)
      }
    }))

  it.effect("a database that is gone is a store that fails", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const store = yield* RateLimiterStore.make()
      yield* sql`DROP TABLE effect_dspy_rate_limits`
      for (
        const ask of [
          store.tokenBucket({
            key: "k",
            tokens: 1,
            limit: 1,
            refillRate: Duration.seconds(1),
            allowOverflow: true
          }),
          store.adaptiveConsume({ key: "k", tokens: 1, fallbackLimit: 1, fallbackWindow: Duration.seconds(1) })
        ]
      ) {
        const error = yield* Effect.flip<unknown, RateLimiter.RateLimiterError, never>(ask)
        assert.strictEqual(error.reason._tag, "RateLimitStoreError")
      }
    }).pipe(Effect.provide(Database.layer(":memory:"))))
})

const script = fileURLToPath(new URL("./takers.ts", import.meta.url))

/** A process of its own that takes slots out of a bucket, and says when they are. */
const takers = (place: string, count: number) =>
  Effect.callback<ReadonlyArray<number>>((resume) => {
    const child = spawn(
      process.execPath,
      ["--conditions=@effect-dspy/source", script, place, String(count)],
      { stdio: ["ignore", "pipe", "inherit"] }
    )
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString()
    })
    child.on("close", (code) =>
      resume(
        code === 0 ? Effect.sync(() => JSON.parse(output) as ReadonlyArray<number>) : Effect.die(`exit code ${code}`)
      ))
    return Effect.sync(() => child.kill())
  })
