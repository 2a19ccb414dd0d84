/**
 * The way back: JSON in the shape an endpoint was given, as JSON of the schema that was asked for.
 *
 * Every step goes over its value once. A value of another shape is left as it is, for the signature's decoder to
 * say what is wrong with it. Objects are made with `Object.fromEntries`: a key called `__proto__` is a key.
 */

/** A step back. */
export type Restore = (json: unknown) => unknown

/**
 * Restores each item of a list.
 *
 * @category constructors
 */
export const list = (item: Restore): Restore => (json) => Array.isArray(json) ? json.map((one) => item(one)) : json

/**
 * Restores the items of a tuple, and those after them by `rest`.
 *
 * @category constructors
 */
export const items = (restores: ReadonlyArray<Restore | undefined>, rest: Restore | undefined): Restore => (json) =>
  Array.isArray(json)
    ? json.map((one, index) => {
      const restore = index < restores.length ? restores[index] : rest
      return restore === undefined ? one : restore(one)
    })
    : json

/**
 * Restores an object's fields by name, and those without one by `others`. A null in one of `absent` says that the
 * field was left out.
 *
 * @category constructors
 */
export const fields =
  (restores: ReadonlyMap<string, Restore | undefined>, absent: ReadonlySet<string>, others?: Restore): Restore =>
  (json) => {
    if (!isRecord(json)) return json
    const kept: Array<readonly [string, unknown]> = []
    for (const name of Object.keys(json)) {
      const value = json[name]
      if (value === null && absent.has(name)) continue
      const restore = restores.has(name) ? restores.get(name) : others
      kept.push([name, restore === undefined ? value : restore(value)])
    }
    return Object.fromEntries(kept)
  }

/**
 * Takes a value out of the object that holds it under `key` and nothing else.
 *
 * @category constructors
 */
export const within = (key: string, restore: Restore | undefined): Restore => (json) => {
  if (!isRecord(json) || !Object.hasOwn(json, key) || Object.keys(json).length !== 1) return json
  return restore === undefined ? json[key] : restore(json[key])
}

/**
 * Takes a value out of the object that holds it under the name of the union's member it belongs to.
 *
 * @category constructors
 */
export const tagged = (members: ReadonlyMap<string, Restore | undefined>): Restore => (json) => {
  const [tag, second] = isRecord(json) ? Object.keys(json) : []
  if (tag === undefined || second !== undefined || !members.has(tag)) return json
  return within(tag, members.get(tag))(json)
}

/**
 * Restores by the first member of a union that a value looks like.
 *
 * @category constructors
 */
export const firstOf =
  (members: ReadonlyArray<readonly [looksRight: (json: unknown) => boolean, Restore | undefined]>): Restore =>
  (
    json
  ) => {
    const restore = members.find(([looksRight]) => looksRight(json))?.[1]
    return restore === undefined ? json : restore(json)
  }

/**
 * An object from the list of its entries.
 *
 * @category constructors
 */
export const entries: Restore = (json) => {
  if (!Array.isArray(json)) return json
  const found = json.map(entry)
  return found.every((one) => one !== undefined) ? Object.fromEntries(found) : json
}

const entry = (json: unknown): readonly [string, unknown] | undefined =>
  isRecord(json) && typeof json.key === "string" && Object.hasOwn(json, "value") ? [json.key, json.value] : undefined

/**
 * An object that has some of its fields in a list of entries under `name`. Fields with a name of their own win.
 *
 * @category constructors
 */
export const spread = (name: string): Restore => (json) => {
  if (!isRecord(json) || !Object.hasOwn(json, name)) return json
  const others = entries(json[name])
  return isRecord(others)
    ? Object.fromEntries([...Object.entries(others), ...Object.entries(json).filter(([key]) => key !== name)])
    : json
}

/**
 * A tuple from an object that has its items under `names` and those after them in a list under `rest`.
 *
 * @category constructors
 */
export const positions = (names: ReadonlyArray<string>, rest: string | undefined): Restore => (json) => {
  if (!isRecord(json)) return json
  const found = names.filter((name) => Object.hasOwn(json, name))
  const more = rest === undefined ? [] : json[rest]
  const isWhole = found.every((name, index) => name === names[index]) &&
    Object.keys(json).length === found.length + (rest === undefined ? 0 : 1)
  return isWhole && Array.isArray(more) && (found.length === names.length || more.length === 0)
    ? [...found.map((name) => json[name]), ...more]
    : json
}

/**
 * A value from its JSON text. Text that is none stands for itself.
 *
 * @category constructors
 */
export const fromText: Restore = (json) => {
  if (typeof json !== "string") return json
  try {
    return JSON.parse(json)
  } catch {
    return json
  }
}

/**
 * One step after another, where there are any.
 *
 * @category combinators
 */
export const andThen = (first: Restore | undefined, second: Restore): Restore =>
  first === undefined ? second : (json) => second(first(json))

/**
 * The same, for any value whatsoever: one that is nested deeper than the stack reaches is left as it is.
 *
 * @category combinators
 */
export const safely = (restore: Restore): Restore => (json) => {
  try {
    return restore(json)
  } catch {
    return json
  }
}

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)
