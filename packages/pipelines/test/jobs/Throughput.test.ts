/**
 * The article's case on the virtual clock: each job makes seven seconds of calls, four of them on its longest path.
 */
import { LM, Message } from "@effect-dspy/core"
import { Job, Jobs, Worker } from "@effect-dspy/pipelines/jobs"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"

/** Takes as many seconds as it is told. */
const patient = Layer.succeed(
  LM,
  LM.make({
    provider: "stub",
    model: "stub",
    endpoint: "stub",
    generate: ({ messages }) =>
      Effect.as(Effect.sleep(Duration.seconds(Number(Message.text(messages[0]).split(" ")[0]))), {
        content: [{ type: "text" as const, text: "yes" }],
        finishReason: "stop" as const,
        usage: { calls: 1 },
        provider: "stub",
        model: "stub"
      })
  })
)

const ask = (seconds: number, what: string) =>
  LM.generate({ messages: [{ role: "user", content: `${seconds} ${what}` }] })

const Process = Job.make("process", { payload: { n: Schema.Int } })

const handler = Process.toLayer(({ n }) =>
  Effect.all([
    Effect.andThen(ask(2, `classify ${n}`), ask(2, `analyze ${n}`)),
    ask(3, `summarize ${n}`)
  ], { concurrency: 2, discard: true })
)

/** How many jobs succeed within `seconds`, of more than enough. */
const succeeded = (slots: number, model: Layer.Layer<LM>, seconds: number) =>
  Effect.gen(function*() {
    const jobs = yield* Jobs
    yield* Job.enqueueMany(Process, Array.from({ length: seconds * slots }, (_, n) => ({ n })))
    yield* Effect.forkScoped(Layer.launch(Worker.layer([handler], { queues: { default: slots }, drain: 0 })))
    // The first claims are made without the clock.
    for (let turn = 0; turn < 100; turn++) yield* Effect.yieldNow
    for (let second = 0; second < seconds; second++) {
      yield* TestClock.adjust("1 second")
      for (let turn = 0; turn < 100; turn++) yield* Effect.yieldNow
    }
    return (yield* jobs.counts).find(({ state }) => state === "succeeded")?.count ?? 0
  }).pipe(Effect.scoped, Effect.provide(Layer.merge(Sqlite.memory(), model)))

describe("the article's throughput", () => {
  it.effect("five slots do 75 jobs a minute", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* succeeded(5, patient, 60), 75)
    }), 30_000)

  it.effect("a hundred slots do twenty times that", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* succeeded(100, patient, 20), 500)
    }), 30_000)

  it.effect("until the model's own bound: 35 calls at once are five jobs a second", () =>
    Effect.gen(function*() {
      const done = yield* succeeded(100, LM.concurrency(35)(patient), 60)
      // The first second of the pipeline yields nothing yet, and the last calls are not done.
      assert.isAtLeast(done, 270)
      assert.isAtMost(done, 300)
    }), 30_000)
})
