/**
 * What a JSON schema says, in few shapes: the one form that every endpoint's encoder works on.
 *
 * JSON Schema says one thing in many ways (`const` and `enum`, `oneOf` and `anyOf`, type lists, `allOf`, tuples of
 * two drafts). `parse` reads them once. What a shape can't hold (bounds, patterns, formats, defaults) becomes a
 * check: an encoder says it as it is or in words, and the signature checks it in any case.
 */
import type { JsonSchema } from "effect/JsonSchema"
import * as Conjunction from "./Conjunction.ts"
import * as Naming from "./Naming.ts"

/** A value of a choice. */
export type Literal = string | number | boolean

/** What a scalar is. */
export type ScalarType = "string" | "number" | "integer" | "boolean" | "null"

/** A keyword that says more about a value than its shape does. */
export type Check = readonly [keyword: string, value: unknown]

/**
 * What is said about a shape beside the shape.
 *
 * @category models
 */
export interface Notes {
  readonly title?: string
  readonly description?: string
  readonly checks: ReadonlyArray<Check>
}

/**
 * A property of a struct.
 *
 * @category models
 */
export interface Field {
  readonly name: string
  readonly form: Form
  readonly optional: boolean
}

/**
 * - `Anything`: any JSON value; `Nothing`: none at all
 * - `Choice`: one of these values, all of one type
 * - `Tuple`: items by position, of which the first `required` must be there, then any number of `rest`
 * - `Struct`: fields by name, and where `rest` is there, any others (a record has no fields)
 * - `Union`: at least two members, none of them `Anything` or `Nothing`
 * - `Reference`: a definition of the document
 *
 * @category models
 */
export type Form =
  | { readonly _tag: "Anything"; readonly notes: Notes }
  | { readonly _tag: "Nothing"; readonly notes: Notes }
  | { readonly _tag: "Scalar"; readonly type: ScalarType; readonly notes: Notes }
  | {
    readonly _tag: "Choice"
    readonly type: ScalarType
    readonly values: ReadonlyArray<Literal>
    readonly notes: Notes
  }
  | { readonly _tag: "List"; readonly items: Form; readonly notes: Notes }
  | {
    readonly _tag: "Tuple"
    readonly items: ReadonlyArray<Form>
    readonly required: number
    readonly rest: Form | undefined
    readonly notes: Notes
  }
  | {
    readonly _tag: "Struct"
    readonly fields: ReadonlyArray<Field>
    readonly rest: Form | undefined
    readonly notes: Notes
  }
  | { readonly _tag: "Union"; readonly members: ReadonlyArray<Form>; readonly notes: Notes }
  | { readonly _tag: "Reference"; readonly name: string; readonly notes: Notes }

/** A form of one kind. */
export type Of<Tag extends Form["_tag"]> = Extract<Form, { readonly _tag: Tag }>

/**
 * A form and the definitions it refers to. `problem` is what could not be read: a reference that leads nowhere.
 *
 * @category models
 */
export interface Document {
  readonly root: Form
  readonly definitions: ReadonlyMap<string, Form>
  readonly problem: Problem | undefined
}

/**
 * What cannot be said, and the path of the field that holds it.
 *
 * @category models
 */
export interface Problem {
  readonly feature: string
  readonly field?: string
}

/**
 * No notes.
 *
 * @category constructors
 */
export const bare: Notes = { checks: [] }

/**
 * Any JSON value.
 *
 * @category constructors
 */
export const anything: Form = { _tag: "Anything", notes: bare }

const nothing: Form = { _tag: "Nothing", notes: bare }

/**
 * Null.
 *
 * @category constructors
 */
export const none: Form = { _tag: "Scalar", type: "null", notes: bare }

/**
 * Text.
 *
 * @category constructors
 */
export const text: Form = { _tag: "Scalar", type: "string", notes: bare }

/**
 * The same form with other notes.
 *
 * @category combinators
 */
export const withNotes = <F extends Form>(form: F, notes: Notes): F => ({ ...form, notes })

/**
 * Whether a form is null and nothing else.
 *
 * @category guards
 */
export const isNull = (form: Form): boolean => form._tag === "Scalar" && form.type === "null"

/**
 * Whether nothing is said about a form.
 *
 * @category guards
 */
export const isBare = ({ notes }: Form): boolean =>
  notes.title === undefined && notes.description === undefined && notes.checks.length === 0

/**
 * The path of a property under a path.
 *
 * @category combinators
 */
export const under = (path: string, name: string): string => path === "" ? name : `${path}.${name}`

/**
 * Reads a JSON schema (draft 2020-12, and what of draft 7 is still around).
 *
 * An object that lists properties and says nothing about others has no others: so the vendors' own SDKs read it.
 * A root that lists none has none; that is how tools without arguments are declared.
 *
 * @category parsing
 */
