/**
 * Schemas for OpenAI's strict structured output and strict tools.
 *
 * Strict mode wants every property required and no other ones, a root object, few keywords, and objects of a union
 * that it can tell apart by their first key.
 *
 * Rules: OpenAI, "Structured Outputs, supported schemas".
 */
import type { JsonSchema } from "effect/JsonSchema"
import type { Dialect } from "./Dialect.ts"
import * as Encoder from "./Encoder.ts"
import * as Size from "./Size.ts"
import * as Words from "./Words.ts"

const plain: Dialect = {
  optional: false,
  records: false,
  anything: undefined,
  tuples: "none",
  recursion: "anywhere",
  objectRoot: true,
  nullInType: true,
  typedChoices: true,
  firstKeys: true,
  takes: () => false,
  // 5,000 properties, 10 levels, 1,000 enum values, 120,000 characters of names and values, 15,000 in a long enum.
  isWithinLimits: (schema: JsonSchema) => {
    const size = Size.measure(schema)
    return size.properties <= 5_000 && size.depth <= 10 && size.choices <= 1_000 && size.characters <= 120_000 &&
      size.longChoice <= 15_000
  }
}

/**
 * For servers that take strict schemas as OpenAI first did: no checks but types.
 *
 * ```ts
 * import { OpenAiSchema } from "@effect-dspy/providers"
 * import { Result } from "effect"
 *
 * const schema = { type: "object", properties: { n: { type: "integer", minimum: 1 } }, additionalProperties: false }
 * const { restore, schema: sent } = Result.getOrThrow(OpenAiSchema.encodePlain(schema))
 * sent.properties // => { n: { type: ["integer", "null"], description: "minimum 1" } }
 * restore?.({ n: null }) // => {}
 * ```
 *
 * @category encoding
 */
export const encodePlain: Encoder.Encoder = Encoder.make(plain)

const formats = new Set(["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"])

const bounds: { readonly [keyword: string]: "number" | "array" } = {
  minimum: "number",
  maximum: "number",
  exclusiveMinimum: "number",
  exclusiveMaximum: "number",
  multipleOf: "number",
  minItems: "array",
  maxItems: "array"
}

/**
 * For OpenAI itself, which holds its models to bounds of numbers and lists and to some formats. Patterns stay words:
 * its regular expressions are not those of this language.
 *
 * @category encoding
 */
export const encode: Encoder.Encoder = Encoder.make({
  ...plain,
  takes: (keyword, value, type) =>
    keyword === "format"
      ? type === "string" && typeof value === "string" && formats.has(value)
      : typeof value === "number" && !Words.isEmpty([keyword, value]) &&
        bounds[keyword] === (type === "integer" ? "number" : type)
})
