/** What tests of schemas share: JSON, ajv, and schemas of signatures. */
import { Signature } from "@effect-dspy/core"
import { Ajv2020 } from "ajv/dist/2020.js"
import type { JsonSchema } from "effect"

export type Json = { readonly [key: string]: unknown }

export const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const schemaOf = (output: Signature.Fields): JsonSchema.JsonSchema =>
  Signature.make("Test", { input: {}, output }).derived.jsonSchema

const ajv = () => new Ajv2020({ strict: false, validateFormats: false, ownProperties: true })

/** Tells what is wrong with a value, or nothing. */
export const validator = (schema: unknown): (value: unknown) => string => {
  const checker = ajv()
  const validate = checker.compile(isRecord(schema) ? schema : {})
  return (value) => validate(value) ? "" : checker.errorsText(validate.errors)
}

const checks = new Set(
  ("minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern format uniqueItems " +
    "minProperties maxProperties propertyNames contentEncoding contentMediaType contentSchema").split(" ")
)

/**
 * A schema's shape alone: checks are the signature's business, also how many items a list has and how the names in a
 * record are spelt.
 */
export const shapeOf = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(shapeOf)
  if (!isRecord(node)) return node
  const { patternProperties, prefixItems, ...rest } = node
  const [first] = Array.isArray(prefixItems) ? prefixItems : []
  const isList = node.type === "array" && (first === undefined || JSON.stringify(first) === JSON.stringify(node.items))
  const entries = Object.entries(rest)
    .filter(([key]) => !checks.has(key) && !(isList && (key === "minItems" || key === "maxItems")))
    .map(([key, value]) => [key, key === "properties" || key === "$defs" ? each(value) : shapeOf(value)])
  return {
    ...Object.fromEntries(entries.map(([key, value]) => key === "enum" ? [key, node.enum] : [key, value])),
    ...(isList || prefixItems === undefined ? undefined : { prefixItems: shapeOf(prefixItems) }),
    ...(isRecord(patternProperties)
      ? { additionalProperties: { anyOf: Object.values(patternProperties).map(shapeOf) } }
      : undefined)
  }
}

const each = (value: unknown): unknown =>
  isRecord(value) ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, shapeOf(one)])) : value
