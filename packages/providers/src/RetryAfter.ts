/**
 * How long an endpoint asks to wait before the next request.
 *
 * Read on failures only: some endpoints send the header with every answer.
 */
import * as Duration from "effect/Duration"

/** Header names in lower case, as HTTP clients give them. */
type Headers = { readonly [name: string]: string | undefined }

/**
 * The wait by `retry-after-ms`, `retry-after` (seconds or an HTTP date, RFC 9110 section 10.2.3) or
 * Google's `RetryInfo` in the error body, in this order. `nowMs` is the wall clock, for dates.
 *
 * ```ts
 * import { RetryAfter } from "@effect-dspy/providers"
 * import { Duration } from "effect"
 *
 * Duration.toMillis(RetryAfter.read({ "retry-after": "2" }, undefined, 0) ?? 0) // => 2000
 * ```
 *
 * @category parsing
 */
export const read = (headers: Headers, body: unknown, nowMs: number): Duration.Duration | undefined => {
  const millis = number(headers["retry-after-ms"])
  if (millis !== undefined) return Duration.millis(millis)
  const header = headers["retry-after"]
  const seconds = number(header)
  if (seconds !== undefined) return Duration.seconds(seconds)
  const date = httpDate(header)
  if (date !== undefined) return Duration.millis(Math.max(0, date - nowMs))
  return retryInfo(body)
}

const number = (text: string | undefined): number | undefined => {
  if (text === undefined || text.trim() === "") return undefined
  const value = Number(text)
  return Number.isFinite(value) && value >= 0 ? value : undefined
}

// Only with a time of day, because `Date.parse` takes "-5" for a month. The oldest form names no zone.
const httpDate = (text: string | undefined): number | undefined => {
  if (text === undefined || !/\d\d:\d\d:\d\d/.test(text)) return undefined
  const date = Date.parse(/[A-Z]$/.test(text) ? text : `${text} GMT`)
  return Number.isNaN(date) ? undefined : date
}

// {"error":{"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.4s"}]}}
const retryInfo = (body: unknown): Duration.Duration | undefined => {
  // Google's own endpoint sends an object, its OpenAI-compatible one a list.
  const details = property(property(Array.isArray(body) ? body[0] : body, "error"), "details")
  if (!Array.isArray(details)) return undefined
  for (const detail of details) {
    const delay = property(detail, "retryDelay")
    const seconds = typeof delay === "string" && delay.endsWith("s") ? number(delay.slice(0, -1)) : undefined
    if (seconds !== undefined) return Duration.seconds(seconds)
  }
  return undefined
}

const property = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && key in value
    ? (value as { readonly [key: string]: unknown })[key]
    : undefined
