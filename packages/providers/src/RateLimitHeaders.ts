/**
 * What an endpoint says about its rate limits in the headers of an answer.
 *
 * Two families are in use. OpenAI and those who follow it send `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`
 * with the reset as a Go duration (`6m0s`, `12ms`); Anthropic sends
 * `anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset}` with the reset as a moment in time (RFC 3339). An
 * endpoint that sends neither has said nothing.
 */
import type { RateLimits } from "@effect-dspy/core/Completion"

/** Header names in lower case, as HTTP clients give them. */
type Headers = { readonly [name: string]: string | undefined }

type Allowance = NonNullable<RateLimits["requests"]>

/**
 * The limits an answer's headers tell of, `undefined` when they tell of none. `nowMs` is the wall clock, for resets
 * given as a moment. A value that can't be read is left out.
 *
 * ```ts
 * import { RateLimitHeaders } from "@effect-dspy/providers"
 *
 * RateLimitHeaders.read({
 *   "x-ratelimit-limit-requests": "500",
 *   "x-ratelimit-remaining-requests": "499",
 *   "x-ratelimit-reset-requests": "120ms"
 * }, 0) // => { requests: { limit: 500, remaining: 499, resetMs: 120 } }
 * ```
 *
 * @category parsing
 */
export const read = (headers: Headers, nowMs: number): RateLimits | undefined => {
  const requests = allowance(headers, names.requests, nowMs)
  const tokens = allowance(headers, names.tokens, nowMs)
  if (requests === undefined && tokens === undefined) return undefined
  return { ...(requests && { requests }), ...(tokens && { tokens }) }
}

const namesOf = (of: string) => ({
  openAi: {
    limit: `x-ratelimit-limit-${of}`,
    remaining: `x-ratelimit-remaining-${of}`,
    reset: `x-ratelimit-reset-${of}`
  },
  anthropic: {
    limit: `anthropic-ratelimit-${of}-limit`,
    remaining: `anthropic-ratelimit-${of}-remaining`,
    reset: `anthropic-ratelimit-${of}-reset`
  }
})

const names = { requests: namesOf("requests"), tokens: namesOf("tokens") }

const allowance = (
  headers: Headers,
  { anthropic, openAi }: ReturnType<typeof namesOf>,
  nowMs: number
): Allowance | undefined => {
  const limit = count(headers[openAi.limit] ?? headers[anthropic.limit])
  const remaining = count(headers[openAi.remaining] ?? headers[anthropic.remaining])
  if (limit === undefined && remaining === undefined) return undefined
  const resetMs = duration(headers[openAi.reset]) ?? moment(headers[anthropic.reset], nowMs)
  return {
    ...(limit !== undefined && { limit }),
    ...(remaining !== undefined && { remaining }),
    ...(resetMs !== undefined && { resetMs })
  }
}

const count = (text: string | undefined): number | undefined =>
  text !== undefined && /^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) : undefined

const units: { readonly [unit: string]: number } = {
  ns: 1e-6,
  us: 1e-3,
  "µs": 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000
}

const part = /(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)/g

// Go writes "1h2m3.5s"; some who follow OpenAI write bare seconds.
const duration = (text: string | undefined): number | undefined => {
  const trimmed = text?.trim()
  if (trimmed === undefined || trimmed === "") return undefined
  const seconds = count(trimmed)
  if (seconds !== undefined) return seconds * 1000
  if (trimmed.replace(part, "") !== "") return undefined
  let ms = 0
  for (const [, value, unit] of trimmed.matchAll(part)) ms += Number(value) * (units[unit ?? ""] ?? 0)
  return Math.ceil(ms)
}

// Only with a date and a time of day, because `Date.parse` takes nearly anything for a year.
const moment = (text: string | undefined, nowMs: number): number | undefined => {
  if (text === undefined || !/^\s*\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d/.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs)
}
