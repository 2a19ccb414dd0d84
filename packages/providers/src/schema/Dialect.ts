/**
 * What an endpoint takes of JSON Schema, as data. `Shapes` and `Lowering` read it; nothing asks whose endpoint it is.
 */
import type { JsonSchema } from "effect/JsonSchema"

/**
 * What an endpoint takes, as data.
 *
 * - `optional`: fields that may be left out; `records`: objects with any keys; `anything`: how a value of any shape is
 *   said
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
