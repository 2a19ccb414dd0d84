import { LM, LMError, LMErrorReason, Usage } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Schedule } from "effect"
import { TestClock } from "effect/testing"

const ask = LM.generate({ messages: [{ role: "user", content: "hello" }] })

const overloaded = new LMErrorReason.Overloaded({})
const limited = (seconds: number) => new LMErrorReason.RateLimited({ retryAfter: Duration.seconds(seconds) })
const immediately = Schedule.spaced("1 millis")

/** Runs a program on a virtual clock and says when it ended. */
const timed = <A, E>(self: Effect.Effect<A, E>, limit: Duration.Input = "1 hour") =>
  Effect.gen(function*() {
    const start = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    const fiber = yield* Effect.forkChild(
      Effect.gen(function*() {
        const exit = yield* Effect.exit(self)
        const end = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        return { exit, ms: end - start }
      })
    )
    yield* TestClock.adjust(limit)
    return yield* Fiber.join(fiber)
  })

describe("LM.retry", () => {
  it.effect("waits for Retry-After in full, and not longer", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([limited(1), "ok"])
      const { exit, ms } = yield* timed(ask.pipe(
        Effect.provide(Layer.succeed(LM, lm).pipe(LM.retry({ schedule: immediately })))
      ))
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual(ms, 1000)
      assert.strictEqual(recorder.started, 2)
    }))

  it.effect("fails at once with the wait when Retry-After lies behind the deadline", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([limited(90), "never asked"])
      const { exit, ms } = yield* timed(ask.pipe(
        Effect.provide(Layer.succeed(LM, lm).pipe(LM.retry())),
        LM.withSettings({ timeout: "20 seconds" })
      ))
      assert.strictEqual(ms, 0)
      assert.strictEqual(recorder.started, 1)
      const error = yield* Effect.flip(exit)
      assert.strictEqual(error.reason._tag, "RateLimited")
      assert.strictEqual(Duration.toSeconds(error.retryAfter ?? 0), 90)
    }))

  it.effect("also does not begin a backoff that ends after the deadline", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([overloaded, overloaded, "never asked"])
      const { exit, ms } = yield* timed(ask.pipe(
        Effect.provide(Layer.succeed(LM, lm).pipe(LM.retry({ schedule: Schedule.spaced("15 seconds") }))),
        LM.withSettings({ timeout: "20 seconds" })
      ))
      assert.strictEqual(ms, 15_000)
      assert.strictEqual(recorder.started, 2)
      assert.strictEqual((yield* Effect.flip(exit)).reason._tag, "Overloaded")
    }))

  it.effect("retries a 429 without a header", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([new LMErrorReason.RateLimited({}), "ok"])
      const { exit } = yield* timed(Effect.provide(ask, Layer.succeed(LM, lm).pipe(LM.retry())))
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual(recorder.started, 2)
    }))

  it.effect("never retries what cannot get better", () =>
    Effect.gen(function*() {
      const permanent = [
        new LMErrorReason.Authentication({}),
        new LMErrorReason.Permission({}),
        new LMErrorReason.QuotaExhausted({}),
        new LMErrorReason.ModelNotFound({}),
        new LMErrorReason.InvalidRequest({ status: 400 }),
        new LMErrorReason.ContextTooLong({}),
        new LMErrorReason.Unsupported({ feature: "tools" }),
        new LMErrorReason.Refused({})
      ]
      for (const reason of permanent) {
        const { lm, recorder } = TestLM.make([reason, "never asked"])
        const { exit } = yield* timed(Effect.provide(ask, Layer.succeed(LM, lm).pipe(LM.retry())))
        assert.strictEqual((yield* Effect.flip(exit)).reason._tag, reason._tag)
        assert.strictEqual(recorder.started, 1, reason._tag)
      }
    }))

  it.effect("an endpoint's own word on retrying goes first", () =>
    Effect.gen(function*() {
      let sent = 0
      const lm = LM.make({
        provider: "p",
        model: "m",
        generate: () =>
          Effect.suspend(() => {
            sent++
            return Effect.fail(
              new LMError.LMError({
                provider: "p",
                model: "m",
                reason: overloaded,
                shouldRetry: false
              })
            )
          })
      })
      yield* timed(Effect.provide(ask, Layer.succeed(LM, lm).pipe(LM.retry())))
      assert.strictEqual(sent, 1)
    }))

  it.effect("a permanent 503 costs exactly the configured attempts, however many retries are stacked", () =>
    Effect.gen(function*() {
      for (const attempts of [1, 2, 5]) {
        const { lm, recorder } = TestLM.make(() => overloaded)
        const Stacked = Layer.succeed(LM, lm).pipe(LM.retry(), LM.retry(), LM.retry({ schedule: immediately }))
        const { exit } = yield* timed(Effect.provide(ask, Stacked).pipe(LM.withSettings({ attempts })))
        assert.strictEqual((yield* Effect.flip(exit)).reason._tag, "Overloaded")
        assert.strictEqual(recorder.started, attempts)
      }
    }))

  it.effect("retries an LM that fails with the same error value each time", () =>
    Effect.gen(function*() {
      const error = LMError.make("p", "m", overloaded)
      let sent = 0
      const lm = LM.make({
        provider: "p",
        model: "m",
        generate: () => Effect.suspend(() => (sent++, Effect.fail(error)))
      })
      yield* timed(Effect.provide(ask, Layer.succeed(LM, lm).pipe(LM.retry())))
      assert.strictEqual(sent, 3)
    }))

  it.effect("backs off between the attempts, at most doubling from 500 ms", () =>
    Effect.gen(function*() {
      const { lm } = TestLM.make(() => overloaded)
      const { ms } = yield* timed(ask.pipe(
        Effect.provide(Layer.succeed(LM, lm).pipe(LM.retry())),
        LM.withSettings({ attempts: 4 })
      ))
      assert.isAbove(ms, 0)
      assert.isAtMost(ms, 500 + 1000 + 2000)
    }))

  it.effect("is interruptible during the wait", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([limited(60), "never asked"])
      const fiber = yield* Effect.forkChild(Effect.provide(ask, Layer.succeed(LM, lm).pipe(LM.retry())))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(recorder.started, 1)
    }))
})

describe("LM.timeout", () => {
  it.effect("limits one attempt, and the attempt after it may succeed", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([TestLM.never, "ok"])
      const { exit, ms } = yield* timed(ask.pipe(
        Effect.provide(Layer.succeed(LM, lm).pipe(LM.timeout("5 seconds"), LM.retry({ schedule: immediately })))
      ))
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual(ms, 5001)
      assert.strictEqual(recorder.interrupted, 1)
    }))

  it.effect("the total timeout ends all attempts and is not retryable", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(() => TestLM.never)
      const { exit, ms } = yield* timed(ask.pipe(
        Effect.provide(Layer.succeed(LM, lm).pipe(LM.timeout("5 seconds"), LM.retry({ schedule: immediately }))),
        LM.withSettings({ timeout: "7 seconds" })
      ))
      assert.strictEqual(ms, 7000)
      assert.strictEqual(recorder.started, 2)
      const error = yield* Effect.flip(exit)
      assert.deepInclude(error.reason, { _tag: "Timeout", kind: "total" })
      assert.isFalse(error.isRetryable)
    }))

  it.effect("ten minutes is the total when nobody says otherwise", () =>
    Effect.gen(function*() {
      const { lm } = TestLM.make(() => TestLM.never)
      const { ms } = yield* timed(Effect.provide(ask, Layer.succeed(LM, lm)))
      assert.strictEqual(ms, 600_000)
    }))
})

describe("LM.concurrency", () => {
  const many = (count: number) =>
    Effect.forEach(Array.from({ length: count }), () => ask, { concurrency: "unbounded", discard: true })

  it.effect("bounds everything below the layer", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(() => "ok", { latency: "1 second" })
      const { ms } = yield* timed(Effect.provide(many(10), Layer.succeed(LM, lm).pipe(LM.concurrency(4))))
      assert.strictEqual(recorder.maxInFlight, 4)
      assert.strictEqual(ms, 3000)
    }))

  it.effect("a call that backs off does not hold a permit", () =>
    Effect.gen(function*() {
      const { lm } = TestLM.make([limited(30), "second", "first again"], { latency: 0 })
      const finished: Array<number> = []
      const call = Effect.andThen(ask, Effect.clockWith((clock) => clock.currentTimeMillis)).pipe(
        Effect.tap((ms) => Effect.sync(() => finished.push(ms)))
      )
      yield* timed(
        Effect.all([call, call], { concurrency: 2 }).pipe(
          Effect.provide(Layer.succeed(LM, lm).pipe(LM.resilient({ concurrency: 1 })))
        )
      )
      assert.deepStrictEqual(finished, [0, 30_000])
    }))

  it.effect("waiting in line does not count against the attempt timeout", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(() => "ok", { latency: "2 seconds" })
      const { exit, ms } = yield* timed(
        Effect.provide(many(4), Layer.succeed(LM, lm).pipe(LM.resilient({ concurrency: 1, timeout: "5 seconds" })))
      )
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual(ms, 8000)
      assert.strictEqual(recorder.finished, 4)
    }))
})

