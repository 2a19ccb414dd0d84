import { LM, LMError, LMErrorReason, Message } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"

const ask = { messages: [Message.user("hello")] }

/** Parts as short words: what was written, and how it ended. */
const words = (part: LM.Part): string => {
  switch (part.type) {
    case "text":
    case "reasoning":
      return part.text
    case "finish":
      return `<${part.completion.content.map((one) => one.type === "text" ? one.text : one.type).join()}>`
    default:
      return part.type
  }
}

const read = LM.stream(ask).pipe(Stream.map(words), Stream.runCollect)

const retried = (script: TestLM.Script) => TestLM.layer(script).pipe(LM.retry())

describe("a streamed call", () => {
  it.effect("gives the parts as they come, then the whole", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const fiber = yield* Effect.forkChild(
        LM.stream(ask).pipe(
          Stream.runForEach((part) => Effect.sync(() => heard.push(words(part)))),
          Effect.provide(TestLM.layer([TestLM.streamed(["a", "b", "c"], { interval: "1 second" })]))
        )
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(heard, ["a"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(heard, ["a", "b"])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(heard, ["a", "b", "c", "<abc>"])
    }))

  it.effect("gives an answer that was not streamed in one piece", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Effect.provide(read, TestLM.layer(["whole"])), ["whole", "<whole>"])
    }))

  it.live("announces a new attempt after a cut one, and not after one that said nothing", () =>
    Effect.gen(function*() {
      const cut = TestLM.streamed(["x", "y"], { reply: new LMErrorReason.StreamCut() })
      const live = retried([new LMErrorReason.Overloaded({}), cut, TestLM.streamed(["o", "k"])])
      assert.deepStrictEqual(yield* Effect.provide(read, live), ["x", "y", "restart", "o", "k", "<ok>"])
    }), 20_000)

  it.live("announces a new attempt that is not streamed either", () =>
    Effect.gen(function*() {
      const cut = TestLM.streamed(["x"], { reply: new LMErrorReason.StreamCut() })
      assert.deepStrictEqual(yield* Effect.provide(read, retried([cut, "ok"])), ["x", "restart", "ok", "<ok>"])
    }), 20_000)

  it.effect("fails with the failure of the call", () =>
    Effect.gen(function*() {
      const layer = TestLM.layer([TestLM.streamed(["x"], { reply: new LMErrorReason.StreamCut() })])
      const failure = yield* Effect.flip(Effect.provide(read, layer))
      assert.strictEqual(failure.reason._tag, "StreamCut")
    }))

  it.effect("left early is interrupted", () =>
    Effect.gen(function*() {
      const script = [TestLM.streamed(["a", "b"], { reply: TestLM.never })]
      const { interrupted, parts } = yield* Effect.gen(function*() {
        const parts = yield* LM.stream(ask).pipe(Stream.take(2), Stream.map(words), Stream.runCollect)
        return { parts, interrupted: (yield* TestLM.TestLM).interrupted }
      }).pipe(Effect.provide(TestLM.layer(script)))
      assert.deepStrictEqual(parts, ["a", "b"])
      assert.strictEqual(interrupted, 1)
    }))

  it.effect("goes through middleware that answers by itself", () =>
    Effect.gen(function*() {
      const { lm } = TestLM.make(["unused"])
      const memo: LM.Middleware = () =>
        Effect.succeed({
          content: [{ type: "text", text: "kept" }],
          finishReason: "stop",
          usage: { calls: 1 },
          provider: "memo",
          model: "memo",
          replayed: true
        })
      const parts = yield* read.pipe(LM.around(memo), Effect.provide(Layer.succeed(LM, lm)))
      assert.deepStrictEqual(parts, ["kept", "<kept>"])
    }))

  it.effect("of two attempts side by side gives the parts of one", () =>
    Effect.gen(function*() {
      const slow = TestLM.streamed(["s1", "s2"], { interval: "2 seconds" })
      const fast = TestLM.streamed(["f1", "f2"], { interval: "3 seconds" })
      const { lm } = TestLM.make([slow, fast])
      // The slower one speaks first, and the other one wins.
      const second: LM.Decorator = (inner) =>
        Effect.succeed(LM.wrap(inner, (request) =>
          Effect.flatMap(
            Effect.all([inner.generate(request), inner.generate(request)], { concurrency: 2 }),
            ([, other]) => Effect.succeed(other)
          )))
      const fiber = yield* Effect.forkChild(
        read.pipe(LM.using(second), Effect.provide(Layer.succeed(LM, lm)))
      )
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["s1", "s2", "restart", "f1f2", "<f1f2>"])
    }))

  it.effect("is not read faster than its reader wants", () =>
    Effect.gen(function*() {
      const pieces = Array.from({ length: 1000 }, (_, index) => `${index} `)
      let emitted = 0
      const lm = LM.make({
        provider: "test",
        model: "counting",
        generate: (_, emit = () => Effect.void) =>
          Effect.as(
            Effect.forEach(pieces, (text) => {
              emitted++
              return emit([{ type: "text", text }])
            }, { concurrency: 1, discard: true }),
            {
              content: [{ type: "text" as const, text: pieces.join("") }],
              finishReason: "stop" as const,
              usage: { calls: 1 },
              provider: "test",
              model: "counting"
            }
          )
      })
      yield* LM.stream(ask).pipe(
        Stream.runForEach(() => Effect.never),
        Effect.timeoutOption("1 second"),
        Effect.forkChild,
        Effect.tap(() => TestClock.adjust("1 second")),
        Effect.flatMap(Fiber.join),
        Effect.provide(Layer.succeed(LM, lm))
      )
      assert.isBelow(emitted, 200)
    }))
})

describe("another way to ask", () => {
  it.effect("is tried at once and counted", () =>
    Effect.gen(function*() {
      const modes: Array<string | undefined> = []
      const lm = LM.make({
        provider: "test",
        model: "picky",
        generate: (request) => {
          const { output } = request
          modes.push(output._tag === "Json" ? output.mode : undefined)
          return output._tag === "Json" && output.mode === "json"
            ? Effect.succeed({
              content: [{ type: "text" as const, text: "{}" }],
              finishReason: "stop" as const,
              usage: { calls: 1 },
              provider: "test",
              model: "picky"
            })
            : Effect.fail(LMError.make("test", "picky", new LMErrorReason.InvalidRequest({ status: 400 })))
        },
        lesser: ({ output, ...request }) =>
          output._tag === "Json" && output.mode === undefined
            ? { ...request, output: { ...output, mode: "json" } }
            : undefined
      })
      const output = { _tag: "Json", name: "x", schema: {}, instruction: "" } as const
      const asked = LM.generate({ ...ask, output })
      yield* Effect.provide(asked, Layer.succeed(LM, lm))
      assert.deepStrictEqual(modes, [undefined, "json"])
      const failure = yield* Effect.flip(
        asked.pipe(LM.withSettings({ attempts: 1 }), Effect.provide(Layer.succeed(LM, lm)))
      )
      assert.strictEqual(failure.reason._tag, "BudgetExceeded")
    }))
})
