import { Group, Job, Jobs, Testing } from "@effect-dspy/pipelines/jobs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"

const Mail = Job.make("mail", { payload: { to: Schema.String }, success: Schema.String })
const Order = Job.make("order", { payload: { n: Schema.Int }, success: Schema.Int, maxAttempts: 3 })

// On the virtual clock of `it.effect` nothing waits: a retry that really slept would never come.
describe("fake", () => {
  it.effect("collects until it is drained, then runs everything, with retries, children, sleeps and signals", () => {
    const log: Array<string> = []
    const handlers = [
      Mail.toLayer(({ to }) => Effect.sync(() => (log.push(`mail ${to}`), to))),
      Order.toLayer(({ n }) =>
        Effect.gen(function*() {
          const tried = yield* Job.memo("tried", Schema.Int, Effect.sync(() => (log.push("memo"), n)))
          yield* Job.sleep("a day", "1 day")
          const to = yield* Job.call(Mail, { to: "Ada" })
          const { attempt } = (yield* Job.current) ?? { attempt: 0 }
          if (attempt < 2) return yield* Effect.fail("once")
          yield* Job.waitFor("paid", Schema.Boolean)
          return tried + to.length
        })
      )
    ]
    return Effect.gen(function*() {
      const fake = yield* Testing.Fake
      const jobs = yield* Jobs
      const id = yield* Job.enqueue(Order, { n: 4 }, { delay: "1 hour" })
      assert.deepStrictEqual((yield* fake.enqueued).map(({ name }) => name), ["order"])
      assert.deepStrictEqual(log, [])
      yield* fake.drain
      assert.deepStrictEqual(log, ["memo", "mail Ada"])
      assert.deepInclude(Option.getOrThrow(yield* jobs.find(id)), { state: "scheduled", attempts: 1 })
      yield* Job.signal(id, "paid", Schema.Boolean, true)
      yield* fake.drain
      assert.strictEqual(yield* Job.result(Order, id), 7)
      assert.deepInclude(Option.getOrThrow(yield* jobs.find(id)), { state: "succeeded", attempts: 2 })
      assert.deepStrictEqual((yield* fake.enqueued).map(({ name }) => name), ["order", "mail"])
    }).pipe(Effect.provide(Testing.fake(handlers)))
  })

  it.effect("kills what fails too often, requeues it, calls groups back and leaves unknown jobs queued", () => {
    const called: Array<string> = []
    let broken = true
    const Report = Job.make("report", { payload: {} })
    return Effect.gen(function*() {
      const fake = yield* Testing.Fake
      const jobs = yield* Jobs
      const group = yield* Group.make(
        { onComplete: Job.entry(Report, {}) },
        (group) => Job.enqueueMany(Order, [{ n: 1 }, { n: 2 }], { group })
      )
      const stranger = yield* Job.enqueue(Mail, { to: "nobody" })
      yield* fake.drain
      assert.deepInclude(Option.getOrThrow(yield* jobs.findGroup(group)), { total: 2, pending: 0, failed: 1 })
      assert.deepStrictEqual(called, ["report"])
      assert.deepInclude(Option.getOrThrow(yield* jobs.find(stranger)), { state: "queued", unknown: true })
      const [dead] = yield* jobs.list({ state: "dead" })
      assert.deepInclude(dead, { attempts: 3 })
      broken = false
      yield* jobs.requeue([dead?.id ?? ""])
      yield* fake.drain
      assert.strictEqual(yield* Job.result(Order, dead?.id ?? ""), 2)
    }).pipe(Effect.provide(Testing.fake([
      Order.toLayer(({ n }) => n === 2 && broken ? Effect.fail("broken") : Effect.succeed(n)),
      Report.toLayer(() => Effect.sync(() => void called.push("report")))
    ])))
  })

  it.effect("leaves paused queues alone, cancels what waits, and knows no group that was not opened", () =>
    Effect.gen(function*() {
      const fake = yield* Testing.Fake
      const jobs = yield* Jobs
      const queue = "default"
      yield* jobs.pause(queue)
      const urgent = yield* Job.enqueue(Mail, { to: "Ada" }, { priority: 1 })
      const later = yield* Job.enqueue(Mail, { to: "Bob" }, { delay: "1 hour" })
      yield* fake.drain
      assert.deepStrictEqual(yield* jobs.paused, [queue])
      assert.sameDeepMembers([...yield* jobs.counts], [
        { queue, state: "queued", count: 1 },
        { queue, state: "scheduled", count: 1 }
      ])
      assert.deepStrictEqual(yield* jobs.oldest, [{ queue, waitedMs: 0 }])
      assert.strictEqual(yield* jobs.cancel(later), "cancelled")
      assert.strictEqual(yield* jobs.cancel(later), undefined)
      yield* jobs.resume(queue)
      yield* fake.drain
      assert.strictEqual(yield* Job.result(Mail, urgent), "Ada")
      assert.strictEqual((yield* Effect.flip(Job.result(Mail, later)))._tag, "JobCancelled")
      const refused = yield* Effect.flip(Job.enqueue(Mail, { to: "Cid" }, { group: "gone" }))
      assert.strictEqual(refused._tag, "GroupNotFound")
    }).pipe(Effect.provide(Testing.fake([Mail.toLayer(({ to }) => Effect.succeed(to))]))))
})

describe("inline", () => {
  it.effect("runs a job before enqueue returns, delayed ones too", () => {
    const log: Array<string> = []
    return Effect.gen(function*() {
      const id = yield* Job.enqueue(Order, { n: 1 }, { delay: "1 hour" })
      assert.deepStrictEqual(log, ["mail Ada", "order"])
      assert.strictEqual(yield* Job.result(Order, id), 1)
    }).pipe(Effect.provide(Testing.inline([
      Mail.toLayer(({ to }) => Effect.sync(() => (log.push(`mail ${to}`), to))),
      Order.toLayer(({ n }) =>
        Effect.andThen(Job.enqueue(Mail, { to: "Ada" }), Effect.sync(() => (log.push("order"), n)))
      )
    ])))
  })
})
