/**
 * Jobs without a store, for the tests of an app: `fake` collects what is enqueued and runs it when told, `inline`
 * runs it at once.
 *
 * Handlers run as a worker runs them, with memo, retries, children, sleeps and signals, one after the other and on
 * a time of their own: a delay, a sleep or the wait for a retry is over the moment nothing earlier is left to do.
 * What a test must know of locks, processes and crashes it has to ask a real engine, `Sqlite.memory` for one.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Attempt from "./Attempt.ts"
import type { Claim, Service as ClaimsService, Settlement } from "./Claims.ts"
import * as Codec from "./Codec.ts"
import { Handlers } from "./Handlers.ts"
import { GroupNotFound } from "./JobError.ts"
import { isFinal, type JobId, type JobInfo, type State } from "./JobInfo.ts"
import { type Ending, type Entry, type GroupEntry, Jobs, type Service as JobsService } from "./Jobs.ts"
import * as Wake from "./Wake.ts"

/**
 * - `enqueued`: every job so far, as it went in
 * - `drain`: runs jobs until none is left that could run, those they enqueue included
 *
 * @category models
 */
export interface FakeService {
  readonly enqueued: Effect.Effect<ReadonlyArray<Entry>>
  readonly drain: Effect.Effect<void>
}

/**
 * The test's side of `fake`.
 *
 * @category services
 */
export class Fake extends Context.Service<Fake, FakeService>()("@effect-dspy/pipelines/jobs/Fake") {}

/**
 * Collects jobs; `Fake.drain` runs them.
 *
 * ```ts
 * import { Job, Jobs, Testing } from "@effect-dspy/pipelines/jobs"
 * import { Effect, Schema } from "effect"
 *
 * const Welcome = Job.make("welcome", { payload: { name: Schema.String }, success: Schema.String })
 * const welcome = Welcome.toLayer(({ name }) => Effect.succeed(`Hello, ${name}`))
 * const test = Effect.gen(function*() {
 *   const fake = yield* Testing.Fake
 *   const id = yield* Job.enqueue(Welcome, { name: "Ada" }, { delay: "1 day" })
 *   yield* fake.drain
 *   return yield* Job.result(Welcome, id)
 * })
 * await Effect.runPromise(Effect.provide(test, Testing.fake([welcome]))) // => "Hello, Ada"
 * ```
 *
 * @category layers
 */
export const fake = <R = never>(
  handlers: ReadonlyArray<Layer.Layer<never, never, Handlers | R>>
): Layer.Layer<Jobs | Fake, never, Exclude<R, Handlers | Jobs>> =>
  build(handlers, (bench) =>
    Context.make(Jobs, bench.jobs).pipe(
      Context.add(Fake, {
        drain: bench.drain,
        enqueued: Effect.sync(() => [...bench.records.values()].map(({ entry }) => entry))
      })
    ))

/**
 * Runs jobs where they are enqueued, before `enqueue` returns. How a job ended is asked of the job: a failing one
 * does not fail who enqueued it.
 *
 * @category layers
 */
export const inline = <R = never>(
  handlers: ReadonlyArray<Layer.Layer<never, never, Handlers | R>>
): Layer.Layer<Jobs, never, Exclude<R, Handlers | Jobs>> =>
  build(
    handlers,
    ({ drain, jobs }) =>
      Context.make(Jobs, { ...jobs, enqueue: (entries) => Effect.andThen(jobs.enqueue(entries), drain) })
  )

/** A job that puts itself back for ever would keep a test running; so many runs are not meant. */
const mostRuns = 1000

/** A job on the bench. */
interface Record {
  readonly entry: Entry
  readonly enqueuedAt: number
  state: State
  attempts: number
  runs: number
  dueAt: number
  unknown: boolean
  cancel: boolean
  ending: Omit<Ending, "state">
  progress?: string
  finishedAt?: number
}

interface Group {
  readonly entry: GroupEntry
  total: number
  pending: number
  failed: number
  filling: boolean
}

interface Bench {
  readonly jobs: JobsService
  readonly records: ReadonlyMap<JobId, Record>
  readonly drain: Effect.Effect<void>
}

const build = <A, R>(
  handlers: ReadonlyArray<Layer.Layer<never, never, Handlers | R>>,
  services: (bench: Bench) => Context.Context<A | Jobs>
): Layer.Layer<A | Jobs, never, Exclude<R, Handlers | Jobs>> => {
  const registered = handlers.reduce<Layer.Layer<never, never, Handlers | R>>(
    (all, one) => Layer.merge(all, one),
    Layer.empty
  )
  // Handlers enqueue jobs of the same bench.
  return registered.pipe(
    Layer.provideMerge(Layer.effectContext(Effect.map(make, services))),
    Layer.provide(Layer.fresh(Layer.sync(Handlers, () => new Map())))
  ) as Layer.Layer<A | Jobs, never, Exclude<R, Handlers | Jobs>>
}

