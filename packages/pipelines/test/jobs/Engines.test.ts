import { Claims, type Handlers, Job, Jobs, Worker } from "@effect-dspy/pipelines/jobs"
import { assert } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Ref, Schedule, Schema, Scope } from "effect"
import { SqlClient } from "effect/sql"
import { onEveryEngine, type Store } from "./engines.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", { why: Schema.String }) {
  readonly isRetryable = false
}

const Double = Job.make("double", { payload: { n: Schema.Int }, success: Schema.Int })
const soon = Schedule.spaced("10 millis")

/** Waits until something holds; a test that waits in vain fails by its timeout. */
const until = <E, R>(holds: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.flatMap(holds, (done) => done ? Effect.void : Effect.andThen(Effect.sleep("10 millis"), until(holds)))

const stateOf = (id: string) =>
  Effect.flatMap(Jobs, (jobs) => Effect.map(jobs.find(id), (job) => job._tag === "Some" ? job.value.state : undefined))

const infoOf = (id: string) => Effect.flatMap(Jobs, (jobs) => Effect.flatMap(jobs.find(id), Effect.fromOption))

const work = <R = never>(
  store: Store,
  handlers: ReadonlyArray<Layer.Layer<never, never, Handlers.Handlers | R>>,
  queues: Worker.Options["queues"] = { default: 4 },
  options: Partial<Worker.Options> = {}
) => Worker.layer(handlers, { queues, ...options }).pipe(Layer.provideMerge(store))

onEveryEngine("jobs", (test) => {
  test("a result is awaited as a typed value", (store) =>
    Effect.gen(function*() {
      const id = yield* Job.enqueue(Double, { n: 21 })
      assert.strictEqual(yield* Job.result(Double, id), 42)
      const job = yield* infoOf(id)
      assert.deepInclude(job, { name: "double", queue: "default", state: "succeeded", attempts: 1 })
    }).pipe(Effect.provide(work(store, [Double.toLayer(({ n }) => Effect.succeed(n * 2))]))))

  test("enqueueing joins a transaction", (store) =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const jobs = yield* Jobs
      yield* Job.enqueue(Double, { n: 1 }, { id: "no" }).pipe(
        Effect.andThen(Effect.fail("rolled back")),
        sql.withTransaction,
        Effect.ignore
      )
      yield* sql.withTransaction(Job.enqueue(Double, { n: 1 }, { id: "yes" }))
      assert.deepStrictEqual((yield* jobs.list({})).map(({ id }) => id), ["double/yes"])
    }).pipe(Effect.provide(store)))

  test("a failed job is retried on schedule and counts its attempts", (store) =>
    Effect.gen(function*() {
      const times: Array<number> = []
      const Flaky = Job.make("flaky", { payload: {}, success: Schema.Int, retry: Schedule.spaced("300 millis") })
      const handler = Flaky.toLayer(() =>
        Effect.suspend(() => {
          times.push(Date.now())
          return times.length < 3 ? Effect.fail("not yet") : Effect.succeed(times.length)
        })
      )
      yield* Effect.gen(function*() {
        const id = yield* Job.enqueue(Flaky, {})
        yield* until(Effect.map(stateOf(id), (state) => state === "retrying"))
        assert.strictEqual(yield* Job.result(Flaky, id), 3)
        assert.strictEqual((yield* infoOf(id)).attempts, 3)
        // Never early, on no engine.
        for (const [index, time] of times.entries()) {
          if (index > 0) assert.isAtLeast(time - (times[index - 1] ?? 0), 299)
        }
      }).pipe(Effect.provide(work(store, [handler])))
    }))

  test("after its last attempt a job is dead, and requeued it runs again", (store) =>
    Effect.gen(function*() {
      let broken = true
      const died: Array<unknown> = []
      const Fragile = Job.make("fragile", {
        payload: { n: Schema.Int },
        success: Schema.String,
        retry: soon,
        maxAttempts: 2
      })
      const handler = Fragile.toLayer(() =>
        Effect.suspend(() => broken ? Effect.fail({ _tag: "Broken", message: "my secret" }) : Effect.succeed("fine")), {
        // It has the handler's services.
        onDead: (payload, job) =>
          Effect.flatMap(Jobs, () => Effect.sync(() => died.push([payload, job.state])))
      })
      yield* Effect.gen(function*() {
        const jobs = yield* Jobs
        const id = yield* Job.enqueue(Fragile, { n: 1 })
        const error = yield* Effect.flip(Job.result(Fragile, id))
        assert.strictEqual(error._tag, "JobDead")
        const job = yield* infoOf(id)
        assert.deepInclude(job, { state: "dead", attempts: 2 })
        assert.deepInclude(job.failure, { kind: "failed", name: "Broken", attempt: 2 })
        assert.notInclude(JSON.stringify(job), "secret")
        yield* until(Effect.sync(() =>
          died.length === 1
        ))
        assert.deepStrictEqual(died, [[{ n: 1 }, "dead"]])
        assert.deepStrictEqual((yield* jobs.list({ state: "dead" })).map((job) => job.id), [id])
        broken = false
        assert.strictEqual(yield* jobs.requeue([id]), 1)
        assert.strictEqual(yield* Job.result(Fragile, id), "fine")
        assert.strictEqual((yield* infoOf(id)).attempts, 1)
      }).pipe(Effect.provide(work(store, [handler])))
    }))

  test("an error that is not retryable kills at once and comes back typed", (store) =>
    Effect.gen(function*() {
      const Strict = Job.make("strict", { payload: {}, error: Refused, retry: soon })
      yield* Effect.gen(function*() {
        const id = yield* Job.enqueue(Strict, {})
        const error = yield* Effect.flip(Job.result(Strict, id))
        assert.deepStrictEqual(error, new Refused({ why: "it says no" }))
        assert.strictEqual((yield* infoOf(id)).attempts, 1)
      }).pipe(Effect.provide(work(store, [Strict.toLayer(() => Effect.fail(new Refused({ why: "it says no" })))])))
    }))

  test("told to come back later, a job comes back then and is not blamed", (store) =>
    Effect.gen(function*() {
      let runs = 0
      const Limited = Job.make("limited", { payload: {}, success: Schema.Int, maxAttempts: 1 })
      const handler = Limited.toLayer(() =>
        Effect.suspend(() =>
          ++runs < 3 ? Effect.fail({ _tag: "Busy", retryAfter: Duration.millis(20) }) : Effect.succeed(runs)
        )
      )
      yield* Effect.gen(function*() {
        const id = yield* Job.enqueue(Limited, {})
        assert.strictEqual(yield* Job.result(Limited, id), 3)
        assert.strictEqual((yield* infoOf(id)).attempts, 1)
      }).pipe(Effect.provide(work(store, [handler])))
    }))

  test("an attempt that takes too long fails", (store) =>
    Effect.gen(function*() {
      const Slow = Job.make("slow", { payload: {}, timeout: "50 millis", maxAttempts: 2, retry: soon })
      const interrupted = yield* Ref.make(0)
      yield* Effect.gen(function*() {
        const id = yield* Job.enqueue(Slow, {})
        const error = yield* Effect.flip(Job.result(Slow, id))
        assert.deepInclude(error._tag === "JobDead" ? error.failure : {}, { kind: "timeout", attempt: 2 })
        assert.strictEqual(yield* Ref.get(interrupted), 2)
      }).pipe(Effect.provide(work(store, [
        Slow.toLayer(() => Effect.onInterrupt(Effect.never, () => Ref.update(interrupted, (n) => n + 1)))
      ])))
    }))

  test("a delayed job waits", (store) =>
    Effect.gen(function*() {
      const started = Date.now()
      const id = yield* Job.enqueue(Double, { n: 1 }, { delay: "400 millis" })
      assert.strictEqual(yield* stateOf(id), "scheduled")
      yield* Job.result(Double, id)
      assert.isAtLeast(Date.now() - started, 399)
    }).pipe(Effect.provide(work(store, [Double.toLayer(({ n }) => Effect.succeed(n))]))))

  test("priority goes first, and who has waited longer goes before it", (store) =>
    Effect.gen(function*() {
      const order: Array<number> = []
      const sql = yield* SqlClient.SqlClient
      yield* Job.enqueue(Double, { n: 0 }, { id: "old" })
      // It has waited for two minutes: more than one minute of head start.
      yield* sql.onDialectOrElse({
        pg: () => sql`UPDATE effect_queue SET visible_at = visible_at - INTERVAL '2 minutes'`,
        orElse: () => sql`UPDATE effect_queue SET visible_at = datetime(visible_at, '-120 seconds')`
      })
      yield* Job.enqueue(Double, { n: 3 })
      yield* Job.enqueue(Double, { n: 2 }, { priority: 1 })
      const last = yield* Job.enqueue(Double, { n: 4 })
      yield* Job.enqueue(Double, { n: 1 }, { priority: 1.5 })
      yield* Job.result(Double, last).pipe(Effect.provide(Worker.layer([
        Double.toLayer(({ n }) => Effect.sync(() => order.push(n)))
      ], { queues: { default: 1 } })))
      assert.deepStrictEqual(order, [0, 1, 2, 3, 4])
    }).pipe(Effect.provide(store)))

  test("one id is one job", (store) =>
    Effect.gen(function*() {
      let runs = 0
      const Once = Job.make("once", {
        payload: { key: Schema.String },
        id: ({ key }) => key,
        success: Schema.Int,
        maxAttempts: 1
      })
      let broken = false
      const handler = Once.toLayer(() =>
        Effect.suspend(() => (runs++, broken ? Effect.fail("broken") : Effect.succeed(runs)))
      )
      const long = "x".repeat(400)
      const first = yield* Job.enqueue(Once, { key: "a" })
      assert.deepStrictEqual(yield* Job.enqueueMany(Once, [{ key: "a" }, { key: long }, { key: "a" }, { key: long }]), [
        first,
        Job.idOf("once", long),
        first,
        Job.idOf("once", long)
      ])
      yield* Effect.gen(function*() {
        yield* Job.result(Once, first)
        yield* Job.result(Once, Job.idOf("once", long))
        assert.strictEqual(yield* Job.enqueue(Once, { key: "a" }), first)
        yield* Effect.sleep("50 millis")
        assert.strictEqual(runs, 2)
        // A dead one is requeued.
        broken = true
        const dead = yield* Job.enqueue(Once, { key: "b" })
        yield* Effect.flip(Job.result(Once, dead))
        broken = false
        assert.strictEqual(yield* Job.enqueue(Once, { key: "b" }), dead)
        assert.strictEqual(yield* Job.result(Once, dead), 4)
      }).pipe(Effect.provide(Worker.layer([handler], { queues: { default: 1 } })))
    }).pipe(Effect.provide(store)))

  test("a queue runs so many at once, and no queue waits for another", (store) =>
    Effect.gen(function*() {
      let running = 0
      let most = 0
      const Wide = Job.make("wide", { payload: {}, queue: "wide" })
      const Fast = Job.make("fast", { payload: {}, queue: "fast" })
      const handlers = [
        Wide.toLayer(() =>
          Effect.gen(function*() {
            most = Math.max(most, ++running)
            yield* Effect.sleep("20 millis")
            running--
          })
        ),
        Fast.toLayer(() => Effect.void)
      ]
      yield* Effect.gen(function*() {
        const ids = yield* Job.enqueueMany(Wide, Array.from({ length: 12 }, () => ({})))
        yield* Job.result(Fast, yield* Job.enqueue(Fast, {}))
        yield* Effect.forEach(ids, (id) => Job.result(Wide, id), { concurrency: "unbounded" })
        assert.strictEqual(most, 3)
      }).pipe(Effect.provide(work(store, handlers, { wide: 3, fast: 1 })))
    }))

  test("cancel: a waiting job never runs, a running one is interrupted", (store) =>
    Effect.gen(function*() {
      const started = yield* Deferred.make<void>()
      const interrupted = yield* Deferred.make<void>()
      const Endless = Job.make("endless", { payload: {} })
      const handler = Endless.toLayer(() =>
        Effect.andThen(Deferred.succeed(started, undefined), Effect.never).pipe(
          Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
        )
      )
      yield* Effect.gen(function*() {
        const jobs = yield* Jobs
        const running = yield* Job.enqueue(Endless, {})
        yield* Deferred.await(started)
        const waiting = yield* Job.enqueue(Endless, {})
        assert.strictEqual(yield* jobs.cancel(waiting), "cancelled")
        assert.strictEqual(yield* jobs.cancel(running), "requested")
        yield* Deferred.await(interrupted)
        const error = yield* Effect.flip(Job.result(Endless, running))
        assert.strictEqual(error._tag, "JobCancelled")
        assert.strictEqual(yield* stateOf(waiting), "cancelled")
        assert.strictEqual(yield* jobs.cancel(running), undefined)
      }).pipe(Effect.provide(work(store, [handler], { default: 1 })))
    }))

  test("a paused queue rests until it is resumed", (store) =>
    Effect.gen(function*() {
      const jobs = yield* Jobs
      yield* jobs.pause("default")
      const id = yield* Job.enqueue(Double, { n: 1 })
      yield* Effect.sleep("400 millis")
      assert.deepInclude(yield* infoOf(id), { state: "queued", attempts: 0 })
      assert.deepStrictEqual(yield* jobs.paused, ["default"])
      yield* jobs.resume("default")
      assert.strictEqual(yield* Job.result(Double, id), 2)
      // Paused while its slots wait for a job.
      yield* jobs.pause("default")
      const second = yield* Job.enqueue(Double, { n: 2 })
      yield* Effect.sleep("400 millis")
      assert.deepInclude(yield* infoOf(second), { state: "queued", attempts: 0 })
      yield* jobs.resume("default")
      assert.strictEqual(yield* Job.result(Double, second), 4)
    }).pipe(Effect.provide(work(store, [Double.toLayer(({ n }) => Effect.succeed(n * 2))]))))

  test("progress is seen from outside", (store) =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const Long = Job.make("long", { payload: {} })
      yield* Effect.gen(function*() {
        const id = yield* Job.enqueue(Long, {})
        yield* until(Effect.map(infoOf(id), ({ progress }) => progress !== undefined))
        assert.deepStrictEqual((yield* infoOf(id)).progress, { done: 3, of: 10 })
        yield* Deferred.succeed(go, undefined)
        yield* Job.result(Long, id)
      }).pipe(Effect.provide(work(store, [
        Long.toLayer(() => Effect.andThen(Job.progress({ done: 3, of: 10 }), Deferred.await(go)))
      ])))
    }))

  test("a poisoned payload is dead at once, a job nobody knows stays queued until somebody does", (store) =>
    Effect.gen(function*() {
      const Old = Job.make("shape", { payload: { count: Schema.String } })
      const New = Job.make("shape", { payload: { count: Schema.Int } })
      const poisoned = yield* Job.enqueue(Old, { count: "many" })
      const stranger = yield* Job.enqueue(Double, { n: 4 })
      yield* Effect.gen(function*() {
        const error = yield* Effect.flip(Job.result(New, poisoned))
        assert.deepInclude(error._tag === "JobDead" ? error.failure : {}, { kind: "payload", attempt: 1 })
        yield* until(Effect.map(infoOf(stranger), (job) => job.unknown))
        assert.deepInclude(yield* infoOf(stranger), { state: "queued", attempts: 0 })
      }).pipe(Effect.provide(Worker.layer([New.toLayer(() => Effect.void)], { queues: { default: 2 } })))
      assert.strictEqual(
        yield* Job.result(Double, stranger).pipe(
          Effect.provide(Worker.layer([Double.toLayer(({ n }) => Effect.succeed(n * 2))], { queues: { default: 2 } }))
        ),
        8
      )
    }).pipe(Effect.provide(store)))

  test("a worker that ends hands its jobs back, uncounted, after the drain", (store) =>
    Effect.gen(function*() {
      const Task = Job.make("task", { payload: { millis: Schema.Int }, success: Schema.Int })
      let started = 0
      const handler = Task.toLayer(({ millis }) =>
        Effect.suspend(() => {
          started++
          return Effect.as(Effect.sleep(millis), millis)
        })
      )
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(Worker.layer([handler], { queues: { default: 2 }, drain: "300 millis" }), scope)
      const [short = "", long = ""] = yield* Job.enqueueMany(Task, [{ millis: 150 }, { millis: 60_000 }])
      yield* until(Effect.sync(() => started === 2))
      const third = yield* Job.enqueue(Task, { millis: 1 })
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Job.result(Task, short), 150)
      assert.deepInclude(yield* infoOf(long), { state: "queued", attempts: 0 })
      // A worker that is ending takes nothing new.
      assert.deepInclude(yield* infoOf(third), { state: "queued", attempts: 0 })
    }).pipe(Effect.provide(store)))

  test("a stalled worker can't overwrite its successor's result", (store) =>
    Effect.gen(function*() {
      const claims = yield* Claims.Claims
      const sql = yield* SqlClient.SqlClient
      const id = yield* Job.enqueue(Double, { n: 1 })
      const claimed = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const stalled = yield* Effect.forkChild(claims.take("default", (claim) =>
        Effect.gen(function*() {
          yield* Deferred.succeed(claimed, undefined)
          yield* Deferred.await(go)
          assert.isFalse(
            yield* Effect.orDie(claims.settle(claim, { _tag: "Succeeded", result: "\"stale\"", forget: false }))
          )
        })))
      yield* Deferred.await(claimed)
      // Its lock runs out, as that of a process that stands still does.
      yield* sql.onDialectOrElse({
        pg: () => sql`UPDATE effect_queue SET acquired_at = acquired_at - INTERVAL '1 hour'`,
        orElse: () => sql`UPDATE effect_queue SET acquired_at = datetime(acquired_at, '-1 hour')`
      })
      yield* claims.take("default", (claim) => {
        assert.strictEqual(claim.attempt, 2)
        return Effect.orDie(Effect.asVoid(claims.settle(claim, { _tag: "Succeeded", result: "2", forget: false })))
      })
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(stalled)
      assert.strictEqual(yield* Job.result(Double, id), 2)
    }).pipe(Effect.provide(store)))

  test("ten thousand jobs go in together, or none", (store) =>
    Effect.gen(function*() {
      const jobs = yield* Jobs
      const sql = yield* SqlClient.SqlClient
      const many = Job.enqueueMany(Double, Array.from({ length: 10_000 }, (_, n) => ({ n })))
      yield* Effect.ignore(sql.withTransaction(Effect.andThen(many, Effect.fail("no"))))
      assert.deepStrictEqual(yield* jobs.counts, [])
      yield* many
      assert.deepStrictEqual(yield* jobs.counts, [{ queue: "default", state: "queued", count: 10_000 }])
    }).pipe(Effect.provide(store)))

  test("ended jobs are pruned with everything they left", (store) =>
    Effect.gen(function*() {
      const jobs = yield* Jobs
      const sql = yield* SqlClient.SqlClient
      const id = yield* Job.enqueue(Double, { n: 1 })
      yield* Job.result(Double, id)
      const waiting = yield* Job.enqueue(Double, { n: 2 }, { delay: "1 hour" })
      assert.strictEqual(yield* jobs.prune({ succeededMillis: 60_000, deadMillis: 60_000 }), 0)
      yield* sql`UPDATE effect_dspy_jobs SET finished_at = finished_at - 61000`
      assert.strictEqual(yield* jobs.prune({ succeededMillis: 60_000, deadMillis: 60_000 }), 1)
      assert.deepStrictEqual((yield* jobs.list({})).map((job) => job.id), [waiting])
      const left = yield* sql<{ readonly id: string }>`SELECT id FROM effect_queue WHERE id = ${id}`
      assert.deepStrictEqual(left, [])
      assert.strictEqual((yield* Effect.flip(Job.result(Double, id)))._tag, "JobNotFound")
    }).pipe(Effect.provide(work(store, [Double.toLayer(({ n }) => Effect.succeed(n))]))))
})
