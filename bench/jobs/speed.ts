/**
 * One store by itself: the time from enqueue to start in another, idle process; the processor that process uses while
 * it is idle; enqueues a second, one by one and in bulk; trivial jobs and jobs of five answers a second.
 */
import { Job } from "@effect-dspy/pipelines/jobs"
import { Effect } from "effect"
import { worker } from "./process.ts"
import { clear, drained, Five, store, Touch, Trivial } from "./Work.ts"

const now = () => performance.timeOrigin + performance.now()

const numbers = (count: number) => Array.from({ length: count }, (_, n) => ({ n }))

export const speed = async (name: string, at: string) => {
  const process = await worker({ DB: at })
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
      const before = yield* Effect.promise(process.cpu)
      yield* Effect.sleep("5 seconds")
      const idle = ((yield* Effect.promise(process.cpu)) - before) / 5_000_000
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
      yield* rate("bulk enqueue", 10_000, Job.enqueueMany(Trivial, numbers(10_000), { delay: "1 hour" }))
      yield* clear
      yield* rate(
        "enqueue and do trivial jobs",
        3000,
        Effect.andThen(Job.enqueueMany(Trivial, numbers(3000)), drained)
      )
      yield* rate(
        "enqueue one by one, 20 at once",
        2000,
        Effect.forEach(numbers(2000), (payload) => Job.enqueue(Trivial, payload), { concurrency: 20, discard: true })
      )
      yield* drained
      yield* rate("jobs of five answers", 500, Effect.andThen(Job.enqueueMany(Five, numbers(500)), drained))
      console.log(name)
      console.table(figures)
    }).pipe(Effect.provide(store(at)))
  )
  await process.end()
}
