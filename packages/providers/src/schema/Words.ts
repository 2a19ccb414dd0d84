/**
 * Checks in words, for endpoints that refuse or ignore them: the model reads them, the signature checks them.
 */
import type { Check, Notes } from "./SchemaForm.ts"

const phrases: { readonly [keyword: string]: string } = {
  minimum: "minimum",
  maximum: "maximum",
  exclusiveMinimum: "more than",
  exclusiveMaximum: "less than",
  multipleOf: "a multiple of",
  minLength: "at least this many characters:",
  maxLength: "at most this many characters:",
  pattern: "matches the pattern",
  format: "format",
  minItems: "at least this many items:",
  maxItems: "at most this many items:",
  uniqueItems: "all items different:",
  contains: "has an item that matches the schema",
  minProperties: "at least this many properties:",
  maxProperties: "at most this many properties:",
  propertyNames: "property names match the schema",
  patternProperties: "property names match one of the patterns",
  contentEncoding: "encoded as",
  contentMediaType: "text of type",
  contentSchema: "which matches the schema",
  default: "default",
  examples: "for example",
  not: "does not match the schema"
}

/**
 * The description of a shape: its own, then its checks, then what else there is to say.
 *
 * ```ts
 * import * as Words from "@effect-dspy/providers/schema/Words"
 *
 * Words.describe({ description: "how many", checks: [["minimum", 1]] }) // => "how many; minimum 1"
 * ```
 *
 * @category conversions
 */
export const describe = (notes: Notes, ...more: ReadonlyArray<string>): string | undefined => {
  const said = [...notes.checks.filter((check) => !isEmpty(check)).map(phrase), ...more].join(", ")
  if (said === "") return notes.description
  return notes.description === undefined ? said : `${notes.description}; ${said}`
}

const phrase = ([keyword, value]: Check): string =>
  `${phrases[keyword] ?? keyword} ${typeof value === "string" ? value : JSON.stringify(value)}`

/**
 * Whether a check says nothing: the bounds of safe integers come with every `Schema.Int`, and that null stands for
 * nothing needs no words.
 *
 * @category guards
 */
export const isEmpty = ([keyword, value]: Check): boolean =>
  value === null ? keyword === "default" : Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER
