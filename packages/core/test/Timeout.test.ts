import { Completion, LM, LMErrorReason } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schedule, Stream } from "effect"
import { timed } from "./support.ts"

const ask = LM.generate({ messages: [{ role: "user", content: "hello" }] })

/** Runs one call under limits; says how it ended, when, and what became of the request. */
const limited = (script: TestLM.Script, limits: LM.TimeoutOptions) =>
  Effect.gen(function*() {
    const { lm, recorder } = TestLM.make(script)
    const result = yield* timed(Effect.provide(ask, Layer.succeed(LM, lm).pipe(LM.timeout(limits))))
    return { ...result, recorder }
  })

const pieces = (count: number, interval: number, reply?: TestLM.Reply) =>
  TestLM.streamed(Array.from({ length: count }, () => "a"), {
    interval,
    ...(reply === undefined ? undefined : { reply })
  })

describe("LM.timeout, firstToken and betweenTokens", () => {
  it.effect("a model that says nothing is given up, and its request interrupted", () =>
    Effect.gen(function*() {
      const { exit, ms, recorder } = yield* limited([TestLM.never], { firstToken: 1000 })
      const error = yield* Effect.flip(exit)
      assert.deepInclude(error.reason, { _tag: "Timeout", kind: "firstToken" })
      assert.isTrue(error.isRetryable)
      assert.strictEqual(ms, 1000)
      assert.deepInclude(recorder, { interrupted: 1, inFlight: 0 })
    }))

  it.effect("one that writes for long is not", () =>
    Effect.gen(function*() {
      const { exit, ms } = yield* limited([pieces(100, 900)], { firstToken: 1000, betweenTokens: 1000 })
      assert.strictEqual(Completion.text(yield* exit).length, 100)
      assert.strictEqual(ms, 90_000)
    }))

  it.effect("one that stops in the middle is given up after the last part", () =>
    Effect.gen(function*() {
      for (const limits of [{ betweenTokens: 1000 }, { firstToken: 5000, betweenTokens: 1000 }]) {
        const { exit, ms } = yield* limited([pieces(3, 700, TestLM.never)], limits)
        assert.deepInclude((yield* Effect.flip(exit)).reason, { _tag: "Timeout", kind: "betweenTokens" })
        assert.strictEqual(ms, 2100 + 1000)
      }
    }))

  it.effect("a late first part is no matter of betweenTokens, nor a pause of firstToken", () =>
    Effect.gen(function*() {
      const late = yield* limited([TestLM.after(5000, pieces(2, 100))], { betweenTokens: 1000 })
      assert.isTrue(Exit.isSuccess(late.exit))
      const pausing = LM.make({
        provider: "p",
        model: "m",
        generate: (_request, emit = () => Effect.void) =>
          emit([{ type: "text", text: "a" }]).pipe(
            Effect.andThen(Effect.sleep("5 seconds")),
            Effect.as({
              content: [{ type: "text", text: "a" }],
              finishReason: "stop",
              usage: { calls: 1 },
              provider: "p",
              model: "m"
            })
          )
      })
      const Live = Layer.succeed(LM, pausing).pipe(LM.timeout({ firstToken: 1000 }))
      assert.isTrue(Exit.isSuccess((yield* timed(Effect.provide(ask, Live))).exit))
    }))

  it.effect("the limit of the attempt holds beside them", () =>
    Effect.gen(function*() {
      const { exit, ms } = yield* limited([pieces(100, 900)], { attempt: 10_000, betweenTokens: 1000 })
      assert.deepInclude((yield* Effect.flip(exit)).reason, { kind: "attempt" })
      assert.strictEqual(ms, 10_000)
    }))

  it.effect("the time a slow reader takes does not count", () =>
    Effect.gen(function*() {
      const Live = TestLM.layer([pieces(200, 10)]).pipe(LM.timeout({ firstToken: 1000, betweenTokens: 1000 }))
      const read = LM.stream({ messages: [] }).pipe(
        Stream.tap(() => Effect.sleep("3 seconds")),
        Stream.runCount,
        Effect.provide(Live)
      )
      const { exit } = yield* timed(read)
      assert.strictEqual(yield* exit, 201)
    }))

  it.effect("the next attempt is measured anew, and a reader is told that the parts are void", () =>
    Effect.gen(function*() {
      const Live = TestLM.layer([pieces(1, 700, TestLM.never), pieces(2, 700)]).pipe(
        LM.timeout({ firstToken: 1000, betweenTokens: 1000 }),
        LM.retry({ schedule: Schedule.spaced("1 second") })
      )
      const read = LM.stream({ messages: [] }).pipe(
        Stream.map((part) => part.type === "text" ? part.text : part.type),
        Stream.runCollect,
        Effect.provide(Live)
      )
      const { exit } = yield* timed(read)
      assert.deepStrictEqual(yield* exit, ["a", "restart", "a", "a", "finish"])
    }))

  it.effect("a failure that comes in time is the failure", () =>
    Effect.gen(function*() {
      const { exit, ms } = yield* limited([TestLM.after(500, new LMErrorReason.Overloaded({}))], { firstToken: 1000 })
      assert.strictEqual((yield* Effect.flip(exit)).reason._tag, "Overloaded")
      assert.strictEqual(ms, 500)
    }))
})
