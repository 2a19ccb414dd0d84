import { LM, LMErrorReason, Predict, Signature, Trace } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { Pipeline } from "@effect-dspy/pipelines"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"

const text = Schema.String

const predictor = <const I extends Signature.Fields, const O extends Signature.Fields>(
  name: string,
  input: I,
  output: O & { readonly [K in keyof I]?: never }
) => Predict.make(Signature.make<string, I, O>(name, { input, output }))

/** The article's job; the answers of its first stage have a tail that nobody waits for. */
const steps = {
  title: predictor("Title", { content: text }, { title: text, subtitle: text }),
  keywords: predictor("Keywords", { content: text }, { keywords: Schema.Array(text), remarks: text }),
  category: predictor("Category", { content: text }, { category: text, why: text }),
  summarize: predictor("Summarize", { content: text, title: text, keywords: Schema.Array(text) }, { summary: text }),
  quality: predictor("Quality", { content: text, title: text, category: text }, { score: Schema.Int })
}

const Whole = Pipeline.make("Document", { input: { content: text }, steps })
const Streaming = Pipeline.make("Document", { input: { content: text }, steps, streaming: true })

/** Two seconds: the first field is complete after 1.5, the second one is the tail. */
const answer = (first: string, second: string) =>
  TestLM.streamed(["{", "", `${first},`, `${second}}`], { interval: "500 millis" })

const title = answer("\"title\": \"T\"", "\"subtitle\": \"S\"")

const answers = {
  Title: title,
  Keywords: answer("\"keywords\": [\"k\"]", "\"remarks\": \"R\""),
  Category: answer("\"category\": \"C\"", "\"why\": \"W\""),
  Summarize: TestLM.after("3 seconds", { summary: "Short." }),
  Quality: TestLM.after("2 seconds", { score: 4 })
}

const output = {
  title: "T",
  subtitle: "S",
  keywords: ["k"],
  remarks: "R",
  category: "C",
  why: "W",
  summary: "Short.",
  score: 4
}

const timed = <A, E>(self: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(
      Effect.flatMap(self, (value) => Effect.map(Clock.currentTimeMillis, (ms) => ({ value, ms })))
    )
    const start = yield* Clock.currentTimeMillis
    yield* TestClock.adjust("1 hour")
    const { ms, value } = yield* Fiber.join(fiber)
    return { value, ms: ms - start }
  })

const run = (pipeline: typeof Whole, script: TestLM.Script = answers) =>
  timed(pipeline({ content: "..." }).pipe(Trace.collect, Effect.provide(TestLM.layer(script).pipe(LM.retry()))))

describe("a pipeline that streams", () => {
  it.effect("is faster by exactly the tail that nobody waits for", () =>
    Effect.gen(function*() {
      const whole = yield* run(Whole)
      assert.deepStrictEqual(whole.value[0], output)
      assert.strictEqual(whole.ms, 5000)
      const streaming = yield* run(Streaming)
      assert.deepStrictEqual(streaming.value[0], output)
      assert.strictEqual(streaming.ms, 4500)
    }))

  it("has the shorter path in its plan", () => {
    const early = (field: string) => ({ total: "2 seconds", fields: { [field]: "1500 millis" } }) as const
    const durations = {
      title: early("title"),
      keywords: early("keywords"),
      category: early("category"),
      summarize: "3 seconds",
      quality: "2 seconds"
    } as const
    assert.strictEqual(Pipeline.plan(Whole, durations).criticalPath.millis, 5000)
    assert.deepStrictEqual(Pipeline.plan(Streaming, durations).criticalPath, {
      steps: ["title", "summarize"],
      millis: 4500
    })
  })

  it.effect("keeps a field that was handed on, when its reply is of no use in the end", () =>
    Effect.gen(function*() {
      const again = TestLM.after("1 second", { title: "Another", subtitle: "S" })
      const { ms, value: [result, events] } = yield* run(Streaming, {
        ...answers,
        Title: [answer("\"title\": \"T\"", "\"subtitle\": 7"), again]
      })
      assert.deepStrictEqual(result, output)
      assert.strictEqual(ms, 4500)
      const summarize = events.find((event) => event.name === "summarize")
      assert.strictEqual(summarize?.input.title, "T")
      assert.strictEqual(events.find((event) => event.name === "title")?.attempts, 2)
    }))

  it.effect("keeps it as well when the reply breaks off and is asked for again", () =>
    Effect.gen(function*() {
      const cut = TestLM.streamed(["{", "\"title\": \"T\","], { reply: new LMErrorReason.StreamCut() })
      const { value: [result] } = yield* run(Streaming, {
        ...answers,
        Title: [cut, TestLM.after("1 second", { title: "Another", subtitle: "S" })]
      })
      assert.deepStrictEqual(result, output)
    }))

  it.effect("does not hand on what is no value of its field", () =>
    Effect.gen(function*() {
      const { ms, value: [result] } = yield* run(Streaming, {
        ...answers,
        Keywords: [
          answer("\"keywords\": \"k\"", "\"remarks\": \"R\""),
          TestLM.after("1 second", { keywords: ["k"], remarks: "R" })
        ]
      })
      assert.deepStrictEqual(result, output)
      // The summary waits for the second answer.
      assert.strictEqual(ms, 2000 + 1000 + 3000)
    }))
})
