import {
  Adapter,
  ChatAdapter,
  Example,
  JsonAdapter,
  LM,
  Message,
  Parameters,
  Predict,
  Signature
} from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Mood, mood, prompt } from "./support.ts"

const answer = { label: "pos", score: 0.9 } as const
const lovely = Example.make({ text: "lovely" }, { label: "pos", score: 1 } as const)
const awful = Example.make({ text: "awful" }, { label: "neg", score: 0.5 } as const)

/** The messages of one call, without the system turn and the input's own. */
const turns = <A, E>(call: Effect.Effect<A, E, LM>) =>
  Effect.gen(function*() {
    const { lm, recorder } = TestLM.make([answer])
    yield* Effect.provideService(call, LM, lm)
    return recorder.requests[0]?.messages.slice(1, -1)
  })

describe("demonstrations", () => {
  it.effect("are turns of the conversation, in the words of the adapter", () =>
    Effect.gen(function*() {
      const demos = [lovely, awful]
      assert.deepStrictEqual(yield* turns(Predict.make(Mood, { demos })({ text: "hi" })), [
        { role: "user", content: "[[ ## text ## ]]\nlovely" },
        { role: "assistant", content: "{\"label\":\"pos\",\"score\":1}" },
        { role: "user", content: "[[ ## text ## ]]\nawful" },
        { role: "assistant", content: "{\"label\":\"neg\",\"score\":0.5}" }
      ])
      const chat = Predict.make(Mood, { demos: [lovely], adapter: ChatAdapter.adapter })
      assert.deepStrictEqual(yield* turns(chat({ text: "hi" })), [
        { role: "user", content: "[[ ## text ## ]]\nlovely" },
        { role: "assistant", content: "[[ ## label ## ]]\npos\n\n[[ ## score ## ]]\n1\n\n[[ ## completed ## ]]" }
      ])
    }))

  it("written by an adapter are readable by it", () => {
    for (const adapter of [JsonAdapter.adapter, ChatAdapter.adapter]) {
      const format = adapter.format(Mood)
      const [, , assistant] = format.prefix("Do it.", [lovely])
      assert.deepInclude(format.read(Message.text(assistant)), { _tag: "Success", success: lovely.output })
    }
  })

  it.effect("are encoded as the signature says", () =>
    Effect.gen(function*() {
      const when = Predict.make(
        Signature.make("When", { input: { now: Schema.Date }, output: { due: Schema.Date } }),
        { demos: [Example.make({ now: new Date(0) }, { due: new Date(1000) })] }
      )
      const { lm, recorder } = TestLM.make([{ due: "2026-03-01" }])
      yield* Effect.provideService(when({ now: new Date(0) }), LM, lm)
      assert.deepStrictEqual(recorder.requests[0]?.call?.demos, [
        { input: { now: "1970-01-01T00:00:00.000Z" }, output: { due: "1970-01-01T00:00:01.000Z" } }
      ])
    }))

  const given = (demo: Example.Any) => Parameters.provide({ Mood: { demos: [demo] } })(mood({ text: "hi" }))

  it.effect("that lack fields say so, and show the ones they have", () =>
    Effect.gen(function*() {
      const partial = yield* turns(given({ input: { text: "lovely" }, output: { label: "pos" } }))
      assert.match(
        Message.text(partial?.[0]),
        /^An example of the task; some of its fields are left out\.\n\n\[\[ ## text/
      )
      assert.strictEqual(partial?.[1]?.content, "{\"label\":\"pos\"}")
      const complete = yield* turns(given(lovely))
      assert.notInclude(complete?.[0]?.content, "left out")
      const unasked = yield* turns(given({ input: {}, output: lovely.output }))
      assert.include(unasked?.[0]?.content, "left out")
    }))

  it.effect("that lack an optional field are complete", () =>
    Effect.gen(function*() {
      const note = Predict.make(
        Signature.make("Note", {
          input: { a: Schema.String },
          output: { b: Schema.String, c: Schema.optionalKey(Schema.String) }
        }),
        { demos: [Example.make({ a: "1" }, { b: "2" })] }
      )
      const { lm, recorder } = TestLM.make([{ b: "x" }])
      yield* Effect.provideService(note({ a: "hi" }), LM, lm)
      assert.notInclude(recorder.requests.map(prompt).join(), "left out")
    }))

  it.effect("with a field called like a member of every object lack it when they lack it", () =>
    Effect.gen(function*() {
      const race = Predict.make(Signature.make("Race", {
        input: { text: Schema.String },
        output: { constructor: Schema.String, driver: Schema.String }
      }))
      const { lm, recorder } = TestLM.make([{ constructor: "Lotus", driver: "Clark" }])
      const output = yield* race({ text: "1965" }).pipe(
        Parameters.provide({ Race: { demos: [{ input: { text: "1955" }, output: { driver: "Fangio" } }] } }),
        Effect.provideService(LM, lm)
      )
      assert.deepEqual(output, { constructor: "Lotus", driver: "Clark" })
      assert.strictEqual(recorder.requests[0]?.messages[2]?.content, "{\"driver\":\"Fangio\"}")
    }))

  it.effect("that do not fit are an InputError that says which and where; nothing is sent", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([])
      const wrong = [lovely, { input: { text: 5 }, output: { label: "meh", score: 1 } }]
      const call = Parameters.provide({ Mood: { demos: wrong } })(mood({ text: "hi" }))
      const error = yield* Effect.flip(Effect.provideService(call, LM, lm))
      assert.deepInclude(error, {
        _tag: "InputError",
        issues: [
          { path: ["demos", 1, "text"], expected: "string" },
          { path: ["demos", 1, "label"], expected: "\"pos\" | \"neg\"" }
        ]
      })
      assert.strictEqual(recorder.started, 0)
    }))

  it.effect("of the parameters replace the predictor's own; none means none", () =>
    Effect.gen(function*() {
      const call = Predict.make(Mood, { demos: [lovely] })({ text: "hi" })
      const tuned = yield* turns(Parameters.provide({ Mood: { demos: [awful] } })(call))
      assert.deepStrictEqual(tuned?.map((turn) => Message.text(turn).includes("awful")), [true, false])
      assert.deepStrictEqual(yield* turns(Parameters.provide({ Mood: { demos: [] } })(call)), [])
      assert.lengthOf((yield* turns(Parameters.provide({ Mood: { instructions: "Be quick." } })(call))) ?? [], 2)
    }))
})

