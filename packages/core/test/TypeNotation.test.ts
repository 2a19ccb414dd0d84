import { Signature, TypeNotation } from "@effect-dspy/core"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"

type Any = Schema.Codec<unknown, unknown, never, never>

/** A field's type as prompts name it. */
const named = (schema: Any) => Signature.make("S", { input: {}, output: { x: schema } }).derived.outputs[0]?.type

interface Tree {
  readonly value: number
  readonly children: ReadonlyArray<Tree>
}

const Tree: Schema.Codec<Tree> = Schema.Struct({
  value: Schema.Int,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

const notations: ReadonlyArray<readonly [schema: Any, notation: string]> = [
  [Schema.String, "string"],
  [Schema.Boolean, "boolean"],
  [Schema.Null, "null"],
  [Schema.Number, "number"],
  [Schema.Finite, "number"],
  [Schema.Int, "integer"],
  [Schema.Natural, "integer (at least 0)"],
  [Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })), "number (0 to 1)"],
  [Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })), "integer (1 to 5)"],
  [Schema.Finite.check(Schema.isLessThanOrEqualTo(10)), "number (at most 10)"],
  [Schema.Finite.check(Schema.isGreaterThan(0)), "number (more than 0)"],
  [Schema.Finite.check(Schema.isLessThan(1)), "number (less than 1)"],
  [Schema.Finite.check(Schema.isGreaterThan(0), Schema.isLessThan(1)), "number (more than 0, less than 1)"],
  [Schema.Finite.check(Schema.isMultipleOf(5)), "number (a multiple of 5)"],
  [Schema.Literals(["low", "high"]), "\"low\" | \"high\""],
  [Schema.Literal(3), "3"],
  [Schema.NullOr(Schema.String), "string | null"],
  [Schema.Union([Schema.Int, Schema.String]), "integer | string"],
  [Schema.Array(Schema.String), "string[]"],
  [Schema.Array(Schema.Literals(["a", "b"])), "(\"a\" | \"b\")[]"],
  [Schema.Array(Schema.Array(Schema.Int)), "integer[][]"],
  [Schema.Array(Schema.String).check(Schema.isMinLength(1)), "string[] (at least 1 item)"],
  [Schema.Array(Schema.String).check(Schema.isMinLength(2)), "string[] (at least 2 items)"],
  [Schema.Array(Schema.String).check(Schema.isMaxLength(5)), "string[] (at most 5 items)"],
  [Schema.Array(Schema.String).check(Schema.isMinLength(2), Schema.isMaxLength(5)), "string[] (2 to 5 items)"],
  [Schema.Array(Schema.String).check(Schema.isMinLength(3), Schema.isMaxLength(3)), "string[] (3 items)"],
  [Schema.Tuple([Schema.String, Schema.Int]), "[string, integer]"],
  [
    Schema.Struct({ city: Schema.String, zip: Schema.optionalKey(Schema.String) }),
    "{ city: string; zip?: string }"
  ],
  [Schema.Array(Schema.Struct({ city: Schema.String })), "{ city: string }[]"],
  [Schema.Record(Schema.String, Schema.Finite), "{ [key]: number }"],
  [Schema.Array(Schema.NullOr(Schema.Struct({ city: Schema.String }))), "({ city: string } | null)[]"],
  [Schema.Record(Schema.String, Schema.Unknown), "object"],
  [Schema.Unknown, "any JSON"]
]

describe("TypeNotation", () => {
  for (const [schema, notation] of notations) {
    it(notation, () => {
      assert.strictEqual(named(schema), notation)
    })
  }

  it("is one line, however deep the type", () => {
    const deep = Schema.Struct({
      a: Schema.Struct({ b: Schema.Array(Schema.Struct({ c: Schema.Literals(["x", "y"]) })) })
    })
    assert.strictEqual(named(deep), "{ a: { b: { c: \"x\" | \"y\" }[] } }")
  })

  it("ends for a type that contains itself", () => {
    const notation = named(Tree) ?? ""
    assert.isBelow(notation.length, 200)
    assert.notInclude(notation, "\n")
  })

  it("reads any JSON schema, also one that says nothing", () => {
    assert.strictEqual(TypeNotation.render({}), "any JSON")
    assert.strictEqual(TypeNotation.render({ type: "array" }), "(any JSON)[]")
    assert.strictEqual(TypeNotation.render({ type: "object" }), "object")
    assert.strictEqual(TypeNotation.render({ type: "object", properties: { a: true } }), "{ a?: any JSON }")
    assert.strictEqual(TypeNotation.render({ const: "x" }), "\"x\"")
    assert.strictEqual(TypeNotation.render({ oneOf: [{ type: "string" }, { type: "null" }] }), "string | null")
    assert.strictEqual(TypeNotation.render({ type: "string", format: "date" }), "string (date)")
    assert.strictEqual(TypeNotation.render({ $ref: "#/$defs/Person" }), "Person")
  })
})
