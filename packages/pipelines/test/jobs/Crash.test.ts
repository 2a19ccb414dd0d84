/** Workers as processes of their own, killed and stopped while they work. */
import { Job, Jobs } from "@effect-dspy/pipelines/jobs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import * as postgres from "./postgres.ts"
import { Process, steps, store } from "./process/job.ts"
import * as loopback from "./process/loopback.ts"

const directory = mkdtempSync(join(tmpdir(), "effect-dspy-crash-"))
const children = new Set<ChildProcess>()
let server: Awaited<ReturnType<typeof postgres.serve>> | undefined
beforeAll(async () => {
  server = await postgres.serve()
}, 60_000)
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL")
  await server?.close()
  rmSync(directory, { recursive: true, force: true })
}, 60_000)

const sleep = (millis: number) => Effect.sleep(millis)

/** A worker process; `log` gives what all workers of a test have written. */
const worker = (env: Record<string, string>) => {
  const child = spawn(
    process.execPath,
    ["--conditions=@effect-dspy/source", join(import.meta.dirname, "process/worker.ts")],
    { env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "inherit"] }
  )
  children.add(child)
  child.once("exit", () => children.delete(child))
  return child
}

const exited = (child: ChildProcess) =>
  Effect.promise(async () => {
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
    return child.exitCode
  })

let tests = 0
const setup = (engine: "sqlite" | "postgres", latency: () => number) =>
  Effect.gen(function*() {
    const name = `crash_${process.pid}_${tests++}`
    const LOG = join(directory, `${name}.log`)
    writeFileSync(LOG, "")
    const DB = engine === "sqlite" || server === undefined
      ? join(directory, `${name}.db`)
      : yield* postgres.createDatabase(server, name)
    const model = yield* Effect.acquireRelease(
      Effect.promise(() => loopback.listen(latency)),
      (model) => Effect.sync(() => model.close())
    )
    const lines = () =>
      readFileSync(LOG, "utf8").trim().split("\n").filter((line) => line !== "").map((line) => {
        const [time = "", what = "", key = ""] = line.split(" ")
        return { time: Number(time), what, key }
      })
    return { store: store(DB), env: { DB, LOG, LM_URL: model.url }, model, lines }
  })

const done = (total: number) =>
  Effect.gen(function*() {
    const jobs = yield* Jobs
    while (true) {
      const counts = yield* jobs.counts
      const succeeded = counts.find(({ state }) => state === "succeeded")?.count ?? 0
      if (succeeded === total) return
      assert.isUndefined(counts.find(({ state }) => state === "dead"), "no job may die")
      yield* sleep(100)
    }
  })

const intact = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const check = yield* sql.onDialectOrElse({
    pg: () => Effect.succeed([]),
    orElse: () => sql<{ readonly integrity_check: string }>`PRAGMA integrity_check`
  })
  for (const { integrity_check } of check) assert.strictEqual(integrity_check, "ok")
})

