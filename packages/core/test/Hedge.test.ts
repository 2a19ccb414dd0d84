import { Completion, LM, LMErrorReason, Usage } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { timed } from "./support.ts"

const ask = LM.generate({ messages: [{ role: "user", content: "hello" }] })
const overloaded = new LMErrorReason.Overloaded({})

/** Runs one call over a hedged test LM; says how it ended, when, and what was sent. */
const hedged = (script: TestLM.Script, settings: LM.Settings = {}) =>
  Effect.gen(function*() {
    const { lm, recorder } = TestLM.make(script)
    const Live = Layer.succeed(LM, lm).pipe(LM.hedge({ delay: "2 seconds" }))
    const result = yield* timed(Usage.track(ask).pipe(LM.withSettings(settings), Effect.provide(Live)))
    return { ...result, recorder }
  })

describe("LM.hedge", () => {
  it.effect("a call that is quick enough is one request", () =>
    Effect.gen(function*() {
      const { ms, recorder } = yield* hedged([TestLM.after("1999 millis", "ok")])
      assert.strictEqual(ms, 1999)
      assert.strictEqual(recorder.started, 1)
    }))

  it.effect("a slow one gets a second request; the first answer wins and the other is interrupted", () =>
    Effect.gen(function*() {
      const { exit, ms, recorder } = yield* hedged([TestLM.never, TestLM.after("1 second", "second")])
      const [completion, usage] = yield* exit
      assert.strictEqual(Completion.text(completion), "second")
      assert.strictEqual(ms, 3000)
      assert.deepInclude(recorder, { started: 2, finished: 1, interrupted: 1, inFlight: 0 })
      // Both were sent, so both are paid for.
      assert.strictEqual(usage.calls, 2)
    }))

  it.effect("the first one may still win", () =>
    Effect.gen(function*() {
      const { exit, ms, recorder } = yield* hedged([TestLM.after("3 seconds", "first"), TestLM.never])
      assert.strictEqual(Completion.text((yield* exit)[0]), "first")
      assert.strictEqual(ms, 3000)
      assert.strictEqual(recorder.interrupted, 1)
    }))

  it.effect("a failure waits for the other request, and a quick failure sends none", () =>
    Effect.gen(function*() {
      const one = yield* hedged([TestLM.after("3 seconds", overloaded), TestLM.after("2 seconds", "ok")])
      assert.isTrue(Exit.isSuccess(one.exit))
      assert.strictEqual(one.ms, 4000)
      const both = yield* hedged([TestLM.after("3 seconds", overloaded), TestLM.after("2 seconds", overloaded)])
      assert.strictEqual((yield* Effect.flip(both.exit)).reason._tag, "Overloaded")
      const quick = yield* hedged([overloaded])
      assert.strictEqual(quick.recorder.started, 1)
    }))

  it.effect("counts against the attempts: without one left there is no second request", () =>
    Effect.gen(function*() {
      const { ms, recorder } = yield* hedged([TestLM.after("5 seconds", "first")], { attempts: 1 })
      assert.strictEqual(ms, 5000)
      assert.strictEqual(recorder.started, 1)
    }))

  it.effect("a caller that gives up interrupts both", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(() => TestLM.never)
      const fiber = yield* Effect.forkChild(
        Effect.provide(ask, Layer.succeed(LM, lm).pipe(LM.hedge({ delay: "2 seconds" })))
      )
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(recorder.inFlight, 2)
      yield* Fiber.interrupt(fiber)
      assert.deepInclude(recorder, { interrupted: 2, inFlight: 0 })
    }))

  it.effect("without a delay, slow is what takes longer than 95 of 100 answers before", () =>
    Effect.gen(function*() {
      const answers = Array.from({ length: 20 }, (_, index) => TestLM.after((index * 7) % 20 + 1, "ok"))
      const { lm, recorder } = TestLM.make([...answers, TestLM.never, TestLM.after(5, "second")])
      const calls = Effect.forEach(answers, () => ask, { concurrency: 1 })
      const { exit, ms } = yield* timed(
        Effect.provide(Effect.andThen(calls, ask), Layer.succeed(LM, lm).pipe(LM.hedge()))
      )
      assert.strictEqual(Completion.text(yield* exit), "second")
      assert.strictEqual(ms, (20 * 21) / 2 + 20 + 5)
      assert.strictEqual(recorder.started, 22)
    }))

  it.effect("at most one call in ten is, also when all get slower together", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(() => "ok", { latency: () => recorder.started })
      const calls = Effect.forEach(Array.from({ length: 500 }), () => ask, { concurrency: 1 })
      yield* timed(Effect.provide(calls, Layer.succeed(LM, lm).pipe(LM.hedge())))
      assert.isAbove(recorder.started, 500)
      assert.isAtMost(recorder.started, 500 * 1.1 + 1)
    }))
})
