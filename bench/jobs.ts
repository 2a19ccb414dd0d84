/**
 * What jobs cost: `npm run bench:jobs [-- postgres://...]`.
 *
 * On a file with synchronous FULL and NORMAL, and on PostgreSQL where a URL is given: the time from enqueue to
 * start in another, idle process; the CPU of that process while it is idle; enqueues a second, one by one and in
 * bulk; trivial jobs and jobs of five answers a second.
 */
import { Job, Jobs } from "@effect-dspy/pipelines/jobs"
import { Effect } from "effect"
import { fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Five, store, Touch, Trivial } from "./jobs/jobs.ts"

const now = () => performance.timeOrigin + performance.now()

const drained = Effect.gen(function*() {
  const jobs = yield* Jobs
  while ((yield* jobs.counts).some(({ state }) => state !== "succeeded")) yield* Effect.sleep("20 millis")
})

const measure = async (name: string, at: string) => {
  const child = fork(join(import.meta.dirname, "jobs/worker.ts"), {
    execArgv: ["--conditions=@effect-dspy/source"],
    env: { ...process.env, DB: at }
  })
  await once(child, "message")
  const cpu = async () => {
    child.send("cpu")
    const [{ system, user }] = await once(child, "message") as [NodeJS.CpuUsage]
    return user + system
  }
  await Effect.runPromise(
    Effect.gen(function*() {
      const latencies: Array<number> = []
      for (let n = 0; n < 60; n++) {
        yield* Effect.sleep(50 + (n * 37) % 100)
        const enqueued = now()
        const id = yield* Job.enqueue(Touch, {})
        const started = yield* Job.result(Touch, id)
        if (n >= 10) latencies.push(started - enqueued)
      }
      latencies.sort((a, b) => a - b)
      yield* Effect.sleep("1 second")
      const before = yield* Effect.promise(cpu)
      yield* Effect.sleep("5 seconds")
      const idle = ((yield* Effect.promise(cpu)) - before) / 5_000_000
      const figures: Record<string, string> = {
        "enqueue to start, median": `${latencies[25]?.toFixed(1)} ms`,
        "enqueue to start, worst of 50": `${latencies.at(-1)?.toFixed(1)} ms`,
        "idle worker": `${(idle * 100).toFixed(2)} % of a core`
      }
      const rate = <A, E, R>(what: string, count: number, self: Effect.Effect<A, E, R>) =>
        Effect.gen(function*() {
          const start = now()
          yield* self
          figures[what] = `${Math.round(count / ((now() - start) / 1000))}/s`
        })
      yield* rate(
        "bulk enqueue",
        10_000,
        Job.enqueueMany(Trivial, Array.from({ length: 10_000 }, (_, n) => ({ n })), { delay: "1 hour" })
      )
      const jobs = yield* Jobs
      for (const job of yield* jobs.list({ state: "scheduled", limit: 10_000 })) yield* jobs.cancel(job.id)
      yield* jobs.prune({ succeededMillis: 0, deadMillis: 0 })
      yield* rate(
        "enqueue and do trivial jobs",
        3000,
        Effect.andThen(Job.enqueueMany(Trivial, Array.from({ length: 3000 }, (_, n) => ({ n }))), drained)
      )
      yield* rate(
        "enqueue one by one, 20 at once",
        2000,
        Effect.forEach(Array.from({ length: 2000 }, (_, n) => n), (n) => Job.enqueue(Trivial, { n }), {
          concurrency: 20,
          discard: true
        })
      )
      yield* drained
      yield* rate(
        "jobs of five answers",
        500,
        Effect.andThen(Job.enqueueMany(Five, Array.from({ length: 500 }, (_, n) => ({ n }))), drained)
      )
      console.log(name)
      console.table(figures)
    }).pipe(Effect.provide(store(at)))
  )
  child.kill("SIGTERM")
  await once(child, "exit")
}

const directory = mkdtempSync(join(tmpdir(), "effect-dspy-bench-"))
await measure("SQLite, synchronous=FULL", join(directory, "full.db"))
await measure("SQLite, synchronous=NORMAL", `${join(directory, "normal.db")}?NORMAL`)
const [url] = process.argv.slice(2)
if (url !== undefined) await measure("PostgreSQL", url)
rmSync(directory, { recursive: true, force: true })
