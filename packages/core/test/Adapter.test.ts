import {
  Adapter,
  ChatAdapter,
  JsonAdapter,
  LM,
  Message,
  Predict,
  PredictError,
  Request,
  Signature
} from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { Mood, mood, prompt } from "./support.ts"

/** An adapter of one's own: a line `name: value` for each field, values that are no text as JSON. */
const lines = Adapter.make("lines", (signature) => {
  const { inputs, outputs } = signature.derived
  const expected = outputs.map((field) => `${field.name}: ...`).join(", ")
  const show = (values: Signature.Encoded) =>
    Object.entries(values).map(([name, value]) => `${name}: ${Adapter.show(value)}`).join("\n")
  const value = (isText: boolean, text: string): unknown => {
    if (isText) return text
    try {
      return JSON.parse(text)
    } catch {
      return text
    }
  }
  return {
    output: Request.text,
    prefix: (instructions, demos) => [
      Message.system(`${Adapter.task(signature, instructions)}\n\nReply with the lines ${expected}`),
      ...demos.flatMap((demo) => [Message.user(show(demo.input)), Message.assistant(show(demo.output))])
    ],
    input: (input) => Message.user(inputs.length === 0 ? "Begin." : show(input)),
    read: (text) => {
      const found = outputs.flatMap(({ isText, name }) => {
        const line = text.split("\n").find((candidate) => candidate.startsWith(`${name}: `))
        return line === undefined ? [] : [[name, value(isText, line.slice(name.length + 2))] as const]
      })
      return found.length === 0
        ? Result.fail(new PredictError.Unreadable({ expected }))
        : Adapter.decode(signature, Object.fromEntries(found))
    },
    feedback: (reason) => Adapter.complaint(reason, "Reply with all lines.")
  }
})

const reply = "label: \"pos\"\nscore: 0.9"
const answer = { label: "pos", score: 0.9 } as const

describe("an adapter of one's own", () => {
  it.effect("works through the option", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([reply])
      const predictor = Predict.make(Mood, {
        adapter: lines,
        demos: [{ input: { text: "bad" }, output: { label: "neg", score: 1 } }]
      })
      assert.deepStrictEqual(yield* Effect.provideService(predictor({ text: "hi" }), LM, lm), answer)
      assert.deepStrictEqual(recorder.requests[0]?.messages.slice(1), [
        { role: "user", content: "text: bad" },
        { role: "assistant", content: "label: neg\nscore: 1" },
        { role: "user", content: "text: hi" }
      ])
    }))

  it.effect("works through Adapter.Current, for all predictors that name none", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([reply, answer])
      yield* Effect.andThen(mood({ text: "hi" }), Predict.make(Mood, { adapter: JsonAdapter.adapter })({ text: "hi" }))
        .pipe(
          Effect.provideService(Adapter.Current, lines),
          Effect.provideService(LM, lm)
        )
      assert.deepStrictEqual(recorder.requests.map((request) => request.output._tag), ["Text", "Json"])
    }))

  it.effect("has its re-ask, in its own words", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(["Well.", "label: \"meh\"", reply])
      const call = Predict.make(Mood, { adapter: lines })({ text: "hi" })
      assert.deepStrictEqual(yield* Effect.provideService(call, LM, lm), answer)
      const feedback = recorder.requests.map((request) => request.messages.at(-1)?.content)
      assert.include(feedback[1], "expected label: ..., score: ...")
      assert.include(feedback[2], "- label: expected \"pos\" | \"neg\"")
      assert.include(feedback[2], "Reply with all lines.")
    }))

  it("compiles a signature once", () => {
    let compiled = 0
    const adapter = Adapter.make("counted", (signature) => {
      compiled++
      return JsonAdapter.adapter.format(signature)
    })
    assert.strictEqual(adapter.format(Mood), adapter.format(Mood))
    adapter.format(Signature.withInstructions("Other.")(Mood))
    assert.strictEqual(compiled, 2)
  })
})

describe("the prompts", () => {
  const Plan = Signature.make("Plan", {
    instructions: "Plan the day.",
    input: { wishes: Schema.Array(Schema.String).annotate({ description: "what should happen" }) },
    output: {
      plan: Schema.String.annotate({ description: "in one paragraph" }),
      hours: Schema.Int,
      note: Schema.optionalKey(Schema.Literals(["rain", "sun"]))
    }
  })
  const said = (adapter: Adapter.Adapter) =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([{ plan: "p", hours: 1 }])
      yield* Effect.provideService(Predict.make(Plan, { adapter })({ wishes: ["a swim"] }), LM, lm)
      return recorder.requests.map(prompt).join()
    })
  const fields = [
    "Plan the day.",
    "- wishes (string[]): what should happen",
    "- plan (string): in one paragraph",
    "- hours (integer)",
    "- note (\"rain\" | \"sun\", optional)",
    "[[ ## wishes ## ]]\n[\"a swim\"]"
  ]

  it.effect("of the JSON adapter say the task, the fields and the schema", () =>
    Effect.gen(function*() {
      const text = yield* said(JsonAdapter.adapter)
      for (const field of fields) assert.include(text, field)
      assert.include(text, JSON.stringify(Plan.derived.jsonSchema))
    }))

  it.effect("of the chat adapter say the task, the fields and the layout", () =>
    Effect.gen(function*() {
      const text = yield* said(ChatAdapter.adapter)
      for (const field of fields) assert.include(text, field)
      assert.include(
        text,
        "[[ ## plan ## ]]\n{plan}\n\n[[ ## hours ## ]]\n{hours: integer, as JSON}\n\n[[ ## note ## ]]"
      )
      assert.include(text, "[[ ## completed ## ]]")
      assert.notInclude(text, "\"properties\"")
    }))

  it.effect("are the same for the same call", () =>
    Effect.gen(function*() {
      for (const adapter of [JsonAdapter.adapter, ChatAdapter.adapter]) {
        assert.strictEqual(yield* said(adapter), yield* said(adapter))
      }
    }))
})

describe("Adapter.firstValid", () => {
  const unreadable = new PredictError.Unreadable({ expected: "an object" })
  const first = (candidates: ReadonlyArray<unknown>) => Adapter.firstValid(Mood, candidates, unreadable)

  it("takes the first candidate whose fields decode", () => {
    assert.deepStrictEqual(
      first([1, "x", null, { label: "meh" }, answer, { label: "neg", score: 0 }]),
      Result.succeed(answer)
    )
  })

  it("unwraps a list of one, and only of one", () => {
    assert.deepStrictEqual(first([[answer]]), Result.succeed(answer))
    assert.deepStrictEqual(first([[answer, answer]]), Result.fail(unreadable))
  })

  it("tells what was wrong with the first object", () => {
    const issues = [{ path: ["score"], expected: "a value, but the field is missing" }]
    assert.deepStrictEqual(first([{ label: "pos" }, {}]), Result.fail(new PredictError.Invalid({ issues })))
  })

  it("stops at the first that decodes", () => {
    let drawn = 0
    const candidates = function*() {
      for (;;) {
        drawn++
        yield answer
      }
    }
    assert.isTrue(Result.isSuccess(Adapter.firstValid(Mood, candidates(), unreadable)))
    assert.strictEqual(drawn, 1)
  })
})
