/** The arithmetic of rate limits beside that of effect's own store in memory: the same questions, the same answers. */
import * as RateState from "@effect-dspy/core/LM/RateState"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Random } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"

const pick = <A>(values: ReadonlyArray<A>) =>
  Effect.map(Random.nextIntBetween(0, values.length - 1), (index) => values[index] as A)

const steps = Array.from({ length: 2000 }, (_, index) => index)

const beside = (
  step: (
    store: RateLimiter.RateLimiterStore["Service"],
    now: number
  ) => Effect.Effect<void, RateLimiter.RateLimiterError>
) =>
  Effect.gen(function*() {
    const store = yield* RateLimiter.RateLimiterStore
    for (const _ of steps) {
      yield* TestClock.adjust(yield* pick([0, 0, 0, 1, 7, 50, 333.3, 1000, 1000, 100_000]))
      yield* step(store, yield* Clock.currentTimeMillis)
    }
  }).pipe(Effect.provide(RateLimiter.layerStoreMemory))

const close = (actual: ReadonlyArray<number>, expected: ReadonlyArray<number>, label: string) => {
  for (const [index, value] of expected.entries()) assert.closeTo(actual[index] ?? NaN, value, 1e-6, label)
}

describe("RateState", () => {
  it.effect("buckets", () => {
    let state: RateState.Bucket | undefined
    return beside(Effect.fnUntraced(function*(store, now) {
      const options = {
        tokens: yield* pick([1, 1, 2, 5, 40, -1, 0]),
        limit: yield* pick([1, 10, 10, 60]),
        allowOverflow: yield* Random.nextBoolean
      }
      const refillMs = yield* pick([100, 1000.25])
      const expected = yield* store.tokenBucket({ ...options, key: "k", refillRate: Duration.millis(refillMs) })
      const taken = RateState.takeFromBucket(state, { ...options, refillMs }, now)
      state = taken.state
      close([taken.remaining, taken.elapsed], expected, JSON.stringify(options))
    }))
  })

  it.effect("windows", () => {
    let state: RateState.Window | undefined
    return beside(Effect.fnUntraced(function*(store, now) {
      const tokens = yield* pick([1, 2, 5])
      const limit = yield* pick([undefined, 3, 10])
      const expected = yield* store.fixedWindow({ key: "k", tokens, limit, refillRate: Duration.millis(100) })
      const counted = RateState.countInWindow(state, { tokens, limit, refillMs: 100 }, now)
      state = counted.state
      close([counted.count, counted.ttl], expected, `${tokens} of ${limit}`)
    }))
  })

  it.effect("learned limits", () => {
    let state: RateState.Learned | undefined
    let epoch = 0
    const phases = new Set<string>()
    return Effect.andThen(
      beside(Effect.fnUntraced(function*(store, now) {
        const tokens = yield* pick([0, 1, 1, 1, 3])
        if ((yield* Random.next) < 0.15) {
          const retryAfterMs = yield* pick([-5, 0, 50, 500, 3000])
          const of = Math.max(0, epoch - (yield* pick([0, 0, 0, 1])))
          yield* store.adaptiveFeedback({
            key: "k",
            epoch: of,
            tokens,
            status: 429,
            retryAfter: Duration.millis(retryAfterMs)
          })
          state = RateState.learnFrom(state, { epoch: of, tokens, retryAfterMs }, now)
          return
        }
        const expected = yield* store.adaptiveConsume({
          key: "k",
          tokens,
          fallbackLimit: 1,
          fallbackWindow: Duration.seconds(10)
        })
        const consumed = RateState.consumeLearned(state, { tokens, fallbackWindowMs: 10_000 }, now)
        state = consumed.state
        epoch = consumed.epoch
        phases.add(consumed.phase)
        assert.strictEqual(consumed.phase, expected.phase)
        assert.strictEqual(consumed.epoch, expected.epoch)
        assert.closeTo(consumed.delay, Duration.toMillis(expected.delay), 1e-3)
      })),
      Effect.sync(() => assert.deepStrictEqual([...phases].sort(), ["cooldown", "inactive", "learned", "learning"]))
    )
  })

  it("no wait is taken for longer than an hour", () => {
    const state = RateState.learnFrom(undefined, { epoch: 0, tokens: 1, retryAfterMs: 1e12 }, 0)
    assert.strictEqual(state?.until, 3_600_000)
  })
})
