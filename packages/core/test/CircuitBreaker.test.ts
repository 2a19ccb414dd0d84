import { LM, LMErrorReason } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Layer, Schedule } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"
import { timed } from "./support.ts"

const ask = LM.generate({ messages: [{ role: "user", content: "hello" }] })
const overloaded = new LMErrorReason.Overloaded({})

const Breaker = CircuitBreaker.layer({ tripPolicy: CircuitBreaker.consecutive(3), openDuration: "30 seconds" }).pipe(
  Layer.provide(CircuitBreaker.layerStoreMemory())
)

/** A test LM behind a breaker that opens after three failures, for 30 seconds. */
const guarded = (script: TestLM.Script, options?: TestLM.Options) =>
  TestLM.layer(script, options).pipe(LM.circuitBreaker(), Layer.provide(Breaker))

const tags = (count: number) =>
  Effect.all(
    Array.from({ length: count }, () =>
      Effect.match(ask, { onFailure: (error) => error.reason._tag as string, onSuccess: () => "ok" })),
    { concurrency: 1 }
  )

const tagsOf = (script: TestLM.Script, count: number) =>
  Effect.gen(function*() {
    const seen = yield* tags(count)
    return { seen, started: (yield* TestLM.TestLM).started }
  }).pipe(Effect.provide(guarded(script)))

describe("LM.circuitBreaker", () => {
  it.effect("opens after failures of the endpoint; then nothing is sent", () =>
    Effect.gen(function*() {
      const { seen, started } = yield* tagsOf(() => overloaded, 5)
      assert.deepStrictEqual(seen, ["Overloaded", "Overloaded", "Overloaded", "CircuitOpen", "CircuitOpen"])
      assert.strictEqual(started, 3)
    }))

  it.effect("a request that is wrong, or a pace that is too high, says nothing about the endpoint", () =>
    Effect.gen(function*() {
      for (
        const reason of [
          new LMErrorReason.InvalidRequest({ status: 400 }),
          new LMErrorReason.RateLimited({}),
          new LMErrorReason.Refused({})
        ]
      ) {
        const { seen } = yield* tagsOf(() => reason, 6)
        assert.deepStrictEqual(new Set(seen), new Set([reason._tag]))
      }
    }))

  it.effect("an open circuit says for how long, and closes after a probe that succeeds", () =>
    Effect.gen(function*() {
      yield* tags(3)
      yield* TestClock.adjust("10 seconds")
      const error = yield* Effect.flip(ask)
      assert.strictEqual(error.reason._tag, "CircuitOpen")
      assert.strictEqual(Duration.toSeconds(error.retryAfter ?? 0), 20)
      assert.isTrue(error.isRetryable)
      yield* TestClock.adjust("20 seconds")
      // While the probe is under way, others are not let through.
      const probe = yield* Effect.forkChild(ask)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Effect.flip(ask)).reason._tag, "CircuitOpen")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(probe)
      const { exit } = yield* timed(tags(2))
      assert.deepStrictEqual(yield* exit, ["ok", "ok"])
    }).pipe(Effect.provide(guarded([overloaded, overloaded, overloaded, TestLM.after("2 seconds", "ok"), "ok", "ok"]))))

  it.effect("a retry waits for the circuit, not longer, and the requests that were not sent cost no attempt", () =>
    Effect.gen(function*() {
      const { exit, ms } = yield* timed(
        Effect.andThen(tags(1), ask).pipe(
          LM.withSettings({ attempts: 3 }),
          Effect.provide(
            guarded([overloaded, overloaded, overloaded, "ok"]).pipe(
              LM.retry({ schedule: Schedule.spaced("1 second") })
            )
          )
        )
      )
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual(ms, 2000 + 30_000)
    }))

  it.effect("interrupted calls leave the circuit as it is", () =>
    Effect.gen(function*() {
      for (const _ of [1, 2, 3, 4]) {
        const fiber = yield* Effect.forkChild(ask)
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
      }
      assert.strictEqual((yield* TestLM.TestLM).interrupted, 4)
    }).pipe(Effect.provide(guarded(() => TestLM.never))))
})
