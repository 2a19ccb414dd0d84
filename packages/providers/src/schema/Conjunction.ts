/**
 * JSON schemas that say several things at once (`allOf`, `$ref` or `anyOf` beside other keywords), as one that says
 * the same without: what both sides take.
 *
 * Only the shape has to be exact. Of two bounds the narrower one is kept, of two other checks both.
 */
import type { JsonSchema } from "effect/JsonSchema"

/** A schema, or `true` for anything and `false` for nothing. */
export type Flat = JsonSchema | boolean

/**
 * One level of a schema without `allOf`, `oneOf`, `const`, and with `$ref` or `anyOf` only where they stand alone
 * beside annotations. What is left under `allOf` are checks.
 *
 * ```ts
 * import * as Conjunction from "@effect-dspy/providers/schema/Conjunction"
 *
 * const schema = { allOf: [{ type: "integer", minimum: 1 }, { type: "number", minimum: 3 }] }
 * Conjunction.flatten(schema, schema) // => { type: "integer", minimum: 3 }
 * ```
 *
 * @category conversions
 */
export const flatten = (node: unknown, root: JsonSchema): Flat => {
  if (typeof node === "boolean") return node
  if (!isRecord(node)) return true
  const { $ref, allOf, anyOf, const: constant, not, oneOf, ...own } = node
  if (not === true || (isRecord(not) && Object.keys(not).length === 0)) return false
  const others: Array<unknown> = Array.isArray(allOf) ? [...allOf] : []
  if (anyOf !== undefined) others.push({ anyOf })
  if (oneOf !== undefined) others.push({ anyOf: oneOf })
  if (constant !== undefined) others.push({ enum: [constant] })
  if (not !== undefined) own.not = not
  if (typeof $ref === "string") others.push({ $ref })
  if (others.length === 0) return own
  if (!isShaped(own)) {
    const [only, second] = others.filter((one) => !isRecord(one) || isShaped(one))
    // The usual case: something that stands elsewhere, with words of its own.
    if (second === undefined && isRecord(only) && isAlone(only)) {
      return others.reduce<Flat>((sum, one) => one === only ? sum : both(sum, flatten(one, root)), { ...only, ...own })
    }
  }
  return others.reduce<Flat>((sum, one) => both(sum, inlined(one, root, 0)), own)
}

/**
 * The schema a reference within `root` leads to, if there is one.
 *
 * @category getters
 */
export const resolve = (root: JsonSchema, pointer: string): unknown => {
  if (pointer !== "#" && !pointer.startsWith("#/")) return undefined
  let found: unknown = root
  for (const segment of segments(pointer)) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, segment)) return undefined
    found = (found as { readonly [key: string]: unknown })[segment]
  }
  return found
}

/**
 * The steps of a JSON pointer in a URL's fragment.
 *
 * @category parsing
 */
export const segments = (pointer: string): ReadonlyArray<string> =>
  pointer.split("/").slice(1).map((segment) => decoded(segment).replaceAll("~1", "/").replaceAll("~0", "~"))

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    // A per cent sign that stands for itself.
    return text
  }
}

const shapes = [
  "type",
  "enum",
  "anyOf",
  "oneOf",
  "allOf",
  "const",
  "$ref",
  "not",
  "properties",
  "required",
  "additionalProperties",
  "patternProperties",
  "items",
  "prefixItems",
  "additionalItems"
]

const isShaped = (node: JsonSchema): boolean => shapes.some((keyword) => keyword in node)

const isAlone = (node: JsonSchema): boolean =>
  ("$ref" in node || "anyOf" in node) && shapes.filter((keyword) => keyword in node).length === 1

// A chain of references longer than this runs in a circle.
const longest = 100

const inlined = (node: unknown, root: JsonSchema, depth: number): Flat => {
  const flat = flatten(node, root)
  if (typeof flat === "boolean" || typeof flat.$ref !== "string") return flat
  const { $ref, ...own } = flat
  const target = resolve(root, $ref)
  // A reference that leads nowhere stays one, and whoever reads it finds out.
  return target === undefined || depth > longest ? { $ref } : both(own, inlined(target, root, depth + 1))
}

