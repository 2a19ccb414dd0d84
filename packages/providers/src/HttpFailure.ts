/**
 * What an endpoint means by a failed HTTP answer.
 *
 * Vendors agree on status codes only roughly and on error bodies not at all, and a proxy may answer in
 * their place with text or HTML. The status decides first, then codes and phrases in the body; what is
 * not recognised stays what its status says. The body itself goes along redacted.
 */
import * as LMError from "@effect-dspy/core/LMError"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import type * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Lenient from "./Lenient.ts"
import * as RetryAfter from "./RetryAfter.ts"

/**
 * A failed answer: status, headers with names in lower case, body as text.
 *
 * @category models
 */
export interface Failure {
  readonly status: number
  readonly headers: { readonly [name: string]: string | undefined }
  readonly body: string
}

/**
 * Classifies a failed answer. `nowMs` is the wall clock, for a Retry-After given as a date.
 *
 * ```ts
 * import { HttpFailure } from "@effect-dspy/providers"
 *
 * const failure = { status: 429, headers: {}, body: '{"error":{"code":"insufficient_quota","message":"..."}}' }
 * HttpFailure.toError("openai", "gpt-5-mini", failure, 0).reason._tag // => "QuotaExhausted"
 * ```
 *
 * @category conversions
 */
export const toError = (provider: string, model: string, failure: Failure, nowMs: number): LMError.LMError => {
  const body = parse(failure.body)
  const wait = RetryAfter.read(failure.headers, body, nowMs)
  return LMError.make(provider, model, classify(failure, body, wait), shouldRetry(failure.headers))
}

/**
 * Classifies an error object that came inside an answer with status 200; one without any code counts as
 * `otherwise`.
 *
 * @category conversions
 */
export const fromBody = (body: unknown, otherwise = 400): Reason.Reason =>
  classify(
    { status: statusOf(words(body).code) ?? otherwise, headers: {}, body: JSON.stringify(body) },
    body,
    RetryAfter.read({}, body, 0)
  )

// The status an error would have come with, had its answer not begun with 200.
const statusOf = (code: string): number | undefined => {
  if (code === "") return undefined
  const number = /\b[45]\d\d\b/.exec(code)
  if (number !== null) return Number(number[0])
  return statuses.find(([word]) => word.test(code))?.[1] ?? 400
}

// The vendors' SDKs obey this header before anything else.
const shouldRetry = (headers: Failure["headers"]): boolean | undefined => {
  const header = headers["x-should-retry"]
  return header === "true" ? true : header === "false" ? false : undefined
}

const classify = (failure: Failure, body: unknown, retryAfter: Duration.Duration | undefined): Reason.Reason => {
  const { status } = failure
  const detail = failure.body === "" ? {} : { detail: Redacted.make(failure.body) }
  const wait = retryAfter === undefined ? detail : { ...detail, retryAfter }
  const { code, text } = words(body)
  const says = (pattern: RegExp) => pattern.test(code) || pattern.test(text)
  if (status === 401) return new Reason.Authentication(detail)
  if (status === 402) return new Reason.QuotaExhausted(detail)
  if (status === 403) return new Reason.Permission(detail)
  if (status === 404) return new Reason.ModelNotFound(detail)
  if (status === 429) return quota.test(code) ? new Reason.QuotaExhausted(detail) : new Reason.RateLimited(wait)
  if (status === 503 || status === 529) return new Reason.Overloaded(wait)
  // Ollama's word for a text that is too long to embed: asking again would not shorten it.
  if (status === 500 && says(tooLong)) return new Reason.ContextTooLong(detail)
  if (status >= 500 || status === 408 || status === 409) return new Reason.ServerError({ status, ...wait })
  if (status < 400) return new Reason.InvalidResponse({ status, ...detail })
  if (says(tooLong)) return new Reason.ContextTooLong(detail)
  if (says(noCredit)) return new Reason.QuotaExhausted(detail)
  if (says(wrongKey)) return new Reason.Authentication(detail)
  if (says(filtered)) return new Reason.Refused(detail)
  if (says(noModel)) return new Reason.ModelNotFound(detail)
  return new Reason.InvalidRequest({ status, ...detail })
}

// Each phrase was seen in a recorded answer or stands in a vendor's error reference.
const quota = /insufficient_quota|billing|credit_balance/i
const statuses: ReadonlyArray<readonly [RegExp, number]> = [
  [quota, 402],
  [/authentication/i, 401],
  [/permission/i, 403],
  [/not_found/i, 404],
  [/rate_limit/i, 429],
  [/overloaded/i, 503],
  [/timeout/i, 504],
  [/server_error|api_error|internal/i, 500]
]
const noCredit = /credit balance is too low/i
const tooLong =
  /context_length_exceeded|input_too_large|max(imum)? (context|prompt) length|exceeds the context length|context (window|size)|prompt (is )?too long|input is too long|exceeds the maximum number of tokens/i
const wrongKey = /api_key_invalid|invalid_api_key|api key not valid|incorrect api key|invalid api key/i
const filtered = /content_filter|content_policy_violation|responsible ?ai/i
const noModel = /model_not_found|model_not_exist|model .* (does not exist|not found)|unknown model/i

const parse = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}

/** Code and message, wherever a vendor puts them: `error` as object or string, `detail`, bare `message`. */
const words = (body: unknown): { readonly code: string; readonly text: string } => {
  if (typeof body === "string") return { code: "", text: body.slice(0, 2000) }
  const outer = Lenient.record(Array.isArray(body) ? body[0] : body)
  const inner = Lenient.record(outer.error)
  const code = [inner.code, inner.type, inner.status, outer.code, outer.type].filter((word) =>
    typeof word === "string" || typeof word === "number"
  )
  const text = [inner.message, outer.error, outer.message, outer.detail].filter((word) => typeof word === "string")
  return { code: code.join(" "), text: text.join(" ") }
}