export const parse = (schema: JsonSchema): Document => {
  const definitions = new Map<string, Form>()
  const names = new Map<string, string>()
  let problem: Problem | undefined

  const define = (pointer: string, path: string): string | undefined => {
    const known = names.get(pointer)
    if (known !== undefined) return known
    const target = Conjunction.resolve(schema, pointer)
    if (target === undefined) return undefined
    const name = Naming.unused(Conjunction.segments(pointer).at(-1) ?? "Root", new Set(names.values()))
    names.set(pointer, name)
    definitions.set(name, read(target, path))
    return name
  }

  const stop = (feature: string, path: string): Form => {
    problem ??= { feature, ...(path === "" ? undefined : { field: path }) }
    return anything
  }

  let depth = 0
  let size = 0

  const read = (node: unknown, path: string): Form => {
    if (depth > deepest || ++size > largest) return stop("a schema without end", path)
    depth++
    const form = shape(node, path)
    depth--
    return form
  }

  const shape = (node: unknown, path: string): Form => {
    const flat = Conjunction.flatten(node, schema)
    if (flat === true) return anything
    if (flat === false) return nothing
    const notes = notesOf(flat)
    if (typeof flat.$ref === "string") {
      const name = define(flat.$ref, path)
      return name === undefined
        ? stop("a schema that is not at hand", path)
        : { _tag: "Reference", name, notes }
    }
    const members = list(flat.anyOf)
    if (members !== undefined) return union(members.map((member) => read(member, path)), notes)
    if (Array.isArray(flat.enum)) return union(flat.enum.map(literal), notes)
    const [type, ...types] = typesOf(flat)
    if (type === undefined) return { _tag: "Anything", notes }
    return types.length === 0
      ? typed(flat, type, path, notes)
      : union([type, ...types].map((one) => typed(flat, one, path, bare)), notes)
  }

  const typed = (node: JsonSchema, type: ScalarType | "object" | "array", path: string, notes: Notes): Form => {
    switch (type) {
      case "object":
        return struct(node, path, notes)
      case "array":
        return array(node, path, notes)
      default:
        return { _tag: "Scalar", type, notes }
    }
  }

  const struct = (node: JsonSchema, path: string, notes: Notes): Form => {
    const properties = record(node.properties)
    const required = list(node.required) ?? []
    const others = [
      ...Object.values(record(node.patternProperties)),
      ...(isOpen(node) && !(path === "" && node.additionalProperties === undefined)
        ? [node.additionalProperties ?? true]
        : [])
    ].map((rest) => read(rest, `${path}{}`))
    const rest = others.length === 0 ? undefined : union(others, bare)
    const declared = new Set([
      ...Object.keys(properties),
      ...required.filter((name): name is string => typeof name === "string")
    ])
    const fields = [...declared].map((name): Field => ({
      name,
      form: Object.hasOwn(properties, name)
        ? read(properties[name], under(path, name))
        : rest ?? (isClosed(node) ? nothing : anything),
      optional: !required.includes(name)
    }))
    return {
      _tag: "Struct",
      // A property that can have no value can only be left out.
      fields: fields.filter(({ form, optional }) => !(optional && form._tag === "Nothing")),
      rest: rest?._tag === "Nothing" ? undefined : rest,
      notes
    }
  }

  const array = (node: JsonSchema, path: string, notes: Notes): Form => {
    const prefix = list(node.prefixItems) ?? list(node.items) ?? []
    const said = list(node.items) === undefined ? node.items : node.additionalItems
    // Neither a count nor what follows is stated: exactly these items, as everyone who writes this means it.
    const exact = prefix.length > 0 && said === undefined && !("minItems" in node) && !("maxItems" in node)
    const more = exact ? false : said
    const least = exact ? prefix.length : count(node.minItems) ?? 0
    const most = count(node.maxItems) ?? Infinity
    const rest = more === false || most <= prefix.length ? undefined : read(more ?? true, `${path}[]`)
    const same = more !== undefined && prefix.every((item) => JSON.stringify(item) === JSON.stringify(more))
    if (rest !== undefined && same || prefix.length === 0 && rest !== undefined) {
      return { _tag: "List", items: rest, notes }
    }
    return {
      _tag: "Tuple",
      items: prefix.slice(0, most).map((item, index) => read(item, `${path}[${index}]`)),
      required: Math.min(least, prefix.length),
      rest,
      notes: {
        ...notes,
        checks: notes.checks.filter(([keyword, value]) =>
          !(keyword === "minItems" && least <= prefix.length) && !(keyword === "maxItems" && value === prefix.length)
        )
      }
    }
  }

  const root = read(schema, "")
  return { root, definitions, problem }
}

/**
 * A union of forms, without duplicates and without members that no value can have.
 *
 * @category constructors
 */
