/** What others say of our schemas: the vendors' SDKs, a published profile, schemas that vendors took before. */
import { transformJSONSchema } from "@anthropic-ai/sdk/lib/transform-json-schema"
import { AnthropicSchema, GeminiSchema, OpenAiSchema, type SchemaEncoder } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { type JsonSchema, Result } from "effect"
import { toStrictJsonSchema } from "openai/lib/transform"
import { readSpecs, specsAt } from "../shared.ts"
import { signature } from "../signatures.ts"
import { isRecord, validator } from "./json.ts"

const seeds = Array.from({ length: 400 }, (_, seed) => seed)

/** The strict schemas an encoder makes of generated signatures. */
const strict = (encode: SchemaEncoder.Encoder) =>
  seeds.flatMap((seed) => {
    const encoded = Result.getOrThrow(encode(signature(seed).derived.jsonSchema))
    return encoded.strict ? [encoded.schema] : []
  })

describe("the SDKs' own rewriting changes nothing in what is strict", () => {
  for (const encode of [OpenAiSchema.encode, OpenAiSchema.encodePlain]) {
    it("for OpenAI", () => {
      const schemas = strict(encode)
      assert.strictEqual(schemas.length, seeds.length)
      for (const schema of schemas) assert.deepStrictEqual(toStrictJsonSchema(schema), schema)
    })
  }

  it("for Anthropic", () => {
    const schemas = strict(AnthropicSchema.encode)
    // Recursive ones are none of Anthropic's.
    assert.isAbove(schemas.length, 150)
    for (const schema of schemas) assert.deepStrictEqual(transformJSONSchema(schema), schema)
  })
})

interface Accepted {
  readonly kind: string
  readonly source: string
  readonly schema: JsonSchema.JsonSchema
}

describe.skipIf(specsAt === undefined)("with the profiles at hand", () => {
  const rules = (): JsonSchema.JsonSchema => JSON.parse(readSpecs("schema-profiles/schemas/openai_202602.json"))

  /** The profile knows null beside another type only; OpenAI documents it on its own, as a member of a union. */
  const withNull = (schema: JsonSchema.JsonSchema): JsonSchema.JsonSchema => {
    const { $defs } = schema
    if (isRecord($defs) && isRecord($defs.nonNullType) && Array.isArray($defs.nonNullType.enum)) {
      $defs.nonNullType.enum.push("null")
    }
    return schema
  }

  const accepted = (kind: string) =>
    (JSON.parse(readSpecs("schema-profiles/accepted-by-provider.json")) as ReadonlyArray<Accepted>)
      .filter((one) => one.kind === kind)

  it("OpenAI's strict subset holds every strict schema", () => {
    const exactly = validator(rules())
    const problems = validator(withNull(rules()))
    for (const encode of [OpenAiSchema.encode, OpenAiSchema.encodePlain]) {
      for (const schema of strict(encode)) {
        // Null on its own is left only beside references, which can't take it in.
        const check = JSON.stringify(schema).includes("{\"type\":\"null\"}") ? problems : exactly
        assert.strictEqual(check(schema), "", JSON.stringify(schema))
      }
    }
  })

  it("what OpenAI took before stays strict", () => {
    const problems = validator(rules())
    const schemas = accepted("openai-strict")
    assert.isAtLeast(schemas.length, 40)
    for (const { schema, source } of schemas) {
      const encoded = Result.getOrThrow(OpenAiSchema.encode(schema))
      assert.isTrue(encoded.strict, source)
      assert.deepStrictEqual(toStrictJsonSchema(encoded.schema), encoded.schema, source)
      assert.strictEqual(problems(encoded.schema), "", source)
    }
  })

  it("what Anthropic took before stays strict", () => {
    const schemas = accepted("anthropic")
    assert.isAtLeast(schemas.length, 10)
    for (const { schema, source } of schemas) {
      const encoded = Result.getOrThrow(AnthropicSchema.encode(schema))
      assert.isTrue(encoded.strict, source)
      assert.isUndefined(encoded.restore, source)
      assert.deepStrictEqual(transformJSONSchema(encoded.schema), encoded.schema, source)
    }
  })

  it("what Gemini took before has the shape it had", () => {
    const schemas = accepted("gemini-responseJsonSchema")
    assert.isAtLeast(schemas.length, 10)
    for (const { schema, source } of schemas) {
      const encoded = Result.getOrThrow(GeminiSchema.encode(schema))
      assert.isTrue(encoded.strict, source)
      assert.isUndefined(encoded.restore, source)
    }
  })
})
