/**
 * What a vendor's published API description says of a request body, and tables of the keys that may stand in one.
 *
 * The tables are always there and are closed; the descriptions are read where a machine has them.
 */
import { Ajv2020, type ErrorObject } from "ajv/dist/2020.js"
import { readSpecs } from "./shared.ts"

export type Json = { readonly [key: string]: unknown }

export const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The descriptions say `nullable` without a type, and `oneOf` where several fit. */
const normalise = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(normalise)
  if (!isRecord(node)) return node
  return Object.fromEntries(
    Object.entries(node)
      .filter(([key]) => key !== "discriminator" && !(key === "nullable" && node.type === undefined))
      .map(([key, value]) => [key === "oneOf" ? "anyOf" : key, normalise(value)])
  )
}

const explain = (errors: ReadonlyArray<ErrorObject> | null | undefined): string =>
  (errors ?? []).slice(0, 5).map((error) => `${error.instancePath} ${error.message}`).join("; ")

/** Says what is wrong with a body by the schema `name` of a description; nothing is wrong with "". */
export const specification = (file: string, name: string): (body: unknown) => string => {
  const { components } = normalise(JSON.parse(readSpecs(`openapi/${file}`))) as {
    readonly components: { readonly schemas: { readonly [name: string]: Json } }
  }
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
  const validate = ajv.compile({ $id: "openapi", $ref: `#/components/schemas/${name}`, components })
  /** All properties of a schema, those it takes from others too: some descriptions allow any key. */
  const keys = (schema: Json | undefined): ReadonlyArray<string> => {
    if (schema === undefined) return []
    if (typeof schema.$ref === "string") return keys(components.schemas[schema.$ref.split("/").at(-1) ?? ""])
    const members = Array.isArray(schema.allOf) ? schema.allOf as ReadonlyArray<Json> : []
    return [...Object.keys(isRecord(schema.properties) ? schema.properties : {}), ...members.flatMap(keys)]
  }
  const known = new Set(keys(components.schemas[name]))
  return (body) => {
    const unknown = isRecord(body) ? Object.keys(body).filter((key) => !known.has(key)) : []
    return validate(body) && unknown.length === 0
      ? ""
      : `${explain(validate.errors)} ${unknown.map((key) => `unknown key ${key}`).join("; ")}`
  }
}

/**
 * The same by one of Google's descriptions, which have a form of their own and say every key there is.
 */
export const discovery = (file: string, name: string): (body: unknown) => string => {
  const { schemas } = JSON.parse(readSpecs(`openapi/${file}`)) as {
    readonly schemas: { readonly [name: string]: Json }
  }
  const convert = (node: Json): Json => {
    if (typeof node.$ref === "string") return { $ref: `#/$defs/${node.$ref}` }
    const inner = isRecord(node.properties)
      ? {
        properties: Object.fromEntries(
          Object.entries(node.properties).map(([key, value]) => [key, convert(isRecord(value) ? value : {})])
        ),
        additionalProperties: false
      }
      : isRecord(node.items)
      ? { items: convert(node.items) }
      : {}
    return {
      ...(node.type === "any" ? {} : { type: node.type }),
      ...(node.enum === undefined ? {} : { enum: node.enum }),
      ...(node.format === "int32" ? { minimum: -(2 ** 31), maximum: 2 ** 31 - 1 } : {}),
      ...inner
    }
  }
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  const validate = ajv.compile({
    $ref: `#/$defs/${name}`,
    $defs: Object.fromEntries(Object.entries(schemas).map(([key, schema]) => [key, convert(schema)]))
  })
  return (body) => validate(body) ? "" : explain(validate.errors)
}

/**
 * The keys a body may have: `"any"` is a value that is not looked into, `[keys]` a list or a single value that is
 * no list, and `by` a key whose value says which keys stand beside it.
 */
export type Keys = "any" | readonly [Keys] | { readonly [key: string]: Keys } | ByType

interface ByType {
  readonly by: string
  readonly of: { readonly [value: string]: Keys }
}

const isByType = (keys: object): keys is ByType => "by" in keys && typeof keys.by === "string" && "of" in keys

/** Where a body has keys that the table does not. */
export const strangers = (body: unknown, keys: Keys, path = ""): ReadonlyArray<string> => {
  if (keys === "any") return []
  if (Array.isArray(keys)) {
    const [member] = keys as readonly [Keys]
    return Array.isArray(body) ? body.flatMap((one, index) => strangers(one, member, `${path}[${index}]`)) : []
  }
  if (!isRecord(body)) return typeof body === "object" ? [`${path} is no object`] : []
  if (isByType(keys)) {
    const of = keys.of[String(body[keys.by])]
    return of === undefined ? [`${path}.${keys.by} ${String(body[keys.by])}`] : strangers(body, of, path)
  }
  return Object.entries(body).flatMap(([key, value]) => {
    const inner = (keys as { readonly [key: string]: Keys })[key]
    return inner === undefined ? [`${path}.${key}`] : strangers(value, inner, `${path}.${key}`)
  })
}