export const union = (forms: ReadonlyArray<Form>, notes: Notes): Form => {
  const members = new Map<string, Form>()
  for (const form of choices(forms)) {
    if (form._tag === "Anything") return { _tag: "Anything", notes: joined(notes, form.notes) }
    if (form._tag !== "Nothing") members.set(JSON.stringify(form), form)
  }
  const [first, second] = members.values()
  if (first === undefined) return nothing
  return second === undefined
    ? withNotes(first, joined(notes, first.notes))
    : { _tag: "Union", members: [...members.values()], notes }
}

/**
 * The notes of something that stands in another's place: what the outer one says comes first.
 *
 * @category combinators
 */
export const joined = (outer: Notes, inner: Notes): Notes => ({
  ...inner,
  ...outer,
  checks: [...outer.checks, ...inner.checks]
})

// A schema that unfolds further than this does so without end: recursion that `allOf` turned into copies.
const deepest = 400
const largest = 20_000

// Members of members are members, and choices of one type are one choice, as long as nothing is said about them.
const choices = (forms: ReadonlyArray<Form>): ReadonlyArray<Form> => {
  const found: Array<Form> = []
  for (const form of forms.flatMap((one) => one._tag === "Union" && isBare(one) ? one.members : [one])) {
    const index = found.findIndex((one) => sameChoice(one, form))
    const other = found[index]
    if (form._tag === "Choice" && other?._tag === "Choice") {
      found[index] = {
        ...other,
        type: other.type === "integer" ? form.type : other.type,
        values: [...new Set([...other.values, ...form.values])]
      }
    } else found.push(form)
  }
  return found
}

const sameChoice = (left: Form, right: Form): boolean =>
  left._tag === "Choice" && right._tag === "Choice" && isBare(left) && isBare(right) &&
  typeof left.values[0] === typeof right.values[0]

const literal = (value: unknown): Form => {
  switch (typeof value) {
    case "string":
      return { _tag: "Choice", type: "string", values: [value], notes: bare }
    case "number":
      return { _tag: "Choice", type: Number.isInteger(value) ? "integer" : "number", values: [value], notes: bare }
    case "boolean":
      return { _tag: "Choice", type: "boolean", values: [value], notes: bare }
    default:
      if (Array.isArray(value)) {
        return { _tag: "Tuple", items: value.map(literal), required: value.length, rest: undefined, notes: bare }
      }
      return value === null ? none : {
        _tag: "Struct",
        fields: Object.entries(record(value)).map(([name, one]) => ({ name, form: literal(one), optional: false })),
        rest: undefined,
        notes: bare
      }
  }
}

// Keywords that shapes hold, and those that say nothing about values.
const shaping = new Set(
  ("type enum const anyOf oneOf $ref properties required additionalProperties patternProperties items prefixItems " +
    "additionalItems title description $defs definitions $schema $id $anchor $comment deprecated readOnly writeOnly")
    .split(" ")
)

const notesOf = (node: JsonSchema): Notes => {
  const leftOver = list(node.allOf) ?? []
  const patterns = Object.keys(record(node.patternProperties))
  const checks = [node, ...leftOver.map(record)].flatMap((one) =>
    Object.entries(one).filter(([keyword]) => keyword !== "allOf" && !shaping.has(keyword) && !keyword.startsWith("x-"))
  )
  return {
    ...(typeof node.title === "string" ? { title: node.title } : undefined),
    ...(typeof node.description === "string" ? { description: node.description } : undefined),
    checks: patterns.length === 0 ? checks : [...checks, ["patternProperties", patterns]]
  }
}

const known = new Map<unknown, ScalarType | "object" | "array">([
  ["string", "string"],
  ["number", "number"],
  ["integer", "integer"],
  ["boolean", "boolean"],
  ["null", "null"],
  ["object", "object"],
  ["array", "array"]
])

// Without a type, the keywords tell what is meant: nobody writes `properties` for a text.
const typesOf = (node: JsonSchema): ReadonlyArray<ScalarType | "object" | "array"> => {
  const types = (list(node.type) ?? [node.type]).flatMap((type) => known.get(type) ?? [])
  if (types.length > 0) return types
  const has = (...keywords: ReadonlyArray<string>) => keywords.some((keyword) => keyword in node)
  if (has("properties", "required", "additionalProperties", "patternProperties")) return ["object"]
  if (has("items", "prefixItems", "minItems", "maxItems")) return ["array"]
  if (has("minLength", "maxLength", "pattern", "format")) return ["string"]
  return has("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf") ? ["number"] : []
}

const isClosed = (node: JsonSchema): boolean => node.additionalProperties === false

const isOpen = (node: JsonSchema): boolean =>
  node.additionalProperties === undefined
    ? node.properties === undefined && node.patternProperties === undefined
    : !isClosed(node)

const count = (value: unknown): number | undefined => typeof value === "number" ? value : undefined

const list = (value: unknown): ReadonlyArray<unknown> | undefined => Array.isArray(value) ? value : undefined

const record = (value: unknown): { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as { readonly [key: string]: unknown }
    : {}
