import { type Event, Events, Predict, Signature } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { Pipeline } from "@effect-dspy/pipelines"
import { Job, JobMetrics, Worker } from "@effect-dspy/pipelines/jobs"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Metric, Schedule, Schema } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { TestClock } from "effect/testing"

const text = Schema.String
const title = Predict.make(Signature.make("Title", { input: { content: text }, output: { title: text } }))
const mood = Predict.make(Signature.make("Mood", { input: { content: text }, output: { mood: text } }))
const summary = Predict.make(
  Signature.make("Summary", { input: { title: text, content: text }, output: { summary: text } })
)
const pipeline = Pipeline.make("Document", {
  input: { content: text },
  steps: { title, mood, summary },
  concurrency: 1
})
const lm = TestLM.layer({
  Title: () => ({ title: "t" }),
  Mood: () => ({ mood: "m" }),
  Summary: () => ({ summary: "s" })
}, { latency: "2 seconds" })

describe("the events of a pipeline", () => {
  it.effect("give its graph, its steps and what they waited for, with calls in their steps", () =>
    Effect.gen(function*() {
      const seen: Array<Event> = []
      const fiber = yield* Effect.forkChild(
        pipeline({ content: "PLANTED" }).pipe(Events.observe((event) => seen.push(event)), Effect.provide(lm))
      )
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      const [first] = seen
      assert.deepStrictEqual(first, {
        _tag: "RunStarted",
        at: 0,
        run: "1",
        pipeline: "Document",
        steps: [{ name: "title", after: [] }, { name: "mood", after: [] }, { name: "summary", after: ["title"] }]
      })
      const steps = seen.flatMap((event) => event._tag === "StepStarted" ? [[event.at, event.step]] : [])
      assert.deepStrictEqual(steps, [[0, "Document/title"], [2000, "Document/mood"], [4000, "Document/summary"]])
      const waits = seen.flatMap((event) => event._tag === "Waited" ? [[event.for, event.ms, event.run]] : [])
      assert.deepStrictEqual(waits, [["turn", 2000, "1"], ["turn", 2000, "1"]])
      const calls = seen.flatMap((event) => event._tag === "CallEnded" ? [[event.run, event.step, event.path]] : [])
      assert.deepStrictEqual(calls, [
        ["1", "Document/title", "Document/title"],
        ["1", "Document/mood", "Document/mood"],
        ["1", "Document/summary", "Document/summary"]
      ])
      assert.deepInclude(seen.at(-2), { _tag: "StepEnded", outcome: "succeeded", ms: 2000, usage: { calls: 1 } })
      assert.deepInclude(seen.at(-1), { _tag: "RunEnded", outcome: "succeeded", ms: 6000 })
      assert.notInclude(JSON.stringify(seen), "PLANTED")
    }))
})

describe("the events of a job", () => {
  it.live("say who enqueued it, how long it was due, how each run ended, and what its memo gave", () =>
    Effect.gen(function*() {
      let runs = 0
      const Document = Job.make("document", {
        payload: { content: text },
        success: text,
        retry: Schedule.spaced("10 millis")
      })
      const handler = Document.toLayer(({ content }) =>
        Effect.flatMap(
          title({ content }),
          ({ title }) => ++runs === 1 ? Effect.fail(new Error("PLANTED")) : Effect.succeed(title)
        )
      )
      const seen: Array<Event> = []
      const Live = Worker.layer([handler], { queues: { default: 2 } }).pipe(
        Layer.provideMerge(Sqlite.memory({ poll: "100 millis" })),
        Layer.provideMerge(TestLM.layer(() => ({ title: "t" }))),
        Layer.provideMerge(Events.layer)
      )
      const program = Effect.gen(function*() {
        const { observe } = yield* Events.Events
        yield* observe((event) => seen.push(event))
        const id = yield* Job.enqueue(Document, { content: "PLANTED" })
        yield* Job.result(Document, id)
        return id
      })
      const id = yield* Effect.scoped(program).pipe(Effect.provide(Live))
      assert.isTrue(seen.every((event) => event.job === id))
      assert.deepStrictEqual(
        seen.filter(({ _tag }) => !_tag.startsWith("Attempt") && !_tag.startsWith("Call")).map((event) => [
          event._tag,
          "attempt" in event ? event.attempt : undefined,
          "outcome" in event ? event.outcome : undefined
        ]),
        [
          ["JobEnqueued", undefined, undefined],
          ["JobStarted", 1, undefined],
          ["JobEnded", 1, "retrying"],
          ["JobStarted", 2, undefined],
          ["CacheHit", undefined, undefined],
          ["JobEnded", 2, "succeeded"]
        ]
      )
      const started = seen.flatMap((event) => event._tag === "JobStarted" ? [event.waitedMs] : [])
      assert.isTrue(started.every((ms) => ms >= 0 && ms < 10_000), String(started))
      const costs = seen.flatMap((event) => event._tag === "JobEnded" ? [event.usage.calls] : [])
      assert.deepStrictEqual(costs, [1, 0])
      assert.notInclude(JSON.stringify(seen), "PLANTED")
    }))
})

describe("the gauges of the store", () => {
  it.live("say how many jobs there are, and how long the oldest is due", () =>
    Effect.gen(function*() {
      const Wait = Job.make("wait", { payload: { n: Schema.Int }, queue: "slow" })
      const program = Effect.gen(function*() {
        yield* Job.enqueueMany(Wait, [{ n: 1 }, { n: 2 }], { priority: 5 })
        yield* Job.enqueue(Wait, { n: 3 }, { delay: "1 hour" })
        yield* Effect.sleep("60 millis")
        return yield* Effect.provide(PrometheusMetrics.format(), JobMetrics.layer())
      })
      const text = yield* program.pipe(
        Effect.provide(Sqlite.memory()),
        Effect.provideService(Metric.MetricRegistry, new Map())
      )
      const queue = "messaging_destination_name=\"slow\""
      assert.include(text, `effect_dspy_jobs{${queue},effect_dspy_job_state="queued"} 2\n`)
      assert.include(text, `effect_dspy_jobs{${queue},effect_dspy_job_state="scheduled"} 1\n`)
      const waited = Number(new RegExp(`oldest_pending\\{${queue}\\} (.*)`).exec(text)?.[1])
      assert.isTrue(waited >= 0.06 && waited < 60, String(waited))
    }))
})
