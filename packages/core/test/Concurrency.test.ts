import { Embedder, LM, LMError, LMErrorReason } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Layer, Random } from "effect"
import { timed } from "./support.ts"

const ask = LM.generate({ messages: [{ role: "user", content: "hello" }] })

const completion = {
  content: [{ type: "text", text: "ok" }],
  finishReason: "stop",
  usage: { calls: 1 },
  provider: "p",
  model: "m"
} as const

/** An endpoint that takes so many at once and refuses the others, at once or as late as it answers. */
const capped = (options: {
  readonly cap: number
  readonly latency: Effect.Effect<number>
  readonly refuseAfter?: number
  readonly retryAfter?: number
}) => {
  const counts = { sent: 0, refused: 0, active: 0, maxActive: 0 }
  const { cap, latency, refuseAfter = 0, retryAfter } = options
  const reason = new LMErrorReason.RateLimited(
    retryAfter === undefined ? {} : { retryAfter: Duration.millis(retryAfter) }
  )
  const refuse = Effect.delay(Effect.fail(LMError.make("p", "m", reason)), refuseAfter)
  const lm = LM.make({
    provider: "p",
    model: "m",
    generate: () =>
      Effect.suspend(() => {
        counts.sent++
        if (counts.active >= cap) {
          counts.refused++
          return refuse
        }
        counts.active++
        counts.maxActive = Math.max(counts.maxActive, counts.active)
        return Effect.ensuring(
          Effect.as(Effect.flatMap(latency, Effect.sleep), completion),
          Effect.sync(() => counts.active--)
        )
      })
  })
  return { lm, counts }
}

/** Callers that ask one call after the other until all are answered. */
const callers = (count: number, calls: number) =>
  Effect.forEach(Array.from({ length: calls }), () => Effect.exit(ask), { concurrency: count })

const limits = (adaptive: { readonly max?: number } = {}) =>
  LM.resilient({ concurrency: { ...adaptive, adaptive: true } })

const lost = (exit: Exit.Exit<ReadonlyArray<Exit.Exit<unknown, unknown>>>) =>
  Effect.map(exit, (exits) => exits.filter(Exit.isFailure).length)

const fixed = Effect.succeed(50)
const spread = Effect.map(Random.next, (fraction) => 30 + 40 * fraction)

describe("LM.concurrency, adaptive", () => {
  for (const [name, latency] of [["always 50", fixed], ["30 to 70", spread]] as const) {
    for (const refuseAfter of [0, 2, 50]) {
      it.effect(
        `finds the 20 an endpoint takes: 300 calls of ${name} ms by 60 callers, refusals after ${refuseAfter} ms`,
        () =>
          Effect.gen(function*() {
            for (const retryAfter of [undefined, 50]) {
              const { counts, lm } = capped({
                cap: 20,
                latency,
                refuseAfter,
                ...(retryAfter === undefined ? undefined : { retryAfter })
              })
              const { exit, ms } = yield* timed(
                Effect.provide(callers(60, 300), Layer.succeed(LM, lm).pipe(limits()))
              )
              assert.strictEqual(yield* lost(exit), 0)
              assert.isAtMost(ms, 1.3 * 750)
              assert.isAtMost(counts.refused, 0.1 * counts.sent)
              assert.strictEqual(counts.maxActive, 20)
            }
          })
      )
    }
  }

  it.effect("also where refused requests take up room", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(
        () => recorder.inFlight > 20 ? new LMErrorReason.RateLimited({}) : "ok",
        { latency: 50 }
      )
      const { exit, ms } = yield* timed(Effect.provide(callers(60, 300), Layer.succeed(LM, lm).pipe(limits())))
      assert.strictEqual(yield* lost(exit), 0)
      assert.isAtMost(ms, 1.3 * 750)
      assert.isAtMost(recorder.failed, 0.1 * recorder.started)
    }))

  it.effect("finds other numbers as well, and uses what it finds", () =>
    Effect.gen(function*() {
      for (const cap of [2, 5, 13, 37, 50]) {
        const { counts, lm } = capped({ cap, latency: fixed, retryAfter: 50 })
        const { exit, ms } = yield* timed(Effect.provide(callers(60, 1500), Layer.succeed(LM, lm).pipe(limits())))
        assert.strictEqual(yield* lost(exit), 0, `${cap}`)
        assert.isAtMost(ms, 1.3 * Math.ceil(1500 / cap) * 50, `${cap}`)
        assert.isAtMost(counts.refused, 0.05 * counts.sent, `${cap}`)
      }
    }))

  it.effect("doubles up to its own maximum and no further", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(() => "ok", { latency: "1 second" })
      const { ms } = yield* timed(Effect.provide(callers(100, 500), Layer.succeed(LM, lm).pipe(limits({ max: 40 }))))
      assert.strictEqual(recorder.maxInFlight, 40)
      // 8, 16, 32, then 40 a second.
      assert.strictEqual(ms, 15_000)
    }))

  it.effect("an endpoint that takes more after a while is given more", () =>
    Effect.gen(function*() {
      let cap = 10
      let active = 0
      let most = 0
      const lm = LM.make({
        provider: "p",
        model: "m",
        generate: () =>
          Effect.suspend(() => {
            if (active >= cap) return Effect.fail(LMError.make("p", "m", new LMErrorReason.Overloaded({})))
            most = Math.max(most, ++active)
            return Effect.ensuring(Effect.delay(Effect.succeed(completion), 50), Effect.sync(() => active--))
          })
      })
      const program = Effect.andThen(
        callers(60, 300),
        Effect.suspend(() => {
          assert.strictEqual(most, 10)
          cap = 1000
          return callers(60, 6000)
        })
      )
      yield* timed(Effect.provide(program, Layer.succeed(LM, lm).pipe(limits())))
      assert.isAtLeast(most, 40)
    }))

  it.effect("takes back when answers get slow", () =>
    Effect.gen(function*() {
      // Eight at full speed; more of them share it.
      let active = 0
      const crowds: Array<number> = []
      const lm = LM.make({
        provider: "p",
        model: "m",
        generate: () =>
          Effect.suspend(() => {
            crowds.push(++active)
            return Effect.ensuring(
              Effect.delay(Effect.succeed(completion), 1000 * Math.max(1, active / 8)),
              Effect.sync(() => active--)
            )
          })
      })
      const run = (live: Layer.Layer<LM>) =>
        Effect.map(timed(Effect.provide(callers(64, 1000), live)), ({ ms }) => ({
          ms,
          crowd: crowds.splice(0).slice(-500).reduce((sum, crowd) => sum + crowd, 0) / 500
        }))
      const plain = yield* run(Layer.succeed(LM, lm).pipe(LM.concurrency(64)))
      const adaptive = yield* run(Layer.succeed(LM, lm).pipe(LM.concurrency({ adaptive: true })))
      assert.isAbove(plain.crowd, 55)
      assert.isBelow(adaptive.crowd, 20)
      assert.isAtMost(adaptive.ms, plain.ms)
    }))

  it.effect("failures that are nobody's crowd change nothing, and permits come back", () =>
    Effect.gen(function*() {
      const script = [
        ...Array.from({ length: 8 }, () => new LMErrorReason.Authentication({})),
        ...Array.from({ length: 8 }, () => TestLM.never),
        ...Array.from({ length: 24 }, () => "ok")
      ]
      const { lm, recorder } = TestLM.make(script, { latency: "1 second" })
      const program = Effect.gen(function*() {
        yield* callers(8, 8)
        yield* Effect.timeoutOption(callers(60, 60), "10 seconds")
        assert.strictEqual(recorder.interrupted, 8)
        yield* callers(60, 24)
      })
      const { exit, ms } = yield* timed(
        Effect.provide(program, Layer.succeed(LM, lm).pipe(LM.concurrency({ adaptive: true })))
      )
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual(recorder.finished, 24)
      // Eight a second, then sixteen: the limit began where it was.
      assert.strictEqual(ms, 1000 + 10_000 + 2000)
    }))
})

