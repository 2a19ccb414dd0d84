import type { Signature } from "@effect-dspy/core"
import { OpenAiSchema } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { type JsonSchema, Result, Schema } from "effect"
import { isRecord, type Json, schemaOf } from "./json.ts"

const encode = (schema: JsonSchema.JsonSchema) => Result.getOrThrow(OpenAiSchema.encodePlain(schema))

const lower = (output: Signature.Fields) => encode(schemaOf(output))

const propertiesOf = (schema: Json): Json => isRecord(schema.properties) ? schema.properties : {}

/** The lowered schema of one field, which must be strict. */
const strict = (field: Signature.Fields[string]): unknown => {
  const lowered = lower({ field })
  assert.isTrue(lowered.strict)
  return propertiesOf(lowered.schema).field
}

const object = (properties: Json): Json => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false
})

const text = { type: "string" }

const integer = { type: "integer" }

/** What a field's JSON is in the lowered shape, and what is made of it. */
const restored = (field: Signature.Fields[string], wire: unknown): unknown => {
  const back = lower({ field }).restore?.({ field: wire })
  return isRecord(back) ? back.field : back
}

describe("OpenAiSchema keeps", () => {
  it("objects, nested ones, arrays of them", () => {
    const point = Schema.Struct({ x: Schema.Finite, y: Schema.Finite })
    const expected = object({ x: { type: "number" }, y: { type: "number" } })
    assert.deepStrictEqual(strict(point), expected)
    assert.deepStrictEqual(strict(Schema.Array(Schema.Array(point))), {
      type: "array",
      items: { type: "array", items: expected }
    })
    assert.isUndefined(lower({ point }).restore)
  })

  it("unions, also of objects told apart by a tag", () => {
    assert.deepStrictEqual(strict(Schema.Union([Schema.String, Schema.Boolean])), {
      anyOf: [text, { type: "boolean" }]
    })
    const shape = Schema.Union([
      Schema.Struct({ kind: Schema.tag("circle"), radius: Schema.Finite }),
      Schema.Struct({ side: Schema.Finite, kind: Schema.tag("square") })
    ])
    const member = (kind: string, name: string) =>
      object({ kind: { type: "string", enum: [kind] }, [name]: { type: "number" } })
    assert.deepStrictEqual(strict(shape), { anyOf: [member("circle", "radius"), member("square", "side")] })
  })

  it("recursion", () => {
    interface Node {
      readonly value: number
      readonly next: Node | null
    }
    const Node = Schema.Struct({
      value: Schema.Int.check(Schema.isGreaterThan(0)),
      next: Schema.NullOr(Schema.suspend((): Schema.Codec<Node> => Node))
    }).annotate({ identifier: "Node" })
    const lowered = lower({ list: Node })
    assert.isTrue(lowered.strict)
    assert.deepStrictEqual(lowered.schema.$defs, {
      Node: object({
        value: { type: "integer", description: "more than 0" },
        next: { anyOf: [{ $ref: "#/$defs/Node" }, { type: "null" }] }
      })
    })
  })

  it("the values of enumerations, also when they are called like keywords", () => {
    assert.deepStrictEqual(strict(Schema.Literals(["minimum", "format"])), {
      type: "string",
      enum: ["minimum", "format"]
    })
    assert.deepStrictEqual(strict(Schema.NullOr(Schema.Literals(["a", "b"]))), {
      type: ["string", "null"],
      enum: ["a", "b", null]
    })
  })

  it("properties that are called like keywords", () => {
    const called = ["format", "pattern", "items", "properties", "required", "anyOf", "$ref", "$defs", "enum", "minimum"]
    const lowered = strict(Schema.Struct(Object.fromEntries(called.map((name) => [name, Schema.String]))))
    assert.deepStrictEqual(lowered, object(Object.fromEntries(called.map((name) => [name, text]))))
    assert.isTrue(lower(Object.fromEntries(called.map((name) => [name, Schema.Int]))).strict)
  })

  it("the schema it was given as it was, and answers the same to it", () => {
    const schema = schemaOf({ n: Schema.optional(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))) })
    const before = structuredClone(schema)
    assert.strictEqual(encode(schema), encode(schema))
    assert.deepStrictEqual(schema, before)
  })
})

