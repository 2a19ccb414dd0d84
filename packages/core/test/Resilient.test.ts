import { Budget, Completion, LM, LMErrorReason, Message, Usage } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Layer, Schedule } from "effect"
import { CircuitBreaker, KeyValueStore, Persistence } from "effect/persistence"
import { TestClock } from "effect/testing"
import { mood, timed } from "./support.ts"

const overloaded = new LMErrorReason.Overloaded({})
const soon = Schedule.spaced("1 second")
const usage = { calls: 1, inputTokens: 1000, outputTokens: 1000 }
const paid = TestLM.completion({ usage, content: [{ type: "text", text: "ok" }] })
const prices = { "test/scripted": { input: 1000, output: 1000 } }

const ask = (text = "hello") => LM.generate({ messages: [Message.user(text)] })

const all = (count: number, self: (text: string) => Effect.Effect<Completion.Completion, unknown, LM>) =>
  Effect.forEach(Array.from({ length: count }, (_, index) => `${index}`), (text) => Effect.exit(self(text)), {
    concurrency: "unbounded"
  })

const Breaker = CircuitBreaker.layer({ tripPolicy: CircuitBreaker.consecutive(2), openDuration: "1 minute" }).pipe(
  Layer.provide(CircuitBreaker.layerStoreMemory())
)
const Store = Persistence.layerBackingKvs.pipe(Layer.provide(KeyValueStore.layerMemory))

describe("LM.resilient, the defaults", () => {
  it.effect("are turned off by values: no retry but re-asks, no timeout, no bound", () =>
    Effect.gen(function*() {
      const off = LM.resilient({ retry: Schedule.recurs(0), timeout: Infinity, concurrency: Infinity })
      const failing = TestLM.make([overloaded, paid])
      const { exit } = yield* timed(Effect.provide(Effect.flip(ask()), off(Layer.succeed(LM, failing.lm))))
      assert.strictEqual((yield* exit).reason._tag, "Overloaded")
      assert.strictEqual(failing.recorder.started, 1)
      const answer = { label: "pos", score: 1 } as const
      const asked = yield* timed(Effect.provide(mood({ text: "x" }), off(TestLM.layer(["no JSON", answer]))))
      assert.deepStrictEqual(yield* asked.exit, answer)
      const slow = TestLM.make(() => TestLM.after("9 minutes", "ok"))
      const many = yield* timed(Effect.provide(all(100, ask), off(Layer.succeed(LM, slow.lm))))
      assert.isTrue((yield* many.exit).every(Exit.isSuccess))
      assert.strictEqual(slow.recorder.maxInFlight, 100)
    }))
})

