import { LM, LMError, LMErrorReason, Parameters, Trace, Usage } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { Mood, mood, timed } from "./support.ts"

const answer = { label: "pos", score: 0.9 } as const
const call = mood({ text: "hi" })
const retried = LM.retry({ schedule: Schedule.spaced("1 second") })

/** A reply with its price. */
const priced = (text: string, inputTokens: number) =>
  TestLM.completion({ content: [{ type: "text", text }], usage: { calls: 1, inputTokens, outputTokens: 1 } })

const good = JSON.stringify(answer)

describe("Trace.collect", () => {
  it.effect("says what a call took, gave, cost and when", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust("5 seconds")
      const lm = TestLM.layer(["bad", new LMErrorReason.Overloaded({}), priced(good, 7)], { latency: "2 seconds" })
      const { exit } = yield* timed(
        Parameters.within("doc")(mood.named("First")({ text: "hi" })).pipe(Trace.collect, Effect.provide(retried(lm)))
      )
      const [output, events] = yield* exit
      assert.deepStrictEqual(output, answer)
      const [{ messages = [], ...event } = assert.fail("no event"), ...more] = events
      assert.strictEqual(more.length, 0)
      // The request that was answered: the first question, the reply that was of no use, what was said of it.
      assert.deepStrictEqual(messages.map(({ role }) => role), ["system", "user", "assistant", "user"])
      assert.deepStrictEqual(event, {
        path: "doc/First",
        name: "First",
        signature: Mood,
        input: { text: "hi" },
        result: { _tag: "Success", output: answer },
        usage: { calls: 3, inputTokens: 7, outputTokens: 1 },
        attempts: 3,
        startMs: 5_000,
        endMs: 12_000,
        raw: good,
        model: "scripted",
        finishReason: "stop"
      })
    }))

  it.effect("records failures that the program recovers from, with the error", () =>
    Effect.gen(function*() {
      const program = Effect.all([Effect.exit(call), Effect.exit(call), Effect.exit(call)]).pipe(
        LM.withSettings({ attempts: 1 })
      )
      const script = ["bad", new LMErrorReason.Refused({}), TestLM.truncated("{")]
      const [exits, events] = yield* program.pipe(Trace.collect, Effect.provide(TestLM.layer(script)))
      const errors = yield* Effect.forEach(exits, Effect.flip)
      assert.deepStrictEqual(errors.map((error) => error._tag), ["OutputError", "LMError", "OutputError"])
      assert.deepStrictEqual(
        events.map((event) => event.result),
        errors.map((error) => ({ _tag: "Failure" as const, error }))
      )
      assert.deepStrictEqual(events.map((event) => [event.raw, event.attempts]), [["bad", 1], [undefined, 1], ["{", 1]])
      assert.strictEqual(events[2]?.finishReason, "length")
    }))

  it.effect("records a total timeout as the failure it is", () =>
    Effect.gen(function*() {
      const program = Effect.exit(call).pipe(LM.withSettings({ timeout: "3 seconds" }), Trace.collect)
      const { exit } = yield* timed(Effect.provide(program, TestLM.layer(() => TestLM.never)))
      const [, [event]] = yield* exit
      const result = event?.result
      if (result?._tag !== "Failure" || !(result.error instanceof LMError.LMError)) return assert.fail(result?._tag)
      assert.deepInclude(result.error.reason, { _tag: "Timeout", kind: "total" })
      assert.deepInclude(event, { startMs: 0, endMs: 3000, attempts: 1 })
      assert.deepStrictEqual(event?.usage, { calls: 1 })
    }))

  it.effect("records calls that were interrupted", () =>
    Effect.gen(function*() {
      const program = Effect.timeoutOption(call, "2 seconds").pipe(Trace.collect)
      const { exit } = yield* timed(Effect.provide(program, TestLM.layer(() => TestLM.never)))
      const [, [event]] = yield* exit
      assert.deepStrictEqual(event?.result, { _tag: "Interrupted" })
      assert.deepInclude(event, { endMs: 2000, attempts: 1 })
    }))

  it.effect("records the losers of a race", () =>
    Effect.gen(function*() {
      const program = Effect.race(mood.named("Fast")({ text: "hi" }), mood.named("Slow")({ text: "hi" }))
      const lm = TestLM.layer([TestLM.after("1 second", answer), TestLM.after("9 seconds", answer)])
      const { exit, ms } = yield* timed(program.pipe(Trace.collect, Effect.provide(lm)))
      const [, events] = yield* exit
      assert.strictEqual(ms, 1000)
      assert.sameDeepMembers(events.map((event) => [event.name, event.result._tag]), [
        ["Fast", "Success"],
        ["Slow", "Interrupted"]
      ])
    }))

  it.effect("nests: the inner collector hands its events on", () =>
    Effect.gen(function*() {
      const inner = Trace.collect(mood.named("Inner")({ text: "a" }))
      const program = Trace.collect(Effect.all([inner, mood.named("Outer")({ text: "b" })]))
      const [[[, within]], all] = yield* Effect.provide(program, TestLM.layer(() => answer))
      assert.deepStrictEqual(within.map((event) => event.name), ["Inner"])
      assert.deepStrictEqual(all.map((event) => event.name), ["Inner", "Outer"])
    }))

  it.effect("sees calls in any fiber of the program, in the order they end", () =>
    Effect.gen(function*() {
      const lm = TestLM.layer((request) =>
        TestLM.after(`${request.call?.input.text} seconds` as `${number} seconds`, answer)
      )
      const program = Effect.forEach(["3", "1", "2"], (text) => mood({ text }), { concurrency: 3 }).pipe(Trace.collect)
      const { exit } = yield* timed(Effect.provide(program, lm))
      const [, events] = yield* exit
      assert.deepStrictEqual(events.map((event) => event.input.text), ["1", "2", "3"])
    }))

  it.effect("starts anew each time its program runs", () =>
    Effect.gen(function*() {
      const program = Trace.collect(call)
      const counts = yield* Effect.all([program, program]).pipe(Effect.provide(TestLM.layer(() => answer)))
      assert.deepStrictEqual(counts.map(([, events]) => events.length), [1, 1])
    }))

  it.effect("Trace.observe also tells of a program that fails", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const program = call.pipe(
        LM.withSettings({ attempts: 1 }),
        Trace.observe((event) => seen.push(event.result._tag))
      )
      yield* Effect.exit(Effect.provide(program, TestLM.layer(["bad"])))
      assert.deepStrictEqual(seen, ["Failure"])
    }))
})

