import { Completion, LM, LMErrorReason, Message, Predict, Signature } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import { timed } from "./support.ts"

const ask = (text = "hello") => LM.generate({ messages: [Message.user(text)] })

/** The texts that a script answers to as many requests. */
const texts = (script: TestLM.Script, count: number) =>
  Effect.gen(function*() {
    const completions = yield* Effect.forEach(Array.from({ length: count }), () => ask())
    return completions.map((completion) => Completion.text(completion))
  }).pipe(Effect.provide(TestLM.layer(script)))

/** The message a fiber died with. */
const defect = <A, E>(self: Effect.Effect<A, E>) =>
  Effect.map(Effect.exit(self), (exit) => Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "it lives")

describe("a script", () => {
  it.effect("is a list: one reply after the other, text as it is and outputs as JSON", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* texts(["one", { two: [2] }, ""], 3), ["one", "{\"two\":[2]}", ""])
    }))

  it.effect("is a function of the request", () =>
    Effect.gen(function*() {
      const echo = TestLM.layer((request) => `you said ${Message.text(request.messages[0])}`)
      const completion = yield* Effect.provide(ask("hi"), echo)
      assert.deepStrictEqual(completion, {
        content: [{ type: "text", text: "you said hi" }],
        finishReason: "stop",
        usage: { calls: 1 },
        provider: "test",
        model: "scripted"
      })
    }))

  it.effect("goes by signature name: a list, a function or one reply for all", () =>
    Effect.gen(function*() {
      const predictor = (name: string) =>
        Predict.make(Signature.make(name, { input: { n: Schema.Int }, output: { text: Schema.String } }))
      const script = TestLM.layer({
        List: [{ text: "first" }, { text: "second" }],
        Function: (request) => ({ text: `number ${request.call?.input.n}` }),
        Same: { text: "same" },
        Text: "{\"text\": \"as text\"}"
      })
      const names = ["List", "Same", "Function", "List", "Text", "Same"]
      const outputs = yield* Effect.forEach(names, (name, n) => predictor(name)({ n })).pipe(Effect.provide(script))
      assert.deepStrictEqual(
        outputs.map((output) => output.text),
        ["first", "same", "number 2", "second", "as text", "same"]
      )
    }))

  it.effect("has replies of other kinds", () =>
    Effect.gen(function*() {
      const own: Partial<Completion.Completion> = {
        content: [{ type: "reasoning", text: "hm" }],
        usage: { calls: 1, inputTokens: 5 },
        finishReason: "other"
      }
      const [cut, whole] = yield* Effect.all([ask(), ask()]).pipe(
        Effect.provide(TestLM.layer([TestLM.truncated("{"), TestLM.completion(own)], { provider: "p", model: "m" }))
      )
      assert.deepInclude(cut, { content: [{ type: "text", text: "{" }], finishReason: "length" })
      assert.deepStrictEqual(whole, {
        content: [{ type: "reasoning", text: "hm" }],
        usage: { calls: 1, inputTokens: 5 },
        finishReason: "other",
        provider: "p",
        model: "m"
      })
    }))

  it.effect("begins anew with each build of the layer", () =>
    Effect.gen(function*() {
      const script = ["one"]
      assert.deepStrictEqual(yield* texts(script, 1), ["one"])
      assert.deepStrictEqual(yield* texts(script, 1), ["one"])
    }))
})

describe("a script that does not fit the test", () => {
  it.effect("dies when its replies are used up, and says how many there were", () =>
    Effect.gen(function*() {
      assert.include(yield* defect(texts(["one"], 2)), "the script has 1 replies, request 2 came")
    }))

  it.effect("dies when it has no answer for a signature, and says for which", () =>
    Effect.gen(function*() {
      assert.include(
        yield* defect(texts({ Ask: "x", Tell: "y" }, 1)),
        "no answer for signature (none); there are Ask, Tell"
      )
      const other = Predict.make(Signature.make("Other", { input: {}, output: { text: Schema.String } }))
      assert.include(
        yield* defect(Effect.provide(other({}), TestLM.layer({ Ask: "x" }))),
        "no answer for signature Other"
      )
    }))
})

describe("faults", () => {
  it.effect("are LMErrorReasons, in the name of the test's provider", () =>
    Effect.gen(function*() {
      const script = TestLM.layer([new LMErrorReason.Overloaded({}), "ok"], { provider: "p", model: "m" })
      const [error, completion] = yield* Effect.all([Effect.flip(ask()), ask()]).pipe(Effect.provide(script))
      assert.deepInclude(error, { _tag: "LMError", provider: "p", model: "m" })
      assert.strictEqual(error.reason._tag, "Overloaded")
      assert.deepStrictEqual(completion.content, [{ type: "text", text: "ok" }])
    }))

  it.effect("may take their time", () =>
    Effect.gen(function*() {
      const script = TestLM.layer([TestLM.after("3 seconds", new LMErrorReason.StreamCut({}))])
      const { exit, ms } = yield* timed(Effect.provide(ask(), script))
      assert.strictEqual((yield* Effect.flip(exit)).reason._tag, "StreamCut")
      assert.strictEqual(ms, 3000)
    }))
})

