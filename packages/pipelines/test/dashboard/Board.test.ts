/** What the page is shown, asked of every engine. */
import { Job, Jobs, Worker } from "@effect-dspy/pipelines/jobs"
import { assert } from "@effect/vitest"
import { Deferred, Effect, Layer, Schema } from "effect"
import * as Board from "../../src/dashboard/Board.ts"
import { onEveryEngine } from "../jobs/engines.ts"

const Work = Job.make("work", { payload: { say: Schema.String }, success: Schema.String, maxAttempts: 1 })

onEveryEngine("the board", (test) => {
  test("shows queues, what runs, what ended and why, and every job whole", (store) =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const handler = Work.toLayer(({ say }) =>
        say === "die" ? Effect.die("bug") : say === "wait" ? Effect.as(Deferred.await(gate), say) : Effect.succeed(say)
      )
      const Live = Worker.layer([handler], { queues: { default: 2 }, drain: 0 }).pipe(Layer.provideMerge(store))
      yield* Effect.gen(function*() {
        const jobs = yield* Jobs
        const board = yield* Board.make(true)
        const closed = yield* Board.make(false)
        const [done = "", dead = "", running = ""] = yield* Job.enqueueMany(Work, [{ say: "hi" }, { say: "die" }, {
          say: "wait"
        }])
        const later = yield* Job.enqueue(Work, { say: "later" }, { delay: "1 hour" })
        yield* jobs.pause("default").pipe(Effect.andThen(jobs.resume("default")))
        const live = yield* Effect.repeat(Effect.delay(board.live, "50 millis"), {
          until: ({ queues, running }) => queues[0]?.counts.dead === 1 && running[0]?.run !== undefined
        })
        assert.deepInclude(live.queues[0], {
          name: "default",
          paused: false,
          counts: { scheduled: 1, running: 1, succeeded: 1, dead: 1 },
          atLeast: []
        })
        assert.deepInclude(live.running[0], { id: running, state: "running", attempts: 1 })
        assert.isAtMost(Math.abs(live.now - Date.now()), 60_000)

        const activity = yield* board.activity
        const sum = (counts: ReadonlyArray<number>) => counts.reduce((total, count) => total + count, 0)
        assert.deepEqual([sum(activity.succeeded), sum(activity.dead)], [1, 1])
        assert.lengthOf(activity.succeeded, 360)
        assert.isTrue(activity.totalMs.some((mean) => mean !== null && mean >= 0))
        assert.isTrue(activity.ranMs.some((mean) => mean !== null && mean >= 0))
        assert.isAtMost(Math.abs(activity.from + 3_600_000 - live.now), 60_000)

        assert.deepEqual(yield* board.causes(undefined), {
          of: 1,
          causes: [{ kind: "defect", name: "string", count: 1 }]
        })
        assert.deepEqual((yield* board.causes("another")).causes, [])
        assert.deepEqual(yield* board.dead("default", 10), [dead])

        const detail = yield* board.detail(done)
        assert.deepInclude(detail?.content, { payload: `{"say":"hi"}`, result: `"hi"`, answers: [] })
        assert.deepEqual(detail?.runs.map(({ outcome }) => outcome), ["succeeded"])
        assert.notProperty(yield* closed.detail(done), "content")
        assert.isUndefined(yield* board.detail("nobody"))
        // Who has the whole id finds its job, whatever else is asked.
        assert.deepEqual((yield* board.page({ search: done, state: "dead" })).jobs.map(({ id }) => id), [done])

        yield* jobs.pause("default")
        assert.strictEqual(yield* board.hurry([later, done, "nobody"]), 1)
        const paused = yield* board.live
        assert.deepInclude(paused.queues[0], { paused: true })
        assert.isAtLeast(paused.queues[0]?.oldestMs ?? -1, 0)
        yield* jobs.resume("default")
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* Job.result(Work, later), "later")
      }).pipe(Effect.provide(Live))
    }))
})
