/**
 * The store of jobs behind `Testing`: in memory, for one process, one job after the other.
 *
 * It has both sides of a store, `Jobs` for the app and `Claims` for the attempt, over one `State`. Nobody waits for a
 * job here: `drain` runs what is there until nothing is left that could run.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Attempt from "../Attempt.ts"
import type { Service as ClaimsService } from "../Claims.ts"
import * as Codec from "../Codec.ts"
import { Handlers } from "../Handlers.ts"
import { GroupNotFound } from "../JobError.ts"
import { isFinal, type JobId, type State as JobState } from "../JobInfo.ts"
import type { Entry, Service as JobsService } from "../Jobs.ts"
import * as Wake from "../Wake.ts"
import { claimOf, infoOf, State } from "./State.ts"

/** A job that puts itself back for ever would keep a test running; so many runs are not meant. */
const mostRuns = 1000

/**
 * - `entries`: every job so far, as it went in
 * - `drain`: runs jobs until none is left that could run, those they enqueue included
 *
 * @category models
 */
export interface Bench {
  readonly jobs: JobsService
  readonly entries: Effect.Effect<ReadonlyArray<Entry>>
  readonly drain: Effect.Effect<void>
}

/**
 * An empty bench with the handlers in context.
 *
 * @category constructors
 */
export const make: Effect.Effect<Bench, never, Handlers | Scope.Scope> = Effect.gen(function*() {
  const handlers = yield* Handlers
  const bench = new State(yield* Clock.currentTimeMillis)
  const jobs = jobsOf(bench, yield* Wake.make(Wake.silent))
  const attempt = Attempt.make({
    jobs,
    claims: claimsOf(bench),
    handlers,
    around: undefined,
    started: () => {},
    ended: () => {}
  })
  const drain: Effect.Effect<void> = Effect.suspend(() => {
    const job = bench.take()
    if (job === undefined) return Effect.void
    if (job.runs > mostRuns) return Effect.die(new RangeError(`${job.entry.id} was run ${mostRuns} times`))
    return Effect.andThen(attempt(claimOf(job, bench.now)), drain)
  })
  return { jobs, drain, entries: Effect.sync(() => [...bench.rows.values()].map(({ entry }) => entry)) }
})

const jobsOf = (bench: State, wake: Wake.Wake): JobsService => {
  const { groups, paused, rows, signals } = bench
  const at = (id: JobId) => Option.fromUndefinedOr(rows.get(id))
  return {
    codec: Codec.plain,
    wake,
    enqueue: (entries) =>
      Effect.suspend(() => {
        const missing = entries.find(({ group, id }) => group !== undefined && !groups.has(group) && !rows.has(id))
        if (missing?.group !== undefined) return Effect.fail(new GroupNotFound({ group: missing.group }))
        entries.forEach((entry) => bench.add(entry))
        return Effect.void
      }),
    group: (entry, fill) =>
      Effect.suspend(() => {
        const group = groups.get(entry.id) ?? { entry, total: 0, pending: 0, failed: 0, filling: true }
        groups.set(entry.id, group)
        return Effect.tap(fill, () =>
          Effect.sync(() => {
            group.filling = false
            bench.close(group)
          }))
      }),
    findGroup: (id) =>
      Effect.sync(() => Option.fromUndefinedOr(groups.get(id)).pipe(Option.map((group) => ({ id, ...group })))),
    find: (id) => Effect.sync(() => Option.map(at(id), infoOf)),
    ending: (id) => Effect.sync(() => Option.map(at(id), ({ ending, state }) => ({ state, ...ending }))),
    list: (filter) =>
      Effect.sync(() =>
        [...rows.values()].map(infoOf).toReversed().filter((job) =>
          (filter.state === undefined || job.state === filter.state)
          && (filter.queue === undefined || job.queue === filter.queue)
          && (filter.name === undefined || job.name === filter.name)
          && (filter.group === undefined || job.group === filter.group)
        ).slice(0, filter.limit ?? 100)
      ),
    counts: Effect.sync(() => {
      const counts = new Map<string, { queue: string; state: JobState; count: number }>()
      for (const { entry: { queue }, state } of rows.values()) {
        const known = counts.get(`${queue}/${state}`) ?? { queue, state, count: 0 }
        counts.set(`${queue}/${state}`, { ...known, count: known.count + 1 })
      }
      return [...counts.values()]
    }),
    oldest: Effect.sync(() => {
      const waits = new Map<string, number>()
      for (const { dueAt, enqueuedAt, entry: { queue }, state } of rows.values()) {
        if (state !== "queued" || dueAt > bench.now) continue
        waits.set(queue, Math.max(waits.get(queue) ?? 0, bench.now - Math.max(dueAt, enqueuedAt)))
      }
      return [...waits].map(([queue, waitedMs]) => ({ queue, waitedMs }))
    }),
    cancel: (id) =>
      Effect.sync(() => {
        const job = rows.get(id)
        if (job === undefined || isFinal(job.state)) return undefined
        job.cancel = true
        if (job.state === "running") return "requested"
        bench.end(job, "cancelled", {})
        return "cancelled"
      }),
    requeue: (ids) =>
      Effect.sync(() => {
        const ended = ids.flatMap((id) => {
          const job = rows.get(id)
          return job?.state === "dead" || job?.state === "cancelled" ? [job] : []
        })
        ended.forEach((job) => bench.reopen(job))
        return ended.length
      }),
    pause: (queue) => Effect.sync(() => void paused.add(queue)),
    resume: (queue) => Effect.sync(() => void paused.delete(queue)),
    paused: Effect.sync(() => [...paused]),
    signal: (id, name, value) =>
      Effect.sync(() => {
        signals.set(`${id}/${name}`, value)
        const job = rows.get(id)
        if (job !== undefined && job.state === "scheduled") job.dueAt = bench.now
      }),
    progress: (id, value) => Effect.sync(() => Option.map(at(id), (job) => void (job.progress = value))),
    prune: () => Effect.succeed(0)
  }
}

const claimsOf = (bench: State): ClaimsService => {
  const { memo, rows, signals } = bench
  return {
    // Nobody claims here: the bench hands out its jobs one by one.
    take: () => Effect.never,
    bell: () => Effect.void,
    dueWithin: () => Effect.succeed(new Map()),
    settle: ({ id }, settlement) =>
      Effect.sync(() => {
        const job = rows.get(id)
        if (job !== undefined) bench.settle(job, settlement)
        return job !== undefined
      }),
    record: () => Effect.void,
    recall: (id, key) => Effect.sync(() => memo.get(`${id}/${key}`)),
    remember: (id, key, value) => Effect.sync(() => void memo.set(`${id}/${key}`, value)),
    forget: (id) =>
      Effect.sync(() => {
        for (const key of memo.keys()) if (key.startsWith(`${id}/`)) memo.delete(key)
      }),
    heard: (id, name) => Effect.sync(() => signals.get(`${id}/${name}`)),
    cancelRequested: () => Effect.succeed([]),
    adopt: () => Effect.void
  }
}
