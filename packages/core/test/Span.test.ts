import { LM, Predict, Signature } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Schema, Tracer } from "effect"
import { TestClock } from "effect/testing"

const ask = Predict.make(Signature.make("Ask", { input: { text: Schema.String }, output: { answer: Schema.String } }))

/** A tracer that keeps the spans it makes. */
const recording = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { spans, layer: Layer.succeed(Tracer.Tracer, tracer) }
}

const { lm } = TestLM.make(() => ({ answer: "PLANTED-REPLY" }), { latency: "2 seconds" })
const wire = LM.wrap(lm, (request) => Effect.withSpan(lm.generate(request), "wire"))

describe("the span of a predictor call", () => {
  it.effect("is the parent of what happens in the call, and lasts as long", () =>
    Effect.gen(function*() {
      const { layer, spans } = recording()
      const fiber = yield* ask({ text: "PLANTED-PROMPT" }).pipe(
        Effect.provideService(LM, wire),
        Effect.provide(layer),
        Effect.forkChild
      )
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(spans.map((span) => span.name), ["chat scripted", "wire"])
      const [call, request] = spans
      assert.strictEqual(Option.getOrUndefined(request?.parent ?? Option.none())?.spanId, call?.spanId)
      const status = call?.status
      assert.strictEqual(status?._tag, "Ended")
      if (status?._tag === "Ended") assert.strictEqual(Number(status.endTime - status.startTime) / 1e9, 2)
      const seen = JSON.stringify(spans.map((span) => [...span.attributes]))
      assert.notInclude(seen, "PLANTED")
      assert.include(seen, "Ask")
    }))

  it.effect("is not made when nobody traces", () =>
    Effect.gen(function*() {
      const before = yield* Effect.option(Effect.currentSpan)
      const inside = yield* Effect.provideService(
        ask({ text: "x" }),
        LM,
        LM.make({
          provider: "p",
          model: "m",
          generate: () =>
            Effect.map(Effect.option(Effect.currentSpan), (span) => ({
              content: [{ type: "text", text: JSON.stringify({ answer: String(Option.isSome(span)) }) }],
              finishReason: "stop",
              usage: { calls: 1 },
              provider: "p",
              model: "m"
            }))
        })
      )
      assert.deepStrictEqual([Option.isSome(before), inside.answer], [false, "false"])
    }))
})
