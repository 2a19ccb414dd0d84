/**
 * Reads the XML that models write, by the JSON schema of what was asked for.
 *
 * Tolerant of form: a bare `&` or `<` is text, a value may be JSON inside its element, lists are repeated elements or
 * `item`s inside one. Strict about structure: a closing tag too many or too few makes a reply unreadable. What is read
 * is JSON, and whether it is the right one is for the signature's schema to say.
 */
import type * as JsonSchema from "effect/JsonSchema"
import * as Result from "effect/Result"
import * as JsonText from "./JsonText.ts"

type Json = JsonText.Json

/** An element: its name, and what stands between its tags. */
interface Element {
  readonly name: string
  readonly content: string
}

/**
 * Text as the content of an element.
 *
 * ```ts
 * import { Xml } from "@effect-dspy/core"
 *
 * Xml.escape("a < b & c") // => "a &lt; b &amp; c"
 * Xml.unescape("a &lt; b &amp; c & d") // => "a < b & c & d"
 * ```
 *
 * @category formatting
 */
export const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

/**
 * The text in an element. An `&` that begins no reference is one.
 *
 * @category parsing
 */
export const unescape = (text: string): string =>
  text.includes("&")
    ? text.replace(/&(?:(lt|gt|amp|quot|apos)|#(\d{1,7})|#x([0-9a-fA-F]{1,6}));/g, (whole, name, decimal, hex) => {
      if (name !== undefined) return references[String(name)] ?? ""
      const code = decimal === undefined ? parseInt(String(hex), 16) : Number(decimal)
      return code <= 0x10ffff ? String.fromCodePoint(code) : String(whole)
    })
    : text

const references: { readonly [name: string]: string } = { lt: "<", gt: ">", amp: "&", quot: "\"", apos: "'" }

/**
 * A JSON value as the content of an element: lists as `item`s, objects as elements, and as JSON where a key can't name
 * an element.
 *
 * @category formatting
 */
export const write = (value: unknown): string => {
  if (typeof value === "string") return escape(value)
  if (value === null || value === undefined) return ""
  if (typeof value !== "object") return JSON.stringify(value)
  if (Array.isArray(value)) return value.map((item) => element("item", write(item))).join("")
  const entries = Object.entries(value)
  return entries.every(([key]) => isName.test(key))
    ? entries.map(([key, item]) => element(key, write(item))).join("")
    : escape(JSON.stringify(value))
}

const element = (name: string, content: string): string => `<${name}>${content}</${name}>`

const isName = /^[A-Za-z_][\w.-]*$/

/**
 * The fields of a reply: the elements that are called like properties of the schema, an object. `undefined` when there
 * are none, or when tags do not match.
 *
 * @category parsing
 */
export const read = (text: string, schema: JsonSchema.JsonSchema): { readonly [field: string]: Json } | undefined => {
  const properties = record(schema.properties)
  const names = Object.keys(properties)
  if (names.length === 0) return undefined
  const { elements, rest } = elementsOf(text, (name) => Object.hasOwn(properties, name))
  // A closing tag that is left over ended some text before its end.
  if (elements.length === 0 || names.some((name) => rest.includes(`</${name}>`))) return undefined
  const definitions = record(schema.$defs)
  return object(elements, properties, (name) => record(properties[name]), definitions)
}

// The elements of one level, in order, and the text between them.
const elementsOf = (text: string, wanted: (name: string) => boolean): { elements: Array<Element>; rest: string } => {
  const elements: Array<Element> = []
  const tag = /<([A-Za-z_][\w.-]*)\s*(\/?)>/g
  let rest = ""
  let from = 0
  for (let match = tag.exec(text); match !== null; match = tag.exec(text)) {
    const { 0: opening, 1: name = "", 2: closed } = match
    if (!wanted(name)) continue
    const start = match.index + opening.length
    const end = closed === "/" ? start : closing(text, name, start)
    if (end === undefined) continue
    rest += text.slice(from, match.index)
    elements.push({ name, content: text.slice(start, end) })
    from = closed === "/" ? start : end + name.length + 3
    tag.lastIndex = from
  }
  return { elements, rest: rest + text.slice(from) }
}

// Where the element ends that was opened before `from`: elements may hold others of their own name.
const closing = (text: string, name: string, from: number): number | undefined => {
  const tag = new RegExp(`<(/?)${name.replaceAll(".", "\\.")}\\s*(/?)>`, "g")
  tag.lastIndex = from
  let depth = 1
  for (let match = tag.exec(text); match !== null; match = tag.exec(text)) {
    if (match[1] === "/") depth--
    else if (match[2] !== "/") depth++
    if (depth === 0) return match.index
  }
  return undefined
}

const any = () => true

