import { Content, type Event, Events, LM, LMErrorReason, Tool } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { mood, timed } from "./support.ts"

const answer = { label: "pos", score: 0.9 } as const
const call = mood({ text: "PLANTED-PROMPT" })

/** The events of a program, as it runs under a virtual clock. */
const events = Effect.fnUntraced(function*<A, E>(program: Effect.Effect<A, E>) {
  const seen: Array<Event> = []
  yield* timed(Effect.exit(program).pipe(Events.observe((event) => seen.push(event))))
  return seen
})

describe("the events of a call", () => {
  it.effect("tell of attempts, waits and the end, at their times, in their place", () =>
    Effect.gen(function*() {
      const lm = TestLM.layer([new LMErrorReason.Overloaded({}), answer], { latency: "2 seconds" })
      const Live = lm.pipe(LM.retry({ schedule: Schedule.spaced("1 second") }))
      const seen = yield* events(Effect.provide(call, Live))
      const asked = { provider: "test", model: "scripted" }
      assert.deepStrictEqual(seen, [
        { _tag: "CallStarted", at: 0, call: "1", predictor: "Mood", kind: "Predict", signature: "Mood", path: "Mood" },
        { _tag: "AttemptStarted", at: 0, call: "1", attempt: 1, ...asked },
        {
          _tag: "AttemptEnded",
          at: 2000,
          call: "1",
          attempt: 1,
          ...asked,
          outcome: "failed",
          error: "Overloaded",
          ms: 2000,
          usage: { calls: 1 }
        },
        { _tag: "Waiting", at: 2000, call: "1", for: "retry", ms: 1000, error: "Overloaded" },
        { _tag: "Waited", at: 3000, call: "1", for: "retry", outcome: "succeeded", ms: 1000 },
        { _tag: "AttemptStarted", at: 3000, call: "1", attempt: 2, ...asked },
        {
          _tag: "AttemptEnded",
          at: 5000,
          call: "1",
          attempt: 2,
          ...asked,
          outcome: "succeeded",
          ms: 2000,
          usage: { calls: 1 },
          answeredBy: "scripted",
          finishReason: "stop"
        },
        {
          _tag: "CallEnded",
          at: 5000,
          call: "1",
          predictor: "Mood",
          path: "Mood",
          outcome: "succeeded",
          ms: 5000,
          usage: { calls: 2 },
          attempts: 2,
          ...asked,
          finishReason: "stop"
        }
      ])
      assert.deepStrictEqual(JSON.parse(JSON.stringify(seen)), seen)
    }))

  it.effect("hold no word of prompts and replies, unless content is shown", () =>
    Effect.gen(function*() {
      const streamed = () => TestLM.layer([TestLM.streamed(["{\"label\":\"pos\",", "\"score\":0.9}"])])
      const stream = LM.stream({ messages: [{ role: "user", content: "PLANTED-PROMPT" }] })
      const program = Effect.andThen(Effect.provide(call, TestLM.layer([answer])), Stream.runDrain(stream))
      const silent = yield* events(Effect.provide(program, streamed()))
      assert.notMatch(JSON.stringify(silent), /PLANTED|pos|score/)
      const redact = (text: string) => text.replaceAll("PLANTED", "***")
      const shown = JSON.stringify(yield* events(program.pipe(Content.show({ redact }), Effect.provide(streamed()))))
      assert.include(shown, "***-PROMPT")
      assert.notInclude(shown, "PLANTED")
      const written = (seen: ReadonlyArray<Event>) =>
        seen.flatMap((event) => event._tag === "Written" ? [event.text] : []).join("")
      const open = yield* events(program.pipe(Content.show(), Effect.provide(streamed())))
      assert.strictEqual(written(open), "{\"label\":\"pos\",\"score\":0.9}")
      // What a redactor looks for could be cut in two.
      const pieces = yield* events(program.pipe(Content.show({ redact }), Effect.provide(streamed())))
      assert.strictEqual(written(pieces), "")
    }))

  it.effect("tell of a streamed answer while it is written", () =>
    Effect.gen(function*() {
      const lm = TestLM.layer([TestLM.streamed(["ab", "cde", "f"], { interval: "1 second" })])
      const seen = yield* events(Stream.runDrain(LM.stream({ messages: [] })).pipe(Effect.provide(lm)))
      const written = seen.flatMap((event) => event._tag === "Written" ? [event.characters] : [])
      assert.deepStrictEqual(written, [2, 5, 6])
      const first = seen.find((event) => event._tag === "FirstToken")
      const ended = seen.find((event) => event._tag === "AttemptEnded")
      assert.isDefined(first?.ms)
      assert.strictEqual(ended?.firstTokenMs, first?.ms)
    }))

  it.effect("tell of permits, turns under a rate limit and kept answers", () =>
    Effect.gen(function*() {
      const Live = TestLM.layer(() => answer, { latency: "1 second" }).pipe(
        LM.concurrency(1),
        LM.rateLimit({ requests: 60, per: "1 minute" }),
        LM.cache()
      )
      const three = Effect.all([mood({ text: "a" }), mood({ text: "b" })], { concurrency: 2 })
      const seen = yield* events(Effect.andThen(three, mood({ text: "a" })).pipe(Effect.provide(Live)))
      const waits = seen.flatMap((event) => event._tag === "Waited" ? [[event.for, event.call, event.ms]] : [])
      // 60 a minute are one in a second and the 60th part of a millisecond.
      assert.deepStrictEqual(waits, [["rateLimit", "2", 1001]])
      const hits = seen.flatMap((event) => event._tag === "CacheHit" ? [[event.cache, event.call]] : [])
      assert.deepStrictEqual(hits, [["memory", "3"]])
      const bound = TestLM.layer(() => answer, { latency: "1 second" }).pipe(LM.concurrency(1))
      const queued = yield* events(Effect.provide(three, bound))
      const permits = queued.flatMap((event) => event._tag === "Waited" ? [[event.for, event.call, event.ms]] : [])
      assert.deepStrictEqual(permits, [["permit", "2", 1000]])
    }))

  it.effect("tell of interrupted calls and of tools", () =>
    Effect.gen(function*() {
      const seen = yield* events(
        Effect.timeoutOption(call, "2 seconds").pipe(Effect.provide(TestLM.layer(() => TestLM.never)))
      )
      const ends = seen.flatMap((event) => "outcome" in event ? [[event._tag, event.outcome, event.ms]] : [])
      assert.deepStrictEqual(ends, [["AttemptEnded", "interrupted", 2000], ["CallEnded", "interrupted", 2000]])
      const tool = Tool.make("double", {
        description: "",
        parameters: { n: Schema.Finite },
        success: Schema.Finite,
        run: ({ n }) => Effect.succeed(2 * n)
      })
      const ask = (args: Schema.Json) =>
        Tool.execute(new Map([["double", tool]]), { type: "toolCall", id: "t1", name: "double", arguments: args })
      const tools = yield* events(Effect.andThen(ask({ n: 2 }), ask({ n: "PLANTED" })))
      assert.deepStrictEqual(
        tools.map((event) => [event._tag, "outcome" in event ? event.outcome : undefined]),
        [["ToolStarted", undefined], ["ToolEnded", "succeeded"], ["ToolStarted", undefined], ["ToolEnded", "failed"]]
      )
      assert.notInclude(JSON.stringify(tools), "PLANTED")
    }))

  it.effect("keep calls apart that run side by side", () =>
    Effect.gen(function*() {
      const lm = TestLM.layer((request) =>
        TestLM.after(`${request.call?.input.text} seconds` as `${number} seconds`, answer)
      )
      const program = Effect.forEach(["3", "1", "2"], (text) => mood({ text }), { concurrency: 3 })
      const seen = yield* events(Effect.provide(program, lm))
      const ended = (tag: Event["_tag"]) =>
        seen.flatMap((event) => event._tag === tag && "ms" in event ? [[event.call, event.ms]] : [])
      assert.deepStrictEqual(ended("CallEnded"), [["2", 1000], ["3", 2000], ["1", 3000]])
      assert.deepStrictEqual(ended("AttemptEnded"), ended("CallEnded"))
    }))
})

