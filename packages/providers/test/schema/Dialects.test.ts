import type { Signature } from "@effect-dspy/core"
import { AnthropicSchema, GeminiSchema, OllamaSchema, type SchemaEncoder } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { type JsonSchema, Result, Schema } from "effect"
import { signature } from "../signatures.ts"
import { isRecord, type Json, schemaOf } from "./json.ts"

const encoded = (encode: SchemaEncoder.Encoder, schema: JsonSchema.JsonSchema) => Result.getOrThrow(encode(schema))

const property = (encode: SchemaEncoder.Encoder, field: Signature.Fields[string]): unknown => {
  const { schema } = encoded(encode, schemaOf({ field }))
  return isRecord(schema.properties) ? schema.properties.field : undefined
}

const seeds = Array.from({ length: 300 }, (_, seed) => seed)

/** The keywords beside each other in a schema, at every level. */
function* levels(node: unknown): Generator<Json> {
  if (!isRecord(node)) return
  yield node
  for (const key of ["items", "additionalProperties"]) yield* levels(node[key])
  for (const key of ["properties", "$defs"]) {
    if (isRecord(node[key])) { for (const one of Object.values(node[key])) yield* levels(one) }
  }
  for (const key of ["anyOf", "prefixItems"]) {
    if (Array.isArray(node[key])) { for (const one of node[key]) yield* levels(one) }
  }
}

/** Every level of every strict schema that an encoder makes of generated signatures. */
const everyLevel = (encode: SchemaEncoder.Encoder): ReadonlyArray<Json> =>
  seeds.flatMap((seed) => {
    const { schema, strict } = encoded(encode, signature(seed).derived.jsonSchema)
    return strict ? [...levels(schema)] : []
  })

const only = (found: ReadonlyArray<Json>, keywords: string) => {
  const known = new Set(keywords.split(" "))
  const used = new Set(found.flatMap((level) => Object.keys(level)))
  assert.deepStrictEqual([...used].filter((keyword) => !known.has(keyword)), [])
  for (const level of found) {
    if ("$ref" in level) assert.deepStrictEqual(Object.keys(level), ["$ref"])
  }
}

interface Tree {
  readonly label: string
  readonly branches: ReadonlyArray<Tree>
}

const Tree = Schema.Struct({
  label: Schema.String,
  branches: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
}).annotate({ identifier: "Tree" })

const tuple = Schema.Tuple([Schema.String, Schema.Boolean])
const record = Schema.Record(Schema.String, Schema.Boolean)
const may = Schema.Struct({ may: Schema.optionalKey(Schema.String) })

describe("AnthropicSchema", () => {
  const { encode } = AnthropicSchema

  it("lets properties be absent, and rewrites records, tuples and values of any shape", () => {
    assert.deepStrictEqual(property(encode, may), {
      type: "object",
      properties: { may: { type: "string" } },
      additionalProperties: false
    })
    assert.deepStrictEqual(property(encode, Schema.Unknown), {
      type: "string",
      description: "any JSON value, as JSON text"
    })
    const { restore } = encoded(encode, schemaOf({ record, tuple }))
    assert.deepStrictEqual(restore?.({ record: [{ key: "a", value: true }], tuple: { item1: "b", item2: false } }), {
      record: { a: true },
      tuple: ["b", false]
    })
  })

  it("says formats and whether a list may be empty, and the rest in words", () => {
    assert.deepStrictEqual(property(encode, Schema.String.annotate({ format: "uri" })), {
      type: "string",
      format: "uri"
    })
    assert.deepStrictEqual(property(encode, Schema.Array(Schema.Int).check(Schema.isMinLength(1))), {
      type: "array",
      items: { type: "integer" },
      minItems: 1
    })
    assert.deepStrictEqual(property(encode, Schema.Array(Schema.Int).check(Schema.isMinLength(2))), {
      type: "array",
      items: { type: "integer" },
      description: "at least this many items: 2"
    })
    assert.deepStrictEqual(property(encode, Schema.Int.check(Schema.isGreaterThan(1))), {
      type: "integer",
      description: "more than 1"
    })
  })

  it("can't hold a model to recursion, nor to more optional properties or unions than 24 and 16", () => {
    const loose = (schema: JsonSchema.JsonSchema) =>
      assert.deepStrictEqual(encoded(encode, schema), { schema, strict: false, restore: undefined })
    const many = (count: number, field: Signature.Fields[string]) =>
      schemaOf(Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, field])))
    loose(schemaOf({ Tree }))
    assert.isTrue(encoded(encode, many(24, Schema.optionalKey(Schema.String))).strict)
    loose(many(25, Schema.optionalKey(Schema.String)))
    assert.isTrue(encoded(encode, many(16, Schema.NullOr(Schema.String))).strict)
    loose(many(17, Schema.NullOr(Schema.String)))
  })

  it("uses no other keywords, and closes every object", () => {
    const found = everyLevel(encode)
    only(
      found,
      "type title description enum properties required additionalProperties items anyOf $defs $ref format minItems"
    )
    for (const level of found) if (level.type === "object") assert.isFalse(level.additionalProperties)
  })
})

