import { OpenAiSchema } from "@effect-dspy/providers"
import * as Conjunction from "@effect-dspy/providers/schema/Conjunction"
import * as SchemaForm from "@effect-dspy/providers/schema/SchemaForm"
import { assert, describe, it } from "@effect/vitest"
import { type JsonSchema, Result, Schema } from "effect"
import { random, signature } from "../signatures.ts"
import { isRecord, schemaOf } from "./json.ts"

const text = { type: "string" }

/** The strict schema of one property that users wrote by hand. */
const strict = (field: unknown, more: JsonSchema.JsonSchema = {}): unknown => {
  const schema = { type: "object", properties: { field }, required: ["field"], ...more }
  const encoded = Result.getOrThrow(OpenAiSchema.encode(schema))
  assert.isTrue(encoded.strict)
  return isRecord(encoded.schema.properties) ? encoded.schema.properties.field : undefined
}

const object = (properties: { readonly [name: string]: unknown }) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false
})

describe("one thing said in many ways is read as one", () => {
  it("constants, lists of types, oneOf, types left out", () => {
    assert.deepStrictEqual(strict({ const: "a" }), { type: "string", enum: ["a"] })
    assert.deepStrictEqual(strict({ type: ["string", "null"] }), { type: ["string", "null"] })
    assert.deepStrictEqual(strict({ anyOf: [text, { type: "null" }, text] }), { type: ["string", "null"] })
    assert.deepStrictEqual(strict({ oneOf: [text, { type: "boolean" }] }), { anyOf: [text, { type: "boolean" }] })
    assert.deepStrictEqual(strict({ properties: { a: text }, required: ["a"] }), object({ a: text }))
    assert.deepStrictEqual(strict({ enum: ["a", 1, null] }), {
      anyOf: [{ type: "string", enum: ["a"] }, { type: "integer", enum: [1] }, { type: "null" }]
    })
    assert.deepStrictEqual(strict({ const: { a: 1 } }), object({ a: { type: "integer", enum: [1] } }))
  })

  it("objects that say nothing about others, and tools without arguments", () => {
    assert.deepStrictEqual(strict({ type: "object", properties: {} }), object({}))
    assert.deepStrictEqual(Result.getOrThrow(OpenAiSchema.encode({ type: "object" })).schema, object({}))
  })

  it("tuples of both drafts", () => {
    const pair = object({ item1: text, item2: { type: "boolean" } })
    const items = [text, { type: "boolean" }]
    assert.deepStrictEqual(strict({ type: "array", items, additionalItems: false, minItems: 2 }), pair)
    assert.deepStrictEqual(strict({ type: "array", prefixItems: items }), pair)
  })

  it("definitions under other names and at other places, the root among them", () => {
    const Name = { definitions: { "a/b c": text } }
    assert.deepStrictEqual(strict({ $ref: "#/definitions/a~1b%20c" }, Name), { $ref: "#/$defs/a_b_c" })
    assert.deepStrictEqual(strict({ anyOf: [{ $ref: "#" }, { type: "null" }] }), {
      anyOf: [{ $ref: "#/$defs/Root" }, { type: "null" }]
    })
  })
})

describe("several things said at once are one", () => {
  const flat = (schema: JsonSchema.JsonSchema) => Conjunction.flatten(schema, schema)

  it("bounds are the narrower ones, and no check is lost", () => {
    const schema = { allOf: [{ minLength: 2, pattern: "a" }, { minLength: 3, pattern: "b" }], ...text, pattern: "c" }
    assert.deepStrictEqual(flat(schema), {
      ...text,
      minLength: 3,
      pattern: "c",
      allOf: [{ pattern: "a" }, { pattern: "b" }]
    })
    assert.deepStrictEqual(strict(schema), {
      ...text,
      description:
        "matches the pattern c, at least this many characters: 3, matches the pattern a, matches the pattern b"
    })
  })

  it("objects have the properties of all", () => {
    const left = { type: "object", properties: { a: text }, required: ["a"] }
    const right = { properties: { b: { type: "number" }, a: { minLength: 1 } }, required: ["b"] }
    assert.deepStrictEqual(
      strict({ allOf: [left, right] }),
      object({
        a: { ...text, description: "at least this many characters: 1" },
        b: { type: "number" }
      })
    )
    assert.deepStrictEqual(
      strict({ allOf: [{ ...left, additionalProperties: false }, { properties: { b: text } }] }),
      object({ a: text })
    )
  })

  it("a struct with other properties keeps its own", () => {
    const schema = Schema.StructWithRest(Schema.Struct({ a: Schema.Int }), [Schema.Record(Schema.String, Schema.Int)])
    const { root } = SchemaForm.parse(schemaOf({ field: schema }))
    const field = root._tag === "Struct" ? root.fields[0]?.form : undefined
    assert.deepInclude(field?._tag === "Struct" ? field.rest : undefined, { _tag: "Scalar", type: "integer" })
  })

  it("a union beside other keywords is a union with them", () => {
    const properties = { a: text, b: text }
    const may = { type: ["string", "null"] }
    const schema = { type: "object", properties, anyOf: [{ required: ["a"] }, { required: ["b"] }] }
    assert.deepStrictEqual(strict(schema), {
      anyOf: [
        object({ object: object({ a: text, b: may }) }),
        object({ object_2: object({ a: may, b: text }) })
      ]
    })
  })

  it("what contradicts itself is nothing", () => {
    assert.isFalse(flat({ allOf: [text, { type: "number" }] }))
    assert.isFalse(flat({ ...text, allOf: [false] }))
    assert.isFalse(flat({ not: {} }))
  })

  it("recursion that unfolds without end is found out, and soon", () => {
    const both = (name: string) =>
      object({
        left: { anyOf: [{ $ref: `#/$defs/${name}` }, { type: "null" }] },
        right: { anyOf: [{ $ref: `#/$defs/${name}` }, { type: "null" }] }
      })
    const schema = { allOf: [{ $ref: "#/$defs/A" }, { $ref: "#/$defs/B" }], $defs: { A: both("A"), B: both("B") } }
    assert.deepInclude(SchemaForm.parse(schema).problem, { feature: "a schema without end" })
  })
})

