import { LM, LMErrorReason, Trace, TraceFile, TraceText } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mood } from "./support.ts"

const answer = { label: "pos", score: 0.9 } as const

/** A success with a re-ask, a failure, an interruption. */
const calls = Effect.gen(function*() {
  const lm = TestLM.layer([
    "no JSON \u001b[2J",
    TestLM.completion({
      content: [{ type: "text", text: JSON.stringify(answer) }],
      usage: { calls: 1, inputTokens: 3, outputTokens: 4, costUsd: 0.5 },
      adjustments: [{ feature: "temperature", action: "dropped" }]
    }),
    new LMErrorReason.Refused({}),
    TestLM.never
  ])
  const program = Effect.all([
    mood.named("First")({ text: "hi\nthere" }),
    Effect.exit(mood.named("Second")({ text: "a" })),
    Effect.timeoutOption(mood.named("Third")({ text: "b" }), 0)
  ])
  const [, events] = yield* program.pipe(Trace.collect, Effect.provide(lm))
  return events
})

describe("a trace as JSON lines", () => {
  it.live("is read back as it was written", () =>
    Effect.gen(function*() {
      const events = yield* calls
      const text = TraceFile.encode(events)
      assert.strictEqual(text.split("\n").length, events.length + 1)
      const lines = yield* TraceFile.decode(`\n${text}\n`)
      assert.deepStrictEqual(lines, events.map(TraceFile.lineOf))
      assert.deepStrictEqual(lines.map(({ name, result }) => [name, result._tag]), [
        ["First", "Success"],
        ["Second", "Failure"],
        ["Third", "Interrupted"]
      ])
      const [first, second] = lines
      // The request that was answered in the end: with the reply that was of no use, and what was said of it.
      assert.deepStrictEqual(first?.messages?.map(({ role }) => role), ["system", "user", "assistant", "user"])
      assert.deepStrictEqual(second?.result._tag === "Failure" && second.result.error.name, "Refused")
    }))

  it.effect("says which line is none", () =>
    Effect.gen(function*() {
      const good = TraceFile.encode((yield* calls).slice(0, 1))
      for (const wrong of ["{", "{}", "[]", good.replace("\"attempts\":2", "\"attempts\":-1")]) {
        const error = yield* Effect.flip(TraceFile.decode(`${good}\n${wrong}`))
        assert.strictEqual(error.message, "line 3 is no call of a trace")
      }
    }))
})

describe("a trace for a terminal", () => {
  it.live("shows messages, reply, cost and failures; what a model says gives no orders", () =>
    Effect.gen(function*() {
      const events = yield* calls
      const text = TraceText.format(events)
      assert.match(text, /── First, scripted, .* s, 2 requests, 7 tokens, \$0\.5\n\n\[system\]\nTell the mood/)
      assert.include(text, "[reply]\n{\"label\":\"pos\",\"score\":0.9}")
      assert.match(text, /failed: Refused: /)
      assert.match(text, /── Third, no reply, .*1 request\n[^]*\n\ninterrupted$/)
      assert.notInclude(text, "\u001b")
      assert.include(TraceText.format(events, { color: true }), "\u001b[36m[system]\u001b[0m")
      assert.notInclude(TraceText.format(events, { messages: false }), "[system]")
      const lines = yield* TraceFile.decode(TraceFile.encode(events))
      assert.strictEqual(TraceText.format(lines), text)
    }))
})

describe("Trace.latest", () => {
  it.effect("keeps the last calls only, in the order they ended", () =>
    Effect.gen(function*() {
      const names = (count: number, limit: number) =>
        Effect.forEach(Array.from({ length: count }), (_, index) => mood.named(`n${index}`)({ text: "x" })).pipe(
          LM.withSettings({ attempts: 1 }),
          Trace.latest(limit),
          Effect.map(([, events]) => events.map(({ name }) => name)),
          Effect.provide(TestLM.layer(() => answer))
        )
      assert.deepStrictEqual(yield* names(7, 3), ["n4", "n5", "n6"])
      assert.deepStrictEqual(yield* names(2, 3), ["n0", "n1"])
      assert.deepStrictEqual(yield* names(3, 3), ["n0", "n1", "n2"])
      assert.deepStrictEqual(yield* names(3, 0), [])
    }))
})
