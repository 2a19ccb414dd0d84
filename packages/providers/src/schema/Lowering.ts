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
 *
 * `Shapes` says which form takes the place of another; here it is written down, with what brings an answer back.
 */
import type { JsonSchema } from "effect/JsonSchema"
import type { Dialect } from "./Dialect.ts"
import * as Inhabited from "./Inhabited.ts"
import * as Naming from "./Naming.ts"
import * as Outline from "./Outline.ts"
import * as References from "./References.ts"
import * as Restore from "./Restore.ts"
import * as SchemaForm from "./SchemaForm.ts"
import type { Document, Form, Notes, Of } from "./SchemaForm.ts"
import * as Shapes from "./Shapes.ts"
import * as Words from "./Words.ts"

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

/**
 * Lowers a document for a dialect.
 *
 * @category conversions
 */
export const lower = (document: Document, dialect: Dialect): Lowered => {
  const inhabited = Inhabited.make(document)
  const shapes = Shapes.make(document, dialect, inhabited)
  const reachable = References.reachable(document.definitions)
  const definitions = new Map<string, JsonSchema>()
  const restores = new Map<string, Restore.Restore>()
  // The names definitions were given, by what is said in them.
  const written = new Map<string, string>()
  let isExact = true
  // The definition that is being lowered, by the name it has in the document.
  let inside: string | undefined

  const isRecursive = (name: string): boolean => reachable.get(name)?.has(name) === true

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
    const [shaped, back] = shapes.reshape(form)
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

  const tuple = (form: Of<"Tuple">): Part => {
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

  const struct = (form: Of<"Struct">): Part => {
    const fields = form.fields.filter((field) => !field.optional || inhabited(field.form))
    const absent = new Set<string>()
    const steps = new Map<string, Restore.Restore | undefined>()
    const required: Array<string> = []
    const properties = fields.map((field): readonly [string, JsonSchema] => {
      const { name, optional } = field
      const part = visit(field.form)
      const closes = dialect.recursion === "optional" && inside !== undefined && reaches(field.form, inside)
      if (!dialect.optional || (!optional && !closes)) required.push(name)
      const isKept = !optional || dialect.optional || shapes.isNullWhenAbsent(field.form)
      const restore = isKept || !shapes.takesNull(field.form) ? part.restore : Restore.within("value", part.restore)
      steps.set(name, restore)
      if (isKept) {
        return [name, closes && !optional && !("$ref" in part.schema) ? alwaysThere(part.schema) : part.schema]
      }
      absent.add(name)
      return [name, nullable(shapes.takesNull(field.form) ? closed([["value", part.schema]], ["value"]) : part.schema)]
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

  const union = (form: Of<"Union">): Part => {
    const members = shapes.members(form)
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
    const outlines = others.map(shapes.outline)
    const parts = others.map((member) => visit(member))
    const tags = shapes.tags(others, outlines)
    const isTagged = tags.length > 0
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

  const reference = (form: Of<"Reference">): Part => {
    const { name } = form
    const isPlain = SchemaForm.isBare(form)
    const meant = shapes.definition(name)
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
    return { schema: { $ref: `#/$defs/${own}` }, restore: shapes.changes(form) ? back : undefined }
  }

  // Whether a form refers back to the definition it stands in, other than through fields of an object in it.
  const reaches = (form: Form, name: string): boolean =>
    form._tag === "Reference"
      ? form.name === name || reachable.get(form.name)?.has(name) === true
      : form._tag !== "Struct" && References.children(form).some((child) => reaches(child, name))

  const wraps = dialect.objectRoot && shapes.reshape(shapes.target(document.root))[0]._tag !== "Struct"
  const { restore, schema, touched } = visit(
    dialect.objectRoot && !wraps ? shapes.target(document.root) : document.root
  )
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
