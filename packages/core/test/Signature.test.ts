import { ChatAdapter, JsonAdapter, Predict, Signature } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { inspect } from "node:util"

/** A schema that counts how often it is looked into. */
const observed = () => {
  const count = { value: 0 }
  const schema = Schema.suspend(() => {
    count.value++
    return Schema.String
  })
  return { count, schema }
}

describe("Signature.make", () => {
  it("derives nothing until it is asked, and then once", () => {
    const { count, schema } = observed()
    const signature = Signature.make("S", { input: { a: Schema.String }, output: { b: schema } })
    Predict.make(signature)
    assert.strictEqual(count.value, 0)
    const derived = signature.derived
    assert.isAbove(count.value, 0)
    const looks = count.value
    assert.strictEqual(signature.derived, derived)
    assert.strictEqual(count.value, looks)
  })

  it.effect("predictors and adapters share what is derived", () =>
    Effect.gen(function*() {
      const signature = Signature.make("S", { input: { a: Schema.String }, output: { b: Schema.String } })
      const { derived } = signature
      yield* Predict.make(signature)({ a: "1" })
      yield* Predict.make(signature, { adapter: ChatAdapter.adapter })({ a: "2" })
      assert.strictEqual(signature.derived, derived)
      assert.strictEqual(JsonAdapter.adapter.format(signature), JsonAdapter.adapter.format(signature))
    }).pipe(Effect.provide(TestLM.layer(() => ({ b: "x" })))))

  it("printing, comparing and spreading do not trigger it, nor show it", () => {
    const { count, schema } = observed()
    const signature = Signature.make("S", { input: { a: Schema.String }, output: { b: schema } })
    JSON.stringify(signature)
    inspect(signature, { depth: 10 })
    assert.deepStrictEqual(Object.keys({ ...signature }), ["name", "instructions", "input", "output"])
    assert.strictEqual(count.value, 0)
    assert.strictEqual(signature.derived.outputs.length, 1)
    assert.notInclude(Object.keys(signature), "derived")
    assert.notInclude(inspect(signature, { depth: 0 }), "derived")
  })

  it("a field that is both input and output throws for untyped callers, and says which", () => {
    const both = { text: Schema.String, more: Schema.String }
    assert.throws(
      () => Signature.make("Clash", { input: both, output: { ...both, other: Schema.String } as never }),
      TypeError,
      "Clash: both an input and an output field: text, more"
    )
  })

  it("a field that is no schema throws for untyped callers, and says which", () => {
    const output = { b: Schema.String }
    assert.throws(() => Signature.make("Plain", { input: { a: "string" as never }, output }), "a: expected a schema")
  })

  it("needs an output field", () => {
    assert.throws(() => Signature.make("None", { input: { a: Schema.String }, output: {} }), TypeError, "None")
  })

  it("states the task from the field names when nobody wrote instructions", () => {
    const output = { b: Schema.String, c: Schema.String }
    assert.strictEqual(
      Signature.make("S", { input: { a: Schema.String }, output }).instructions,
      "Given `a`, produce `b`, `c`."
    )
    assert.strictEqual(Signature.make("S", { input: {}, output }).instructions, "Produce `b`, `c`.")
    assert.strictEqual(Signature.make("S", { instructions: "Do it.", input: {}, output }).instructions, "Do it.")
  })

  it("its combinators give new signatures and leave the old one alone", () => {
    const one = Signature.make("S", { input: { a: Schema.String }, output: { b: Schema.String } })
    const two = one.derived
    const before = Signature.prepend({ output: { why: Schema.String } })(one)
    const after = Signature.append({ output: { sure: Schema.Boolean } })(one)
    const told = Signature.withInstructions("Shout.")(one)
    assert.deepStrictEqual(before.derived.outputs.map((field) => field.name), ["why", "b"])
    assert.deepStrictEqual(after.derived.outputs.map((field) => field.name), ["b", "sure"])
    assert.strictEqual(told.instructions, "Shout.")
    assert.strictEqual(before.instructions, one.instructions)
    assert.strictEqual(one.derived, two)
    assert.deepStrictEqual(one.derived.outputs.map((field) => field.name), ["b"])
  })
})

/** Decodes one output field. */
const decode = (schema: Schema.Codec<unknown, unknown, never, never>, json: { readonly [key: string]: unknown }) =>
  Signature.make("S", { input: {}, output: { x: schema } }).derived.decodeOutput(json)

interface Tree {
  readonly value: number
  readonly children: ReadonlyArray<Tree>
}

const Tree: Schema.Codec<Tree> = Schema.Struct({
  value: Schema.Int,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
}).annotate({ identifier: "Tree" })

