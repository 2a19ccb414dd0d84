/**
 * The store of jobs over a SQL database.
 *
 * The life of a job in it:
 * 1. It is enqueued: a row in `effect_queue`, which effect's `PersistedQueue` owns, and one beside it.
 * 2. An idle worker is told, and effect's queue claims the row: a lock, a counted attempt, a refresh of the lock
 *    while the job runs. When the worker dies, the lock expires and another one claims the job.
 * 3. The claim is looked at: is it still ours, was it cancelled, is its queue paused.
 * 4. What its model calls answer is kept in effect's `Persistence`, many answers in one commit.
 * 5. It is settled: outcome and row in one transaction (see `Settle`).
 * 6. Days later it is pruned.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Persistence from "effect/persistence/Persistence"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { type Claim, Claims, type Service as ClaimsService, type Settlement } from "../Claims.ts"
import * as Codec from "../Codec.ts"
import * as GroupCommit from "../GroupCommit.ts"
import type { GroupNotFound } from "../JobError.ts"
import { type Entry, Jobs, type Service as JobsService } from "../Jobs.ts"
import * as StoreError from "../StoreError.ts"
import * as Wake from "../Wake.ts"
import * as Control from "./Control.ts"
import * as Dialect from "./Dialect.ts"
import * as Enqueue from "./Enqueue.ts"
import * as Finish from "./Finish.ts"
import * as Inspect from "./Inspect.ts"
import * as Listing from "./Listing.ts"
import * as Requeue from "./Requeue.ts"
import * as Settle from "./Settle.ts"
import * as Tables from "./Tables.ts"

/**
 * - `codec`: seals payloads, results and memoized answers; default as they are
 * - `lock`: how long a job stays with a worker that gives no sign of life, default 30 seconds; a third of it is
 *   how often workers give one
 * - `poll`: how often an idle worker looks by itself, default 1 second; it is told of most changes at once
 *
 * @category models
 */
export interface Options {
  readonly codec?: Codec.Codec
  readonly lock?: Duration.Input
  readonly poll?: Duration.Input
}

/**
 * How an engine tells other processes, and what it does around the creation of tables.
 *
 * @category models
 */
