/**
 * How large a schema is, in the figures that endpoints limit.
 */
import type { JsonSchema } from "effect/JsonSchema"

/**
 * - `properties`, `optional`: of all objects together, and those of them that may be left out
 * - `depth`: objects and lists within each other, without following references
 * - `choices`: values of all enumerations; `longChoice`: characters of the longest with more than 250 values
 * - `characters`: of the names of properties and definitions and of the values of enumerations
 * - `unions`: unions of all kinds
 *
 * @category models
 */
export interface Size {
  readonly properties: number
  readonly optional: number
  readonly depth: number
  readonly choices: number
  readonly longChoice: number
  readonly characters: number
  readonly unions: number
}

const nothing: Size = {
  properties: 0,
  optional: 0,
  depth: 0,
  choices: 0,
  longChoice: 0,
  characters: 0,
  unions: 0
}

/**
 * Measures a schema as the encoders write it.
 *
 * ```ts
 * import * as Size from "@effect-dspy/providers/schema/Size"
 *
 * Size.measure({ type: "object", properties: { tags: { type: "array", items: { type: "string" } } } }).depth // => 2
 * ```
 *
 * @category getters
 */
export const measure = (node: unknown): Size => {
  if (!isRecord(node)) return nothing
  const properties = record(node.properties)
  const definitions = record(node.$defs)
  const values = Array.isArray(node.enum) ? node.enum : []
  const required = Array.isArray(node.required) ? node.required : []
  const names = Object.keys(properties)
  const size = sum([
    ...[...Object.values(properties), node.items, node.additionalProperties, ...list(node.prefixItems)].map(measure),
    ...list(node.anyOf).map(measure)
  ])
  const apart = sum(Object.values(definitions).map(measure))
  const length = characters(values)
  const isNested = names.length > 0 || "items" in node || "prefixItems" in node
  return sum([apart, {
    ...size,
    properties: size.properties + names.length,
    optional: size.optional + names.filter((name) => !required.includes(name)).length,
    depth: size.depth + (isNested ? 1 : 0),
    choices: size.choices + values.length,
    longChoice: Math.max(size.longChoice, values.length > 250 ? length : 0),
    characters: size.characters + length + characters([...names, ...Object.keys(definitions)]),
    unions: size.unions + ("anyOf" in node ? 1 : 0)
  }])
}

const sum = (sizes: ReadonlyArray<Size>): Size =>
  sizes.reduce((left, right) => ({
    properties: left.properties + right.properties,
    optional: left.optional + right.optional,
    depth: Math.max(left.depth, right.depth),
    choices: left.choices + right.choices,
    longChoice: Math.max(left.longChoice, right.longChoice),
    characters: left.characters + right.characters,
    unions: left.unions + right.unions
  }), nothing)

const characters = (texts: ReadonlyArray<unknown>): number =>
  texts.reduce<number>((length, one) => length + (typeof one === "string" ? one.length : 0), 0)

const list = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

const isRecord = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const record = (value: unknown): JsonSchema => isRecord(value) ? value : {}