for (const engine of ["sqlite", "postgres"] as const) {
  describe(`workers that die (${engine})`, () => {
    it.live(
      "200 jobs of 5 steps and 20 kills: all done, what was stored is never asked again",
      () =>
        Effect.scoped(Effect.gen(function*() {
          const { env, lines, model, store } = yield* setup(engine, () => 80 + Math.random() * 160)
          yield* Effect.gen(function*() {
            yield* Job.enqueueMany(Process, Array.from({ length: 200 }, (_, n) => ({ key: `job${n}` })))
            const workers = [worker(env), worker(env)]
            for (let kills = 0; kills < 20; kills++) {
              // Killed at work: somebody who has come up and had a little time.
              let victims: ReadonlyArray<number>
              do {
                yield* sleep(50 + Math.random() * 300)
                const up = new Set(lines().filter(({ what }) => what === "up").map(({ key }) => key))
                victims = workers.flatMap(({ pid }, index) => up.has(String(pid)) ? [index] : [])
              } while (victims.length === 0)
              const victim = victims[Math.floor(Math.random() * victims.length)] ?? 0
              workers[victim]?.kill("SIGKILL")
              workers[victim] = worker(env)
            }
            yield* done(200)
            for (const child of workers) child.kill("SIGTERM")
            yield* Effect.forEach(workers, exited, { concurrency: 2 })
            yield* intact
          }).pipe(Effect.provide(store))
          const stored = new Map(lines().filter(({ what }) => what === "stored").map(({ key, time }) => [key, time]))
          const requests = [...model.asked.values()].flat().length
          const afterStored = [...model.asked].filter(([key, times]) =>
            times.some((time) => time > (stored.get(key) ?? Infinity))
          )
          const repeated = requests - model.asked.size
          console.log(
            `${engine}: 200 jobs, ${requests} requests for 1000 steps, ${repeated} repeated, ${
              1000 - model.asked.size
            } lost, ${afterStored.length} asked again though stored`
          )
          assert.strictEqual(model.asked.size, 200 * steps.length)
          assert.deepStrictEqual(afterStored, [])
          // At most what the 20 victims had in flight.
          assert.isAtMost(repeated, 20 * 10)
        })),
      240_000
    )

    it.live(
      "SIGTERM under load: handed back within the drain, nothing lost, nothing done twice",
      () =>
        Effect.scoped(Effect.gen(function*() {
          const { env, lines, model, store } = yield* setup(engine, () => 150)
          yield* Effect.gen(function*() {
            yield* Job.enqueueMany(Process, Array.from({ length: 40 }, (_, n) => ({ key: `job${n}` })))
            // A job takes 750 ms, the drain 300: some finish, some are handed back.
            const first = worker({ ...env, DRAIN: "300 millis" })
            while (model.asked.size < 25) yield* sleep(10)
            first.kill("SIGTERM")
            const told = Date.now()
            assert.strictEqual(yield* exited(first), 0)
            assert.isBelow(Date.now() - told, 3000)
            const jobs = yield* Jobs
            const states = (yield* jobs.list({})).map(({ attempts, state }) => state === "queued" ? attempts : state)
            assert.isTrue(states.every((state) => state === 0 || state === "succeeded"), JSON.stringify(states))
            const second = worker(env)
            yield* done(40)
            second.kill("SIGTERM")
            yield* exited(second)
            assert.isTrue((yield* jobs.list({})).every(({ attempts }) => attempts === 1))
          }).pipe(Effect.provide(store))
          const finished = lines().filter(({ what }) => what === "finished").map(({ key }) => key)
          assert.strictEqual(new Set(finished).size, 40)
          assert.strictEqual(finished.length, 40)
        })),
      120_000
    )
  })
}

describe("a worker that is told twice", () => {
  it.live("ends at once and hands back", () =>
    Effect.scoped(Effect.gen(function*() {
      const { env, model, store } = yield* setup("sqlite", () => 60_000)
      yield* Effect.gen(function*() {
        const ids = yield* Job.enqueueMany(Process, [{ key: "a" }, { key: "b" }])
        const child = worker({ ...env, DRAIN: "1 minute" })
        while (model.inFlight() < 2) yield* sleep(10)
        child.kill("SIGINT")
        yield* sleep(200)
        assert.strictEqual(child.exitCode, null)
        child.kill("SIGINT")
        assert.strictEqual(yield* exited(child), 130)
        assert.strictEqual(model.closed.length, 2)
        const jobs = yield* Jobs
        for (const id of ids) {
          assert.deepInclude(yield* Effect.flatMap(jobs.find(id), Effect.fromOption), { state: "queued", attempts: 0 })
        }
      }).pipe(Effect.provide(store))
    })), 90_000)
})

for (const engine of ["sqlite", "postgres"] as const) {
  describe(`a running job of another process (${engine})`, () => {
    it.live("is cancelled down to its socket within 200 ms", () =>
      Effect.scoped(Effect.gen(function*() {
        const { env, model, store } = yield* setup(engine, () => 60_000)
        yield* Effect.gen(function*() {
          const child = worker(env)
          const jobs = yield* Jobs
          const took: Array<number> = []
          // Three times, because the machine may be busy with something else for a moment.
          for (const key of ["first", "second", "third"]) {
            const id = yield* Job.enqueue(Process, { key })
            while (model.inFlight() < 1) yield* sleep(10)
            const asked = Date.now()
            assert.strictEqual(yield* jobs.cancel(id), "requested")
            const error = yield* Effect.flip(Job.result(Process, id))
            assert.strictEqual(error._tag, "JobCancelled")
            took.push((model.closed.at(-1) ?? Infinity) - asked)
          }
          assert.strictEqual(model.closed.length, 3)
          assert.isBelow(Math.min(...took), 200)
          child.kill("SIGTERM")
          yield* exited(child)
        }).pipe(Effect.provide(store))
      })), 90_000)
  })
}
