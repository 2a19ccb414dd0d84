/**
 * JSON in the shape a lowered schema asks for, made without the code that lowers: from what the shapes are
 * documented to mean, by trying.
 */
import type { JsonSchema } from "effect"
import { isRecord, type Json } from "./json.ts"

type Root = JsonSchema.JsonSchema

/** Every way to write a value in a schema's shape. */
export function* written(value: unknown, schema: unknown, root: Root): Generator<unknown> {
  if (!isRecord(schema)) return
  if (typeof schema.$ref === "string") return yield* written(value, definition(schema.$ref, root), root)
  if (Array.isArray(schema.anyOf)) {
    for (const member of schema.anyOf) yield* written(value, member, root)
    return
  }
  const types = schema.type === undefined ? undefined : [schema.type].flat()
  if (Array.isArray(schema.enum)) {
    if (schema.enum.includes(value)) yield value
    return
  }
  if (types === undefined || (types.includes("array") && types.includes("string"))) {
    yield value
    return
  }
  if (isText(schema)) yield JSON.stringify(value)
  if (types.includes(typeOf(value)) || (types.includes("number") && typeof value === "number")) {
    if (typeof value !== "object" || value === null) yield value
  }
  if (types.includes("integer") && Number.isInteger(value)) yield value
  if (types.includes("array")) {
    if (Array.isArray(value)) yield* items(value, schema, root)
    if (isRecord(value) && isEntries(schema)) yield* items(entriesOf(value), schema, root)
  }
  if (types.includes("object")) {
    const properties = record(schema.properties)
    if (Array.isArray(value)) {
      const names = Object.keys(properties).filter((name) => /^item\d+$/.test(name))
      const given: { [name: string]: unknown } = {}
      value.slice(0, names.length).forEach((item, index) => given[`item${index + 1}`] = item)
      if ("rest" in properties) given.rest = value.slice(names.length)
      if (value.length <= names.length || "rest" in properties) yield* object(given, schema, root)
    }
    if (isRecord(value)) {
      yield* object(value, schema, root)
      if ("others" in properties) {
        const own = Object.entries(value).filter(([name]) => name in properties && name !== "others")
        const others = Object.entries(value).filter(([name]) => !(name in properties))
        yield* object({ ...Object.fromEntries(own), others: Object.fromEntries(others) }, schema, root)
      }
    }
    const [tag, second] = Object.keys(properties)
    if (tag !== undefined && second === undefined && schema.additionalProperties === false) {
      for (const one of written(value, properties[tag], root)) yield { [tag]: one }
    }
  }
}

const entriesOf = (value: Json) => Object.entries(value).map(([key, one]) => ({ key, value: one }))

const isEntries = (schema: Json): boolean =>
  isRecord(schema.items) && Object.keys(record(schema.items.properties)).join() === "key,value"

function* items(value: ReadonlyArray<unknown>, schema: Json, root: Root): Generator<unknown> {
  const prefix = Array.isArray(schema.prefixItems) ? schema.prefixItems : []
  if (value.length > 0 && prefix.length === 0 && schema.items === undefined) return
  if (typeof schema.maxItems === "number" && value.length > schema.maxItems) return
  if (typeof schema.minItems === "number" && value.length < schema.minItems) return
  yield* product(value.map((item, index) => () => written(item, prefix[index] ?? schema.items, root)))
}

function* object(value: Json, schema: Json, root: Root): Generator<unknown> {
  const properties = record(schema.properties)
  const required = Array.isArray(schema.required) ? schema.required : []
  const names = [...new Set([...Object.keys(properties), ...Object.keys(value)])]
  const given = names.filter((name) => Object.hasOwn(value, name) || required.includes(name))
  const choices = given.map((name) =>
    function*(): Generator<unknown> {
      const property = Object.hasOwn(properties, name) ? properties[name] : schema.additionalProperties
      if (!isRecord(property)) return
      if (Object.hasOwn(value, name)) yield* written(value[name], property, root)
      // Null stands for what is not there.
      else yield* written(null, property, root)
    }
  )
  for (const found of product(choices)) {
    yield Object.fromEntries(found.map((one, index) => [given[index] ?? "", one]))
  }
}

