/**
 * A schema in the subset that an endpoint takes, and the way back from there.
 *
 * | what | lowered to |
 * |---|---|
 * | a field that may be left out | one that may be null; where null is a value of its own, one that holds it as `value` |
 * | a record | the list of its entries |
 * | a tuple | an object with `item1`, `item2`, ... and `rest` |
 * | any JSON value | its JSON text |
 * | members of a union that look alike | each in an object under its own name |
 * | a root that is no object | an object with `value` |
 * | checks | words |
 */
import type { JsonSchema } from "effect/JsonSchema"
import * as Inhabited from "./Inhabited.ts"
import * as Naming from "./Naming.ts"
import * as Outline from "./Outline.ts"
import * as References from "./References.ts"
import * as Restore from "./Restore.ts"
import * as SchemaForm from "./SchemaForm.ts"
import type { Document, Field, Form, Notes } from "./SchemaForm.ts"
import * as Words from "./Words.ts"

/**
 * What an endpoint takes, as data.
 *
 * - `optional`: fields that may be left out; `records`: objects with any keys; `anything`: how a value of any shape is said
 * - `tuples`: with items that may be left out or follow (`all`), only exact ones (`exact`), or none
 * - `recursion`: where a definition may refer to itself: anywhere, only below a field that may be left out, nowhere
 * - `objectRoot`: the root must be an object
 * - `nullInType`: null is said in a list of types, not as a member of a union
 * - `typedChoices`: choices name their type
 * - `firstKeys`: objects of a union must differ in their first key or in the constant there
 * - `takes`: checks that are said as they are, of a value of the type
 * - `isWithinLimits`: whether a schema is small enough
 *
 * @category models
 */
export interface Dialect {
  readonly optional: boolean
  readonly records: boolean
  readonly anything: JsonSchema | undefined
  readonly tuples: "all" | "exact" | "none"
  readonly recursion: "anywhere" | "optional" | "none"
  readonly objectRoot: boolean
  readonly nullInType: boolean
  readonly typedChoices: boolean
  readonly firstKeys: boolean
  readonly takes: (keyword: string, value: unknown, type: unknown) => boolean
  readonly isWithinLimits: (schema: JsonSchema) => boolean
}

/**
 * A lowered schema. Where it is not exact, the endpoint has no way to say it. `touched` are the properties of the root
 * that are restored each on its own, if that is all there is to restore.
 *
 * @category models
 */
export interface Lowered {
  readonly schema: JsonSchema
  readonly restore: Restore.Restore | undefined
  readonly touched: ReadonlySet<string> | undefined
  readonly isExact: boolean
}

interface Part {
  readonly schema: JsonSchema
  readonly restore: Restore.Restore | undefined
  readonly touched?: ReadonlySet<string>
}

type Struct = Extract<Form, { readonly _tag: "Struct" }>

type Members = Extract<Form, { readonly _tag: "Union" }>

/**
 * Lowers a document for a dialect.
 *
 * @category conversions
 */
