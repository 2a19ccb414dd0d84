/**
 * Schemas for Gemini's `responseJsonSchema` and for the parameters of its tools.
 *
 * Most of JSON Schema's shapes are taken. Recursion only below properties that may be left out: a property that may
 * not be is said to be needed in words, and its absence is found here.
 *
 * Rules: `GenerationConfig.response_json_schema` of the Gemini API.
 */
import * as Encoder from "./Encoder.ts"
import * as Words from "./Words.ts"

const taken: { readonly [keyword: string]: ReadonlyArray<string> } = {
  minimum: ["number", "integer"],
  maximum: ["number", "integer"],
  minItems: ["array"],
  maxItems: ["array"]
}

// Others are ignored or refused, depending on the model.
const formats = new Set(["date-time", "date", "time"])

/**
 * ```ts
 * import { GeminiSchema } from "@effect-dspy/providers"
 * import { Result } from "effect"
 *
 * const pair = { type: "array", prefixItems: [{ type: "string" }, { type: "number" }], minItems: 2, maxItems: 2 }
 * const { schema } = Result.getOrThrow(GeminiSchema.encode({ type: "object", properties: { pair }, required: ["pair"] }))
 * schema.properties // => { pair: { type: "array", prefixItems: [{ type: "string" }, { type: "number" }], maxItems: 2, minItems: 2 } }
 * ```
 *
 * @category encoding
 */
export const encode: Encoder.Encoder = Encoder.make({
  optional: true,
  records: true,
  anything: undefined,
  tuples: "all",
  recursion: "optional",
  objectRoot: false,
  nullInType: false,
  typedChoices: true,
  firstKeys: false,
  takes: (keyword, value, type) =>
    keyword === "format"
      ? type === "string" && typeof value === "string" && formats.has(value)
      : typeof value === "number" && !Words.isEmpty([keyword, value]) && typeof type === "string" &&
        taken[keyword]?.includes(type) === true,
  isWithinLimits: () => true
})
