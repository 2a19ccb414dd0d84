import { Batch } from "@effect-dspy/pipelines"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Result, Stream } from "effect"
import { TestClock } from "effect/testing"

/** Takes as many seconds as its input says, and remembers what happened. */
const recorded = () => {
  const log = { started: 0, interrupted: 0, inFlight: 0, maxInFlight: 0 }
  const step = (seconds: number) =>
    Effect.suspend(() => {
      log.started++
      log.maxInFlight = Math.max(log.maxInFlight, ++log.inFlight)
      return seconds < 0
        ? Effect.delay(Effect.fail(`failed after ${-seconds}`), `${-seconds} seconds`)
        : Effect.delay(Effect.succeed(seconds * 10), `${seconds} seconds`)
    }).pipe(Effect.onExit((exit) =>
      Effect.sync(() => {
        log.inFlight--
        if (Exit.isFailure(exit) && Exit.hasInterrupts(exit)) log.interrupted++
      })
    ))
  return { log, step }
}

const collect = <A, E>(stream: Stream.Stream<A, E>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Stream.runCollect(stream))
    // Everything that can start at 0 starts before time passes.
    yield* TestClock.adjust("1 millis")
    yield* TestClock.adjust("1 hour")
    return yield* Effect.exit(Fiber.join(fiber))
  })

describe("Batch.run", () => {
  it.effect("keeps the order of the inputs, or gives results as they come", () =>
    Effect.gen(function*() {
      const inputs = [6, 1, 3, 1]
      for (const [ordered, expected] of [[true, [0, 1, 2, 3]], [false, [1, 2, 3, 0]]] as const) {
        const { step } = recorded()
        const items = yield* yield* collect(Batch.run(inputs, step, { concurrency: 2, ordered }))
        assert.deepStrictEqual(items.map((item) => item.index), [...expected])
        assert.isTrue(items.every((item) => Result.getOrThrow(item.result) === item.input * 10))
      }
    }))

  it.effect("runs as many as told, and no more", () =>
    Effect.gen(function*() {
      const { log, step } = recorded()
      yield* collect(Batch.run(Array.from({ length: 50 }, () => 1), step, { concurrency: 7 }))
      assert.deepInclude(log, { started: 50, maxInFlight: 7 })
    }))

  it.effect("keeps going over failures", () =>
    Effect.gen(function*() {
      const { step } = recorded()
      const items = yield* yield* collect(Batch.run([1, -2, 3], step, { concurrency: 3 }))
      assert.deepStrictEqual(items.map((item) => Result.isSuccess(item.result)), [true, false, true])
    }))

  it.effect("stops at the first failure and interrupts what is in flight", () =>
    Effect.gen(function*() {
      const { log, step } = recorded()
      const exit = yield* collect(Batch.run([5, -1, 5, 5, 5], step, { concurrency: 3, onFailure: "stop" }))
      assert.strictEqual(yield* Effect.flip(exit), "failed after 1")
      assert.deepInclude(log, { started: 3, interrupted: 2, inFlight: 0 })
    }))

  it.effect("interrupts what is in flight when the stream is left early", () =>
    Effect.gen(function*() {
      const { log, step } = recorded()
      const exit = yield* collect(Batch.run([1, 9, 9, 9], step, { concurrency: 3 }).pipe(Stream.take(1)))
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual(log.inFlight, 0)
      assert.isAtLeast(log.interrupted, 2)
    }))

  it.effect("pulls inputs only as fast as results are taken", () =>
    Effect.gen(function*() {
      let pulled = 0
      const inputs = Stream.fromIterable({
        *[Symbol.iterator]() {
          for (let n = 0; n < 1_000_000; n++) {
            pulled++
            yield n
          }
        }
      }, { chunkSize: 1 })
      const gate = yield* Deferred.make<void>()
      const fiber = yield* Batch.run(inputs, (n) => Effect.succeed(n), { concurrency: 4 }).pipe(
        Stream.runForEach(() => Deferred.await(gate)),
        Effect.forkChild
      )
      yield* TestClock.adjust("1 second")
      assert.isAtMost(pulled, 32)
      yield* Fiber.interrupt(fiber)
    }))

  it.effect("takes a stream and passes its failure on", () =>
    Effect.gen(function*() {
      const inputs = Stream.concat(Stream.make(1, 2), Stream.fail("source broke" as const))
      const exit = yield* collect(Batch.run(inputs, (n) => Effect.succeed(n)))
      assert.strictEqual(yield* Effect.flip(exit), "source broke")
    }))

  it("a bound that lets nobody through throws where it is given", () => {
    for (const concurrency of [0, -1, NaN]) {
      assert.throws(
        () => Batch.run([1], Effect.succeed, { concurrency }),
        `Batch.run: at least 1 input at once, not ${concurrency}`
      )
    }
  })
})