/** Values of one level by name; an element that comes again makes a list where a list is wanted. */
const object = (
  elements: ReadonlyArray<Element>,
  properties: { readonly [name: string]: unknown },
  schemaOf: (name: string) => JsonSchema.JsonSchema,
  definitions: JsonSchema.JsonSchema
): { readonly [field: string]: Json } => {
  const contents = new Map<string, Array<string>>()
  for (const { content, name } of elements) contents.set(name, [...contents.get(name) ?? [], content])
  const ordered = [...Object.keys(properties).filter((name) => contents.has(name)), ...contents.keys()]
  return Object.fromEntries(
    [...new Set(ordered)].map((name) => [name, value(contents.get(name) ?? [], schemaOf(name), definitions)])
  )
}

const value = (
  contents: ReadonlyArray<string>,
  schema: JsonSchema.JsonSchema,
  definitions: JsonSchema.JsonSchema
): Json => {
  const wanted = resolve(schema, definitions)
  const [first = ""] = contents
  const text = first.trim()
  if (contents.length === 1 && /^[[{]/.test(text) && !isText(wanted)) {
    const json = JsonText.read(unescape(text))
    if (Result.isSuccess(json)) return json.success
  }
  if (Array.isArray(wanted.anyOf)) {
    return union(
      contents,
      wanted.anyOf.map((one) => resolve(record(one), definitions)),
      definitions
    )
  }
  switch (wanted.type) {
    case "array":
      return list(contents, wanted, definitions)
    case "object":
      return fields(first, wanted, definitions)
    case "null":
      return text === "" ? null : unescape(text)
    case "boolean":
      return /^true$/i.test(text) ? true : /^false$/i.test(text) ? false : unescape(text)
    case "integer":
    case "number":
      return /^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : unescape(text)
    default:
      return scalar(unescape(text), wanted)
  }
}

const list = (
  contents: ReadonlyArray<string>,
  schema: JsonSchema.JsonSchema,
  definitions: JsonSchema.JsonSchema
): Json => {
  const items = record(schema.items)
  const [only = ""] = contents
  if (contents.length === 1) {
    if (only.trim() === "") return []
    const { elements, rest } = elementsOf(only, any)
    if (rest.trim() === "" && elements.length > 0 && elements.every(({ name }) => name === "item")) {
      return elements.map(({ content }) => value([content], items, definitions))
    }
  }
  return contents.map((content) => value([content], items, definitions))
}

const fields = (content: string, schema: JsonSchema.JsonSchema, definitions: JsonSchema.JsonSchema): Json => {
  const properties = record(schema.properties)
  const others = record(schema.additionalProperties)
  const { elements } = elementsOf(content, any)
  return object(
    elements,
    properties,
    (name) => Object.hasOwn(properties, name) ? record(properties[name]) : others,
    definitions
  )
}

// The first alternative whose form the content has; its values are checked with the rest.
const union = (
  contents: ReadonlyArray<string>,
  alternatives: ReadonlyArray<JsonSchema.JsonSchema>,
  definitions: JsonSchema.JsonSchema
): Json => {
  const [first = ""] = contents
  const text = first.trim()
  const names = elementsOf(first, any).elements.map(({ name }) => name)
  const fits = (schema: JsonSchema.JsonSchema): boolean => {
    switch (schema.type) {
      case "null":
        return text === ""
      case "object": {
        const properties = record(schema.properties)
        const required = Array.isArray(schema.required) ? schema.required : []
        return names.length > 0 && required.every((name) => names.includes(String(name))) &&
          (schema.additionalProperties !== false || names.every((name) => Object.hasOwn(properties, name)))
      }
      case "array":
        return contents.length > 1 || names.length > 0
      case "boolean":
        return /^(?:true|false)$/i.test(text)
      case "integer":
      case "number":
        return text !== "" && Number.isFinite(Number(text))
      default:
        return true
    }
  }
  // An empty element of something that may be null is null, also where it may be an empty text.
  const empty = text === "" ? alternatives.find((one) => one.type === "null") : undefined
  const chosen = empty ?? alternatives.find(fits) ?? alternatives.at(-1)
  return chosen === undefined ? unescape(text) : value(contents, chosen, definitions)
}

// Literals may be numbers or words; their own list says which.
const scalar = (text: string, { const: only, enum: allowed }: JsonSchema.JsonSchema): Json => {
  const literals = Array.isArray(allowed) ? allowed : only === undefined ? [] : [only]
  const found = literals.find((literal) => String(literal) === text)
  return typeof found === "number" || typeof found === "boolean" ? found : text
}

const isText = (schema: JsonSchema.JsonSchema): boolean => schema.type === "string"

const resolve = (
  schema: JsonSchema.JsonSchema,
  definitions: JsonSchema.JsonSchema,
  depth = 0
): JsonSchema.JsonSchema => {
  const name = typeof schema.$ref === "string" ? /^#\/\$defs\/(.+)$/.exec(schema.$ref)?.[1] : undefined
  return name === undefined || depth > 8 ? schema : resolve(record(definitions[name]), definitions, depth + 1)
}

const record = (part: unknown): JsonSchema.JsonSchema =>
  typeof part === "object" && part !== null && !Array.isArray(part) ? part as JsonSchema.JsonSchema : {}