const both = (left: Flat, right: Flat): Flat => {
  if (left === false || right === false) return false
  if (left === true) return right
  if (right === true) return left
  if ("$ref" in left || "$ref" in right) return { ...left, ...right }
  if (Array.isArray(left.anyOf)) return distributed(left, right)
  if (Array.isArray(right.anyOf)) return distributed(right, left)
  const merged: { [keyword: string]: unknown } = { ...left, ...right, ...left }
  const checks: Array<unknown> = [...list(left.allOf), ...list(right.allOf)]
  for (const [keyword, theirs] of Object.entries(right)) {
    const ours = left[keyword]
    if (ours === undefined || JSON.stringify(ours) === JSON.stringify(theirs)) continue
    const narrower = bounds.get(keyword)
    if (narrower !== undefined && typeof ours === "number" && typeof theirs === "number") {
      merged[keyword] = narrower(ours, theirs)
    } else if (!isShaped({ [keyword]: theirs }) && !annotations.has(keyword)) checks.push({ [keyword]: theirs })
  }
  if (checks.length > 0) merged.allOf = checks
  const types = typesOf(left.type, right.type)
  if (types !== undefined) {
    if (types.length === 0) return false
    merged.type = types.length === 1 ? types[0] : types
  }
  if (Array.isArray(left.enum) && Array.isArray(right.enum)) {
    const allowed = new Set(right.enum.map((value) => JSON.stringify(value)))
    merged.enum = left.enum.filter((value) => allowed.has(JSON.stringify(value)))
  }
  return { ...merged, ...objects(left, right), ...arrays(left, right) }
}

const annotations = new Set(["title", "description", "default", "examples", "$comment", "$defs", "definitions", "$id"])

const bounds = new Map<string, (left: number, right: number) => number>([
  ["minimum", Math.max],
  ["exclusiveMinimum", Math.max],
  ["minLength", Math.max],
  ["minItems", Math.max],
  ["minProperties", Math.max],
  ["maximum", Math.min],
  ["exclusiveMaximum", Math.min],
  ["maxLength", Math.min],
  ["maxItems", Math.min],
  ["maxProperties", Math.min]
])

// One of several, and the rest besides, is the rest with each of them.
const distributed = ({ anyOf, ...left }: JsonSchema, right: JsonSchema): Flat => {
  const { description, title, ...rest } = left
  const words = { ...(title === undefined ? {} : { title }), ...(description === undefined ? {} : { description }) }
  return { ...words, anyOf: list(anyOf).map((member) => ({ allOf: [member, rest, right] })) }
}

const typesOf = (left: unknown, right: unknown): ReadonlyArray<unknown> | undefined => {
  if (left === undefined || right === undefined) return undefined
  const ours = Array.isArray(left) ? left : [left]
  const theirs = Array.isArray(right) ? right : [right]
  return [
    ...ours.filter((type) => theirs.includes(type) || (type === "integer" && theirs.includes("number"))),
    ...theirs.filter((type) => type === "integer" && ours.includes("number") && !ours.includes("integer"))
  ]
}

// A property must please both sides, each of which may know it by name, by pattern or as one of the others.
const objects = (left: JsonSchema, right: JsonSchema): JsonSchema => {
  const sides = [left, right]
  if (!sides.every((side) => "properties" in side || "additionalProperties" in side || "required" in side)) return {}
  const names = new Set(sides.flatMap((side) => Object.keys(record(side.properties))))
  const property = (side: JsonSchema, name: string): unknown => {
    const properties = record(side.properties)
    if (Object.hasOwn(properties, name)) return properties[name]
    const patterns = Object.entries(record(side.patternProperties)).filter(([pattern]) => matches(pattern, name))
    return patterns.length > 0 ? { allOf: patterns.map(([, one]) => one) } : side.additionalProperties ?? true
  }
  const others = together(left.additionalProperties ?? true, right.additionalProperties ?? true)
  const required = new Set([...list(left.required), ...list(right.required)])
  return {
    ...(names.size === 0 ? {} : {
      properties: Object.fromEntries(
        [...names].map((name) => [name, together(property(left, name), property(right, name))])
      )
    }),
    ...(required.size === 0 ? {} : { required: [...required] }),
    ...("additionalProperties" in left || "additionalProperties" in right ? { additionalProperties: others } : {})
  }
}

const matches = (pattern: string, name: string): boolean => {
  try {
    return new RegExp(pattern, "u").test(name)
  } catch {
    // Not an expression of this language: it is not known to match.
    return false
  }
}

const arrays = (left: JsonSchema, right: JsonSchema): JsonSchema => {
  const sides = [left, right]
  if (!sides.every((side) => "items" in side || "prefixItems" in side)) return {}
  const length = Math.max(...sides.map((side) => list(side.prefixItems).length))
  const item = (side: JsonSchema, index: number): unknown => list(side.prefixItems)[index] ?? side.items ?? true
  return {
    ...(length === 0 ? {} : {
      prefixItems: Array.from({ length }, (_, index) => together(item(left, index), item(right, index)))
    }),
    items: together(left.items ?? true, right.items ?? true)
  }
}

const together = (left: unknown, right: unknown): unknown => {
  if (left === true || JSON.stringify(left) === JSON.stringify(right)) return right
  return right === true ? left : left === false || right === false ? false : { allOf: [left, right] }
}

const isRecord = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const record = (value: unknown): JsonSchema => isRecord(value) ? value : {}

const list = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []
