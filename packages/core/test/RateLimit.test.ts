import { LM, LMError, LMErrorReason, type Message } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber, Layer, Random, Schedule } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { timed } from "./support.ts"

const ask = LM.generate({ messages: [{ role: "user", content: "hello" }] })

const many = (calls: number) =>
  Effect.forEach(Array.from({ length: calls }), () => Effect.exit(ask), { concurrency: "unbounded" })

/** Answers at once, and notes when it was asked. */
const noting = (script: TestLM.Script = () => "ok", options?: TestLM.Options) => {
  const sentAt: Array<number> = []
  const { lm, recorder } = TestLM.make(script, options)
  const note: LM.Decorator = (inner) =>
    Effect.succeed(LM.wrap(inner, (request) =>
      Effect.flatMap(Clock.currentTimeMillis, (ms) => {
        sentAt.push(ms)
        return inner.generate(request)
      })))
  return { layer: Layer.succeed(LM, lm).pipe(LM.decorate(note)), recorder, sentAt }
}

/** Fewest and most of the moments in any stretch of that length, both its ends in it and neither. */
const inAnyStretch = (moments: ReadonlyArray<number>, length: number) => {
  let most = 0
  let fewest = Infinity
  const last = moments.at(-1) ?? 0
  for (const start of moments) {
    most = Math.max(most, moments.filter((ms) => ms >= start && ms <= start + length).length)
    if (start + length <= last) {
      fewest = Math.min(fewest, moments.filter((ms) => ms > start && ms < start + length).length)
    }
  }
  return { most, fewest }
}