export const lower = (document: Document, dialect: Dialect): Lowered => {
  const inhabited = Inhabited.make(document)
  const reachable = References.reachable(document.definitions)
  const definitions = new Map<string, JsonSchema>()
  const restores = new Map<string, Restore.Restore>()
  // The names definitions were given, by what is said in them.
  const written = new Map<string, string>()
  let isExact = true
  // The definition that is being lowered, by the name it has in the document.
  let inside: string | undefined

  // Everything that is referred to was defined when the document was read.
  const definition = (name: string): Form => document.definitions.get(name) ?? SchemaForm.anything

  const target = (form: Form): Form => form._tag === "Reference" ? target(definition(form.name)) : form

  const isRecursive = (name: string): boolean => reachable.get(name)?.has(name) === true

  const takesNull = (form: Form, seen: ReadonlySet<string> = new Set()): boolean => {
    switch (form._tag) {
      case "Anything":
        return dialect.anything !== undefined
      case "Scalar":
        return form.type === "null"
      case "Union":
        return form.members.some((member) => takesNull(member, seen))
      case "Reference":
        return !seen.has(form.name) && takesNull(definition(form.name), new Set([...seen, form.name]))
      default:
        return false
    }
  }

  // What a form is called in the dialect, and the way back. Everything else takes forms as this leaves them.
  const reshape = (form: Form): readonly [Form, Restore.Restore | undefined] => {
    if (form._tag === "List" && !inhabited(form.items)) {
      return reshape({ _tag: "Tuple", items: [], required: 0, rest: undefined, notes: form.notes })
    }
    if (form._tag === "Tuple" && !isNativeTuple(dialect, form)) {
      const names = form.items.map((_, index) => `item${index + 1}`)
      const more = form.rest === undefined ? undefined : "rest"
      const items = form.items.map((item, index): Field => ({
        name: names[index] ?? "",
        form: item,
        optional: index >= form.required
      }))
      const rest: ReadonlyArray<Field> = form.rest === undefined
        ? []
        : [{ name: "rest", form: { _tag: "List", items: form.rest, notes: SchemaForm.bare }, optional: false }]
      const fields = [...items, ...rest]
      return reshaped({ _tag: "Struct", fields, rest: undefined, notes: form.notes }, Restore.positions(names, more))
    }
    if (form._tag !== "Struct") return [form, undefined]
    if (form.rest === undefined || dialect.records) return [dialect.firstKeys ? constantsFirst(form) : form, undefined]
    const entry: Form = {
      _tag: "Struct",
      fields: [
        { name: "key", form: SchemaForm.text, optional: false },
        { name: "value", form: form.rest, optional: false }
      ],
      rest: undefined,
      notes: SchemaForm.bare
    }
    const entries: Form = { _tag: "List", items: entry, notes: form.notes }
    if (form.fields.length === 0) return [entries, Restore.entries]
    const name = Naming.unused("others", new Set(form.fields.map((field) => field.name)))
    const others = { name, form: SchemaForm.withNotes(entries, SchemaForm.bare), optional: false }
    return reshaped({ ...form, fields: [...form.fields, others], rest: undefined }, Restore.spread(name))
  }

  const reshaped = (form: Struct, back: Restore.Restore): readonly [Form, Restore.Restore] => [
    dialect.firstKeys ? constantsFirst(form) : form,
    back
  ]

  const alters = (form: Form): boolean => {
    switch (form._tag) {
      case "Anything":
        return dialect.anything === undefined
      case "Tuple":
        return !isNativeTuple(dialect, form)
      case "Struct":
        return (form.rest !== undefined && !dialect.records) ||
          form.fields.some((field) => field.optional && !dialect.optional && !isNullWhenAbsent(field.form))
      case "Union": {
        const outlines = membersOf(form).map(outline)
        return dialect.firstKeys && pairs(outlines).some(([left, right]) => Outline.beginAlike(left, right))
      }
      default:
        return false
    }
  }

  // Whether anything in a form is said in another shape.
  const changes = (form: Form): boolean => {
    const seen = new Set<string>()
    const found = (one: Form): boolean => {
      if (alters(one)) return true
      if (one._tag !== "Reference") return References.children(one).some(found)
      if (seen.has(one.name)) return false
      seen.add(one.name)
      return found(definition(one.name))
    }
    return found(form)
  }

  const isNullWhenAbsent = (form: Form): boolean =>
    takesNull(form) && form.notes.checks.some(([keyword, value]) => keyword === "default" && value === null)

  const outline = (form: Form): Outline.Outline => Outline.make(reshape(target(form))[0], !dialect.optional)

  // The members of a union that have values, those of unions it refers to among them.
  const membersOf = (form: Members, seen: ReadonlySet<Form> = new Set()): ReadonlyArray<Form> => {
    const members = form.members.filter(inhabited)
    if (members.filter((member) => !SchemaForm.isNull(member)).length < 2) return members
    const found = members.flatMap((member) => {
      const one = target(member)
      return one._tag === "Union" && !seen.has(one) ? membersOf(one, new Set([...seen, form, one])) : [member]
    })
    return found.filter((member, index) => !SchemaForm.isNull(member) || found.findIndex(SchemaForm.isNull) === index)
  }

  const said = (notes: Notes, own: JsonSchema, ...words: ReadonlyArray<string>): JsonSchema => {
    const taken = notes.checks.filter(([keyword, value]) => dialect.takes(keyword, value, own.type))
    const checks = notes.checks.filter((check) => !taken.includes(check))
    const description = Words.describe({ ...notes, checks }, ...words)
    return {
      ...own,
      ...Object.fromEntries(taken),
      ...(notes.title === undefined ? undefined : { title: notes.title }),
      ...(description === undefined ? undefined : { description })
    }
  }

  const visit = (form: Form): Part => {
    const [shaped, back] = reshape(form)
    const part = visitShape(shaped)
    return back === undefined ? part : { schema: part.schema, restore: Restore.andThen(part.restore, back) }
  }

  const visitShape = (form: Form): Part => {
    const { notes } = form
    switch (form._tag) {
      case "Anything":
      case "Nothing":
        return dialect.anything === undefined
          ? { schema: said(notes, { type: "string" }, "any JSON value, as JSON text"), restore: Restore.fromText }
          : { schema: said(notes, dialect.anything), restore: undefined }
      case "Scalar":
        return { schema: said(notes, { type: form.type }), restore: undefined }
      case "Choice": {
        const type = dialect.typedChoices ? { type: form.type } : undefined
        return { schema: said(notes, { ...type, enum: form.values }), restore: undefined }
      }
      case "List": {
        const { restore, schema } = visit(form.items)
        return {
          schema: said(notes, { type: "array", items: schema }),
          restore: restore === undefined ? undefined : Restore.list(restore)
        }
      }
      case "Tuple":
        return tuple(form)
      case "Struct":
        return struct(form)
      case "Union":
        return union(form)
      case "Reference":
        return reference(form)
    }
  }

  const tuple = (form: Extract<Form, { readonly _tag: "Tuple" }>): Part => {
    const items = form.items.map(visit)
    const rest = form.rest === undefined ? undefined : visit(form.rest)
    const own = {
      type: "array",
      ...(items.length === 0 ? { items: { type: "null" } } : { prefixItems: items.map(({ schema }) => schema) }),
      ...(rest === undefined ? { maxItems: items.length } : { items: rest.schema }),
      minItems: form.required
    }
    const steps = items.map(({ restore }) => restore)
    const isSame = steps.every((step) => step === undefined) && rest?.restore === undefined
    return { schema: said(form.notes, own), restore: isSame ? undefined : Restore.items(steps, rest?.restore) }
  }

  const struct = (form: Struct): Part => {
    const fields = form.fields.filter((field) => !field.optional || inhabited(field.form))
    const absent = new Set<string>()
    const steps = new Map<string, Restore.Restore | undefined>()
    const required: Array<string> = []
    const properties = fields.map((field): readonly [string, JsonSchema] => {
      const { name, optional } = field
      const part = visit(field.form)
      const closes = dialect.recursion === "optional" && inside !== undefined && reaches(field.form, inside)
      if (!dialect.optional || (!optional && !closes)) required.push(name)
      const isKept = !optional || dialect.optional || isNullWhenAbsent(field.form)
      const restore = isKept || !takesNull(field.form) ? part.restore : Restore.within("value", part.restore)
      steps.set(name, restore)
      if (isKept) {
        return [name, closes && !optional && !("$ref" in part.schema) ? alwaysThere(part.schema) : part.schema]
      }
      absent.add(name)
      return [name, nullable(takesNull(field.form) ? closed([["value", part.schema]], ["value"]) : part.schema)]
    })
    const rest = form.rest === undefined ? undefined : visit(form.rest)
    const touched = new Set([...steps].flatMap(([name, step]) => step === undefined && !absent.has(name) ? [] : [name]))
    const isSame = touched.size === 0 && rest?.restore === undefined
    return {
      schema: said(form.notes, {
        type: "object",
        ...(properties.length === 0 && rest !== undefined ? undefined : { properties: Object.fromEntries(properties) }),
        ...(required.length === 0 && dialect.optional ? undefined : { required }),
        additionalProperties: rest?.schema ?? false
      }),
      restore: isSame ? undefined : Restore.fields(steps, absent, rest?.restore),
      ...(isSame || rest?.restore !== undefined ? undefined : { touched })
    }
  }

  const nullable = (schema: JsonSchema): JsonSchema => {
    if (dialect.nullInType && typeof schema.type === "string") {
      const values = Array.isArray(schema.enum) ? { enum: [...schema.enum, null] } : undefined
      return { ...schema, type: [schema.type, "null"], ...values }
    }
    return Array.isArray(schema.anyOf)
      ? { ...schema, anyOf: [...schema.anyOf, { type: "null" }] }
      : { anyOf: [schema, { type: "null" }] }
  }

  const union = (form: Members): Part => {
    const members = membersOf(form)
    const others = members.filter((member) => !SchemaForm.isNull(member))
    const withNull = (schema: JsonSchema) => others.length < members.length ? nullable(schema) : schema
    const [only, second] = others
    if (only === undefined) return visit(SchemaForm.withNotes(SchemaForm.none, form.notes))
    if (second === undefined) {
      if (only._tag !== "Reference") {
        const { restore, schema } = visit(SchemaForm.withNotes(only, SchemaForm.joined(form.notes, only.notes)))
        return { schema: withNull(schema), restore }
      }
      const { restore, schema } = visit(only)
      return { schema: said(form.notes, withNull(schema)), restore }
    }
    const outlines = others.map(outline)
    const parts = others.map((member) => visit(member))
    const isTagged = isAmbiguous(others, outlines)
    const tags = isTagged ? Naming.different(others.map(called)) : []
    const anyOf = parts.map(({ schema }, index) => {
      const tag = tags[index]
      return tag === undefined ? schema : closed([[tag, schema]], [tag])
    })
    const isSame = !isTagged && parts.every(({ restore }) => restore === undefined)
    return {
      schema: said(form.notes, withNull({ anyOf })),
      restore: isSame
        ? undefined
        : isTagged
        ? Restore.tagged(new Map(tags.map((tag, index) => [tag, parts[index]?.restore])))
        : Restore.firstOf(outlines.map((one, index) => [Outline.matches(one), parts[index]?.restore]))
    }
  }

  // One look must be enough to tell which member a value is of, where that matters.
  const isAmbiguous = (members: ReadonlyArray<Form>, outlines: ReadonlyArray<Outline.Outline>): boolean => {
    const changing = members.map(changes)
    return outlines.some((left, i) =>
      outlines.slice(i + 1).some((right, offset) => {
        const isTold = (changing[i] === true || changing[i + 1 + offset] === true) &&
          !(Outline.isScalar(left) && Outline.isScalar(right)) && Outline.overlap(left, right)
        return isTold || (dialect.firstKeys && Outline.beginAlike(left, right))
      })
    )
  }

  const reference = (form: Extract<Form, { readonly _tag: "Reference" }>): Part => {
    const { name } = form
    const isPlain = SchemaForm.isBare(form)
    const meant = definition(name)
    const copy = SchemaForm.withNotes(meant, SchemaForm.joined(form.notes, meant.notes))
    // Nothing may stand beside a reference: what is said about this one use is said of a copy.
    if (!isPlain && !isRecursive(name)) return visit(copy)
    if (isRecursive(name) && dialect.recursion === "none") isExact = false
    const key = isPlain ? name : `${name} ${JSON.stringify(form.notes)}`
    const known = written.get(key)
    const own = known ?? Naming.unused(name, new Set(written.values()))
    if (known === undefined) {
      written.set(key, own)
      const outer = inside
      inside = name
      if (dialect.recursion === "optional" && reaches(meant, name)) isExact = false
      const { restore, schema } = visit(copy)
      inside = outer
      definitions.set(own, schema)
      if (restore !== undefined) restores.set(own, restore)
    }
    const back = (json: unknown) => {
      const restore = restores.get(own)
      return restore === undefined ? json : restore(json)
    }
    return { schema: { $ref: `#/$defs/${own}` }, restore: changes(form) ? back : undefined }
  }

  // Whether a form refers back to the definition it stands in, other than through fields of an object in it.
  const reaches = (form: Form, name: string): boolean =>
    form._tag === "Reference"
      ? form.name === name || reachable.get(form.name)?.has(name) === true
      : form._tag !== "Struct" && References.children(form).some((child) => reaches(child, name))

  const wraps = dialect.objectRoot && reshape(target(document.root))[0]._tag !== "Struct"
  const { restore, schema, touched } = visit(dialect.objectRoot && !wraps ? target(document.root) : document.root)
  const root = wraps ? closed([["value", schema]], ["value"]) : schema
  return {
    schema: definitions.size === 0 ? root : { ...root, $defs: Object.fromEntries(definitions) },
    restore: wraps ? Restore.within("value", restore) : restore,
    touched: wraps ? undefined : touched,
    isExact
  }
}