describe("LM.concurrency between groups", () => {
  for (const options of [2, { max: 2, adaptive: true }]) {
    it.effect(`serves them in turn, ${typeof options === "number" ? "fixed" : "adaptive"}`, () =>
      Effect.gen(function*() {
        const { lm } = TestLM.make(() => "ok", { latency: "1 second" })
        const ended: { [group: string]: number } = {}
        const job = (group: string, calls: number) =>
          callers(calls, calls).pipe(
            Effect.andThen(Clock.currentTimeMillis),
            Effect.map((ms) => {
              ended[group] = ms
            }),
            LM.withGroup(group)
          )
        const program = Effect.all([job("large", 100), Effect.delay(job("small", 4), 10)], { concurrency: 2 })
        yield* timed(Effect.provide(program, Layer.succeed(LM, lm).pipe(LM.concurrency(options))))
        assert.strictEqual(ended["large"], 52_000)
        // One of two permits from the moment it came, instead of after a hundred calls.
        assert.isAtMost(ended["small"] ?? Infinity, 5000)
      }))
  }

  it.effect("an interrupted crowd does not begin what it waited for", () =>
    Effect.gen(function*() {
      for (const options of [8, { adaptive: true }]) {
        const { lm, recorder } = TestLM.make(() => TestLM.never)
        const crowd = Effect.timeoutOption(callers(60, 60), "10 seconds")
        yield* timed(Effect.provide(crowd, Layer.succeed(LM, lm).pipe(LM.concurrency(options))))
        assert.strictEqual(recorder.started, 8)
        assert.strictEqual(recorder.interrupted, 8)
      }
    }))

  it.effect("within a group it is first come, first served", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(() => "ok", { latency: "1 second" })
      const numbered = Effect.forEach(
        Array.from({ length: 20 }, (_, seed) => seed),
        (seed) => LM.withSettings({ seed })(ask),
        { concurrency: "unbounded", discard: true }
      )
      yield* timed(Effect.provide(numbered, Layer.succeed(LM, lm).pipe(LM.concurrency(3))))
      assert.deepStrictEqual(
        recorder.requests.map(({ settings }) => settings.seed),
        Array.from({ length: 20 }, (_, seed) => seed)
      )
    }))
})

it("a bound that nothing could pass is refused where it is written", () => {
  const embedMany = () => Effect.succeed({ vectors: [], usage: {} })
  for (const max of [0, -1, NaN]) {
    assert.throws(() => LM.concurrency(max), `at least 1 request at once, not ${max}`)
    assert.throws(() => LM.concurrency({ max, adaptive: true }), `at least 1 request at once, not ${max}`)
    assert.throws(() => LM.resilient({ concurrency: max }), `at least 1 request at once, not ${max}`)
    assert.throws(() => Embedder.make({ provider: "p", model: "m", concurrency: max, embedMany }), "at least 1 request")
  }
})
