import { Budget, LM, LMErrorReason, Message, Usage } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { timed } from "./support.ts"

// 40 bytes are taken for 10 tokens, and the answer for as many as it may have.
const ask = LM.generate({ messages: [Message.user("x".repeat(40))], settings: { maxTokens: 90 } })
const overloaded = new LMErrorReason.Overloaded({})

const answered = (inputTokens: number, outputTokens: number) =>
  TestLM.completion({ usage: { calls: 1, inputTokens, outputTokens } })

/** A test LM under a budget; `run` gives programs the LM. */
const under = Effect.fnUntraced(function*(limits: Budget.Limits, script: TestLM.Script, options?: TestLM.Options) {
  const budget = yield* Budget.make(limits)
  const { lm, recorder } = TestLM.make(script, options)
  const service = yield* LM.decorator.budget(budget)(lm)
  return { budget, recorder, left: Budget.left(budget), run: Effect.provideService(LM, service) }
})

describe("LM.budget", () => {
  it.effect("refuses before sending what does not fit, and says what is spent", () =>
    Effect.gen(function*() {
      const { left, recorder, run } = yield* under({ calls: 2 }, () => "ok")
      yield* run(ask)
      assert.deepStrictEqual(yield* left, { calls: 1 })
      yield* run(ask)
      const error = yield* Effect.flip(run(ask))
      assert.deepInclude(error.reason, { _tag: "BudgetExceeded", limit: "2 calls", spent: 2 })
      assert.isFalse(error.isRetryable)
      assert.strictEqual(recorder.started, 2)
      assert.deepStrictEqual(yield* left, { calls: 0 })
    }))

  it.effect("reserves an estimate, and settles with the real usage", () =>
    Effect.gen(function*() {
      const { left, recorder, run } = yield* under({ tokens: 250 }, () => answered(12, 30), { latency: "1 second" })
      const two = yield* Effect.forkChild(run(Effect.all([ask, ask, Effect.exit(ask)], { concurrency: 3 })))
      yield* TestClock.adjust("500 millis")
      // Two times 100 are reserved, so the third did not fit.
      assert.deepStrictEqual(yield* left, { tokens: 50 })
      assert.strictEqual(recorder.inFlight, 2)
      yield* TestClock.adjust("500 millis")
      const [, , third] = yield* Fiber.join(two)
      assert.isTrue(Exit.isFailure(third))
      assert.deepStrictEqual(yield* left, { tokens: 250 - 2 * 42 })
      // What they did not use is there again.
      const { exit } = yield* timed(run(ask))
      assert.isTrue(Exit.isSuccess(exit))
    }))

  it.effect("can't be overspent by calls side by side", () =>
    Effect.gen(function*() {
      const { left, recorder, run } = yield* under({ calls: 10, tokens: 700 }, () => answered(10, 90), {
        latency: "1 second"
      })
      const calls = Effect.forEach(Array.from({ length: 50 }), () => Effect.exit(ask), { concurrency: "unbounded" })
      const { exit } = yield* timed(run(calls))
      assert.strictEqual((yield* exit).filter(Exit.isSuccess).length, 7)
      assert.strictEqual(recorder.started, 7)
      assert.deepStrictEqual(yield* left, { calls: 3, tokens: 0 })
    }))

  it.effect("a failure costs a call and no tokens; what was interrupted stays spent", () =>
    Effect.gen(function*() {
      const { left, run } = yield* under({ calls: 10, tokens: 1000 }, [overloaded, TestLM.never])
      yield* Effect.flip(run(ask))
      assert.deepStrictEqual(yield* left, { calls: 9, tokens: 1000 })
      const fiber = yield* Effect.forkChild(run(ask))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* left, { calls: 8, tokens: 900 })
    }))

  it.effect("an answer that does not say what it took is taken for its estimate", () =>
    Effect.gen(function*() {
      const { left, run } = yield* under({ tokens: 1000 }, ["ok"])
      yield* run(ask)
      assert.deepStrictEqual(yield* left, { tokens: 900 })
    }))

  it.effect("holds money too, by the price of the model", () =>
    Effect.gen(function*() {
      // 10 tokens in and 90 out are 0.01 + 0.9 dollars.
      const prices = [{}, { "test/scripted": { input: 1000, output: 10_000 } }]
      const { left, recorder, run } = yield* under({ usd: 2, prices }, [answered(100, 40), answered(10, 90), "never"])
      const [completion, usage] = yield* run(Usage.track(ask))
      assert.strictEqual(completion.usage.costUsd, 0.5)
      assert.strictEqual(usage.costUsd, 0.5)
      assert.deepStrictEqual(yield* left, { usd: 1.5 })
      yield* run(ask)
      const error = yield* Effect.flip(run(ask))
      assert.deepInclude(error.reason, { _tag: "BudgetExceeded", limit: "2 USD" })
      assert.strictEqual(recorder.started, 2)
    }))

  it.effect("can't hold a model without a price to a limit in money, and says so before sending", () =>
    Effect.gen(function*() {
      const { recorder, run } = yield* under({ usd: 1, prices: [{ "test/other": { input: 1, output: 1 } }] }, ["never"])
      const error = yield* Effect.flip(run(ask))
      assert.strictEqual(error.reason._tag, "Unsupported")
      assert.strictEqual(recorder.started, 0)
    }))

  it.effect("retries count, kept answers don't", () =>
    Effect.gen(function*() {
      const budget = yield* Budget.make({ calls: 10 })
      const Live = TestLM.layer([overloaded, "ok"]).pipe(
        LM.budget(budget),
        LM.retry({ schedule: Schedule.spaced("1 second") }),
        LM.cache()
      )
      yield* timed(Effect.provide(Effect.all([ask, ask, ask], { concurrency: 1 }), Live))
      assert.deepStrictEqual(yield* Budget.left(budget), { calls: 8 })
    }))

  it.effect("both requests of a hedge count", () =>
    Effect.gen(function*() {
      const budget = yield* Budget.make({ calls: 10, tokens: 1000 })
      const Live = TestLM.layer([TestLM.never, answered(10, 10)]).pipe(
        LM.budget(budget),
        LM.hedge({ delay: "1 second" })
      )
      yield* timed(Effect.provide(ask, Live))
      assert.deepStrictEqual(yield* Budget.left(budget), { calls: 8, tokens: 1000 - 100 - 20 })
    }))

  it.effect("one budget stands around several models, and a fallback does not get around it", () =>
    Effect.gen(function*() {
      const budget = yield* Budget.make({ calls: 3 })
      const second = TestLM.make(() => "ok")
      const Live = TestLM.layer(() => overloaded).pipe(
        LM.budget(budget),
        LM.fallback([Layer.succeed(LM, second.lm).pipe(LM.budget(budget))])
      )
      const { exit } = yield* timed(Effect.provide(Effect.all([ask, ask], { concurrency: 1 }), Live))
      // One call fails over (2), the next fails and finds its fallback refused (1).
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(yield* Budget.left(budget), { calls: 0 })
      assert.strictEqual(second.recorder.started, 1)
    }))
})