const closed = (
  properties: ReadonlyArray<readonly [string, JsonSchema]>,
  required: ReadonlyArray<string>
): JsonSchema => ({
  type: "object",
  properties: Object.fromEntries(properties),
  required,
  additionalProperties: false
})

// Where an endpoint lets it be left out and the schema does not.
const alwaysThere = (schema: JsonSchema): JsonSchema => ({
  ...schema,
  description: typeof schema.description === "string" ? `${schema.description}; never left out` : "never left out"
})

const isNativeTuple = (dialect: Dialect, form: Extract<Form, { readonly _tag: "Tuple" }>): boolean =>
  dialect.tuples === "all" ||
  (dialect.tuples === "exact" && form.rest === undefined && form.required === form.items.length)

// Where the first key tells objects apart, the constants do.
const constantsFirst = (form: Struct): Struct => ({
  ...form,
  fields: [...form.fields.filter(isConstant), ...form.fields.filter((field) => !isConstant(field))]
})

const isConstant = ({ form, optional }: Field): boolean =>
  !optional && form._tag === "Choice" && form.values.length === 1

const kinds: { readonly [Tag in Form["_tag"]]: string } = {
  Anything: "json",
  Nothing: "nothing",
  Scalar: "value",
  Choice: "choice",
  List: "list",
  Tuple: "tuple",
  Struct: "object",
  Union: "choice",
  Reference: "object"
}

// What a member of a union is called, or else what it is.
const called = (form: Form): string => {
  const constant = form._tag === "Struct" ? form.fields.find(isConstant)?.form : undefined
  return form.notes.title ??
    (form._tag === "Reference" ? form.name : constant?._tag === "Choice" ? `${constant.values[0]}` : kinds[form._tag])
}

const pairs = <A>(all: ReadonlyArray<A>): ReadonlyArray<readonly [A, A]> =>
  all.flatMap((left, index) => all.slice(index + 1).map((right) => [left, right] as const))