describe("the stream of events", () => {
  it.effect("tells a slow reader how many it has lost, and holds up nobody", () =>
    Effect.gen(function*() {
      const slow = yield* Events.stream.pipe(
        Stream.tap((event) => event._tag === "CallStarted" ? Effect.sleep("1 minute") : Effect.void),
        Stream.take(9),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      const quick: Array<Event> = []
      const reader = yield* Events.stream.pipe(
        Stream.runForEach((event) => Effect.sync(() => quick.push(event))),
        Effect.forkChild({ startImmediately: true })
      )
      for (let i = 0; i < 10; i++) {
        yield* call
        yield* Effect.yieldNow
      }
      yield* TestClock.adjust("10 minutes")
      const seen = yield* Fiber.join(slow)
      yield* Fiber.interrupt(reader)
      assert.strictEqual(quick.length, 40)
      assert.isFalse(quick.some((event) => event._tag === "Missed"))
      const missed = seen.flatMap((event) => event._tag === "Missed" ? [event.count] : [])
      assert.strictEqual(missed.length, 1)
      // What it was told of, what it has lost and what was kept for it are all there was.
      const kept = seen.findIndex((event) => event._tag === "Missed")
      assert.strictEqual(kept + (missed[0] ?? 0) + 8, 40)
    }).pipe(Effect.provide([TestLM.layer(() => answer), Events.layerCapacity(8)])))

  it.effect("is made once for all that read it, and listens only while somebody reads", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      yield* call
      yield* Effect.scoped(Effect.gen(function*() {
        const { observe } = yield* Events.Events
        yield* observe((event) => seen.push(event._tag))
        yield* call
      }))
      yield* call
      assert.deepStrictEqual(seen, ["CallStarted", "AttemptStarted", "AttemptEnded", "CallEnded"])
    }).pipe(Effect.provide([TestLM.layer(() => answer), Events.layer])))
})
