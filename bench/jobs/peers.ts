/**
 * BullMQ beside ours: the same trivial jobs, an enqueuer here and a worker with 50 slots in another process, in turn
 * on one server, so that a slow moment hits both. What to read is the ratio.
 *
 * Ours keeps what theirs doesn't: a row with a typed result that can be awaited, and a memo where there is one.
 */
import { Job, type Jobs } from "@effect-dspy/pipelines/jobs"
import { Effect, Exit, Layer, Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { median } from "../Measure.ts"
// Plain JavaScript, because the peers are not installed where this is type-checked.
// @ts-expect-error it has no types
import * as BullMq from "./bullmq.mjs"
import { worker } from "./process.ts"
import { clear, drained, store, Trivial } from "./Work.ts"

interface Contender {
  readonly enqueue: (count: number) => Promise<void>
  readonly enqueueMany: (count: number) => Promise<void>
  readonly work: () => Promise<void>
  readonly done: () => Promise<void>
  readonly clear: () => Promise<void>
  readonly close: () => Promise<void>
}

const ours = async (at: string): Promise<Contender> => {
  const scope = Scope.makeUnsafe()
  const context = await Effect.runPromise(Layer.buildWithScope(store(at), scope))
  const run = <A, E>(self: Effect.Effect<A, E, Jobs | SqlClient.SqlClient>) =>
    Effect.runPromise(Effect.asVoid(Effect.provide(self, context)))
  const numbers = (count: number) => Array.from({ length: count }, (_, n) => ({ n }))
  let end = () => Promise.resolve()
  return {
    enqueue: (count) =>
      run(Effect.forEach(numbers(count), (payload) => Job.enqueue(Trivial, payload), { concurrency: 20 })),
    enqueueMany: (count) => run(Job.enqueueMany(Trivial, numbers(count))),
    work: async () => {
      const process = await worker({ DB: at })
      end = process.end
    },
    done: () => run(drained),
    clear: () => run(clear),
    close: async () => {
      await end()
      await Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }
}

const rounds = 3

/** Rates a second of each measure, and each contender's median. */
export const peers = async (postgres: string, redis: string | undefined) => {
  if (!(await BullMq.installed())) {
    console.log("BullMQ is not installed: npm install --prefix bench")
    return
  }
  const contenders: Array<readonly [string, Contender]> = [
    ["ours, PostgreSQL", await ours(postgres)],
    ["BullMQ, PostgreSQL", await BullMq.start(postgres, "bench")],
    ...(redis === undefined ? [] : [["BullMQ, Redis", await BullMq.start(redis, "bench")] as const])
  ]
  const rates = new Map<string, Map<string, Array<number>>>()
  const measure = async (what: string, count: number, work: (contender: Contender) => Promise<void>) => {
    for (const [name, contender] of contenders) {
      const start = performance.now()
      await work(contender)
      const rate = count / ((performance.now() - start) / 1000)
      const row = rates.get(what) ?? new Map<string, Array<number>>()
      rates.set(what, row.set(name, [...(row.get(name) ?? []), rate]))
    }
  }
  const clearAll = async () => {
    for (const [, contender] of contenders) await contender.clear()
  }
  for (let round = 0; round < rounds; round++) {
    await measure("bulk enqueue of 10,000", 10_000, ({ enqueueMany }) => enqueueMany(10_000))
    await clearAll()
    await measure("enqueue one by one, 20 at once", 1000, ({ enqueue }) => enqueue(1000))
    await clearAll()
  }
  for (const [, { work }] of contenders) await work()
  for (let round = 0; round < rounds; round++) {
    await measure("enqueue and do trivial jobs", 2000, async ({ done, enqueueMany }) => {
      await enqueueMany(2000)
      await done()
    })
  }
  for (const [, { close }] of contenders) await close()
  const table = Object.fromEntries(
    [...rates].map(([what, row]) => {
      const medians = [...row].map(([name, values]) => [name, median(values)] as const)
      const [, own = 0] = medians[0] ?? []
      const [, theirs = 0] = medians[1] ?? []
      return [what, {
        ...Object.fromEntries(medians.map(([name, rate]) => [name, `${Math.round(rate)}/s`])),
        "ours to BullMQ on PostgreSQL": `${(own / theirs).toFixed(2)}x`
      }]
    })
  )
  console.log("Beside BullMQ")
  console.table(table)
}
