/**
 * Schemas for Ollama's `format`, which becomes a grammar of llama.cpp.
 *
 * A grammar holds a model to nearly every shape. It has no patterns here, because llama.cpp refuses a schema for a
 * pattern it can't translate, and no lengths of texts: a grammar would cut a text in the middle of a word.
 *
 * Rules: llama.cpp, `json-schema-to-grammar`.
 */
import * as Encoder from "./Encoder.ts"

const taken: { readonly [keyword: string]: string } = {
  minimum: "integer",
  maximum: "integer",
  exclusiveMinimum: "integer",
  exclusiveMaximum: "integer",
  minItems: "array",
  maxItems: "array"
}

const formats = new Set(["date", "time", "date-time", "uuid"])

// Every item more makes the grammar longer.
const longest = 100

/**
 * ```ts
 * import { OllamaSchema } from "@effect-dspy/providers"
 * import { Result } from "effect"
 *
 * const word = { type: "string", pattern: "^[a-z]+$" }
 * Result.getOrThrow(OllamaSchema.encode(word)).schema // => { type: "string", description: "matches the pattern ^[a-z]+$" }
 * ```
 *
 * @category encoding
 */
export const encode: Encoder.Encoder = Encoder.make({
  optional: true,
  records: true,
  // A schema that says nothing would be any object.
  anything: { type: ["string", "number", "boolean", "null", "object", "array"] },
  tuples: "exact",
  recursion: "anywhere",
  objectRoot: false,
  nullInType: false,
  typedChoices: true,
  firstKeys: false,
  takes: (keyword, value, type) =>
    keyword === "format"
      ? type === "string" && typeof value === "string" && formats.has(value)
      : Number.isInteger(value) && taken[keyword] === type && (type === "integer" || Number(value) <= longest),
  isWithinLimits: () => true
})