describe("what every call starts with", () => {
  /** The JSON adapter, with its work counted. */
  const counting = () => {
    const count = { compiled: 0, prefix: 0, input: 0 }
    const adapter = Adapter.make("counting", (signature) => {
      count.compiled++
      const format = JsonAdapter.adapter.format(signature)
      return {
        ...format,
        prefix: (instructions, demos) => {
          count.prefix++
          return format.prefix(instructions, demos)
        },
        input: (input) => {
          count.input++
          return format.input(input)
        }
      }
    })
    return { adapter, count }
  }
  const thousand = Array.from({ length: 1000 }, (_, index) => index)

  it.effect("is rendered once for 1,000 calls", () =>
    Effect.gen(function*() {
      const { adapter, count } = counting()
      const predictor = Predict.make(Mood, { adapter, demos: [lovely, awful] })
      const { lm, recorder } = TestLM.make(() => answer)
      yield* Effect.forEach(thousand, (index) => predictor({ text: `${index}` }), { concurrency: 100 }).pipe(
        Effect.provideService(LM, lm)
      )
      assert.deepStrictEqual(count, { compiled: 1, prefix: 1, input: 1000 })
      assert.strictEqual(new Set(recorder.requests.map((request) => request.messages[0])).size, 1)
      assert.strictEqual(new Set(recorder.requests.map((request) => request.messages.at(-1)?.content)).size, 1000)
    }))

  it.effect("is rendered once for each candidate, also when their calls take turns", () =>
    Effect.gen(function*() {
      const { adapter, count } = counting()
      const predictor = Predict.make(Mood, { adapter, demos: [lovely] })
      const candidates = [{}, { Mood: { instructions: "One." } }, { Mood: { demos: [awful] } }]
      yield* Effect.forEach(
        thousand,
        (index) => Parameters.provide(candidates[index % 3] ?? {})(predictor({ text: "hi" })),
        { concurrency: 10 }
      ).pipe(Effect.provide(TestLM.layer(() => answer)))
      assert.deepStrictEqual(count, { compiled: 1, prefix: 3, input: 1000 })
    }))

  it.effect("is shared by a predictor's other names", () =>
    Effect.gen(function*() {
      const { adapter, count } = counting()
      const predictor = Predict.make(Mood, { adapter })
      yield* Effect.andThen(predictor({ text: "hi" }), predictor.named("Other")({ text: "hi" })).pipe(
        Effect.provide(TestLM.layer(() => answer))
      )
      assert.strictEqual(count.prefix, 1)
    }))
})