export interface Engine {
  readonly line: Wake.Line
  readonly boot: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** Attempts are counted by the queue and judged here, job by job. */
const noLimit = 2147483647

/**
 * `Jobs` and `Claims` over the `SqlClient` in scope.
 *
 * @category layers
 */
export const layer = (
  options: Options | undefined,
  engine: Effect.Effect<Engine, never, Scope.Scope | SqlClient.SqlClient>
): Layer.Layer<Jobs | Claims, StoreError.StoreError, SqlClient.SqlClient> =>
  // What it does by itself, again and again, belongs to nobody's trace.
  Layer.effectContext(Effect.withTracerEnabled(Effect.flatMap(engine, (engine) => make(options ?? {}, engine)), false))
    .pipe(
      Layer.catchCause((cause) => Layer.effectContext(StoreError.opening(cause)))
    )

/**
 * An engine without other processes.
 *
 * @category constructors
 */
export const alone: Effect.Effect<Engine> = Effect.succeed({ line: Wake.silent, boot: identity })

const make = Effect.fnUntraced(function*(options: Options, engine: Engine) {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  const lock = Duration.fromInputUnsafe(options.lock ?? "30 seconds")
  const { persistence, store } = yield* engine.boot(Effect.gen(function*() {
    const store = yield* PersistedQueue.makeStoreSql({
      lockExpiration: lock,
      lockRefreshInterval: Duration.times(lock, 1 / 3),
      pollInterval: options.poll ?? "1 second"
    })
    const scope = yield* Effect.scope
    const persistence = Context.get(
      yield* Layer.buildWithScope(Persistence.layerBackingSql, scope),
      Persistence.BackingPersistence
    )
    yield* Tables.migrate
    return { persistence, store }
  }))
  const factory = yield* Effect.provideService(PersistedQueue.makeFactory, PersistedQueue.PersistedQueueStore, store)
  const wake = yield* Wake.make(engine.line)
  const dialect = Dialect.make(sql)
  const insert = Enqueue.make(sql, dialect)
  const requeue = Requeue.make(sql, dialect)
  const finish = Finish.make(sql, dialect, insert)
  const listing = Listing.make(sql, dialect)
  const ringAfterCommit = (...topics: ReadonlyArray<Wake.Topic>) =>
    sql.afterCommit(Effect.forEach(topics, wake.ring, { discard: true, concurrency: 1 }))
  const add = yield* GroupCommit.make(
    (batch: ReadonlyArray<ReadonlyArray<Entry>>) => Effect.as(insert(batch.flat()), batch.map(() => undefined)),
    { atMost: 100 }
  )
  const settle = yield* GroupCommit.make(Settle.make(sql, dialect, finish), { atMost: 200 })
  const inspect = yield* GroupCommit.make(Inspect.make(sql, dialect), { atMost: 500 })
  const dueWithin = Inspect.dueWithin(sql, dialect)
  const remember = yield* GroupCommit.make(Inspect.remember(sql, persistence), { atMost: 200 })

  const jobs: JobsService = {
    codec: options.codec ?? Codec.plain,
    wake,
    enqueue: (entries) =>
      Effect.withFiber<void, SqlError | GroupNotFound>((fiber) =>
        // What belongs to a transaction can't share another one's commit, and a bulk has one to itself.
        entries.length > 100 || Context.getOrUndefined(fiber.context, sql.transactionService) !== undefined
          ? insert(entries)
          : add(entries)
      ).pipe(
        Effect.andThen(ringAfterCommit(...new Set(entries.map(({ queue }) => `queue/${queue}` as const)))),
        StoreError.during("enqueue")
      ),
    group: (group, fill) => {
      const entry = (callback: unknown) => callback === undefined ? null : JSON.stringify(callback)
      const open = sql`
        INSERT INTO effect_dspy_groups (id, total, pending, failed, on_complete, on_success)
        VALUES (${group.id}, 0, 0, 0, ${entry(group.onComplete)}, ${entry(group.onSuccess)})
        ON CONFLICT (id) DO NOTHING`
      const close = Finish.closeGroup(sql, dialect, insert, group.id)
      const filled = Effect.mapError(fill, (error) => new Theirs(error)).pipe(
        (fill) => Effect.andThen(open, fill),
        Effect.tap(() => close),
        Effect.tap(() => ringAfterCommit("*"))
      )
      return Effect.mapError(
        sql.withTransaction(filled),
        (error) =>
          error instanceof Theirs ? error.error : new StoreError.StoreError({ operation: "group", cause: error })
      )
    },
    findGroup: (id) => StoreError.during("find")(listing.findGroup(id)),
    find: (id) => StoreError.during("find")(listing.find(id)),
    ending: (id) => StoreError.during("find")(listing.ending(id)),
    list: (filter) => StoreError.during("list")(listing.list(filter)),
    counts: StoreError.during("list")(listing.counts),
    oldest: StoreError.during("list")(listing.oldest),
    cancel: (id) =>
      StoreError.during("cancel")(
        Effect.tap(Control.cancel(sql, dialect, finish)(id), () => ringAfterCommit("control", "done"))
      ),
    requeue: (ids) =>
      StoreError.during("requeue")(Effect.tap(requeue(ids, ["dead", "cancelled"]), () => ringAfterCommit("*"))),
    pause: (queue) =>
      StoreError.during("pause")(Effect.andThen(
        sql`INSERT INTO effect_dspy_paused (queue) VALUES (${queue}) ON CONFLICT (queue) DO NOTHING`,
        ringAfterCommit("control")
      )),
    resume: (queue) =>
      StoreError.during("resume")(Effect.andThen(
        sql`DELETE FROM effect_dspy_paused WHERE queue = ${queue}`,
        ringAfterCommit("control", `queue/${queue}`)
      )),
    paused: StoreError.during("list")(Effect.map(
      sql<{ readonly queue: string }>`SELECT queue FROM effect_dspy_paused ORDER BY queue`,
      (rows) => rows.map(({ queue }) => queue)
    )),
    signal: (id, name, value) =>
      StoreError.during("signal")(Effect.andThen(Control.signal(sql, dialect)(id, name, value), ringAfterCommit("*"))),
    progress: (id, value) =>
      StoreError.during("progress")(
        Effect.asVoid(sql`UPDATE effect_dspy_jobs SET progress = ${value} WHERE id = ${id}`)
      ),
    prune: (retention) => StoreError.during("prune")(Control.prune(sql, dialect)(retention))
  }

  /** Effect's queues by name, with the bell that makes each look at once. */
  const queues = new Map<string, PersistedQueue.PersistedQueue<unknown>>()
  const queue = Effect.fnUntraced(function*(name: string) {
    const known = queues.get(name)
    if (known !== undefined) return known
    const made = yield* factory.make({ name, schema: Schema.Unknown, maxAttempts: noLimit })
    queues.set(name, made)
    return made
  })

  const claims: ClaimsService = {
    take: (name, work) =>
      Effect.flatMap(
        queue(name),
        (queue) =>
          queue.take((element, { attempts, id }) =>
            inspect({ id, queue: name, attempt: attempts, element }).pipe(
              Effect.flatMap((claim) => claim === undefined ? Effect.void : work(claim))
            )
          )
      ).pipe(StoreError.during("claim")),
    bell: (name) =>
      // The queue looks at once when something is offered to it. This is something that is there already, and
      // that is never due.
      store.offer({ name, id: `bell/${name}`, element: null, isCustomId: true, delay: Duration.days(36_500) }).pipe(
        StoreError.during("claim")
      ),
    dueWithin: (names, millis) => StoreError.during("claim")(dueWithin(names, millis)),
    settle: (claim, settlement, history) =>
      StoreError.during("settle")(settle({ claim, settlement, history })).pipe(
        Effect.tap(() => wake.ring(wakes(claim, settlement)))
      ),
    record: (histories) => StoreError.during("record")(Settle.record(sql, dialect)(histories)),
    recall: (id, key) =>
      StoreError.during("recall")(
        Effect.scoped(Effect.flatMap(persistence.make(Settle.store(id)), (memo) => memo.get(key)))
      ).pipe(
        Effect.map((value) => Inspect.remembered(value))
      ),
    remember: (id, key, value) => StoreError.during("remember")(Effect.asVoid(remember({ id, key, value }))),
    forget: (id) =>
      StoreError.during("forget")(
        Effect.asVoid(sql`DELETE FROM effect_persistence WHERE store_id = ${Settle.store(id)}`)
      ),
    heard: (id, name) =>
      StoreError.during("signal")(Effect.map(
        sql<{ readonly value: string }>`SELECT value FROM effect_dspy_signals WHERE job_id = ${id} AND name = ${name}`,
        ([signal]) => signal?.value
      )),
    cancelRequested: (ids) =>
      StoreError.during("control")(Effect.map(
        sql<{ readonly id: string }>`
          SELECT id FROM effect_dspy_jobs WHERE cancel = 1
          AND id IN (SELECT x.id FROM ${dialect.rows({ id: "text" }, ids.map((id) => ({ id })))})`,
        (rows) => rows.map(({ id }) => id)
      )),
    adopt: (names) =>
      StoreError.during("adopt")(Effect.asVoid(sql`
        UPDATE effect_queue SET visible_at = ${dialect.now} WHERE state = 'pending' AND id IN (
          SELECT id FROM effect_dspy_jobs WHERE hold = 'unknown' AND ${sql.in("name", names)}
        )`))
  }
  yield* Effect.addFinalizer(() => Effect.sync(() => queues.clear()))
  return Context.make(Jobs, jobs).pipe(Context.add(Claims, claims))
})

/** A failure of what a caller runs in a transaction, told apart from failures of the transaction. */
class Theirs<E> {
  readonly error: E
  constructor(error: E) {
    this.error = error
  }
}

/**
 * Who has to know of it: everybody where jobs may have become due (a parent, a callback of a group, a job whose wait
 * is over already), those who work on the queue where the job itself comes back.
 */
const wakes = (claim: Claim, settlement: Settlement): Wake.Topic => {
  if (settlement._tag === "Parked" || claim.parent !== undefined || claim.group !== undefined) return "*"
  const comesBack = settlement._tag === "Retry" || (settlement._tag === "Back" && settlement.delayMillis > 0)
  return comesBack ? `queue/${claim.queue}` : "done"
}