describe("LM.rateLimit, requests", () => {
  it.effect("1,000 calls at 60 a minute: no stretch of a minute has more than 60, none fewer than 59", () =>
    Effect.gen(function*() {
      for (const store of [Layer.empty, RateLimiter.layerStoreMemory]) {
        const { layer, recorder, sentAt } = noting()
        const Live = layer.pipe(LM.resilient({ rateLimit: { requests: 60, per: "1 minute" } }), Layer.provide(store))
        const { exit } = yield* timed(
          many(1000).pipe(LM.withSettings({ timeout: "1 hour" }), Effect.provide(Live))
        )
        assert.strictEqual((yield* exit).filter(Exit.isFailure).length, 0)
        assert.strictEqual(recorder.finished, 1000)
        const { fewest, most } = inAnyStretch(sentAt, 60_000)
        assert.strictEqual(most, 60)
        assert.isAtLeast(fewest, 59)
      }
    }))

  it.effect("takes turns with everybody who shares the store and the key", () =>
    Effect.gen(function*() {
      const first = noting()
      const second = noting()
      const limit = LM.rateLimit({ requests: 60, per: "1 minute", key: "account" })
      const run = (layer: Layer.Layer<LM>) => Effect.provide(many(60), layer.pipe(limit))
      yield* timed(
        Effect.all([run(first.layer), run(second.layer)], { concurrency: 2 }).pipe(
          Effect.provide(RateLimiter.layerStoreMemory)
        )
      )
      const { most } = inAnyStretch([...first.sentAt, ...second.sentAt].sort((a, b) => a - b), 60_000)
      assert.isAtMost(most, 60)
      assert.strictEqual(first.recorder.finished + second.recorder.finished, 120)

      const apart = [noting(), noting()]
      yield* timed(
        Effect.forEach(apart, ({ layer }) => Effect.provide(many(20), layer.pipe(limit)), { concurrency: 2 })
      )
      assert.deepStrictEqual(apart[0]?.sentAt, apart[1]?.sentAt)
    }))

  it.effect("lets a sixtieth go at once, inside the limit", () =>
    Effect.gen(function*() {
      const { layer, sentAt } = noting()
      yield* timed(Effect.provide(many(1500), layer.pipe(LM.rateLimit({ requests: 500, per: "1 minute" }))))
      assert.strictEqual(sentAt.filter((ms) => ms === 0).length, 8)
      const { fewest, most } = inAnyStretch(sentAt, 60_000)
      assert.isAtMost(most, 500)
      assert.isAtLeast(fewest, 490)
    }))

  it.effect("lets a burst go on top of the limit", () =>
    Effect.gen(function*() {
      const { layer, sentAt } = noting()
      const Live = layer.pipe(LM.rateLimit({ requests: 60, per: "1 minute", burst: 10 }))
      yield* timed(Effect.provide(many(200), Live))
      assert.deepStrictEqual(sentAt.slice(0, 12), [...Array.from({ length: 10 }, () => 0), 1000, 2000])
      assert.isAtMost(inAnyStretch(sentAt, 60_000).most, 70)
    }))

  it.effect("is first come, first served, and groups take turns", () =>
    Effect.gen(function*() {
      const { layer, recorder } = noting()
      const numbered = (from: number, group: string) =>
        Effect.forEach(
          Array.from({ length: 10 }, (_, index) => from + index),
          (seed) => LM.withSettings({ seed })(ask),
          { concurrency: "unbounded", discard: true }
        ).pipe(LM.withGroup(group))
      const program = Effect.all([numbered(0, "a"), Effect.delay(numbered(100, "b"), 500)], { concurrency: 2 })
      yield* timed(Effect.provide(program, layer.pipe(LM.rateLimit({ requests: 60, per: "1 minute" }))))
      const seeds = recorder.requests.map(({ settings }) => settings.seed ?? -1)
      assert.deepStrictEqual(seeds.filter((seed) => seed < 100), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      assert.deepStrictEqual(seeds.filter((seed) => seed >= 100), [100, 101, 102, 103, 104, 105, 106, 107, 108, 109])
      assert.isBelow(seeds.indexOf(104), 12)
    }))

  it.effect("a turn that comes after the deadline is not waited for", () =>
    Effect.gen(function*() {
      const { layer, recorder } = noting()
      const Live = layer.pipe(LM.resilient({ rateLimit: { requests: 60, per: "1 minute" } }))
      const failures: Array<{ readonly ms: number; readonly error: LMError.LMError }> = []
      const call = Effect.catch(ask, (error) =>
        Effect.map(Clock.currentTimeMillis, (ms) => {
          failures.push({ ms, error })
        }))
      yield* timed(
        Effect.forEach(Array.from({ length: 1000 }), () => call, { concurrency: "unbounded" }).pipe(
          LM.withSettings({ timeout: "5 minutes" }),
          Effect.provide(Live)
        )
      )
      assert.strictEqual(recorder.finished, 300)
      assert.strictEqual(failures.length, 700)
      for (const { error, ms } of failures) {
        assert.strictEqual(ms, 0)
        assert.strictEqual(error.reason._tag, "RateLimited")
        assert.isAtLeast(Duration.toMillis(error.retryAfter ?? 0), 300_000)
      }
      assert.isAtMost(Math.max(...failures.map(({ error }) => Duration.toMillis(error.retryAfter ?? 0))), 1_000_100)
    }))

  it.effect("who is interrupted in line takes nobody's turn", () =>
    Effect.gen(function*() {
      const { layer, recorder, sentAt } = noting()
      const program = Effect.gen(function*() {
        yield* Effect.timeoutOption(many(50), 2500)
        assert.deepStrictEqual(sentAt, [0, 1001, 2001])
        yield* many(2)
      })
      yield* timed(Effect.provide(program, layer.pipe(LM.rateLimit({ requests: 60, per: "1 minute" }))))
      assert.strictEqual(recorder.started, 5)
      assert.deepStrictEqual(sentAt.slice(3), [3001, 4001])
    }))

  it.effect("an interrupted call leaves the line at once", () =>
    Effect.gen(function*() {
      const { layer, recorder } = noting()
      const fiber = yield* Effect.forkChild(
        Effect.provide(many(5), layer.pipe(LM.rateLimit({ requests: 1, per: "1 hour" })))
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("5 hours")
      assert.strictEqual(recorder.started, 1)
    }))

  it.effect("every attempt takes its turn", () =>
    Effect.gen(function*() {
      const { layer, sentAt } = noting(() => new LMErrorReason.ServerError({ status: 500 }))
      const Live = layer.pipe(LM.resilient({ rateLimit: { requests: 60, per: "1 hour" }, retry: Schedule.spaced(1) }))
      yield* timed(Effect.provide(Effect.exit(ask), Live).pipe(LM.withSettings({ timeout: "1 hour" })))
      assert.deepStrictEqual(sentAt, [0, 60_001, 120_001])
    }))

  it.effect("a store that fails lets nothing through", () =>
    Effect.gen(function*() {
      const { layer, recorder } = noting()
      const broken = Effect.fail(
        new RateLimiter.RateLimiterError({ reason: new RateLimiter.RateLimitStoreError({ message: "gone" }) })
      )
      const Broken = Layer.succeed(RateLimiter.RateLimiterStore, {
        fixedWindow: () => broken,
        tokenBucket: () => broken,
        adaptiveConsume: () => broken,
        adaptiveFeedback: () => broken
      })
      const Live = layer.pipe(LM.rateLimit({ requests: 60, per: "1 minute" }), Layer.provide(Broken))
      const error = yield* Effect.flip(Effect.provide(ask, Live))
      assert.deepInclude(error.reason, { _tag: "Network", code: "RATE_LIMIT_STORE" })
      assert.isTrue(error.isRetryable)
      assert.strictEqual(recorder.started, 0)
    }))
})

describe("LM.rateLimit, tokens", () => {
  const answer = (outputTokens: number) =>
    TestLM.completion({ content: [{ type: "text", text: "ok" }], usage: { calls: 1, inputTokens: 2, outputTokens } })

  it.effect("reserves what a request may take, and gives back what it did not", () =>
    Effect.gen(function*() {
      for (const [used, atMost] of [[98, 20_000], [998, 120_000]] as const) {
        const { layer, sentAt } = noting(() => answer(used), { latency: 100 })
        yield* timed(Effect.provide(many(100), layer.pipe(LM.rateLimit({ tokens: 60_000, per: "1 minute" }))))
        const last = (sentAt.at(-1) ?? 0) - (sentAt[0] ?? 0)
        assert.isAtMost(last, atMost)
        // A hundred calls of so many tokens, at a thousand a second.
        assert.isAtLeast(last, 0.9 * 99 * (used + 2))
      }
    }))

  it.effect("in no stretch more tokens than allowed, but for one request", () =>
    Effect.gen(function*() {
      const { layer, sentAt } = noting(() => answer(998))
      yield* timed(Effect.provide(many(300), layer.pipe(LM.rateLimit({ tokens: 60_000, per: "1 minute" }))))
      assert.isAtMost(inAnyStretch(sentAt, 60_000).most, 61)
    }))

  it.effect("counts with the tokenizer in context, and with maxTokens", () =>
    Effect.gen(function*() {
      const costs = { plain: 1002, long: 1003, limited: 12, counted: 1005 }
      const programs = {
        plain: ask,
        long: LM.generate({ messages: [{ role: "user", content: "h\u00e9llo w\u00f6r" }] }),
        limited: LM.withSettings({ maxTokens: 10 })(ask),
        counted: Effect.provideService(ask, LM.Tokenizer, (text) => text.length)
      }
      for (const name of Object.keys(costs) as Array<keyof typeof costs>) {
        const { layer, sentAt } = noting()
        const twice = Effect.all([programs[name], programs[name]], { concurrency: 2 })
        yield* timed(Effect.provide(twice, layer.pipe(LM.rateLimit({ tokens: 600, per: "1 minute" }))))
        // A minute refills all but the ten that the bucket holds.
        assert.strictEqual((sentAt[1] ?? 0) - (sentAt[0] ?? 0), Math.ceil(costs[name] * 60_001 / 591), name)
      }
    }))

  it("counts long texts and half characters as UTF-8 does", () => {
    const count = LM.Tokenizer.defaultValue()
    for (
      const text of [
        "",
        "a",
        "\u00e9".repeat(20_000),
        "\u{1f30a}".repeat(9000),
        "\ud83c",
        "a".repeat(16_383) + "\u{1f30a}"
      ]
    ) {
      assert.strictEqual(count(text), Math.ceil(Buffer.byteLength(text) / 4))
    }
  })

  it.effect("counts parts and tools", () =>
    Effect.gen(function*() {
      const { layer, sentAt } = noting()
      const messages: ReadonlyArray<Message.Message> = [
        { role: "user", content: [{ type: "text", text: "12345678" }] },
        {
          role: "assistant",
          content: [{ type: "toolCall", id: "1", name: "look", arguments: { at: "it" } }]
        },
        { role: "tool", content: [{ type: "toolResult", id: "1", name: "look", content: "1234" }] }
      ]
      const tools = [{ name: "look", description: "Looks.", parameters: { type: "object" } }]
      const call = LM.generate({ messages, tools, settings: { maxTokens: 1 } })
      yield* timed(
        Effect.provide(
          Effect.all([call, call], { concurrency: 2 }),
          layer.pipe(LM.rateLimit({ tokens: 60, per: "1 minute" }))
        )
      )
      const cost = 1 + 2 + Math.ceil(JSON.stringify({ at: "it" }).length / 4) + 1
        + Math.ceil(JSON.stringify(tools).length / 4)
      assert.strictEqual(sentAt[1], Math.ceil(cost * 60_001 / 60))
    }))
})

describe("LM.rateLimit, what the endpoint tells", () => {
  const telling = (rateLimits: NonNullable<Parameters<typeof TestLM.completion>[0]["rateLimits"]>) =>
    TestLM.completion({ content: [{ type: "text", text: "ok" }], rateLimits })

  it.effect("waits for what comes back, one by one", () =>
    Effect.gen(function*() {
      // Sixty a minute, and somebody else has just used them all.
      const script = [
        telling({ requests: { limit: 60, remaining: 0, resetMs: 60_000 } }),
        ...Array.from({ length: 5 }, () => "ok")
      ]
      const { layer, sentAt } = noting(script)
      const program = Effect.andThen(ask, many(5))
      yield* timed(Effect.provide(program, layer.pipe(LM.rateLimit({ requests: 6000, per: "1 minute" }))))
      assert.deepStrictEqual(sentAt, [0, 1000, 2000, 3000, 4000, 5000])
    }))

  it.effect("waits for the reset where no limit is told", () =>
    Effect.gen(function*() {
      const { layer, sentAt } = noting([telling({ requests: { remaining: 1, resetMs: 7000 } }), "ok", "ok", "ok"])
      yield* timed(
        Effect.provide(Effect.andThen(ask, many(3)), layer.pipe(LM.rateLimit({ adaptive: true, per: "1 minute" })))
      )
      assert.deepStrictEqual(sentAt, [0, 0, 7000, 7000])
    }))

  it.effect("counts tokens by what is left of them", () =>
    Effect.gen(function*() {
      const { layer, sentAt } = noting([
        telling({ tokens: { limit: 6000, remaining: 1002, resetMs: 5000 } }),
        "ok",
        "ok"
      ])
      yield* timed(
        Effect.provide(Effect.andThen(ask, many(2)), layer.pipe(LM.rateLimit({ adaptive: true, per: "1 minute" })))
      )
      // 998 a second come back; the second of two calls of 1,002 waits for its own.
      assert.deepStrictEqual(sentAt, [0, 0, Math.ceil(1002 / 0.9996)])
    }))

  it.effect("what is told late does not outdo what is newer, and what is sent meanwhile is taken off", () =>
    Effect.gen(function*() {
      const script = [
        TestLM.after(500, telling({ requests: { limit: 10, remaining: 0, resetMs: 10_000 } })),
        TestLM.after(100, telling({ requests: { limit: 10, remaining: 2, resetMs: 8000 } })),
        "ok",
        "ok",
        "ok"
      ]
      const { layer, sentAt } = noting(script)
      const program = Effect.all([ask, ask, Effect.delay(many(3), 600)], { concurrency: 3 })
      yield* timed(Effect.provide(program, layer.pipe(LM.rateLimit({ adaptive: true, per: "1 minute" }))))
      assert.deepStrictEqual(sentAt, [0, 0, 600, 600, 1100])
    }))
})

describe("LM.rateLimit, adaptive", () => {
  const refusal = (seconds: number) => new LMErrorReason.RateLimited({ retryAfter: Duration.seconds(seconds) })

  it.effect("a 429 makes everybody wait, and then it goes on", () =>
    Effect.gen(function*() {
      const { layer, sentAt } = noting([refusal(20), ...Array.from({ length: 10 }, () => "ok")])
      const program = Effect.all([Effect.exit(ask), Effect.delay(many(10), "1 second")], { concurrency: 2 })
      yield* timed(
        Effect.provide(program, layer.pipe(LM.rateLimit({ requests: 600, per: "1 minute", adaptive: true })))
      )
      assert.deepStrictEqual(sentAt.slice(0, 4), [0, 20_000, 20_000, 20_000])
      assert.isAtMost(sentAt.at(-1) ?? Infinity, 21_000)
    }))

  it.effect("without it, a 429 is the business of the call that got it", () =>
    Effect.gen(function*() {
      const { layer, sentAt } = noting([refusal(20), "ok"])
      const program = Effect.all([Effect.exit(ask), Effect.delay(ask, "1 second")], { concurrency: 2 })
      yield* timed(Effect.provide(program, layer.pipe(LM.rateLimit({ requests: 600, per: "1 minute" }))))
      assert.deepStrictEqual(sentAt, [0, 1000])
    }))

  it.effect("a wait beyond the deadline is not begun", () =>
    Effect.gen(function*() {
      const { layer, recorder } = noting([refusal(90), "never asked"])
      const program = Effect.andThen(Effect.exit(ask), Effect.flip(ask)).pipe(
        LM.withSettings({ timeout: "20 seconds" })
      )
      const Live = layer.pipe(LM.rateLimit({ adaptive: true, per: "1 minute" }))
      const { exit, ms } = yield* timed(Effect.provide(program, Live))
      const error = yield* exit
      assert.strictEqual(ms, 0)
      assert.deepInclude(error.reason, { _tag: "RateLimited" })
      assert.strictEqual(Duration.toSeconds(error.retryAfter ?? 0), 90)
      assert.strictEqual(recorder.started, 1)
    }))

  it.effect("learns a limit nobody told, and forgets it again", () =>
    Effect.gen(function*() {
      // Ten in ten seconds, until the seconds from 300 on, when there is no limit any more.
      const accepted: Array<number> = []
      let refused = 0
      const lm = LM.make({
        provider: "p",
        model: "m",
        generate: () =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => {
            const recent = accepted.filter((ms) => ms > now - 10_000)
            if (recent.length >= 10 && now < 300_000) {
              refused++
              const retryAfter = Duration.millis((recent[0] ?? 0) + 10_000 - now)
              return Effect.fail(LMError.make("p", "m", new LMErrorReason.RateLimited({ retryAfter })))
            }
            accepted.push(now)
            return Effect.succeed({ content: [], finishReason: "stop", usage: { calls: 1 }, provider: "p", model: "m" })
          })
      })
      const Live = Layer.succeed(LM, lm).pipe(LM.resilient({ rateLimit: { per: "10 seconds", adaptive: true } }))
      const program = Effect.gen(function*() {
        const exits = yield* many(200)
        assert.isAtMost(refused, 40)
        assert.isAtMost(accepted.at(-1) ?? Infinity, 230_000)
        yield* Effect.sleep("10 minutes")
        const start = yield* Clock.currentTimeMillis
        yield* many(100)
        assert.strictEqual(yield* Clock.currentTimeMillis, start)
        return exits
      })
      const { exit } = yield* timed(
        program.pipe(LM.withSettings({ attempts: 20, timeout: "1 hour" }), Effect.provide(Live))
      )
      assert.strictEqual((yield* exit).filter(Exit.isFailure).length, 0)
    }))

  for (const adaptive of [false, true]) {
    it.effect(`a storm of 429s over 30 %: all answered, none early, ${adaptive ? "adaptive" : "each for itself"}`, () =>
      Effect.gen(function*() {
        const told = new Map<object, number>()
        const early: Array<number> = []
        let refused = 0
        let sent = 0
        const lm = LM.make({
          provider: "p",
          model: "m",
          generate: ({ attempts }) =>
            Effect.gen(function*() {
              const now = yield* Clock.currentTimeMillis
              sent++
              const call = attempts ?? {}
              if (now < (told.get(call) ?? 0)) early.push(now)
              yield* Effect.sleep((yield* Random.next) * 500)
              if ((yield* Random.next) < 0.3) {
                refused++
                const seconds = 1 + Math.floor((yield* Random.next) * 5)
                told.set(call, (yield* Clock.currentTimeMillis) + 1000 * seconds)
                return yield* LMError.make("p", "m", refusal(seconds))
              }
              return { content: [], finishReason: "stop", usage: { calls: 1 }, provider: "p", model: "m" } as const
            })
        })
        const Live = Layer.succeed(LM, lm).pipe(
          LM.resilient({ rateLimit: { requests: 1200, per: "1 minute", adaptive } })
        )
        const { exit } = yield* timed(
          many(1000).pipe(LM.withSettings({ attempts: 15, timeout: "10 hours" }), Effect.provide(Live)),
          "10 hours"
        )
        assert.strictEqual((yield* exit).filter(Exit.isFailure).length, 0)
        assert.deepStrictEqual(early, [])
        assert.isAbove(refused, 0.25 * sent)
      }))
  }
})
