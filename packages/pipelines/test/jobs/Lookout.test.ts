/** What makes a worker look, on stores that never look by themselves; and whose turn it is where calls wait. */
import { LM, Message } from "@effect-dspy/core"
import { Group, Job, Jobs, Worker } from "@effect-dspy/pipelines/jobs"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Option, Schedule, Schema } from "effect"
import { onEveryEngine } from "./engines.ts"

const Soon = Job.make("soon", { payload: {}, success: Schema.Int, retry: Schedule.spaced("250 millis") })

onEveryEngine("a worker that is not looking by itself", (test) => {
  test("starts delayed jobs and retries when they are due", (store) =>
    Effect.gen(function*() {
      const times: Array<number> = []
      const handler = Soon.toLayer(() =>
        Effect.suspend(() => times.push(performance.now()) < 3 ? Effect.fail("again") : Effect.succeed(times.length))
      )
      yield* Effect.gen(function*() {
        yield* Effect.sleep("100 millis")
        const enqueued = performance.now()
        const id = yield* Job.enqueue(Soon, {}, { delay: "1500 millis" })
        assert.strictEqual(yield* Job.result(Soon, id), 3)
        const waited = times.map((time, index) => time - (times[index - 1] ?? enqueued))
        for (const [index, wait] of waited.entries()) {
          const told = index === 0 ? 1500 : 250
          assert.isAtLeast(wait, told - 1)
          // By themselves they look once a minute.
          assert.isBelow(wait, told + 5000)
        }
      }).pipe(Effect.provide(Worker.layer([handler], { queues: { default: 2 } })))
    }).pipe(Effect.provide(store)))

  test("starts what fell due while all slots were busy", (store) =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const Long = Job.make("long", { payload: {} })
      const handlers = [Long.toLayer(() => Deferred.await(go)), Soon.toLayer(() => Effect.succeed(1))]
      yield* Effect.gen(function*() {
        const jobs = yield* Jobs
        const long = yield* Job.enqueue(Long, {})
        while (!(yield* jobs.counts).some(({ state }) => state === "running")) yield* Effect.sleep("10 millis")
        const soon = yield* Job.enqueue(Soon, {}, { delay: "400 millis" })
        yield* Effect.sleep("200 millis")
        yield* Deferred.succeed(go, undefined)
        yield* Job.result(Long, long)
        assert.strictEqual(yield* Job.result(Soon, soon), 1)
      }).pipe(Effect.provide(Worker.layer(handlers, { queues: { default: 1 } })))
    }).pipe(Effect.provide(store)))

  test("a job for a group that is not there is refused", (store) =>
    Effect.gen(function*() {
      const jobs = yield* Jobs
      const error = yield* Effect.flip(Job.enqueueMany(Soon, [{}, {}], { group: "nowhere" }))
      assert.deepInclude(error, { _tag: "GroupNotFound", group: "nowhere" })
      assert.deepStrictEqual(yield* jobs.list({}), [])
      // One that fails does not fail those who share its commit.
      const results = yield* Effect.forEach(
        ["a", "b", "c"],
        (id) => Effect.exit(Job.enqueue(Soon, {}, { id, ...(id === "b" ? { group: "nowhere" } : undefined) })),
        { concurrency: 3 }
      )
      assert.deepStrictEqual(results.map(({ _tag }) => _tag), ["Success", "Failure", "Success"])
      const group = yield* Group.make({}, (group) => Job.enqueue(Soon, {}, { id: "b", group }))
      assert.deepInclude(Option.getOrThrow(yield* jobs.findGroup(group)), { total: 1, pending: 1 })
    }).pipe(Effect.provide(store)))
}, { poll: "1 minute" })

describe("jobs that share a limited model", () => {
  it.live("are served in turn: a big one does not keep a small one waiting", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const stub = LM.make({
        provider: "stub",
        model: "stub",
        endpoint: "stub",
        generate: ({ messages }) =>
          Effect.as(
            Effect.andThen(Effect.sync(() => order.push(Message.text(messages[0]))), Effect.sleep("20 millis")),
            {
              content: [{ type: "text" as const, text: "yes" }],
              finishReason: "stop" as const,
              usage: { calls: 1 },
              provider: "stub",
              model: "stub"
            }
          )
      })
      const Ask = Job.make("ask", { payload: { name: Schema.String, calls: Schema.Int } })
      const handler = Ask.toLayer(({ calls, name }) =>
        Effect.forEach(
          Array.from({ length: calls }, (_, n) => n),
          (n) => LM.generate({ messages: [{ role: "user", content: `${name}${n}` }] }),
          { concurrency: "unbounded", discard: true }
        )
      )
      yield* Effect.gen(function*() {
        const big = yield* Job.enqueue(Ask, { name: "big", calls: 30 })
        while (order.length === 0) yield* Effect.sleep("1 millis")
        const small = yield* Job.enqueue(Ask, { name: "small", calls: 1 })
        yield* Job.result(Ask, small)
        yield* Job.result(Ask, big)
        assert.isBelow(order.indexOf("small0"), 20)
      }).pipe(
        Effect.provide(
          Worker.layer([handler], { queues: { default: 2 } }).pipe(
            Layer.provide(Layer.succeed(LM, stub).pipe(LM.concurrency(1))),
            Layer.provideMerge(Sqlite.memory())
          )
        )
      )
    }), 20_000)
})
