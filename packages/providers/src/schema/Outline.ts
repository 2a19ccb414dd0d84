/**
 * What of a value can be told at first sight: its type, its keys, its constants.
 *
 * A restored value must be of the right member of a union, and looking once must be enough to tell which:
 * trying members to the bottom would cost a power of the depth. Members that look alike are given names instead.
 */
import type { Field, Form, Literal, ScalarType } from "./SchemaForm.ts"

/**
 * - `values`: the only ones, where they are known
 * - `fields`: an object's, in their order; `isOpen` where there may be others, `isComplete` where none may be left out
 *
 * @category models
 */
export interface Outline {
  readonly type: ScalarType | "array" | "object" | "any"
  readonly values?: ReadonlyArray<Literal>
  readonly fields?: ReadonlyArray<Field>
  readonly isOpen?: boolean
  readonly isComplete?: boolean
}

/**
 * The outline of a form that is no union and no reference, where objects may leave fields out or not.
 *
 * @category constructors
 */
export const make = (form: Form, isComplete = false): Outline => {
  switch (form._tag) {
    case "Scalar":
      return { type: form.type }
    case "Choice":
      return { type: form.type, values: form.values }
    case "List":
    case "Tuple":
      return { type: "array" }
    case "Struct":
      return { type: "object", fields: form.fields, isOpen: form.rest !== undefined, isComplete }
    default:
      return { type: "any" }
  }
}

/**
 * Whether an outline is one of a value without parts.
 *
 * @category guards
 */
export const isScalar = ({ type }: Outline): boolean => type !== "any" && type !== "array" && type !== "object"

/**
 * Whether a value may have both outlines.
 *
 * @category guards
 */
export const overlap = (left: Outline, right: Outline): boolean => {
  if (left.type === "any" || right.type === "any") return true
  if (numeric(left.type) !== numeric(right.type)) return false
  if (left.values !== undefined && right.values !== undefined) {
    return left.values.some((value) => right.values?.includes(value))
  }
  if (left.fields === undefined || right.fields === undefined) return true
  if (lacks(left, right) || lacks(right, left)) return false
  return !left.fields.some((field) => {
    const other = right.fields?.find(({ name }) => name === field.name)
    return other !== undefined && !field.optional && !other.optional && isLeaf(field.form) && isLeaf(other.form) &&
      !overlap(make(field.form), make(other.form))
  })
}

/**
 * Whether two objects begin with the same key and no constant there tells them apart.
 *
 * @category guards
 */
export const beginAlike = (left: Outline, right: Outline): boolean => {
  const [ours] = left.fields ?? []
  const [theirs] = right.fields ?? []
  if (ours === undefined || theirs === undefined || ours.name !== theirs.name) return false
  const isConstant = ours.form._tag === "Choice" && theirs.form._tag === "Choice"
  return !isConstant || overlap(make(ours.form), make(theirs.form))
}

/**
 * Whether a value looks like it.
 *
 * @category guards
 */
export const matches = (self: Outline) => {
  const fields = new Map((self.fields ?? []).map((field) => [field.name, field]))
  const leaves = (self.fields ?? []).filter(({ form, optional }) => !optional && isLeaf(form))
    .map(({ form, name }) => [name, make(form)] as const)
  const required = (self.fields ?? []).filter((field) => isThere(self, field)).map(({ name }) => name)
  return (json: unknown): boolean => {
    if (!isOf(self, json)) return false
    if (self.type !== "object" || !isRecord(json)) return true
    return required.every((name) => Object.hasOwn(json, name)) &&
      (self.isOpen === true || Object.keys(json).every((name) => fields.has(name))) &&
      leaves.every(([name, leaf]) => isOf(leaf, json[name]))
  }
}

const isOf = ({ type, values }: Outline, json: unknown): boolean => {
  switch (type) {
    case "any":
      return true
    case "null":
      return json === null
    case "array":
      return Array.isArray(json)
    case "object":
      return isRecord(json)
    case "integer":
      return typeof json === "number" && (values === undefined || values.includes(json))
    default:
      return typeof json === type && (values === undefined || values.some((value) => value === json))
  }
}

const isLeaf = ({ _tag }: Form): boolean => _tag === "Scalar" || _tag === "Choice"

const numeric = (type: Outline["type"]): Outline["type"] => type === "integer" ? "number" : type

const isThere = ({ isComplete }: Outline, { optional }: Field): boolean => isComplete === true || !optional

// One needs a key that the other cannot have.
const lacks = (left: Outline, right: Outline): boolean =>
  right.isOpen !== true &&
  (left.fields ?? []).some((field) => isThere(left, field) && !right.fields?.some(({ name }) => name === field.name))

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)