describe("OpenAiSchema says", () => {
  const said = (field: Signature.Fields[string]) => {
    const schema = strict(field)
    return isRecord(schema) ? schema.description : undefined
  }

  it("constraints in words, after the field's own", () => {
    assert.strictEqual(said(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 }))), "minimum 1, maximum 5")
    assert.strictEqual(said(Schema.Finite.check(Schema.isMultipleOf(0.5))), "a multiple of 0.5")
    assert.strictEqual(said(Schema.NonEmptyString), "at least this many characters: 1")
    assert.strictEqual(said(Schema.String.check(Schema.isPattern(/^a+$/u))), "matches the pattern ^a+$")
    assert.strictEqual(said(Schema.Array(Schema.String).check(Schema.isMaxLength(3))), "at most this many items: 3")
    assert.strictEqual(
      said(Schema.Int.check(Schema.isGreaterThan(0)).annotate({ description: "how many" })),
      "how many; more than 0"
    )
  })

  it("annotations that strict mode refuses", () => {
    assert.strictEqual(
      said(Schema.String.annotate({ description: "who", format: "email", default: "a@b.c", examples: ["d@e.f"] })),
      "who; format email, default a@b.c, for example [\"d@e.f\"]"
    )
    assert.strictEqual(said(Schema.Array(Schema.String).check(Schema.isUnique())), "all items different: true")
    assert.include(said(Schema.fromJsonString(Schema.Struct({ a: Schema.Int }))), "text of type application/json")
  })

  it("nothing of the bounds of safe integers, nor of a null that stands for nothing", () => {
    assert.deepStrictEqual(strict(Schema.Int), integer)
    assert.deepStrictEqual(strict(Schema.optional(Schema.Int)), { type: ["integer", "null"] })
  })

  it("what OpenAI itself holds a model to as it is", () => {
    const fields = {
      n: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
      list: Schema.Array(Schema.String).check(Schema.isMaxLength(3)),
      mail: Schema.String.annotate({ format: "email" }),
      code: Schema.NonEmptyString.check(Schema.isPattern(/^a/u)),
      odd: Schema.String.annotate({ format: "odd" })
    }
    assert.deepStrictEqual(propertiesOf(Result.getOrThrow(OpenAiSchema.encode(schemaOf(fields))).schema), {
      n: { type: "integer", minimum: 1, maximum: 5 },
      list: { type: "array", items: text, maxItems: 3 },
      mail: { type: "string", format: "email" },
      code: { type: "string", description: "at least this many characters: 1, matches the pattern ^a" },
      odd: { type: "string", description: "format odd" }
    })
  })

  it("what is said about one use of a definition of a copy of it", () => {
    const name = { type: "string", description: "a name" }
    const node = { type: "object", properties: { next: { $ref: "#/$defs/Node", description: "the next" } } }
    const { schema } = encode({
      type: "object",
      properties: { who: { allOf: [{ $ref: "#/$defs/Name" }], description: "who" }, list: { $ref: "#/$defs/Node" } },
      required: ["who", "list"],
      $defs: { Name: name, Node: node }
    })
    assert.deepStrictEqual(propertiesOf(schema), {
      who: { type: "string", description: "who" },
      list: { $ref: "#/$defs/Node" }
    })
    const next = { anyOf: [{ $ref: "#/$defs/Node_2" }, { type: "null" }] }
    assert.deepStrictEqual(schema.$defs, {
      Node: object({ next }),
      Node_2: { ...object({ next }), description: "the next" }
    })
  })
})

