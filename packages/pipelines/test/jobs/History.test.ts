/**
 * What a job tells of its runs, while it runs and afterwards.
 */
import { Embedder, Predict, ReAct, Signature, Step, Tool } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { Pipeline } from "@effect-dspy/pipelines"
import { History, Job, Jobs, Worker } from "@effect-dspy/pipelines/jobs"
import { assert } from "@effect/vitest"
import { Deferred, Effect, Layer, Schedule, Schema, Tracer } from "effect"
import { SqlClient } from "effect/sql"
import { onEveryEngine } from "./engines.ts"

const Title = Signature.make("Title", { input: { text: Schema.String }, output: { title: Schema.String } })
const title = Predict.make(Title)
const shout = Step.make("Shout", {
  input: { title: Schema.String },
  output: { loud: Schema.String },
  run: ({ title }) => Effect.succeed({ loud: title.toUpperCase() })
})
const pipeline = Pipeline.make("Document", { input: { text: Schema.String }, steps: { title, shout } })
const secret = "the words nobody may read"

const historyOf = (id: string) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const [row] = yield* sql<{ readonly history: string | null }>`
      SELECT history FROM effect_dspy_jobs WHERE id = ${id}`
    assert.notInclude(row?.history ?? "", secret)
    return yield* History.read(row?.history ?? null)
  })

const until = <A, E, R>(self: Effect.Effect<A, E, R>, holds: (value: A) => boolean) =>
  Effect.repeat(Effect.delay(self, "20 millis"), { until: holds })

onEveryEngine("history", (test) => {
  test("runs, steps and calls are told while they go on and when they have ended", (store) =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let runs = 0
      const traces: Array<string> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          if (span.name.startsWith("send")) traces.push(span.traceId)
          return span
        }
      })
      const Work = Job.make("work", { payload: { text: Schema.String }, retry: Schedule.spaced("10 millis") })
      const handler = Work.toLayer(({ text }) =>
        Effect.gen(function*() {
          yield* pipeline({ text })
          if (++runs === 1) return yield* Effect.fail(new Error(secret))
          yield* Deferred.await(gate)
        })
      )
      const Live = Worker.layer([handler], { queues: { default: 1 }, drain: 0 }).pipe(
        Layer.provide(TestLM.layer([{ title: secret }])),
        Layer.provideMerge(store)
      )
      yield* Effect.gen(function*() {
        const jobs = yield* Jobs
        const id = yield* Job.enqueue(Work, { text: secret })
        const meanwhile = yield* until(
          historyOf(id),
          (runs) => runs.length === 2 && (runs[1]?.entries.length ?? 0) >= 4
        )
        assert.deepInclude(meanwhile[0], { attempt: 1, outcome: "retrying", error: "Error", usage: { calls: 1 } })
        const [run, step, call, ...others] = meanwhile[0]?.entries ?? []
        assert.deepInclude(run, { kind: "run", name: "Document", outcome: "succeeded" })
        assert.deepInclude(step, { kind: "step", name: "title", within: 0, outcome: "succeeded" })
        assert.deepInclude(call, { kind: "call", name: "title", within: 1, sent: 1, usage: { calls: 1 } })
        assert.deepEqual(others.map(({ kind, name }) => `${kind} ${name}`), ["step shout"])
        // The second run found the answer of the first.
        assert.isUndefined(meanwhile[1]?.outcome)
        assert.deepInclude(meanwhile[1]?.entries[2], { kind: "call", kept: true, usage: { calls: 0 } })
        assert.isDefined((yield* jobs.list({ state: "running" }))[0]?.startedAt)
        yield* Deferred.succeed(gate, undefined)
        yield* Job.result(Work, id)
        const [, last] = yield* historyOf(id)
        assert.deepInclude(last, { attempt: 2, outcome: "succeeded" })
        // Both runs belong to the trace in which the job was sent.
        assert.deepEqual((yield* historyOf(id)).map(({ trace }) => trace), [...traces, ...traces])
        assert.lengthOf(traces, 1)
        assert.isAtLeast(last?.ms ?? 0, 0)
      }).pipe(Effect.provide(Live), Effect.provideService(Tracer.Tracer, tracer))
    }))

  test("vectors are told of like calls, and are no request of the call they are asked for in", (store) =>
    Effect.gen(function*() {
      const search = Tool.make("search", {
        description: "Finds passages.",
        parameters: { query: Schema.String },
        success: Schema.String,
        run: ({ query }) => Effect.map(Embedder.embed(query), (vector) => `${vector.length} found`)
      })
      const agent = ReAct.make(Title, { tools: [search] })
      const Work = Job.make("embed", { payload: { text: Schema.String } })
      const embedder = Embedder.make({
        provider: "test",
        model: "vectors",
        embedMany: (texts) =>
          Effect.succeed({ vectors: texts.map(() => Float32Array.of(1)), usage: { inputTokens: texts.length } })
      })
      const Live = Worker.layer([Work.toLayer(({ text }) => Effect.asVoid(agent({ text })))], {
        queues: { default: 1 },
        drain: 0
      }).pipe(
        Layer.provide(TestLM.layer([TestLM.calls(["search", { query: secret }]), { title: "t" }])),
        Layer.provide(Layer.succeed(Embedder.Embedder, embedder)),
        Layer.provideMerge(store)
      )
      yield* Effect.gen(function*() {
        const id = yield* Job.enqueue(Work, { text: secret })
        yield* Job.result(Work, id)
        const [run] = yield* historyOf(id)
        const calls = run?.entries.filter(({ kind }) => kind === "call")
        assert.deepEqual(calls?.map(({ model, name, outcome, sent, usage }) => [name, model, outcome, sent, usage]), [
          ["Title", "scripted", "succeeded", 2, { calls: 2 }],
          ["embeddings", "vectors", "succeeded", undefined, { calls: 1, inputTokens: 1 }]
        ])
      }).pipe(Effect.provide(Live))
    }))

  test("a run that is handed back says so, and the next one goes on after it", (store) =>
    Effect.gen(function*() {
      const Slow = Job.make("slow", { payload: {} })
      const id = yield* Job.enqueue(Slow, {})
      const run = (handler: Effect.Effect<void>) =>
        Layer.build(Worker.layer([Slow.toLayer(() => handler)], { queues: { default: 1 }, drain: 0 }))
      yield* Effect.scoped(Effect.andThen(run(Effect.never), until(historyOf(id), (runs) => runs.length === 1)))
      assert.deepEqual((yield* historyOf(id)).map(({ outcome }) => outcome), ["returned"])
      yield* Effect.scoped(Effect.andThen(run(Effect.void), Job.result(Slow, id)))
      assert.deepEqual((yield* historyOf(id)).map(({ attempt, outcome }) => [attempt, outcome]), [
        [1, "returned"],
        [1, "succeeded"]
      ])
    }).pipe(Effect.provide(store)))
})
