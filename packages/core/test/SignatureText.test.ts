import { Predict, Signature } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

describe("a signature from a text", () => {
  const Ask = Signature.parse(
    "question, context: string[], hint: string? -> answer, mood: 'calm' | \"cross\", tags: 'a'|'b'[], n: integer, ok: boolean?"
  )

  it("has the fields and types it says", () => {
    const show = (fields: Signature.Derived["inputs"]) =>
      fields.map((field) => `${field.name}: ${field.type}${field.isOptional ? "?" : ""}`)
    assert.deepStrictEqual(show(Ask.derived.inputs), ["question: string", "context: string[]", "hint: string?"])
    assert.deepStrictEqual(show(Ask.derived.outputs), [
      "answer: string",
      "mood: \"calm\" | \"cross\"",
      "tags: (\"a\" | \"b\")[]",
      "n: integer",
      "ok: boolean?"
    ])
    assert.strictEqual(Ask.name, "AnswerMoodTagsNOk")
    assert.strictEqual(Signature.parse("a -> b", { name: "Named", instructions: "Do." }).instructions, "Do.")
  })

  it.effect("makes predictors", () =>
    Effect.gen(function*() {
      const reply = { answer: "x", mood: "calm", tags: ["a"], n: 1 }
      const output = yield* Effect.provide(Predict.make(Ask)({ question: "?", context: [] }), TestLM.layer([reply]))
      assert.deepStrictEqual<unknown>(output, reply)
    }))

  it("throws for untyped callers what the compiler says to others", () => {
    const wrong: ReadonlyArray<readonly [string, RegExp]> = [
      ["question, answer", /one arrow/],
      ["a -> b -> c", /one arrow/],
      ["a ->", /at least one output/],
      ["a, -> b", /without a name/],
      ["a: text -> b", /no type: text/],
      ["a -> b: 'x' | y", /no type/],
      ["a -> a", /both an input and an output/]
    ]
    for (const [text, message] of wrong) assert.throws(() => Signature.parse(text), message)
  })
})

describe("transformers", () => {
  const Ask = Signature.parse("question, context: string[] -> answer", { name: "Ask", instructions: "Answer." })

  it("add and leave out fields, and keep the rest", () => {
    const more = Signature.append({ input: { a: Ask.input.fields.question }, output: { b: Ask.output.fields.answer } })(
      Signature.prepend({ input: { c: Ask.input.fields.question } })(Ask)
    )
    assert.deepStrictEqual(Object.keys(more.input.fields), ["c", "question", "context", "a"])
    assert.deepStrictEqual(Object.keys(more.output.fields), ["answer", "b"])
    assert.deepInclude(more, { name: "Ask", instructions: "Answer." })
    assert.deepStrictEqual(Object.keys(Signature.omit("context")(Ask).input.fields), ["question"])
    assert.throws(() => Signature.append({ output: { question: Ask.output.fields.answer } })(Ask), /both an input/)
  })
})