const make: Effect.Effect<Bench, never, Handlers | Scope.Scope> = Effect.gen(function*() {
  const handlers = yield* Handlers
  const wake = yield* Wake.make(Wake.silent)
  let now = yield* Clock.currentTimeMillis
  const records = new Map<JobId, Record>()
  const groups = new Map<string, Group>()
  const signals = new Map<string, string>()
  const memo = new Map<string, string>()
  const paused = new Set<string>()
  const at = (id: JobId) => Option.fromUndefinedOr(records.get(id))

  const open = (record: Record) => {
    record.state = "queued"
    record.attempts = 0
    record.dueAt = now
    record.cancel = false
    record.ending = {}
  }
  const add = (entry: Entry) => {
    const known = records.get(entry.id)
    if (known?.state === "dead") reopen(known)
    if (known !== undefined) return
    const delayed = entry.delayMillis > 0
    records.set(entry.id, {
      entry,
      enqueuedAt: now,
      state: delayed ? "scheduled" : "queued",
      attempts: 0,
      runs: 0,
      dueAt: delayed ? now + entry.delayMillis : now - entry.priority * 60_000,
      unknown: false,
      cancel: false,
      ending: {}
    })
    const group = entry.group === undefined ? undefined : groups.get(entry.group)
    if (group === undefined) return
    group.total++
    group.pending++
  }
  const reopen = (record: Record) => {
    open(record)
    const group = record.entry.group === undefined ? undefined : groups.get(record.entry.group)
    if (group === undefined) return
    group.pending++
    group.failed--
  }
  const close = (group: Group) => {
    if (group.filling || group.pending > 0) return
    if (group.entry.onComplete !== undefined) add(group.entry.onComplete)
    if (group.failed === 0 && group.entry.onSuccess !== undefined) add(group.entry.onSuccess)
  }
  const end = (record: Record, state: "succeeded" | "dead" | "cancelled", ending: Record["ending"]) => {
    record.state = state
    record.ending = ending
    record.finishedAt = now
    const parent = record.entry.parent === undefined ? undefined : records.get(record.entry.parent)
    if (parent !== undefined && !isFinal(parent.state)) parent.dueAt = now
    const group = record.entry.group === undefined ? undefined : groups.get(record.entry.group)
    if (group === undefined) return
    group.pending--
    if (state !== "succeeded") group.failed++
    close(group)
  }
  const back = (record: Record, delayMillis: number | undefined, failure?: Ending["failure"]) => {
    record.dueAt = delayMillis === undefined ? Infinity : now + delayMillis
    record.state = delayMillis === 0 ? "queued" : failure === undefined ? "scheduled" : "retrying"
    if (failure !== undefined) record.ending = { failure }
  }

  const settle = (record: Record, settlement: Settlement) => {
    switch (settlement._tag) {
      case "Succeeded":
        return end(record, "succeeded", settlement.result === undefined ? {} : { result: settlement.result })
      case "Cancelled":
        return end(record, "cancelled", {})
      case "Dead": {
        const { error, failure } = settlement
        return end(record, "dead", { failure, ...(error === undefined ? undefined : { error }) })
      }
      case "Retry":
        return back(record, settlement.delayMillis, settlement.failure)
      case "Back":
        record.attempts--
        record.unknown = settlement.unknown === true
        return back(record, record.unknown ? 0 : settlement.delayMillis, settlement.failure)
      case "Parked": {
        record.attempts--
        back(record, settlement.delayMillis)
        const answered = settlement.children.some((child) => isFinal(records.get(child)?.state ?? "queued"))
          || settlement.signals.some((name) => signals.has(`${record.entry.id}/${name}`))
        if (answered) record.dueAt = now
      }
    }
  }
  const claims: ClaimsService = {
    // Nobody claims here: the bench hands out its jobs one by one.
    take: () => Effect.never,
    bell: () => Effect.void,
    dueWithin: () => Effect.succeed(new Map()),
    settle: ({ id }, settlement) =>
      Effect.sync(() => {
        const record = records.get(id)
        if (record !== undefined) settle(record, settlement)
        return record !== undefined
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
  const jobs: JobsService = {
    codec: Codec.plain,
    wake,
    enqueue: (entries) =>
      Effect.suspend(() => {
        const missing = entries.find(({ group, id }) => group !== undefined && !groups.has(group) && !records.has(id))
        if (missing?.group !== undefined) return Effect.fail(new GroupNotFound({ group: missing.group }))
        entries.forEach(add)
        return Effect.void
      }),
    group: (entry, fill) =>
      Effect.suspend(() => {
        const group = groups.get(entry.id) ?? { entry, total: 0, pending: 0, failed: 0, filling: true }
        groups.set(entry.id, group)
        return Effect.tap(fill, () =>
          Effect.sync(() => {
            group.filling = false
            close(group)
          }))
      }),
    findGroup: (id) =>
      Effect.sync(() => Option.fromUndefinedOr(groups.get(id)).pipe(Option.map((group) => ({ id, ...group })))),
    find: (id) => Effect.sync(() => Option.map(at(id), info)),
    ending: (id) => Effect.sync(() => Option.map(at(id), ({ ending, state }) => ({ state, ...ending }))),
    list: (filter) =>
      Effect.sync(() =>
        [...records.values()].map(info).toReversed().filter((job) =>
          (filter.state === undefined || job.state === filter.state)
          && (filter.queue === undefined || job.queue === filter.queue)
          && (filter.name === undefined || job.name === filter.name)
          && (filter.group === undefined || job.group === filter.group)
        ).slice(0, filter.limit ?? 100)
      ),
    counts: Effect.sync(() => {
      const counts = new Map<string, { queue: string; state: State; count: number }>()
      for (const { entry: { queue }, state } of records.values()) {
        const row = counts.get(`${queue}/${state}`) ?? { queue, state, count: 0 }
        counts.set(`${queue}/${state}`, { ...row, count: row.count + 1 })
      }
      return [...counts.values()]
    }),
    oldest: Effect.sync(() => {
      const waits = new Map<string, number>()
      for (const { dueAt, enqueuedAt, entry: { queue }, state } of records.values()) {
        if (state !== "queued" || dueAt > now) continue
        waits.set(queue, Math.max(waits.get(queue) ?? 0, now - Math.max(dueAt, enqueuedAt)))
      }
      return [...waits].map(([queue, waitedMs]) => ({ queue, waitedMs }))
    }),
    cancel: (id) =>
      Effect.sync(() => {
        const record = records.get(id)
        if (record === undefined || isFinal(record.state)) return undefined
        record.cancel = true
        if (record.state === "running") return "requested"
        end(record, "cancelled", {})
        return "cancelled"
      }),
    requeue: (ids) =>
      Effect.sync(() => {
        const ended = ids.flatMap((id) => {
          const record = records.get(id)
          return record?.state === "dead" || record?.state === "cancelled" ? [record] : []
        })
        ended.forEach(reopen)
        return ended.length
      }),
    pause: (queue) => Effect.sync(() => void paused.add(queue)),
    resume: (queue) => Effect.sync(() => void paused.delete(queue)),
    paused: Effect.sync(() => [...paused]),
    signal: (id, name, value) =>
      Effect.sync(() => {
        signals.set(`${id}/${name}`, value)
        const record = records.get(id)
        if (record !== undefined && record.state === "scheduled") record.dueAt = now
      }),
    progress: (id, value) => Effect.sync(() => Option.map(at(id), (record) => void (record.progress = value))),
    prune: () => Effect.succeed(0)
  }
  const attempt = Attempt.make({ jobs, claims, handlers, around: undefined, started: () => {}, ended: () => {} })

  const next = (): Record | undefined => {
    let first: Record | undefined
    for (const record of records.values()) {
      const { dueAt, entry, state, unknown } = record
      if (isFinal(state) || state === "running" || unknown || dueAt === Infinity || paused.has(entry.queue)) continue
      if (first === undefined || dueAt < first.dueAt) first = record
    }
    return first
  }
  const drain: Effect.Effect<void> = Effect.suspend(() => {
    const record = next()
    if (record === undefined) return Effect.void
    if (++record.runs > mostRuns) return Effect.die(new RangeError(`${record.entry.id} was run ${mostRuns} times`))
    now = Math.max(now, record.dueAt)
    record.state = "running"
    record.attempts++
    return Effect.andThen(attempt(claim(record, now)), drain)
  })
  return { jobs, records, drain }
})

const claim = ({ attempts, cancel, dueAt, enqueuedAt, entry }: Record, now: number): Claim => ({
  id: entry.id,
  name: entry.name,
  queue: entry.queue,
  payload: entry.payload,
  attempt: attempts,
  token: "",
  cancelled: cancel,
  paused: false,
  remembered: true,
  claimedAt: now,
  waitedMs: now - Math.max(dueAt, enqueuedAt),
  trace: entry.trace
})

const info = (record: Record): JobInfo => ({
  id: record.entry.id,
  name: record.entry.name,
  queue: record.entry.queue,
  state: record.state,
  attempts: record.attempts,
  priority: record.entry.priority,
  unknown: record.unknown,
  ...(record.entry.group === undefined ? undefined : { group: record.entry.group }),
  ...(record.entry.parent === undefined ? undefined : { parent: record.entry.parent }),
  ...(record.progress === undefined ? undefined : { progress: JSON.parse(record.progress) }),
  ...(record.ending.failure === undefined ? undefined : { failure: record.ending.failure }),
  enqueuedAt: record.enqueuedAt,
  dueAt: record.dueAt,
  ...(record.finishedAt === undefined ? undefined : { finishedAt: record.finishedAt })
})