describe("the way back", () => {
  const junk: ReadonlyArray<unknown> = [
    null,
    undefined,
    1,
    "",
    "{}",
    [],
    {},
    [[]],
    [null],
    [{ key: 1, value: 1 }],
    [{ key: "a" }],
    { value: 1, other: 2 },
    { item1: 1 },
    { item2: 1 },
    { rest: 1 },
    JSON.parse("{\"__proto__\":{\"a\":1},\"constructor\":null,\"toString\":[]}")
  ]

  it("never throws, whatever a model wrote, and changes no prototypes", () => {
    for (let seed = 0; seed < 200; seed++) {
      const { restore, schema } = Result.getOrThrow(OpenAiSchema.encode(signature(seed).derived.jsonSchema))
      if (restore === undefined) continue
      const next = random(seed)
      const pick = () => junk[Math.floor(next() * junk.length)]
      const names = Object.keys(isRecord(schema.properties) ? schema.properties : {})
      for (const wrong of [...junk, ...junk.map(() => Object.fromEntries(names.map((name) => [name, pick()])))]) {
        const before = JSON.stringify(wrong)
        restore(wrong)
        assert.strictEqual(JSON.stringify(wrong), before)
      }
    }
    assert.notProperty({}, "a")
  })

  it("makes a key of __proto__ a key", () => {
    const { restore } = Result.getOrThrow(
      OpenAiSchema.encode(schemaOf({ record: Schema.Record(Schema.String, Schema.Unknown) }))
    )
    const back = restore?.({ record: [{ key: "__proto__", value: "{\"a\":1}" }] })
    const record = isRecord(back) ? back.record : undefined
    assert.deepStrictEqual(isRecord(record) ? Object.entries(record) : [], [["__proto__", { a: 1 }]])
    assert.strictEqual(Object.getPrototypeOf(record), Object.prototype)
  })

  it("leaves what is nested deeper than the stack as it is", () => {
    const next = { type: "object", properties: { next: { $ref: "#/$defs/Node" } } }
    const { restore } = Result.getOrThrow(OpenAiSchema.encode({ ...next, $defs: { Node: next } }))
    let deep: unknown = { next: null }
    for (let depth = 0; depth < 100_000; depth++) deep = { next: deep }
    assert.strictEqual(restore?.(deep), deep)
    assert.deepStrictEqual(restore?.({ next: { next: null } }), { next: {} })
  })

  it("looks at each part of an answer a fixed number of times", () => {
    const expression = {
      anyOf: [
        { type: "number" },
        object({
          kind: { const: "sum" },
          parts: { type: "array", prefixItems: [{ $ref: "#/$defs/E" }, { $ref: "#/$defs/E" }] }
        }),
        object({ kind: { const: "not" }, of: { $ref: "#/$defs/E" } })
      ]
    }
    const schema = { ...object({ e: { $ref: "#/$defs/E" } }), $defs: { E: expression } }
    const { restore } = Result.getOrThrow(OpenAiSchema.encode(schema))
    let looks = 0
    const watched = (value: object): unknown =>
      new Proxy(value, {
        ownKeys: (target) => {
          looks++
          return Reflect.ownKeys(target)
        }
      })
    const looksAt = (depth: number): number => {
      let tree: unknown = watched({ kind: "not", of: 1 })
      for (let level = 1; level < depth; level++) {
        tree = watched({ kind: "sum", parts: { item1: tree, item2: 1 } })
      }
      looks = 0
      restore?.({ e: tree })
      return looks
    }
    const perLevel = looksAt(11) - looksAt(10)
    assert.isAbove(perLevel, 0)
    assert.strictEqual(looksAt(200) - looksAt(100), 100 * perLevel)
  })
})
