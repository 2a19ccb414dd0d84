/**
 * What forms hold, and what they lead to.
 */
import type { Form } from "./SchemaForm.ts"

/**
 * The forms right inside a form.
 *
 * @category getters
 */
export const children = (form: Form): ReadonlyArray<Form> => {
  switch (form._tag) {
    case "List":
      return [form.items]
    case "Tuple":
      return form.rest === undefined ? form.items : [...form.items, form.rest]
    case "Struct":
      return [...form.fields.map((field) => field.form), ...(form.rest === undefined ? [] : [form.rest])]
    case "Union":
      return form.members
    default:
      return []
  }
}

/**
 * Which definitions can be reached from each, itself where it is recursive.
 *
 * @category getters
 */
export const reachable = (definitions: ReadonlyMap<string, Form>): ReadonlyMap<string, ReadonlySet<string>> => {
  const direct = (form: Form): ReadonlyArray<string> =>
    form._tag === "Reference" ? [form.name] : children(form).flatMap(direct)
  const found = new Map<string, ReadonlySet<string>>()
  for (const [name, form] of definitions) {
    const reached = new Set(direct(form))
    // A set also gives what is added to it on the way.
    for (const one of reached) {
      const next = definitions.get(one)
      if (next !== undefined) { for (const other of direct(next)) reached.add(other) }
    }
    found.set(name, reached)
  }
  return found
}
