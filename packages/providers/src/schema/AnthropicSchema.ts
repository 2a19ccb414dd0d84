/**
 * Schemas for Anthropic's structured output and strict tools.
 *
 * Properties may be left out, but neither records nor recursion are taken, and of checks only formats and whether a
 * list may be empty. What is recursive is not strict: it goes as a tool the model is told to call, and is checked
 * here.
 *
 * Rules: Anthropic, "Structured outputs, JSON Schema limitations", and its SDK's `transformJSONSchema`.
 */
import * as Encoder from "./Encoder.ts"
import * as Size from "./Size.ts"

const formats = new Set([
  "date-time",
  "time",
  "date",
  "duration",
  "email",
  "hostname",
  "uri",
  "ipv4",
  "ipv6",
  "uuid"
])

/**
 * ```ts
 * import { AnthropicSchema } from "@effect-dspy/providers"
 * import { Result } from "effect"
 *
 * const prices = { type: "object", properties: { prices: { type: "object", additionalProperties: { type: "number" } } } }
 * const { restore } = Result.getOrThrow(AnthropicSchema.encode(prices))
 * restore?.({ prices: [{ key: "tea", value: 2 }] }) // => { prices: { tea: 2 } }
 * ```
 *
 * @category encoding
 */
export const encode: Encoder.Encoder = Encoder.make({
  optional: true,
  records: false,
  anything: undefined,
  tuples: "none",
  recursion: "none",
  objectRoot: true,
  nullInType: false,
  typedChoices: false,
  firstKeys: false,
  takes: (keyword, value, type) =>
    keyword === "format"
      ? type === "string" && typeof value === "string" && formats.has(value)
      : keyword === "minItems" && type === "array" && (value === 0 || value === 1),
  // More of these, and the grammar is refused as too large.
  isWithinLimits: (schema) => {
    const { optional, unions } = Size.measure(schema)
    return optional <= 24 && unions <= 16
  }
})
