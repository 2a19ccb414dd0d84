import { Completion, Identity, LM, LMErrorReason, Request, Usage } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Layer, Schedule, Stream } from "effect"
import { mood, timed } from "./support.ts"

const ask = LM.generate({ messages: [{ role: "user", content: "hello" }] })
const overloaded = new LMErrorReason.Overloaded({})

/** Test LMs by name, all in one row. */
const row = (scripts: { readonly [model: string]: TestLM.Script }) =>
  Object.entries(scripts).map(([model, script]) => TestLM.make(script, { model }))

const row2 = (first: TestLM.Script, second: TestLM.Script) => {
  const [a, b] = [TestLM.make(first, { model: "first" }), TestLM.make(second, { model: "second" })]
  const Live = (options?: LM.FallbackOptions) =>
    Layer.succeed(LM, a.lm).pipe(
      LM.retry({ schedule: Schedule.spaced("1 second") }),
      LM.fallback([Layer.succeed(LM, b.lm).pipe(LM.retry({ schedule: Schedule.spaced("1 second") }))], options)
    )
  return { a: a.recorder, b: b.recorder, Live }
}

describe("LM.fallback", () => {
  it.effect("asks the next model for what speaks of this one, and nobody for what is final", () =>
    Effect.gen(function*() {
      const reasons: ReadonlyArray<readonly [LMErrorReason.Reason, boolean]> = [
        [overloaded, true],
        [new LMErrorReason.RateLimited({}), true],
        [new LMErrorReason.QuotaExhausted({}), true],
        [new LMErrorReason.Authentication({}), true],
        [new LMErrorReason.ModelNotFound({}), true],
        [new LMErrorReason.ContextTooLong({}), true],
        [new LMErrorReason.Unsupported({ feature: "images" }), true],
        [new LMErrorReason.Timeout({ kind: "attempt", limit: Duration.seconds(1) }), true],
        [new LMErrorReason.Timeout({ kind: "total", limit: Duration.seconds(1) }), false],
        [new LMErrorReason.Refused({}), false],
        [new LMErrorReason.BudgetExceeded({ limit: "1 USD", spent: 1 }), false]
      ]
      for (const [reason, goes] of reasons) {
        const { Live, a, b } = row2(() => reason, ["ok"])
        yield* timed(Effect.provide(ask, Live()))
        assert.strictEqual(a.started > 0, true)
        assert.strictEqual(b.started, goes ? 1 : 0, reason._tag)
      }
    }))

  it.effect("keeps a request for the models behind, whatever the first one's retries would take", () =>
    Effect.gen(function*() {
      for (const attempts of [1, 2, 3, 5]) {
        const { Live, a, b } = row2(() => overloaded, () => overloaded)
        const { exit } = yield* timed(
          Usage.track(Effect.flip(ask)).pipe(Effect.provide(Live()), LM.withSettings({ attempts }))
        )
        const [error, usage] = yield* exit
        assert.strictEqual(error.model, attempts === 1 ? "first" : "second")
        assert.deepStrictEqual([a.started, b.started], attempts === 1 ? [1, 0] : [attempts - 1, 1])
        assert.strictEqual(usage.calls, attempts)
      }
    }))

  it.effect("the last model has what is left", () =>
    Effect.gen(function*() {
      const { Live, a, b } = row2([new LMErrorReason.Authentication({})], [overloaded, overloaded, "ok"])
      const { exit } = yield* timed(Effect.provide(ask, Live()).pipe(LM.withSettings({ attempts: 4 })))
      assert.strictEqual((yield* exit).model, "second")
      assert.deepStrictEqual([a.started, b.started], [1, 3])
    }))

  it.effect("does not wait longer than its patience while another model stands ready", () =>
    Effect.gen(function*() {
      const limited = new LMErrorReason.RateLimited({ retryAfter: Duration.seconds(60) })
      const hasty = row2([limited], ["ok"])
      const first = yield* timed(Effect.provide(ask, hasty.Live()))
      assert.strictEqual(first.ms, 0)
      assert.deepStrictEqual([hasty.a.started, hasty.b.started], [1, 1])
      const patient = row2([limited, "ok"], [])
      const second = yield* timed(Effect.provide(ask, patient.Live({ patience: "2 minutes" })))
      assert.isTrue(Exit.isSuccess(second.exit))
      assert.strictEqual(second.ms, 60_000)
    }))

  it.effect("goes along a row of models, each with its own wishes", () =>
    Effect.gen(function*() {
      const [a, b, c] = row({ a: () => overloaded, b: () => new LMErrorReason.Refused({}), c: ["ok"] })
      assert.isDefined(a)
      assert.isDefined(b)
      assert.isDefined(c)
      const lm = yield* LM.decorator.fallback([b.lm, c.lm], { when: () => true })(a.lm)
      assert.strictEqual((yield* Effect.provideService(ask, LM, lm)).model, "c")
    }))

  it.effect("a re-ask begins with the first model again, on the same budget", () =>
    Effect.gen(function*() {
      const { Live, a, b } = row2(["garbage", overloaded], [{ label: "pos", score: 1 }])
      const { exit } = yield* timed(
        mood({ text: "hi" }).pipe(
          Effect.provide(Live()),
          LM.withSettings({ attempts: 3 })
        )
      )
      assert.isTrue(Exit.isSuccess(exit))
      assert.deepStrictEqual([a.started, b.started], [2, 1])
    }))

  it.effect("a stream tells its reader that the parts of the first model are void", () =>
    Effect.gen(function*() {
      const { Live } = row2([TestLM.streamed(["Hel"], { reply: new LMErrorReason.StreamCut() })], ["Good day"])
      const parts = LM.stream({ messages: [] }).pipe(
        Stream.map((part) => part.type === "text" ? part.text : part.type),
        Stream.runCollect,
        LM.withSettings({ attempts: 2 }),
        Effect.provide(Live())
      )
      const { exit } = yield* timed(parts)
      assert.deepStrictEqual(yield* exit, ["Hel", "restart", "Good day", "finish"])
    }))

  it.effect("is another question to a cache than the first model alone", () =>
    Effect.gen(function*() {
      const [a, b] = row({ a: [], b: [] })
      assert.isDefined(a)
      assert.isDefined(b)
      const both = yield* LM.decorator.fallback([b.lm])(a.lm)
      const request: LM.Request = { messages: [], output: Request.text, settings: {} }
      assert.notStrictEqual(Identity.of(a.lm, request), Identity.of(both, request))
    }))

  it.effect("layers are built once, and bring their own needs and failures", () =>
    Effect.gen(function*() {
      class Key extends Context.Service<Key, string>()("test/Key") {}
      class Missing {
        readonly _tag = "Missing"
      }
      let builds = 0
      const Other = Layer.effect(
        LM,
        Effect.map(Key, (key) => {
          builds++
          return TestLM.make(() => key).lm
        })
      )
      const Bad: Layer.Layer<LM, Missing> = Layer.effect(LM, Effect.fail(new Missing()))
      const Live = TestLM.layer(() => overloaded).pipe(LM.fallback([Other]))
      const calls = Effect.all([ask, ask, ask], { concurrency: 3 })
      const answers = yield* calls.pipe(Effect.provide(Live.pipe(Layer.provide(Layer.succeed(Key, "k")))))
      assert.deepStrictEqual(answers.map(Completion.text), ["k", "k", "k"])
      assert.strictEqual(builds, 1)
      // Both types are seen.
      const both: Effect.Effect<unknown, unknown, Key> = Effect.provide(
        ask,
        TestLM.layer([]).pipe(LM.fallback([Other, Bad]))
      )
      const error = yield* Effect.flip(Effect.provideService(both, Key, "k"))
      assert.instanceOf(error, Missing)
    }))
})
