import { JsonAdapter, LM, Message, Predict, Request, Signature, Trace, TwoStep } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"

const Judge = Signature.make("Judge", {
  instructions: "Judge the review.",
  input: { review: Schema.String },
  output: { stars: Schema.Int, why: Schema.String.annotate({ description: "the reason" }) }
})

describe("TwoStep", () => {
  it.effect("asks in plain words, and reads the fields out of them", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const [output, events] = yield* Trace.collect(TwoStep.make(Judge)({ review: "warm" }))
        return { output, events, requests: (yield* TestLM.TestLM).requests }
      })
      const { events, output, requests } = yield* Effect.provide(
        program,
        TestLM.layer(["Four stars, it was warm.", { stars: 4, why: "warm" }])
      )
      assert.deepStrictEqual(output, { stars: 4, why: "warm" })
      assert.deepStrictEqual(events.map((event) => event.path), ["Judge/answer", "Judge/extract"])
      assert.deepStrictEqual(requests.map((request) => request.output._tag), ["Text", "Json"])
      assert.strictEqual(
        Message.text(requests[0]?.messages[0]),
        "Judge the review.\n\nYour answer must tell: stars (integer), why (the reason)."
      )
      assert.include(Message.text(requests[1]?.messages[1]), "Four stars, it was warm.")
    }))

  it.effect("may extract on another model", () =>
    Effect.gen(function*() {
      const small = TestLM.make([{ stars: 4, why: "warm" }])
      const judge = TwoStep.make(Judge, { extractWith: Effect.provideService(LM, small.lm) })
      yield* Effect.provide(judge({ review: "warm" }), TestLM.layer(["Four stars."]))
      assert.strictEqual(small.recorder.finished, 1)
    }))
})

it.effect("the compact JSON adapter tells types instead of a schema", () =>
  Effect.gen(function*() {
    const { lm, recorder } = TestLM.make([{ stars: 4, why: "warm" }])
    yield* Effect.provide(
      Predict.make(Judge, { adapter: JsonAdapter.compact })({ review: "x" }),
      Layer.succeed(LM, lm)
    )
    const [request] = recorder.requests
    if (request === undefined) return assert.fail("nothing was sent")
    assert.include(
      Message.text(Request.withInstruction(request).at(-1)),
      "of this type and nothing else:\n{\n  stars: integer\n  why: string # the reason\n}"
    )
  }))
