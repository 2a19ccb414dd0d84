/**
 * A JSON schema in the subset that OpenAI's strict structured output takes.
 *
 * Strict mode wants every property required and no other ones, and knows few constraints. Constraints
 * move into descriptions, where the model reads them (the reply is checked by the signature anyway). A
 * schema that cannot be said without loss (records, tuples, properties that may be absent but not null)
 * is sent as it is, and without `strict`.
 *
 * Rules: OpenAI, "Structured Outputs, supported schemas".
 */
import type { JsonSchema } from "effect/JsonSchema"

/**
 * A schema as it is sent, and whether strict mode takes it.
 *
 * @category models
 */
export interface Lowered {
  readonly schema: JsonSchema
  readonly strict: boolean
}

/**
 * ```ts
 * import { StrictSchema } from "@effect-dspy/providers"
 *
 * const schema = { type: "object", properties: { n: { type: "number", minimum: 0 } }, required: ["n"], additionalProperties: false }
 * StrictSchema.lower(schema).schema.properties // => { n: { type: "number", description: "minimum 0" } }
 * ```
 *
 * @category conversions
 */
export const lower = (schema: JsonSchema): Lowered => {
  const strict = schema.type === "object" && schema.anyOf === undefined && isExpressible(schema)
  return strict ? { schema: record(rewrite(schema)), strict } : { schema, strict }
}

// In words for the model, because strict mode rejects or ignores them depending on the model.
const constraints: { readonly [keyword: string]: string } = {
  minimum: "minimum",
  maximum: "maximum",
  exclusiveMinimum: "more than",
  exclusiveMaximum: "less than",
  multipleOf: "a multiple of",
  minLength: "at least this many characters:",
  maxLength: "at most this many characters:",
  pattern: "matches the pattern",
  format: "format",
  minItems: "at least this many items:",
  maxItems: "at most this many items:",
  uniqueItems: "all items different:",
  minProperties: "at least this many properties:",
  maxProperties: "at most this many properties:",
  contentEncoding: "encoded as",
  contentMediaType: "text of type",
  contentSchema: "which matches the schema",
  default: "default",
  examples: "for example"
}

// What strict mode takes as it is; a schema with anything else is sent without it.
const taken = new Set([
  "type",
  "title",
  "description",
  "enum",
  "const",
  "properties",
  "required",
  "additionalProperties",
  "items",
  "anyOf",
  "$defs",
  "$ref"
])

const isExpressible = (node: unknown): boolean => {
  if (typeof node !== "object" || node === null) return false
  const schema = record(node)
  const keywords = Object.keys(schema)
  if (!keywords.every((keyword) => taken.has(keyword) || keyword in constraints)) return false
  if ("$ref" in schema && keywords.length > 1) return false
  if (schema.type === "array" && schema.items === undefined) return false
  if (schema.type === "object" || schema.properties !== undefined) {
    if (schema.additionalProperties !== false) return false
    const required = Array.isArray(schema.required) ? schema.required : []
    for (const [name, property] of Object.entries(record(schema.properties))) {
      if (!required.includes(name) && !takesNull(record(property))) return false
    }
  }
  // A schema without any of these says nothing, and strict mode needs to know.
  if (!["type", "anyOf", "enum", "const", "$ref"].some((keyword) => keyword in schema)) return false
  return children(schema).every(isExpressible)
}

const takesNull = (schema: JsonSchema): boolean =>
  schema.type === "null" || (Array.isArray(schema.anyOf) && schema.anyOf.some((member) => takesNull(record(member))))

const children = (schema: JsonSchema): ReadonlyArray<unknown> => [
  ...Object.values(record(schema.properties)),
  ...Object.values(record(schema.$defs)),
  ...(Array.isArray(schema.anyOf) ? schema.anyOf : []),
  ...(schema.items === undefined ? [] : [schema.items])
]

const rewrite = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(rewrite)
  if (typeof node !== "object" || node === null) return node
  const schema = record(node)
  const kept: { [keyword: string]: unknown } = {}
  const said: Array<string> = []
  for (const [keyword, value] of Object.entries(schema)) {
    const phrase = constraints[keyword]
    if (phrase === undefined) {
      kept[keyword] = keyword === "properties" || keyword === "$defs"
        ? each(value)
        : rewritten(keyword, value)
    } else if (!(typeof value === "number" && Math.abs(value) === Number.MAX_SAFE_INTEGER)) {
      said.push(`${phrase} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    }
  }
  if (schema.type === "object") kept.required = Object.keys(record(schema.properties))
  if (said.length > 0) {
    const description = typeof schema.description === "string" ? `${schema.description}; ` : ""
    kept.description = description + said.join(", ")
  }
  return kept
}

// Property names may be called like keywords; only schemas are rewritten, never lists of values.
const rewritten = (keyword: string, value: unknown): unknown =>
  keyword === "items" || keyword === "anyOf" ? rewrite(value) : value

const each = (value: unknown): unknown =>
  Object.fromEntries(Object.entries(record(value)).map(([name, schema]) => [name, rewrite(schema)]))

const record = (value: unknown): JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? value as JsonSchema : {}