describe("OpenAiSchema says in another shape", () => {
  it("what may be absent", () => {
    const may = Schema.Struct({ may: Schema.optionalKey(Schema.Int) })
    assert.deepStrictEqual(strict(may), object({ may: { type: ["integer", "null"] } }))
    assert.deepStrictEqual(restored(may, { may: null }), {})
    assert.deepStrictEqual(restored(may, { may: 1 }), { may: 1 })
  })

  it("what may be absent or null, which are two things", () => {
    const may = Schema.Struct({ may: Schema.optionalKey(Schema.NullOr(Schema.String)) })
    const held = object({ value: { type: ["string", "null"] } })
    assert.deepStrictEqual(strict(may), object({ may: { ...held, type: ["object", "null"] } }))
    assert.deepStrictEqual(restored(may, { may: null }), {})
    assert.deepStrictEqual(restored(may, { may: { value: null } }), { may: null })
    assert.deepStrictEqual(restored(may, { may: { value: "a" } }), { may: "a" })
  })

  it("records", () => {
    const prices = Schema.Record(Schema.String, Schema.Finite)
    const entries = { type: "array", items: object({ key: text, value: { type: "number" } }) }
    assert.deepStrictEqual(strict(prices), entries)
    assert.deepStrictEqual(restored(prices, [{ key: "tea", value: 2 }]), { tea: 2 })
    const open = Schema.StructWithRest(Schema.Struct({ others: Schema.String }), [
      Schema.Record(Schema.String, Schema.Union([Schema.Finite, Schema.String]))
    ])
    assert.deepStrictEqual(restored(open, { others: "a", others_2: [{ key: "b", value: 1 }] }), { others: "a", b: 1 })
  })

  it("tuples", () => {
    const pair = Schema.Tuple([Schema.String, Schema.Int])
    assert.deepStrictEqual(strict(pair), object({ item1: text, item2: integer }))
    assert.deepStrictEqual(restored(pair, { item1: "a", item2: 1 }), ["a", 1])
    const open = Schema.TupleWithRest(Schema.Tuple([Schema.String]), [Schema.Int])
    assert.deepStrictEqual(strict(open), object({ item1: text, rest: { type: "array", items: integer } }))
    assert.deepStrictEqual(restored(open, { item1: "a", rest: [1, 2] }), ["a", 1, 2])
    const optional = Schema.Tuple([Schema.String, Schema.optionalKey(Schema.Int)])
    assert.deepStrictEqual(restored(optional, { item1: "a", item2: null }), ["a"])
    assert.deepStrictEqual(restored(Schema.Tuple([]), {}), [])
  })

  it("any value", () => {
    assert.deepStrictEqual(strict(Schema.Unknown), { type: "string", description: "any JSON value, as JSON text" })
    assert.deepStrictEqual(restored(Schema.Unknown, "{\"a\":[null]}"), { a: [null] })
    assert.strictEqual(restored(Schema.Unknown, "null"), null)
    assert.strictEqual(restored(Schema.Unknown, "not JSON"), "not JSON")
  })

  it("members that look alike", () => {
    const either = Schema.Union([Schema.Record(Schema.String, Schema.Int), Schema.Array(Schema.String)])
    const entries = { type: "array", items: object({ key: text, value: integer }) }
    const list = { type: "array", items: text }
    assert.deepStrictEqual(strict(either), { anyOf: [object({ object: entries }), object({ list })] })
    assert.deepStrictEqual(restored(either, { object: [{ key: "a", value: 1 }] }), { a: 1 })
    assert.deepStrictEqual(restored(either, { list: ["a"] }), ["a"])
    const first = Schema.Union([Schema.Struct({ x: Schema.Int }), Schema.Struct({ x: Schema.String, y: Schema.Int })])
    assert.deepStrictEqual(strict(first), {
      anyOf: [object({ object: object({ x: integer }) }), object({ object_2: object({ x: text, y: integer }) })]
    })
    assert.deepStrictEqual(restored(first, { object_2: { x: "a", y: 1 } }), { x: "a", y: 1 })
  })

  it("only those members that changed, told apart by what they are", () => {
    const optional = Schema.optionalKey(Schema.Int)
    const shape = Schema.Union([
      Schema.Struct({ kind: Schema.tag("a"), may: optional }),
      Schema.Struct({ kind: Schema.tag("b"), may: Schema.NullOr(Schema.Int) }),
      Schema.String
    ])
    assert.deepStrictEqual(restored(shape, { kind: "a", may: null }), { kind: "a" })
    assert.deepStrictEqual(restored(shape, { kind: "b", may: null }), { kind: "b", may: null })
    assert.deepStrictEqual(restored(shape, "text"), "text")
  })

  it("a root that is no object", () => {
    const list = { type: "array", items: { type: "string" } }
    const lowered = encode(list)
    assert.deepStrictEqual(lowered.schema, object({ value: list }))
    assert.deepStrictEqual(lowered.restore?.({ value: ["a"] }), ["a"])
    const anyOf = [schemaOf({ a: Schema.String }), schemaOf({ b: Schema.String })]
    assert.deepStrictEqual(encode({ anyOf }).schema, object({ value: { anyOf } }))
  })
})