describe("GeminiSchema", () => {
  const { encode } = GeminiSchema

  it("says records, tuples, bounds and some formats as they are", () => {
    assert.deepStrictEqual(property(encode, record), { type: "object", additionalProperties: { type: "boolean" } })
    assert.deepStrictEqual(property(encode, Schema.TupleWithRest(tuple, [Schema.Int])), {
      type: "array",
      prefixItems: [{ type: "string" }, { type: "boolean" }],
      items: { type: "integer" },
      minItems: 2
    })
    assert.deepStrictEqual(property(encode, Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 }))), {
      type: "integer",
      minimum: 1,
      maximum: 5
    })
    assert.deepStrictEqual(property(encode, Schema.Int.check(Schema.isGreaterThan(1))), {
      type: "integer",
      description: "more than 1"
    })
    assert.deepStrictEqual(property(encode, Schema.String.annotate({ format: "email" })), {
      type: "string",
      description: "format email"
    })
  })

  it("takes recursion below properties that may be absent: others are asked for in words", () => {
    const { restore, schema, strict } = encoded(encode, schemaOf({ Tree }))
    assert.isTrue(strict)
    assert.isUndefined(restore)
    assert.deepStrictEqual(schema.required, ["Tree"])
    assert.deepStrictEqual(schema.$defs, {
      Tree: {
        type: "object",
        properties: {
          label: { type: "string" },
          branches: { type: "array", items: { $ref: "#/$defs/Tree" }, description: "never left out" }
        },
        required: ["label"],
        additionalProperties: false
      }
    })
    const nested = {
      type: "object",
      properties: { x: { $ref: "#/$defs/List" } },
      $defs: {
        List: { type: "array", items: { $ref: "#/$defs/List" } }
      }
    }
    assert.isFalse(encoded(encode, nested).strict)
  })

  it("uses no other keywords than are documented, and beside a reference none", () => {
    only(
      everyLevel(encode),
      "$defs $ref type format title description enum items prefixItems minItems maxItems minimum maximum anyOf " +
        "properties additionalProperties required"
    )
  })
})

describe("OllamaSchema", () => {
  const { encode } = OllamaSchema

  it("says what a grammar can hold as it is", () => {
    assert.deepStrictEqual(property(encode, record), { type: "object", additionalProperties: { type: "boolean" } })
    assert.deepStrictEqual(property(encode, tuple), {
      type: "array",
      prefixItems: [{ type: "string" }, { type: "boolean" }],
      maxItems: 2,
      minItems: 2
    })
    assert.deepStrictEqual(property(encode, Schema.Int), {
      type: "integer",
      minimum: Number.MIN_SAFE_INTEGER,
      maximum: Number.MAX_SAFE_INTEGER
    })
    assert.isTrue(encoded(encode, schemaOf({ Tree })).strict)
    assert.isUndefined(encoded(encode, schemaOf({ Tree, record, tuple, may, any: Schema.Unknown })).restore)
  })

  it("says in words what llama.cpp would refuse, ignore or cut short", () => {
    const checks = [Schema.isPattern(/^a/u), Schema.isMaxLength(3)] as const
    assert.deepStrictEqual(property(encode, Schema.String.check(...checks)), {
      type: "string",
      description: "matches the pattern ^a, at most this many characters: 3"
    })
    assert.deepStrictEqual(property(encode, Schema.Finite.check(Schema.isGreaterThan(1))), {
      type: "number",
      description: "more than 1"
    })
  })

  it("rewrites tuples that have a rest or may be shorter", () => {
    const { restore } = encoded(encode, schemaOf({ open: Schema.TupleWithRest(tuple, [Schema.Int]) }))
    assert.deepStrictEqual(restore?.({ open: { item1: "a", item2: true, rest: [1] } }), { open: ["a", true, 1] })
  })

  it("uses keywords of the grammar only, and names that a rule can have", () => {
    const found = everyLevel(encode)
    only(
      found,
      "$defs $ref type format title description enum items prefixItems minItems maxItems minimum maximum " +
        "exclusiveMinimum exclusiveMaximum anyOf properties additionalProperties required"
    )
    for (const { $ref } of found) if (typeof $ref === "string") assert.match($ref, /^#\/\$defs\/[A-Za-z0-9_-]+$/)
  })
})
