/**
 * How a program is tested without a model: the same program, another layer.
 *
 * `TestLM` answers what the test says, by signature, on a virtual clock: slow models and backoffs take no
 * time, and every request can be looked at afterwards.
 */
import { LM, LMErrorReason } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { DocumentPipeline } from "../src/main/DocumentPipeline.ts"

const answers = {
  Title: { title: "Tides" },
  Keywords: { keywords: ["moon", "sea"] },
  Category: { category: "science" },
  Summarize: { summary: "The moon moves the sea." },
  Quality: { reasoning: "Clear.", score: 0.9 }
}

describe("the document pipeline", () => {
  it.effect("passes title and keywords on to the summary", () =>
    Effect.gen(function*() {
      const result = yield* DocumentPipeline({ content: "Why the sea rises." })
      const { requests } = yield* TestLM.TestLM
      const summarize = requests.find((request) => request.call?.signature.name === "Summarize")
      assert.strictEqual(result.summary, "The moon moves the sea.")
      assert.deepStrictEqual(summarize?.call?.input, {
        content: "Why the sea rises.",
        title: "Tides",
        keywords: ["moon", "sea"]
      })
    }).pipe(Effect.provide(TestLM.layer(answers))))

  it.effect("asks again when a score is out of range", () =>
    Effect.gen(function*() {
      const result = yield* DocumentPipeline({ content: "Why the sea rises." })
      const { started } = yield* TestLM.TestLM
      assert.strictEqual(result.score, 0.9)
      assert.strictEqual(started, 6)
    }).pipe(Effect.provide(TestLM.layer({
      ...answers,
      Quality: [{ reasoning: "Splendid!", score: 11 }, { reasoning: "Clear.", score: 0.9 }]
    }))))

  it.effect("waits out a rate limit, and takes no real time for it", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(DocumentPipeline({ content: "Why the sea rises." }))
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).title, "Tides")
    }).pipe(Effect.provide(
      TestLM.layer({
        ...answers,
        Title: [new LMErrorReason.RateLimited({ retryAfter: Duration.seconds(30) }), answers.Title]
      }).pipe(LM.retry())
    )))
})