describe("OpenAiSchema can't hold a model to", () => {
  const loose = (schema: JsonSchema.JsonSchema) =>
    assert.deepStrictEqual(encode(schema), { schema, strict: false, restore: undefined })

  it("more than 10 levels", () => {
    const nested = (levels: number): JsonSchema.JsonSchema =>
      object({ x: levels === 1 ? { type: "string" } : nested(levels - 1) })
    assert.isTrue(encode(nested(10)).strict)
    loose(nested(11))
  })

  it("more than 5,000 properties, 1,000 values, 15,000 characters of a long list of them, 120,000 of all", () => {
    const many = (count: number, of: unknown = text) =>
      object(Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, of])))
    const values = (count: number, length: number) => ({
      type: "string",
      enum: Array.from({ length: count }, (_, index) => String(index).padStart(length, "x"))
    })
    assert.isTrue(encode(many(5_000)).strict)
    loose(many(5_001))
    assert.isTrue(encode(object({ x: values(1_000, 4) })).strict)
    loose(object({ x: values(1_001, 4) }))
    assert.isTrue(encode(object({ x: values(250, 100) })).strict)
    loose(object({ x: values(251, 100) }))
    loose(object({ ["n".repeat(120_001)]: text }))
  })
})

describe("OpenAiSchema fails, with the name of the field, for", () => {
  const problem = (schema: JsonSchema.JsonSchema) => Result.getOrThrow(Result.flip(OpenAiSchema.encode(schema)))

  it("a field that no value fits", () => {
    const feature = "a field without any value"
    const never = schemaOf({ a: Schema.Struct({ b: Schema.Never }) })
    assert.deepStrictEqual(problem(never), { feature, field: "a.b" })
    const tuple = { type: "array", prefixItems: [{ type: "string" }, false], minItems: 2 }
    assert.deepStrictEqual(problem(object({ t: tuple })), { feature, field: "t[1]" })
    const both = { allOf: [{ type: "string" }, { type: "object" }] }
    assert.deepStrictEqual(problem(object({ both })), { feature, field: "both" })
    assert.deepStrictEqual(problem({ not: {} }), { feature })
  })

  it("a value that never ends", () => {
    const Node = object({ next: { $ref: "#/$defs/Node" } })
    assert.deepStrictEqual(problem(object({ list: { $ref: "#/$defs/Node" } })), {
      feature: "a schema that is not at hand",
      field: "list"
    })
    assert.deepStrictEqual(problem({ ...object({ list: { $ref: "#/$defs/Node" } }), $defs: { Node } }), {
      feature: "a value without end",
      field: "list.next"
    })
  })

  it("but not for what can be left out, or has another way", () => {
    const { schema } = encode(
      schemaOf({ a: Schema.optionalKey(Schema.Never), b: Schema.Union([Schema.Never, Schema.Int]) })
    )
    assert.deepStrictEqual(schema, object({ b: integer }))
  })
})