describe("latency", () => {
  it.effect("passes on the Clock, before the delay of a reply", () =>
    Effect.gen(function*() {
      const script = TestLM.layer([
        "a",
        TestLM.after("5 seconds", "b"),
        TestLM.after("1 second", TestLM.truncated("c"))
      ], {
        latency: "2 seconds"
      })
      const { exit, ms } = yield* timed(Effect.all([timedCall, timedCall, timedCall]).pipe(Effect.provide(script)))
      assert.deepStrictEqual(yield* exit, [2000, 7000, 3000])
      assert.strictEqual(ms, 12_000)
    }))

  it.effect("may depend on the request", () =>
    Effect.gen(function*() {
      const script = TestLM.layer(() => "x", {
        latency: (request) => request.messages[0]?.content === "slow" ? 900 : 100
      })
      const { ms } = yield* timed(Effect.provide(Effect.andThen(ask("slow"), ask("fast")), script))
      assert.strictEqual(ms, 1000)
    }))

  it.effect("of none hands over to no other fiber", () =>
    Effect.gen(function*() {
      let turns = 0
      const fiber = yield* Effect.forkChild(Effect.forever(Effect.andThen(Effect.sync(() => turns++), Effect.yieldNow)))
      const before = turns
      yield* Effect.provide(ask(), TestLM.layer(["x"]))
      assert.strictEqual(turns, before)
      yield* Fiber.interrupt(fiber)
    }))

  const timedCall = Effect.gen(function*() {
    const clock = yield* Effect.clockWith(Effect.succeed)
    const start = clock.currentTimeMillisUnsafe()
    yield* ask()
    return clock.currentTimeMillisUnsafe() - start
  })
})

describe("the recorder", () => {
  it.effect("counts what started, finished, failed, was interrupted and is in flight", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([
        TestLM.after("1 second", "a"),
        TestLM.after("2 seconds", new LMErrorReason.Overloaded({})),
        TestLM.never,
        TestLM.after("4 seconds", "d")
      ])
      const counts = () => {
        const { failed, finished, inFlight, interrupted, maxInFlight, started } = recorder
        return [started, finished, failed, interrupted, inFlight, maxInFlight]
      }
      assert.deepStrictEqual(counts(), [0, 0, 0, 0, 0, 0])
      const call = Effect.provideService(Effect.exit(ask()), LM, lm)
      const fiber = yield* Effect.forkChild(Effect.all([call, call, call], { concurrency: 3 }))
      yield* Effect.yieldNow
      assert.deepStrictEqual(counts(), [3, 0, 0, 0, 3, 3])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(counts(), [3, 1, 0, 0, 2, 3])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(counts(), [3, 1, 1, 0, 1, 3])
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(counts(), [3, 1, 1, 1, 0, 3])
      yield* timed(call)
      assert.deepStrictEqual(counts(), [4, 2, 1, 1, 0, 3])
    }))

  it.effect("keeps the requests in the order they came, settings merged", () =>
    Effect.gen(function*() {
      const requests = yield* Effect.gen(function*() {
        yield* LM.withSettings({ seed: 1 })(ask("a"))
        yield* ask("b")
        return (yield* TestLM.TestLM).requests
      }).pipe(Effect.provide(TestLM.layer(() => "x")))
      assert.deepStrictEqual(requests.map((request) => request.messages[0]?.content), ["a", "b"])
      assert.deepStrictEqual(requests.map((request) => request.settings), [{ seed: 1 }, {}])
    }))

  it.effect("does not count a request twice, nor one in flight for ever, wherever it is interrupted", () =>
    Effect.gen(function*() {
      for (let before = 0; before < 40; before++) {
        const { lm, recorder } = TestLM.make(() => TestLM.never)
        let call: Effect.Effect<unknown, unknown> = lm.generate({
          messages: [],
          output: { _tag: "Text" },
          settings: {}
        })
        for (let i = 0; i < before; i++) {
          const inner = call
          call = Effect.suspend(() => inner)
        }
        const fiber = Effect.runFork(Effect.provideService(call, References.MaxOpsBeforeYield, 20))
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(recorder.inFlight, 0)
        assert.strictEqual(recorder.started, recorder.interrupted)
      }
    }))
})
