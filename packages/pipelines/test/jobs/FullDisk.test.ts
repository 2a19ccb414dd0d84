/**
 * A disk that is really full: a small file system in memory, where mounting one is allowed (root on Linux, as in
 * containers); elsewhere the test is skipped and counted as such. `Trouble` has the same for a database that may not
 * grow.
 */
import { Job, Jobs, Worker } from "@effect-dspy/pipelines/jobs"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { execFileSync } from "node:child_process"
import { appendFileSync, mkdtempSync, rmdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"

const directory = mkdtempSync(join(tmpdir(), "effect-dspy-full-"))

const mounted = (() => {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", directory], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
})()

afterAll(() => {
  if (mounted) execFileSync("umount", [directory])
  rmdirSync(directory)
})

const filler = join(directory, "filler")

/** Writes until nothing fits any more. */
const fill = () => {
  for (let bytes = 65_536; bytes >= 1; bytes = bytes >> 1) {
    try {
      while (true) appendFileSync(filler, Buffer.alloc(bytes))
    } catch {
      // Full for this size.
    }
  }
}

const Big = Job.make("big", { payload: { n: Schema.Int }, success: Schema.String })

describe("a full disk", () => {
  it.live.skipIf(!mounted)(
    "fails enqueuers with a typed error; workers go on when there is room again",
    () =>
      Effect.gen(function*() {
        const runs = new Map<number, number>()
        const handler = Big.toLayer(({ n }) =>
          Effect.suspend(() => {
            runs.set(n, (runs.get(n) ?? 0) + 1)
            return Effect.as(Effect.sleep("20 millis"), "x".repeat(20_000))
          })
        )
        yield* Effect.gen(function*() {
          const jobs = yield* Jobs
          const sql = yield* SqlClient.SqlClient
          const done = Effect.map(
            jobs.counts,
            (counts) => counts.find(({ state }) => state === "succeeded")?.count ?? 0
          )
          yield* Job.enqueueMany(Big, Array.from({ length: 30 }, (_, n) => ({ n })))
          const worker = yield* Effect.forkChild(
            Layer.launch(Worker.layer([handler], { queues: { default: 3 } }))
          )
          while ((yield* done) < 5) yield* Effect.sleep("5 millis")
          fill()
          const error = yield* Effect.flip(
            Job.enqueueMany(Big, Array.from({ length: 500 }, (_, n) => ({ n: n + 100 })))
          )
          assert.strictEqual(error._tag, "StoreError")
          assert.match(error.message, /full|disk/)
          yield* Effect.sleep("500 millis")
          const stuck = yield* done
          assert.isBelow(stuck, 30)
          rmSync(filler)
          while ((yield* done) < 30) yield* Effect.sleep("50 millis")
          // Nothing of what was refused is there, and no run was lost or repeated.
          assert.lengthOf(yield* jobs.list({ limit: 1000 }), 30)
          assert.deepStrictEqual([...runs.values()], Array.from({ length: 30 }, () => 1))
          const [check] = yield* sql<{ readonly integrity_check: string }>`PRAGMA integrity_check`
          assert.strictEqual(check?.integrity_check, "ok")
          yield* Fiber.interrupt(worker)
        }).pipe(Effect.provide(Sqlite.layer({ filename: join(directory, "jobs.db"), poll: "100 millis" })))
      }),
    30_000
  )
})