describe("LM settings", () => {
  it.effect("layer defaults, then LM.Settings, then the request", () =>
    Effect.gen(function*() {
      const seen: Array<LM.Settings> = []
      const lm = LM.make({
        provider: "p",
        model: "m",
        defaults: { temperature: 0.1, seed: 1, maxTokens: 10 },
        generate: (request) =>
          Effect.sync(() => {
            seen.push(request.settings)
            return { content: [], finishReason: "stop", usage: { calls: 1 }, provider: "p", model: "m" }
          })
      })
      yield* LM.generate({ messages: [], settings: { maxTokens: 30 } }).pipe(
        LM.withSettings({ seed: 2, maxTokens: 20 }),
        Effect.provide(Layer.succeed(LM, lm))
      )
      assert.deepStrictEqual(seen, [{ temperature: 0.1, seed: 2, maxTokens: 30 }])
    }))

  it.effect("two fibers see their own", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(() => "ok")
      yield* Effect.all([0, 1].map((seed) => LM.withSettings({ seed })(ask)), { concurrency: 2 }).pipe(
        LM.withSettings({ temperature: 1 }),
        Effect.provide(Layer.succeed(LM, lm))
      )
      assert.deepStrictEqual(recorder.requests.map((request) => request.settings), [
        { temperature: 1, seed: 0 },
        { temperature: 1, seed: 1 }
      ])
    }))
})

describe("LM.around", () => {
  it.effect("is not bypassed by an inner layer, and nests outside in", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const tap = (name: string): LM.Middleware => (request, lm, next) => {
        order.push(`${name} ${lm.model}`)
        return next(request)
      }
      const inner = Effect.provide(ask, TestLM.layer(["inner"], { model: "other" }))
      yield* inner.pipe(LM.around(tap("b")), LM.around(tap("a")), Effect.provide(TestLM.layer([])))
      assert.deepStrictEqual(order, ["a other", "b other"])
    }))

  it.effect("an answer that is not sent costs nothing", () =>
    Effect.gen(function*() {
      const replay: LM.Middleware = (_request, lm) =>
        Effect.succeed({
          content: [{ type: "text", text: "kept" }],
          finishReason: "stop",
          usage: { calls: 1, inputTokens: 100 },
          provider: lm.provider,
          model: lm.model,
          replayed: true
        })
      const [, usage] = yield* ask.pipe(LM.around(replay), Usage.track, Effect.provide(TestLM.layer([])))
      assert.deepStrictEqual(usage, { calls: 0 })
    }))
})

describe("LM decorators", () => {
  class Db extends Context.Service<Db, { readonly name: string }>()("test/Db") {}

  it.effect("other services of a layer pass through", () =>
    Effect.gen(function*() {
      const Both = Layer.merge(TestLM.layer(["ok"]), Layer.succeed(Db, { name: "db" })).pipe(LM.resilient())
      const name = yield* Effect.andThen(ask, Db).pipe(Effect.map((db) => db.name), Effect.provide(Both))
      assert.strictEqual(name, "db")
    }))

  it.effect("LM.using applies one to a part of a program", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([overloaded, "ok", overloaded])
      const program = Effect.gen(function*() {
        yield* LM.using(LM.decorator.retry({ schedule: immediately }))(ask)
        return yield* Effect.flip(ask)
      })
      const { exit } = yield* timed(Effect.provideService(program, LM, lm))
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual(recorder.started, 3)
    }))

  it.effect("an LM refuses to send more than the budget, whoever asks", () =>
    Effect.gen(function*() {
      const greedy: LM.Decorator = (lm) =>
        Effect.succeed(LM.wrap(lm, (request) => Effect.andThen(lm.generate(request), lm.generate(request))))
      const { lm, recorder } = TestLM.make(() => "ok")
      const error = yield* Effect.flip(ask.pipe(
        Effect.provide(Layer.succeed(LM, lm).pipe(LM.decorate(greedy))),
        LM.withSettings({ attempts: 1 })
      ))
      assert.deepInclude(error.reason, { _tag: "BudgetExceeded", limit: "attempts", spent: 1 })
      assert.strictEqual(recorder.started, 1)
    }))
})

describe("Usage", () => {
  it.effect("counts failed and interrupted requests, and nests", () =>
    Effect.gen(function*() {
      const { lm } = TestLM.make([
        overloaded,
        TestLM.completion({ usage: { calls: 1, inputTokens: 7, outputTokens: 3 } }),
        TestLM.never
      ])
      const program = Effect.gen(function*() {
        const [, inner] = yield* Usage.track(LM.using(LM.decorator.retry({ schedule: immediately }))(ask))
        yield* Effect.timeoutOption(ask, "1 second")
        return inner
      }).pipe(Usage.track, Effect.provideService(LM, lm))
      const { exit } = yield* timed(program)
      const [inner, outer] = yield* exit
      assert.deepStrictEqual(inner, { calls: 2, inputTokens: 7, outputTokens: 3 })
      assert.deepStrictEqual(outer, { calls: 3, inputTokens: 7, outputTokens: 3 })
    }))
})
