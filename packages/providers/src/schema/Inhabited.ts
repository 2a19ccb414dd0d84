/**
 * Which forms a value can have at all: a field without any value, or a value that would never end, can be stated in a
 * schema, but no answer can match it.
 */
import type { Document, Form, Problem } from "./SchemaForm.ts"
import { under } from "./SchemaForm.ts"

/** Tells whether some value has a form. */
export type Inhabited = (form: Form) => boolean

/**
 * Tells it for the forms of one document.
 *
 * @category constructors
 */
export const make = ({ definitions }: Document): Inhabited => {
  const known = new Set<string>()
  const inhabited: Inhabited = (form) => {
    switch (form._tag) {
      case "Nothing":
        return false
      case "Tuple":
        return form.items.every((item, index) => index >= form.required || inhabited(item))
      case "Struct":
        return form.fields.every((field) => field.optional || inhabited(field.form))
      case "Union":
        return form.members.some(inhabited)
      case "Reference":
        return known.has(form.name)
      default:
        return true
    }
  }
  // Definitions have values once those they need have some.
  for (let before = -1; before < known.size;) {
    before = known.size
    for (const [name, form] of definitions) if (inhabited(form)) known.add(name)
  }
  return inhabited
}

/**
 * Why a document has no value, if it has none.
 *
 * @category getters
 */
export const problem = (document: Document): Problem | undefined => {
  const inhabited = make(document)
  const find = (form: Form, path: string, seen: ReadonlySet<string>): Problem => {
    const at = path === "" ? undefined : { field: path }
    switch (form._tag) {
      case "Tuple": {
        const index = form.items.findIndex((item) => !inhabited(item))
        const item = form.items[index]
        return item === undefined ? { feature, ...at } : find(item, `${path}[${index}]`, seen)
      }
      case "Struct": {
        const field = form.fields.find((one) => !one.optional && !inhabited(one.form))
        return field === undefined ? { feature, ...at } : find(field.form, under(path, field.name), seen)
      }
      case "Reference": {
        const target = document.definitions.get(form.name)
        return target === undefined || seen.has(form.name)
          ? { feature: "a value without end", ...at }
          : find(target, path, new Set([...seen, form.name]))
      }
      case "Union":
        return form.members[0] === undefined ? { feature, ...at } : find(form.members[0], path, seen)
      default:
        return { feature, ...at }
    }
  }
  return inhabited(document.root) ? undefined : find(document.root, "", new Set())
}

const feature = "a field without any value"
