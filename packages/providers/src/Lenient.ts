/**
 * Reading what endpoints write, leniently: unknown keys are ignored, missing ones are fine where an answer can be
 * read without them, and a figure in a form of its own must not cost the answer it came with.
 */
import * as Reason from "@effect-dspy/core/LMErrorReason"
import type { Usage } from "@effect-dspy/core/Usage"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/**
 * A key that may be absent or null.
 *
 * @category schemas
 */
export const optional = <S extends Schema.Constraint>(schema: S): Schema.optionalKey<Schema.NullOr<S>> =>
  Schema.optionalKey(Schema.NullOr(schema))

/**
 * Reads JSON text of a schema; other text is an `InvalidResponse` that keeps it redacted. `value` is the text parsed,
 * where somebody has done so.
 *
 * @category decoding
 */
export const json = <A>(
  schema: Schema.Codec<A, unknown>
): (text: string, value?: unknown) => Result.Result<A, Reason.InvalidResponse> => {
  const decode = Schema.decodeUnknownResult(schema)
  return (text, value = parse(text)) => {
    const decoded = decode(value)
    return Result.isSuccess(decoded) ? Result.succeed(decoded.success) : Result.fail(invalid(text))
  }
}

/**
 * An answer that is not of its protocol.
 *
 * @category errors
 */
export const invalid = (text: string): Reason.InvalidResponse =>
  new Reason.InvalidResponse({ status: 200, detail: Redacted.make(text) })

/**
 * The value of JSON text, `undefined` for other text.
 *
 * @category decoding
 */
export const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * An object's keys; anything else has none.
 *
 * @category decoding
 */
export const record = (value: unknown): { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null ? value as { readonly [key: string]: unknown } : {}

/**
 * The usage of one answer by what it reported: figures that are not numbers are left out.
 *
 * @category conversions
 */
export const usage = (figures: { readonly [K in Exclude<keyof Usage, "calls">]?: unknown }): Usage => {
  const found: { [figure: string]: number } = {}
  for (const [name, figure] of Object.entries(figures)) {
    if (typeof figure === "number" && Number.isFinite(figure)) found[name] = figure
  }
  return { ...found, calls: 1 }
}
