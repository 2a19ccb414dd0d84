import { Signature } from "@effect-dspy/core"
import { StrictSchema } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, type JsonSchema, Result, Schema } from "effect"
import { signature } from "./signatures.ts"

type Json = { readonly [key: string]: unknown }

const schemaOf = (output: Signature.Fields): JsonSchema.JsonSchema =>
  Signature.make("Test", { input: {}, output }).derived.jsonSchema

const lower = (output: Signature.Fields) => StrictSchema.lower(schemaOf(output))

/** The lowered schema of one field, which must be strict. */
const strict = (field: Signature.Fields[string]): unknown => {
  const lowered = lower({ field })
  assert.isTrue(lowered.strict)
  assert.deepStrictEqual(violations(lowered.schema), [])
  return (lowered.schema.properties as Json).field
}

const isRecord = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const known = new Set(
  "type title description enum const properties required additionalProperties items anyOf $defs $ref".split(" ")
)

/** What in a schema breaks the rules of strict mode, by path. Written from the rules, not from the code. */
const violations = (root: JsonSchema.JsonSchema): ReadonlyArray<string> => {
  const found: Array<string> = []
  const visit = (schema: unknown, path: string): void => {
    const complain = (what: string) => found.push(`${path}: ${what}`)
    if (!isRecord(schema)) return void complain("not an object")
    for (const keyword of Object.keys(schema)) if (!known.has(keyword)) complain(`has ${keyword}`)
    if (!["type", "anyOf", "$ref"].some((keyword) => keyword in schema)) complain("has no type")
    if (typeof schema.$ref === "string") {
      const name = schema.$ref.replace("#/$defs/", "")
      if (!isRecord(root.$defs) || !(name in root.$defs)) complain(`${schema.$ref} leads nowhere`)
      if (Object.keys(schema).length > 1) complain("has more than $ref")
    }
    if (schema.type === "object") {
      const properties = isRecord(schema.properties) ? schema.properties : {}
      if (schema.properties === undefined) complain("has no properties")
      if (schema.additionalProperties !== false) complain("allows other properties")
      if (JSON.stringify(schema.required) !== JSON.stringify(Object.keys(properties))) complain("does not require all")
      for (const [name, property] of Object.entries(properties)) visit(property, `${path}/${name}`)
    }
    if (schema.type === "array") visit(schema.items, `${path}[]`)
    if (Array.isArray(schema.anyOf)) schema.anyOf.forEach((member, index) => visit(member, `${path}|${index}`))
    if (Array.isArray(schema.enum) && schema.enum.length === 0) complain("allows nothing")
    for (const [name, definition] of Object.entries(isRecord(schema.$defs) ? schema.$defs : {})) {
      visit(definition, `${path}#${name}`)
    }
  }
  if (root.type !== "object" || root.anyOf !== undefined) found.push("the root is not a plain object")
  visit(root, "")
  return found
}

const misfit = Symbol("misfit")

/** A value as a model held to the schema writes it: properties it may not leave out are null. */
const held = (value: unknown, schema: unknown, root: JsonSchema.JsonSchema): unknown => {
  if (!isRecord(schema)) return misfit
  if (typeof schema.$ref === "string") {
    return held(value, (root.$defs as Json)[schema.$ref.replace("#/$defs/", "")], root)
  }
  if (Array.isArray(schema.anyOf)) {
    const [first = misfit] = schema.anyOf.map((member) => held(value, member, root)).filter((one) => one !== misfit)
    return first
  }
  if (Array.isArray(schema.enum)) return schema.enum.includes(value) ? value : misfit
  if (schema.type === "object") {
    const properties = schema.properties as Json
    if (!isRecord(value) || Object.keys(value).some((name) => !(name in properties))) return misfit
    const entries = Object.entries(properties).map(([name, one]) =>
      [name, held(value[name] ?? null, one, root)] as const
    )
    return entries.some(([, one]) => one === misfit) ? misfit : Object.fromEntries(entries)
  }
  if (schema.type === "array") {
    if (!Array.isArray(value)) return misfit
    const items = value.map((item) => held(item, schema.items, root))
    return items.includes(misfit) ? misfit : items
  }
  const type = value === null ? "null" : Number.isInteger(value) && schema.type === "integer" ? "integer" : typeof value
  return type === schema.type ? value : misfit
}

/** Without what is null or absent: an optional field may come back as either. */
const present = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(present)
    : isRecord(value)
    ? Object.fromEntries(
      Object.entries(value).filter(([, one]) => one !== null && one !== undefined).map((
        [key, one]
      ) => [key, present(one)])
    )
    : value