describe("LM.resilient, the order", () => {
  it.effect("prices and budgets see every attempt, and kept answers cost neither", () =>
    Effect.gen(function*() {
      const budget = yield* Budget.make({ calls: 10, usd: 100, prices: [prices] })
      const { lm, recorder } = TestLM.make([overloaded, paid])
      const Live = Layer.succeed(LM, lm).pipe(LM.resilient({ budget, retry: soon, cache: true }))
      const { exit } = yield* timed(Effect.provide(Usage.track(Effect.all([ask(), ask()])), Live))
      const [, spent] = yield* exit
      assert.deepStrictEqual(spent, { calls: 2, inputTokens: 1000, outputTokens: 1000, costUsd: 2 })
      assert.deepStrictEqual(yield* Budget.left(budget), { calls: 8, usd: 98 })
      assert.strictEqual(recorder.started, 2)
    }))

  it.effect("a budget in money takes the prices beside it", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(() => paid)
      const Live = Layer.succeed(LM, lm).pipe(LM.resilient({ price: [prices], budget: { usd: 3.5 } }))
      const calls = Effect.forEach(["a", "b", "c"], (text) => Effect.exit(ask(text)), { concurrency: 1 })
      const { exit } = yield* timed(Effect.provide(calls, Live))
      // Each takes 2 dollars; after two of them the estimate of the third does not fit.
      assert.deepStrictEqual((yield* exit).map(Exit.isSuccess), [true, true, false])
      assert.strictEqual(recorder.started, 2)
    }))

  it.effect("calls that wait for a permit have nothing reserved, and are not taken for slow", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(
        () => TestLM.completion({ usage: { calls: 1, inputTokens: 1, outputTokens: 1 } }),
        {
          latency: "2 seconds"
        }
      )
      // One call at a time is taken for some 1,000 tokens, and takes 2.
      const Live = Layer.succeed(LM, lm).pipe(
        LM.resilient({ budget: { tokens: 1100 }, concurrency: 1, timeout: "3 seconds" })
      )
      const { exit, ms } = yield* timed(Effect.provide(all(10, ask), Live))
      assert.strictEqual((yield* exit).filter(Exit.isSuccess).length, 10)
      assert.strictEqual(ms, 20_000)
      assert.strictEqual(recorder.maxInFlight, 1)
    }))

  it.effect("an open circuit is found before a permit is waited for", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([overloaded, overloaded, TestLM.never])
      const Live = Layer.succeed(LM, lm).pipe(
        LM.resilient({ circuitBreaker: true, rateLimit: { requests: 2, per: "1 hour", burst: 2 }, retry: soon }),
        Layer.provide(Breaker)
      )
      const call = Effect.flip(ask()).pipe(LM.withSettings({ attempts: 3, timeout: "30 seconds" }))
      const { exit, ms } = yield* timed(Effect.provide(call, Live))
      // Two attempts open it for a minute; the third would begin after the deadline.
      assert.strictEqual((yield* exit).reason._tag, "CircuitOpen")
      assert.isBelow(ms, 30_000)
      assert.strictEqual(recorder.started, 2)
    }))

  it.effect("both requests of a hedge take permits", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(() => TestLM.after("5 seconds", "ok"))
      const Live = Layer.succeed(LM, lm).pipe(LM.resilient({ concurrency: 3, hedge: { delay: "1 second" } }))
      yield* timed(Effect.provide(all(3, ask), Live))
      assert.strictEqual(recorder.maxInFlight, 3)
    }))

  it.effect("retries of the first model come before the others, which ask for themselves", () =>
    Effect.gen(function*() {
      const first = TestLM.make(() => overloaded)
      const second = TestLM.make(["from the second"], { model: "second" })
      const Second = Layer.succeed(LM, second.lm).pipe(LM.resilient({ retry: soon }))
      const Live = Layer.succeed(LM, first.lm).pipe(LM.resilient({ retry: soon, fallback: [Second], cache: true }))
      const call = ask().pipe(LM.withSettings({ attempts: 5 }))
      const { exit } = yield* timed(Effect.provide(Effect.all([call, call]), Live))
      const [answer, again] = yield* exit
      assert.strictEqual(Completion.text(answer), "from the second")
      // What is kept is the answer of the call, whoever gave it.
      assert.strictEqual(again.replayed, true)
      assert.deepStrictEqual([first.recorder.started, second.recorder.started], [4, 1])
    }))

  it.effect("a kept answer needs no permit", () =>
    Effect.gen(function*() {
      const Live = TestLM.layer(["kept", TestLM.never]).pipe(LM.resilient({ concurrency: 1, cache: true }))
      const program = Effect.gen(function*() {
        yield* ask("kept")
        const hanging = yield* Effect.forkChild(ask("hanging"))
        yield* TestClock.adjust("1 second")
        const answer = yield* ask("kept")
        yield* Fiber.interrupt(hanging)
        return Completion.text(answer)
      })
      assert.strictEqual(yield* Effect.provide(program, Live), "kept")
    }))

  it.effect("everything at once still answers, and the persisted cache keeps it", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([overloaded, TestLM.streamed(["o", "k"], { interval: 500 })])
      const Live = Layer.succeed(LM, lm).pipe(
        LM.resilient({
          price: [prices],
          budget: { calls: 10, tokens: 100_000, usd: 1000 },
          timeout: { attempt: "1 minute", firstToken: "5 seconds", betweenTokens: "5 seconds" },
          concurrency: { adaptive: true },
          rateLimit: { requests: 600, tokens: 1_000_000, per: "1 minute", adaptive: true },
          circuitBreaker: true,
          hedge: true,
          retry: soon,
          fallback: [TestLM.layer([])],
          cache: { persisted: true, timeToLive: Duration.hours(1) }
        }),
        Layer.provide(Layer.merge(Breaker, Store))
      )
      const fiber = yield* Effect.forkChild(Effect.provide(all(50, () => ask()), Live))
      // Keys are digested outside the virtual clock, so the clock is moved until the calls are through.
      const exits = yield* Effect.raceFirst(
        Fiber.join(fiber),
        Effect.forever(Effect.andThen(TestClock.adjust("1 second"), TestClock.withLive(Effect.sleep(5))))
      )
      assert.deepStrictEqual(
        new Set(exits.map((exit) => Exit.isSuccess(exit) && Completion.text(exit.value))),
        new Set(["ok"])
      )
      assert.strictEqual(recorder.started, 2)
    }))
})
