/**
 * Names for what a schema must call something and its author did not.
 */

/**
 * The name in letters that every endpoint takes, numbered where it is taken.
 *
 * ```ts
 * import * as Naming from "@effect-dspy/providers/schema/Naming"
 *
 * Naming.unused("a/b", new Set(["a_b"])) // => "a_b_2"
 * ```
 *
 * @category constructors
 */
export const unused = (name: string, taken: ReadonlySet<string>): string => {
  const plain = name.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 60) || "unnamed"
  for (let index = 1;; index++) {
    const candidate = index === 1 ? plain : `${plain}_${index}`
    if (!taken.has(candidate)) return candidate
  }
}

/**
 * The names, each made different from those before it.
 *
 * @category constructors
 */
export const different = (names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const taken = new Set<string>()
  return names.map((name) => {
    const own = unused(name, taken)
    taken.add(own)
    return own
  })
}