/** A few of the combinations: of each place, the first three ways. */
function* product(choices: ReadonlyArray<() => Generator<unknown>>): Generator<ReadonlyArray<unknown>> {
  const ways: Array<ReadonlyArray<unknown>> = []
  for (const choice of choices) {
    const found: Array<unknown> = []
    for (const one of choice()) if (found.push(one) === 3) break
    if (found.length === 0) return
    ways.push(found)
  }
  yield* combinations(ways)
}

function* combinations(ways: ReadonlyArray<ReadonlyArray<unknown>>): Generator<ReadonlyArray<unknown>> {
  const [first, ...rest] = ways
  if (first === undefined) return yield []
  for (const one of first) for (const others of combinations(rest)) yield [one, ...others]
}

/** JSON a model might write when it is held to a schema: anything that matches it. */
export const invented = (schema: unknown, root: Root, next: () => number, depth = 0): unknown => {
  if (!isRecord(schema)) return null
  if (typeof schema.$ref === "string") return invented(definition(schema.$ref, root), root, next, depth + 1)
  const pick = <A>(options: ReadonlyArray<A>): A | undefined => options[Math.floor(next() * options.length)]
  if (Array.isArray(schema.anyOf)) {
    // The last member of a union is null, where there is one: the way out of recursion.
    const flat = schema.anyOf.filter((member) =>
      depth < 4 || isRecord(member) && typeof member.type === "string" && member.type !== "object"
    )
    return invented(pick(flat.length === 0 ? schema.anyOf : flat), root, next, depth + 1)
  }
  if (Array.isArray(schema.enum)) return pick(schema.enum)
  const type = pick([schema.type].flat().filter((one) => depth < 4 || one === "null" || !Array.isArray(schema.type)))
  switch (type) {
    case "string":
      return isText(schema)
        ? JSON.stringify(pick([1, "text", null, true, ["a", { b: 2 }], { "": [] }]))
        : pick(["", "a", "__proto__", "7", "null"])
    case "integer":
      return Math.floor(next() * 100)
    case "number":
      return next() * 100
    case "boolean":
      return next() < 0.5
    case "null":
      return null
    case "array": {
      const prefix = Array.isArray(schema.prefixItems) ? schema.prefixItems : []
      const least = Number(schema.minItems ?? 0)
      const most = Number(schema.maxItems ?? (schema.items === undefined ? prefix.length : least + 2))
      const length = Math.max(least, Math.min(most, depth > 3 ? 0 : Math.floor(next() * 4)))
      return Array.from({ length }, (_, index) => invented(prefix[index] ?? schema.items, root, next, depth + 1))
    }
    case "object": {
      const required = Array.isArray(schema.required) ? schema.required : []
      const given = Object.entries(record(schema.properties)).filter(([name, property]) =>
        required.includes(name) || isRecord(property) && String(property.description).includes("never left out") ||
        (depth < 4 && next() < 0.5)
      )
      const others = isRecord(schema.additionalProperties) && depth < 4 ? ["__proto__", "other"] : []
      return Object.fromEntries([
        ...given.map(([name, property]) => [name, invented(property, root, next, depth + 1)]),
        ...others.map((name) => [name, invented(schema.additionalProperties, root, next, depth + 1)])
      ])
    }
    default:
      return pick([1, "text", null, { a: [true] }])
  }
}

const isText = (schema: Json): boolean => String(schema.description).includes("any JSON value, as JSON text")

const definition = (pointer: string, root: Root): unknown => record(root.$defs)[pointer.replace("#/$defs/", "")]

const typeOf = (value: unknown): string => value === null ? "null" : Array.isArray(value) ? "array" : typeof value

const record = (value: unknown): Json => isRecord(value) ? value : {}
