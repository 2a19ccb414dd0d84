/**
 * The JSON schema of a struct as models and endpoints are shown it: in one piece, and without what only codecs need.
 */
import type * as JsonSchema from "effect/JsonSchema"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"

/** A struct, whatever its fields. */
type Struct = Schema.Struct<{ readonly [name: string]: Schema.Codec<unknown, unknown, never, never> }>

/**
 * The schema, its definitions under `$defs`.
 *
 * A key of `Schema.optional` may be undefined, which JSON can only say as null: such a key has the default null, so
 * that an endpoint that knows no absent keys may take null for it.
 *
 * ```ts
 * import { StructSchema } from "@effect-dspy/core"
 * import { Schema } from "effect"
 *
 * const { properties } = StructSchema.make(Schema.Struct({ nick: Schema.optional(Schema.String) }))
 * properties // => { nick: { anyOf: [{ type: "string" }, { type: "null" }], default: null } }
 * ```
 *
 * @category constructors
 */
export const make = (struct: Struct): JsonSchema.JsonSchema => {
  const document = Schema.toJsonSchemaDocument(struct, { onExcessProperty: "error" })
  const definitions = bounded(document.definitions) as { [name: string]: JsonSchema.JsonSchema }
  const schema = hoisted(bounded(document.schema), definitions) as JsonSchema.JsonSchema
  const whole = Object.keys(definitions).length === 0 ? schema : { ...schema, $defs: definitions }
  markAbsent(SchemaAST.toEncoded(struct.ast), whole, definitions)
  return whole
}

/**
 * Whether a schema is that of the strings which stand for numbers that JSON cannot hold.
 *
 * @category guards
 */
export const isNonFinite = (schema: object): boolean =>
  "enum" in schema && Array.isArray(schema.enum) && schema.enum.join() === "Infinity,-Infinity,NaN"

// A number without a finite check also allows the strings "NaN" and "Infinity"; models must not be
// offered them.
const bounded = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(bounded)
  if (typeof node !== "object" || node === null) return node
  const entries = Object.entries(node)
  const union = "anyOf" in node && Array.isArray(node.anyOf) ? node.anyOf : []
  const kept = union.filter((member) => !isNonFinite(member))
  if (kept.length < union.length) {
    const rest = Object.fromEntries(entries.filter(([key]) => key !== "anyOf"))
    return kept.length === 1 ? { ...kept[0], ...rest } : { ...rest, anyOf: kept.map(bounded) }
  }
  return Object.fromEntries(entries.map(([key, value]) => [key, bounded(value)]))
}

// Fields of other libraries bring definitions of their own, under names of the field. All of them belong to the root,
// where references look for them.
const hoisted = (node: unknown, definitions: { [name: string]: JsonSchema.JsonSchema }): unknown => {
  if (Array.isArray(node)) return node.map((item) => hoisted(item, definitions))
  if (!isRecord(node)) return node
  const { $defs, ...rest } = node
  if (isRecord($defs)) {
    for (const [name, definition] of Object.entries($defs)) definitions[name] = definition as JsonSchema.JsonSchema
  }
  return Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [
      key,
      // Of properties the keys are names, and one may be called `$defs`.
      key === "properties" && isRecord(value)
        ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, hoisted(one, definitions)]))
        : hoisted(value, definitions)
    ])
  )
}

// The two descriptions of the same value are gone through side by side, as far as they run alike. `json` was
// just made by `bounded`, so that nobody else sees it change.
const markAbsent = (root: SchemaAST.AST, json: unknown, definitions: JsonSchema.Definitions): void => {
  const seen = new Set<unknown>()
  const visit = (ast: SchemaAST.AST, node: unknown): void => {
    if (!isRecord(node)) return
    const target = typeof node.$ref === "string" ? definitions[nameOf(node.$ref)] : node
    if (!isRecord(target) || seen.has(target)) return
    seen.add(target)
    switch (ast._tag) {
      case "Suspend":
        seen.delete(target)
        return visit(SchemaAST.toEncoded(ast.thunk()), target)
      case "Objects":
        for (const { name, type } of ast.propertySignatures) {
          const property = isRecord(target.properties) ? target.properties[String(name)] : undefined
          if (isRecord(property) && SchemaAST.isOptional(type) && isAbsentNull(type)) property.default ??= null
          visit(type, property)
        }
        for (const { type } of ast.indexSignatures) visit(type, target.additionalProperties)
        return
      case "Arrays":
        ast.elements.forEach((element, index) => visit(element, list(target.prefixItems)[index]))
        if (ast.rest[0] !== undefined) visit(ast.rest[0], target.items)
        return
      case "Union": {
        const members = list(target.anyOf ?? target.oneOf)
        if (members.length === ast.types.length) ast.types.forEach((type, index) => visit(type, members[index]))
      }
    }
  }
  visit(root, json)
}

// Undefined, and no null of its own that would mean something else.
const isAbsentNull = (ast: SchemaAST.AST): boolean => {
  const members = membersOf(ast)
  return members.some(({ _tag }) => _tag === "Undefined") && !members.some(({ _tag }) => _tag === "Null")
}

const membersOf = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> =>
  ast._tag === "Union" ? ast.types.flatMap(membersOf) : [ast]

const nameOf = (pointer: string): string =>
  decodeURIComponent(pointer.split("/").at(-1) ?? "").replaceAll("~1", "/").replaceAll("~0", "~")

const list = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

const isRecord = (value: unknown): value is { [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)