describe("Usage.track around predictors", () => {
  it.effect("adds up calls, tokens and money of a program, failed requests included", () =>
    Effect.gen(function*() {
      const lm = TestLM.layer([priced("bad", 1), new LMErrorReason.Overloaded({}), priced(good, 10), priced(good, 100)])
      const { exit } = yield* timed(Effect.andThen(call, call).pipe(Usage.track, Effect.provide(retried(lm))))
      const [, usage] = yield* exit
      assert.deepStrictEqual(usage, { calls: 4, inputTokens: 111, outputTokens: 3 })
    }))

  it.effect("counts what a failed call cost, when the program goes on", () =>
    Effect.gen(function*() {
      const [exit, usage] = yield* Effect.exit(call).pipe(
        Usage.track,
        Effect.provide(TestLM.layer(() => priced("bad", 5)))
      )
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(usage, { calls: 3, inputTokens: 15, outputTokens: 3 })
    }))

  it.effect("agrees with the events' own usage", () =>
    Effect.gen(function*() {
      const { lm } = TestLM.make(() => priced(good, 3), { latency: "1 second" })
      const program = Effect.forEach([1, 2, 3], () => call, { concurrency: 3 }).pipe(Trace.collect, Usage.track)
      const { exit } = yield* timed(Effect.provide(program, Layer.succeed(LM, lm)))
      const [[, events], usage] = yield* exit
      assert.deepStrictEqual(events.map((event) => event.usage).reduce(Usage.add, Usage.zero), usage)
    }))

  it("a figure nobody reported is absent, never 0", () => {
    assert.deepStrictEqual(Usage.add({ calls: 1 }, { calls: 2 }), { calls: 3 })
    assert.deepStrictEqual(Usage.add({ calls: 1, costUsd: 0.5 }, { calls: 1 }), { calls: 2, costUsd: 0.5 })
  })
})

describe("Usage.by", () => {
  it.effect("keeps accounts apart that run side by side, failed programs and every attempt included", () =>
    Effect.gen(function*() {
      const { lm } = TestLM.make(() => priced("bad", 5), { latency: "1 second" })
      const program = Effect.all([
        Effect.exit(call).pipe(Usage.by("tenant", "a")),
        call.pipe(LM.withSettings({ attempts: 1 }), Usage.by("tenant", "b"), Usage.by("job", "1"), Effect.exit),
        Effect.exit(call)
      ], { concurrency: 3 })
      const tracked = program.pipe(Usage.trackBy("tenant"), Usage.trackBy("job"), Usage.track)
      const { exit } = yield* timed(Effect.provideService(tracked, LM, lm))
      const [[[, tenants], jobs], all] = yield* exit
      const usage = (calls: number) => ({ calls, inputTokens: 5 * calls, outputTokens: calls })
      assert.deepStrictEqual(tenants, { a: usage(3), b: usage(1) })
      assert.deepStrictEqual(jobs, { 1: usage(1) })
      assert.deepStrictEqual(all, usage(7))
    }))

  it.effect("agrees with prices that a decorator knows", () =>
    Effect.gen(function*() {
      const Live = LM.price({ "test/scripted": { input: 2, output: 10 } })(TestLM.layer(() => priced(good, 1_000_000)))
      const [, bills] = yield* call.pipe(Usage.by("tenant", "a"), Usage.trackBy("tenant"), Effect.provide(Live))
      assert.deepStrictEqual(bills, { a: { calls: 1, inputTokens: 1_000_000, outputTokens: 1, costUsd: 2.00001 } })
    }))
})