describe("Signature codecs", () => {
  it("write and read dates", () => {
    const { derived } = Signature.make("S", { input: { from: Schema.Date }, output: { due: Schema.Date } })
    const date = new Date("2026-03-01T12:00:00.000Z")
    assert.deepStrictEqual(derived.encodeInput({ from: date }), Result.succeed({ from: "2026-03-01T12:00:00.000Z" }))
    assert.deepStrictEqual(derived.decodeInput({ from: "2026-03-01T12:00:00Z" }), Result.succeed({ from: date }))
    assert.deepStrictEqual(derived.decodeOutput({ due: "2026-03-01" }), Result.succeed({ due: new Date("2026-03-01") }))
    assert.deepStrictEqual(derived.encodeOutput({ due: date }), Result.succeed({ due: "2026-03-01T12:00:00.000Z" }))
    assert.isTrue(Result.isFailure(derived.decodeOutput({ due: "tomorrow" })))
  })

  it("tell optional, nullable and defaulted fields apart", () => {
    const optional = Schema.optional(Schema.String)
    assert.deepStrictEqual(decode(optional, {}), Result.succeed({}))
    assert.deepStrictEqual(decode(optional, { x: null }), Result.succeed({ x: undefined }))
    const key = Schema.optionalKey(Schema.String)
    assert.deepStrictEqual(decode(key, {}), Result.succeed({}))
    assert.isTrue(Result.isFailure(decode(key, { x: null })))
    const nullable = Schema.NullOr(Schema.String)
    assert.deepStrictEqual(decode(nullable, { x: null }), Result.succeed({ x: null }))
    assert.isTrue(Result.isFailure(decode(nullable, {})))
    const defaulted = Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("none")))
    assert.deepStrictEqual(decode(defaulted, {}), Result.succeed({ x: "none" }))
    assert.deepStrictEqual(decode(defaulted, { x: "some" }), Result.succeed({ x: "some" }))
    assert.isTrue(Result.isFailure(decode(defaulted, { x: null })))
  })

  it("read unions, nested structs and recursion", () => {
    const shape = Schema.Union([
      Schema.Struct({ kind: Schema.Literal("circle"), radius: Schema.Finite }),
      Schema.Struct({ kind: Schema.Literal("square"), side: Schema.Finite })
    ])
    assert.deepStrictEqual(
      decode(shape, { x: { kind: "square", side: 2 } }),
      Result.succeed({ x: { kind: "square", side: 2 } })
    )
    assert.deepStrictEqual(
      decode(shape, { x: { kind: "square", side: "2" } }),
      Result.fail([{ path: ["x", "side"], expected: "number" }])
    )
    const tree = { value: 1, children: [{ value: 2, children: [] }] }
    assert.deepStrictEqual(decode(Tree, { x: tree }), Result.succeed({ x: tree }))
    assert.deepStrictEqual(
      decode(Tree, { x: { value: 1, children: [{ value: "2", children: [] }] } }),
      Result.fail([{ path: ["x", "children", 0, "value"], expected: "number" }])
    )
  })

  it("report all issues at once, each with its path", () => {
    const { derived } = Signature.make("S", {
      input: { a: Schema.String, b: Schema.Array(Schema.Int) },
      output: {
        label: Schema.Literals(["pos", "neg"]),
        facts: Schema.Array(Schema.Struct({ text: Schema.String, weight: Schema.Finite })),
        missing: Schema.String
      }
    })
    assert.deepStrictEqual(
      derived.decodeOutput({ label: "meh", facts: [{ text: "a", weight: 1 }, { text: 2, weight: "heavy" }] }),
      Result.fail([
        { path: ["label"], expected: "\"pos\" | \"neg\"" },
        { path: ["facts", 1, "text"], expected: "string" },
        { path: ["facts", 1, "weight"], expected: "number" },
        { path: ["missing"], expected: "a value, but the field is missing" }
      ])
    )
    assert.deepStrictEqual(
      derived.encodeInput({ b: [1, 2.5, "3"] }),
      Result.fail([
        { path: ["a"], expected: "a value, but the field is missing" },
        { path: ["b", 1], expected: "an integer" },
        { path: ["b", 2], expected: "number" }
      ])
    )
  })

  it("drop unknown keys at every level", () => {
    const nested = Schema.Struct({ a: Schema.String })
    assert.deepStrictEqual(
      decode(nested, { x: { a: "1", b: "2" }, extra: true }),
      Result.succeed({ x: { a: "1" } })
    )
  })

  it("refuse what is no record", () => {
    const { derived } = Signature.make("S", { input: { a: Schema.String }, output: { b: Schema.String } })
    for (const value of [null, undefined, "text", 3, ["a"]]) {
      assert.isTrue(Result.isFailure(derived.encodeInput(value)), String(value))
      assert.isTrue(Result.isFailure(derived.decodeOutput(value)), String(value))
    }
  })
})

describe("Signature fields", () => {
  it("know their description from the schema or the key", () => {
    const { derived } = Signature.make("S", {
      input: {},
      output: {
        a: Schema.String.annotate({ description: "of the schema" }),
        b: Schema.String.annotateKey({ description: "of the key" }),
        c: Schema.String
      }
    })
    assert.deepStrictEqual(derived.outputs.map((field) => field.description), [
      "of the schema",
      "of the key",
      undefined
    ])
  })

  it("encode and decode on their own, with their name in the path", () => {
    const [field] = Signature.make("S", { input: {}, output: { tags: Schema.Array(Schema.String) } }).derived.outputs
    assert.deepStrictEqual(field?.decode(["a", 2]), Result.fail([{ path: ["tags", 1], expected: "string" }]))
    assert.deepStrictEqual(field?.encode(["a", 2]), Result.fail([{ path: ["tags", 1], expected: "string" }]))
    assert.deepStrictEqual(field?.decode(["a"]), Result.succeed(["a"]))
  })
})
