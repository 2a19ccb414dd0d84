import { StructSchema } from "@effect-dspy/core"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"

const property = (field: Schema.Codec<unknown, unknown, never, never>): unknown =>
  (StructSchema.make(Schema.Struct({ field })).properties as { readonly field: unknown }).field

const textOrNull = { anyOf: [{ type: "string" }, { type: "null" }] }

describe("the default null", () => {
  it("is that of keys which may be undefined", () => {
    assert.deepStrictEqual(property(Schema.optional(Schema.String)), { ...textOrNull, default: null })
  })

  it("is not that of keys which may be null, absent, or undefined but there", () => {
    assert.deepStrictEqual(property(Schema.optionalKey(Schema.NullOr(Schema.String))), textOrNull)
    assert.deepStrictEqual(property(Schema.optionalKey(Schema.String)), { type: "string" })
    assert.deepStrictEqual(property(Schema.UndefinedOr(Schema.String)), textOrNull)
    for (const nullish of [Schema.NullOr(Schema.String), Schema.OptionFromNullOr(Schema.String)]) {
      assert.notProperty(property(Schema.optional(nullish)), "default")
    }
  })

  it("is not put over one of the schema's own", () => {
    const named = Schema.optional(Schema.String).annotate({ default: "nobody" })
    assert.deepInclude(property(named), { default: "nobody" })
  })

  it("is found in lists, tuples, records, unions, classes and recursion", () => {
    const may = Schema.Struct({ may: Schema.optional(Schema.String) })
    class Person extends Schema.Class<Person>("Person")({ may: Schema.optional(Schema.String) }) {}
    interface Node {
      readonly may?: Node | undefined
    }
    const Node = Schema.Struct({
      may: Schema.optional(Schema.suspend((): Schema.Codec<Node> => Node))
    }).annotate({ identifier: "Node" })
    const schemas = {
      list: Schema.Array(may),
      tuple: Schema.Tuple([Schema.Int, may]),
      record: Schema.Record(Schema.String, may),
      union: Schema.Union([Schema.Int, may]),
      suspended: Schema.Struct({ node: Node }),
      Person
    }
    for (const [what, schema] of Object.entries(schemas)) {
      const found = JSON.stringify(StructSchema.make(Schema.Struct({ schema }))).match(/"default":null/g)
      assert.strictEqual(found?.length, 1, what)
    }
  })
})
