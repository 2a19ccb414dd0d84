/**
 * A JSON schema as one short line of text, the way people write types: `string[]`, `"low" | "high"`,
 * `number (0 to 1)`, `{ city: string; zip?: string }`.
 *
 * Prompts name field types in it. It says nothing a validator would need: replies are checked by the
 * schema itself.
 */
import type * as JsonSchema from "effect/JsonSchema"

const list = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

const isSchema = (value: unknown): value is JsonSchema.JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const range = (schema: JsonSchema.JsonSchema): string => {
  // Safe-integer bounds come with every Int; naming them would only cost tokens.
  const bound = (value: unknown) =>
    typeof value === "number" && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : undefined
  const low = bound(schema.minimum)
  const high = bound(schema.maximum)
  const parts: Array<string> = []
  if (low !== undefined && high !== undefined) parts.push(`${low} to ${high}`)
  else if (low !== undefined) parts.push(`at least ${low}`)
  else if (high !== undefined) parts.push(`at most ${high}`)
  if (typeof schema.exclusiveMinimum === "number") parts.push(`more than ${schema.exclusiveMinimum}`)
  if (typeof schema.exclusiveMaximum === "number") parts.push(`less than ${schema.exclusiveMaximum}`)
  if (typeof schema.multipleOf === "number") parts.push(`a multiple of ${schema.multipleOf}`)
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`
}

const count = (schema: JsonSchema.JsonSchema): string => {
  const low = typeof schema.minItems === "number" ? schema.minItems : undefined
  const high = typeof schema.maxItems === "number" ? schema.maxItems : undefined
  if (low !== undefined && high !== undefined) return low === high ? ` (${low} items)` : ` (${low} to ${high} items)`
  if (low !== undefined && low > 0) return ` (at least ${low} item${low === 1 ? "" : "s"})`
  return high === undefined ? "" : ` (at most ${high} items)`
}

const object = (schema: JsonSchema.JsonSchema): string => {
  const required = new Set(list(schema.required))
  const properties = isSchema(schema.properties) ? schema.properties : {}
  const fields = Object.entries(properties).map(([name, value]) =>
    `${name}${required.has(name) ? "" : "?"}: ${isSchema(value) ? render(value) : "any JSON"}`
  )
  if (fields.length > 0) return `{ ${fields.join("; ")} }`
  return isSchema(schema.additionalProperties) ? `{ [key]: ${render(schema.additionalProperties)} }` : "object"
}

const array = (schema: JsonSchema.JsonSchema): string => {
  const prefix = list(schema.prefixItems).filter(isSchema)
  if (prefix.length > 0) return `[${prefix.map(render).join(", ")}]`
  const item = isSchema(schema.items) ? render(schema.items) : "any JSON"
  // An object stands in its own braces; of anything longer than a word, `[]` would only take the last part.
  const whole = !item.includes(" ") || (isSchema(schema.items) && schema.items.type === "object")
  return `${whole ? item : `(${item})`}[]${count(schema)}`
}

/**
 * Renders a schema. References are named, not followed, so recursion is no problem.
 *
 * @category formatting
 */
export const render = (schema: JsonSchema.JsonSchema): string => {
  if (typeof schema.$ref === "string") return schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1)
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => JSON.stringify(value)).join(" | ")
  const union = Array.isArray(schema.anyOf) ? schema.anyOf : schema.oneOf
  if (Array.isArray(union)) return union.filter(isSchema).map(render).join(" | ")
  switch (schema.type) {
    case "string":
      return typeof schema.format === "string" ? `string (${schema.format})` : "string"
    case "number":
    case "integer":
      return `${schema.type}${range(schema)}`
    case "array":
      return array(schema)
    case "object":
      return object(schema)
    case "boolean":
    case "null":
      return schema.type
    default:
      return "any JSON"
  }
}

/**
 * A schema with everything it names: the type, and a line for each definition. Descriptions stand behind `#`.
 *
 * ```ts
 * import { TypeNotation } from "@effect-dspy/core"
 *
 * const node = { type: "object", properties: { label: { type: "string", description: "in one word" }, next: { $ref: "#/$defs/Node" } }, required: ["label"] }
 * TypeNotation.document({ $ref: "#/$defs/Node", $defs: { Node: node } }) // => "Node\n\nNode = {\n  label: string # in one word\n  next?: Node\n}"
 * ```
 *
 * @category formatting
 */
export const document = (schema: JsonSchema.JsonSchema): string => {
  const definitions = isSchema(schema.$defs) ? Object.entries(schema.$defs) : []
  const named = definitions.map(([name, definition]) =>
    `${name} = ${isSchema(definition) ? lines(definition) : "any JSON"}`
  )
  return [lines(schema), ...named].join("\n\n")
}

// An object with a field a line, where descriptions have room; everything else as `render` has it.
const lines = (schema: JsonSchema.JsonSchema): string => {
  if (schema.type !== "object" || !isSchema(schema.properties)) return render(schema)
  const required = new Set(list(schema.required))
  const fields = Object.entries(schema.properties).map(([name, value]) => {
    const type = isSchema(value) ? render(value) : "any JSON"
    const about = isSchema(value) && typeof value.description === "string" ? ` # ${value.description}` : ""
    return `  ${name}${required.has(name) ? "" : "?"}: ${type}${about}`
  })
  return `{\n${fields.join("\n")}\n}`
}