describe("StrictSchema.lower keeps", () => {
  it("objects, nested ones, arrays of them", () => {
    const point = Schema.Struct({ x: Schema.Finite, y: Schema.Finite })
    const expected = {
      type: "object",
      properties: { x: { type: "number" }, y: { type: "number" } },
      required: ["x", "y"],
      additionalProperties: false
    }
    assert.deepStrictEqual(strict(point), expected)
    assert.deepStrictEqual(strict(Schema.Array(Schema.Array(point))), {
      type: "array",
      items: { type: "array", items: expected }
    })
  })

  it("unions, also of objects told apart by a tag", () => {
    assert.deepStrictEqual(strict(Schema.Union([Schema.String, Schema.Boolean])), {
      anyOf: [{ type: "string" }, { type: "boolean" }]
    })
    const shape = Schema.Union([
      Schema.Struct({ kind: Schema.tag("circle"), radius: Schema.Finite }),
      Schema.Struct({ kind: Schema.tag("square"), side: Schema.Finite })
    ])
    const member = (kind: string, name: string) => ({
      type: "object",
      properties: { kind: { type: "string", enum: [kind] }, [name]: { type: "number" } },
      required: ["kind", name],
      additionalProperties: false
    })
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
      Node: {
        type: "object",
        properties: {
          value: { type: "integer", description: "more than 0" },
          next: { anyOf: [{ $ref: "#/$defs/Node" }, { type: "null" }] }
        },
        required: ["value", "next"],
        additionalProperties: false
      }
    })
  })

  it("the values of enumerations, also when they are called like keywords", () => {
    assert.deepStrictEqual(strict(Schema.Literals(["minimum", "format"])), {
      type: "string",
      enum: ["minimum", "format"]
    })
  })

  it("properties that are called like keywords", () => {
    const called = ["format", "pattern", "items", "properties", "required", "anyOf", "$ref", "$defs", "enum", "minimum"]
    const lowered = strict(Schema.Struct(Object.fromEntries(called.map((name) => [name, Schema.String]))))
    assert.deepStrictEqual(lowered, {
      type: "object",
      properties: Object.fromEntries(called.map((name) => [name, { type: "string" }])),
      required: called,
      additionalProperties: false
    })
    assert.isTrue(lower(Object.fromEntries(called.map((name) => [name, Schema.Int]))).strict)
  })

  it("the schema it was given as it was", () => {
    const schema = schemaOf({ n: Schema.optional(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))) })
    const before = structuredClone(schema)
    StrictSchema.lower(schema)
    assert.deepStrictEqual(schema, before)
  })
})

describe("StrictSchema.lower says", () => {
  const said = (field: Signature.Fields[string]) => (strict(field) as Json).description

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

  it("nothing of the bounds of safe integers", () => {
    assert.deepStrictEqual(strict(Schema.Int), { type: "integer" })
  })
})

describe("StrictSchema.lower requires", () => {
  it("what may be null instead of absent", () => {
    const expected = { anyOf: [{ type: "string" }, { type: "null" }] }
    assert.deepStrictEqual(strict(Schema.optional(Schema.String)), expected)
    assert.deepStrictEqual(strict(Schema.optionalKey(Schema.NullOr(Schema.String))), expected)
  })
})

describe("StrictSchema.lower leaves as it is, without strict,", () => {
  const loose: { readonly [what: string]: Signature.Fields[string] } = {
    "a property that may be absent but not null": Schema.optionalKey(Schema.String),
    "a record": Schema.Record(Schema.String, Schema.Int),
    "a tuple": Schema.Tuple([Schema.String, Schema.Int]),
    "an empty tuple": Schema.Tuple([]),
    "a list of anything": Schema.Array(Schema.Unknown),
    "anything": Schema.Unknown,
    "an object of any shape": Schema.Struct({}),
    "a struct with other properties": Schema.StructWithRest(Schema.Struct({ a: Schema.Int }), [
      Schema.Record(Schema.String, Schema.Int)
    ])
  }

  for (const [what, field] of Object.entries(loose)) {
    it(what, () => {
      for (
        const one of [field, Schema.Array(Schema.Struct({ deep: field })), Schema.NullOr(Schema.Struct({ field }))]
      ) {
        const schema = schemaOf({ ok: Schema.String, one })
        assert.deepStrictEqual(StrictSchema.lower(schema), { schema, strict: false })
      }
    })
  }

  it("a root that is no object", () => {
    const anyOf = [schemaOf({ a: Schema.String }), schemaOf({ b: Schema.String })]
    assert.isFalse(StrictSchema.lower({ anyOf }).strict)
    assert.isFalse(StrictSchema.lower({ ...schemaOf({ c: Schema.String }), anyOf }).strict)
    assert.isFalse(StrictSchema.lower({ type: "array", items: { type: "string" } }).strict)
  })

  it("keywords nobody has heard of", () => {
    const schema = { ...schemaOf({ a: Schema.String }), dependentRequired: {} }
    assert.isFalse(StrictSchema.lower(schema).strict)
  })
})

describe("whatever is lowered to strict", () => {
  const seeds = Array.from({ length: 400 }, (_, seed) => seed)

  it("obeys the rules of strict mode", () => {
    let strictOnes = 0
    for (const seed of seeds) {
      const schema = signature(seed).derived.jsonSchema
      const lowered = StrictSchema.lower(schema)
      if (lowered.strict) {
        strictOnes++
        assert.deepStrictEqual(violations(lowered.schema), [], `seed ${seed}`)
        assert.deepStrictEqual(StrictSchema.lower(lowered.schema), lowered, `seed ${seed}: not stable`)
      } else {
        assert.strictEqual(lowered.schema, schema)
      }
    }
    // Both kinds must be there, or this says nothing.
    assert.isAbove(strictOnes, 150)
    assert.isBelow(strictOnes, 380)
  })

  it.effect("does not change what a reply decodes to", () =>
    Effect.gen(function*() {
      for (const seed of seeds) {
        const { derived, output } = signature(seed)
        const { schema, strict: isStrict } = StrictSchema.lower(derived.jsonSchema)
        if (!isStrict) continue
        const values = yield* Arbitrary.sampleEffect(Arbitrary.schema(output), { count: 3, size: 3, seed })
        for (const value of values) {
          const written = Result.getOrThrow(derived.encodeOutput(value))
          const reply = held(written, schema, schema)
          assert.notStrictEqual(reply, misfit, `seed ${seed}: ${JSON.stringify(written)}`)
          const read = Result.getOrThrow(derived.decodeOutput(reply))
          const again = Result.getOrThrow(derived.encodeOutput(read))
          assert.deepStrictEqual(present(again), present(written), `seed ${seed}`)
        }
      }
    }))
})
