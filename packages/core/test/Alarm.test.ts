import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Alarm from "../src/LM/Alarm.ts"

/** Sets alarms by the clock of the test; tells which rang, and when. */
const clockwork = Effect.withFiber((fiber) => {
  const rang: Array<readonly [string, number]> = []
  const clock = fiber.getRef(Clock.Clock)
  const start = clock.currentTimeMillisUnsafe()
  const set = (name: string, ms: number) =>
    Alarm.set(fiber, ms, () => {
      rang.push([name, clock.currentTimeMillisUnsafe() - start])
    })
  return Effect.succeed({ rang, set })
})

describe("Alarm", () => {
  it.effect("rings when its time has come, others of its length in their turn", () =>
    Effect.gen(function*() {
      const { rang, set } = yield* clockwork
      set("a", 1000)
      set("long", 5000)
      yield* TestClock.adjust(400)
      set("b", 1000)
      yield* TestClock.adjust(599)
      assert.deepStrictEqual(rang, [])
      yield* TestClock.adjust(60_000)
      assert.deepStrictEqual(rang, [["a", 1000], ["b", 1400], ["long", 5000]])
    }))

  it.effect("one that is taken back does not, wherever it stands in line", () =>
    Effect.gen(function*() {
      const { rang, set } = yield* clockwork
      const alarms = yield* Effect.forEach(["a", "b", "c", "d", "e"], (name) =>
        Effect.andThen(TestClock.adjust(100), Effect.sync(() => set(name, 1000))), { concurrency: 1 })
      for (const index of [2, 0, 4]) {
        const alarm = alarms[index]
        if (alarm !== undefined) {
          Alarm.cancel(alarm)
        }
      }
      yield* TestClock.adjust(10_000)
      assert.deepStrictEqual(rang, [["b", 1200], ["d", 1400]])
      // Taken back twice, or after it rang, it disturbs nobody.
      for (const alarm of alarms) {
        Alarm.cancel(alarm)
      }
      set("later", 1000)
      yield* TestClock.adjust(1000)
      assert.strictEqual(rang.at(-1)?.[0], "later")
    }))

  it.effect("when the last is taken back nothing is left to wait for", () =>
    Effect.gen(function*() {
      const { rang, set } = yield* clockwork
      Alarm.cancel(set("a", 1000))
      yield* TestClock.adjust(500)
      set("b", 1000)
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(rang, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(rang, [["b", 1500]])
    }))

  it.effect("an alarm may set the next", () =>
    Effect.gen(function*() {
      let rings = 0
      yield* Effect.withFiber((fiber) => {
        const again = () => {
          if (++rings < 3) Alarm.set(fiber, 1000, again)
        }
        Alarm.set(fiber, 1000, again)
        return Effect.void
      })
      yield* TestClock.adjust(2000)
      assert.strictEqual(rings, 2)
      yield* TestClock.adjust(1000)
      assert.strictEqual(rings, 3)
    }))
})
