/**
 * The shapes in which a dialect says the forms of a document, and whether anything has to come back from them.
 *
 * `Lowering` writes what stands here: which form takes the place of another, which members a union has, and whether
 * they can be told apart at one look.
 */
import type { Dialect } from "./Dialect.ts"
import type { Inhabited } from "./Inhabited.ts"
import * as Naming from "./Naming.ts"
import * as Outline from "./Outline.ts"
import * as References from "./References.ts"
import * as Restore from "./Restore.ts"
import * as SchemaForm from "./SchemaForm.ts"
import type { Document, Field, Form, Of } from "./SchemaForm.ts"

/**
 * - `definition`: the form a name stands for; `target`: a form, with references followed to what they stand for
 * - `reshape`: the form that takes this one's place, and the way back
 * - `changes`: whether anything in a form is said in another shape
 * - `takesNull`: whether null is a value of a form; `isNullWhenAbsent`: whether it says that the field is left out
 * - `members`: the members of a union that have values, those of unions it refers to among them
 * - `outline`: what tells values of a form from others, in the shape it is said in
 * - `tags`: names for the members of a union, where it matters and one look can't tell which of them a value is of;
 *   empty where it can
 *
 * @category models
 */
export interface Shapes {
  readonly definition: (name: string) => Form
  readonly target: (form: Form) => Form
  readonly reshape: (form: Form) => readonly [Form, Restore.Restore | undefined]
  readonly changes: (form: Form) => boolean
  readonly takesNull: (form: Form) => boolean
  readonly isNullWhenAbsent: (form: Form) => boolean
  readonly members: (union: Of<"Union">) => ReadonlyArray<Form>
  readonly outline: (form: Form) => Outline.Outline
  readonly tags: (members: ReadonlyArray<Form>, outlines: ReadonlyArray<Outline.Outline>) => ReadonlyArray<string>
}

/**
 * The shapes of a document in a dialect.
 *
 * @category constructors
 */
export const make = (document: Document, dialect: Dialect, inhabited: Inhabited): Shapes => {
  // Everything that is referred to was defined when the document was read.
  const definition = (name: string): Form => document.definitions.get(name) ?? SchemaForm.anything

  const target = (form: Form): Form => form._tag === "Reference" ? target(definition(form.name)) : form

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

  const reshaped = (form: Of<"Struct">, back: Restore.Restore): readonly [Form, Restore.Restore] => [
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
        const outlines = members(form).map(outline)
        return dialect.firstKeys && pairs(outlines).some(([left, right]) => Outline.beginAlike(left, right))
      }
      default:
        return false
    }
  }

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

  const members = (form: Of<"Union">, seen: ReadonlySet<Form> = new Set()): ReadonlyArray<Form> => {
    const own = form.members.filter(inhabited)
    if (own.filter((member) => !SchemaForm.isNull(member)).length < 2) return own
    const found = own.flatMap((member) => {
      const one = target(member)
      return one._tag === "Union" && !seen.has(one) ? members(one, new Set([...seen, form, one])) : [member]
    })
    return found.filter((member, index) => !SchemaForm.isNull(member) || found.findIndex(SchemaForm.isNull) === index)
  }

  const isAmbiguous = (members: ReadonlyArray<Form>, outlines: ReadonlyArray<Outline.Outline>): boolean => {
    const changing = members.map(changes)
    return outlines.some((left, i) =>
      outlines.slice(i + 1).some((right, offset) => {
        const isUnclear = (changing[i] === true || changing[i + 1 + offset] === true) &&
          !(Outline.isScalar(left) && Outline.isScalar(right)) && Outline.overlap(left, right)
        return isUnclear || (dialect.firstKeys && Outline.beginAlike(left, right))
      })
    )
  }

  const tags: Shapes["tags"] = (members, outlines) =>
    isAmbiguous(members, outlines) ? Naming.different(members.map(called)) : []

  return { definition, target, reshape, changes, takesNull, isNullWhenAbsent, members, outline, tags }
}

const isNativeTuple = (dialect: Dialect, form: Of<"Tuple">): boolean =>
  dialect.tuples === "all" ||
  (dialect.tuples === "exact" && form.rest === undefined && form.required === form.items.length)

// Where the first key tells objects apart, the constants do.
const constantsFirst = (form: Of<"Struct">): Of<"Struct"> => ({
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
