/**
 * Failures in our words and in those of `effect/ai`.
 *
 * An error that comes from us carries its reason along as metadata, so that one which passes both bridges is
 * what it was, with its wait and its word on retrying. The words of a provider stay behind: `effect/ai` prints what
 * it holds.
 */
import * as LMError from "@effect-dspy/core/LMError"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import * as AiError from "effect/ai/AiError"
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as HttpFailure from "../HttpFailure.ts"

/**
 * A failed call of an LM, for users of `effect/ai`. `method` is the one they called.
 *
 * @category conversions
 */
export const toAiError = (method: string) => (error: LMError.LMError): AiError.AiError =>
  AiError.make({ module: "AiBridge", method, reason: toReason(error) })

/**
 * A failed call of a `LanguageModel`, for predictors. `nowMs` is the wall clock, for a Retry-After given as a date.
 *
 * @category conversions
 */
export const fromAiError = (
  provider: string,
  model: string,
  error: AiError.AiError,
  nowMs: number
): LMError.LMError => {
  const { reason } = error
  const kept = "metadata" in reason ? decodeReason(reason.metadata[key]) : undefined
  if (kept !== undefined && Result.isSuccess(kept)) return LMError.make(provider, model, kept.success)
  const http = "http" in reason ? reason.http : undefined
  if (http?.response !== undefined && classified.has(reason._tag)) {
    const { headers, status } = http.response
    const failure = { status, headers: readable(headers), body: http.body ?? "" }
    return LMError.make(
      provider,
      model,
      HttpFailure.toError(provider, model, failure, nowMs).reason,
      reason.isRetryable
    )
  }
  const found = fromReason(reason)
  return found.isRetryable === reason.isRetryable
    ? LMError.make(provider, model, found)
    : LMError.make(provider, model, found, reason.isRetryable)
}

/** Under which name an `AiError` carries a reason of ours. */
const key = "@effect-dspy/providers"

const encodeReason = Schema.encodeResult(Schema.toCodecJson(Reason.Reason))

const decodeReason = Schema.decodeUnknownResult(Schema.toCodecJson(Reason.Reason))

const toReason = (error: LMError.LMError): AiError.AiErrorReason => {
  const { reason } = error
  const encoded = encodeReason(reason)
  // The metadata of theirs is typed as mutable; nobody changes it.
  const metadata = Result.isSuccess(encoded) ? { [key]: encoded.success as Schema.MutableJson } : {}
  const description = error.message
  switch (reason._tag) {
    case "RateLimited":
      return new AiError.RateLimitError({ metadata, retryAfter: reason.retryAfter })
    case "QuotaExhausted":
    case "BudgetExceeded":
      return new AiError.QuotaExhaustedError({ metadata })
    case "Authentication":
      return new AiError.AuthenticationError({ kind: "InvalidKey", metadata })
    case "Permission":
      return new AiError.AuthenticationError({ kind: "InsufficientPermissions", metadata })
    case "Refused":
      return new AiError.ContentPolicyError({ description, metadata })
    case "Unsupported":
      return reason.field === undefined
        ? new AiError.InvalidRequestError({ description, metadata })
        : new AiError.UnsupportedSchemaError({ description, metadata })
    case "Network":
      return new AiError.NetworkError({
        reason: "TransportError",
        method: "POST",
        url: `${error.provider}/${error.model}`,
        description
      })
    default:
      // Chosen so that a retry is worthwhile exactly where it was.
      return error.isRetryable
        ? new AiError.InternalProviderError({ description, metadata })
        : new AiError.InvalidRequestError({ description, metadata })
  }
}

const fromReason = (reason: AiError.AiErrorReason): Reason.Reason => {
  const detail = { detail: Redacted.make(reason.message) }
  switch (reason._tag) {
    case "RateLimitError":
      return new Reason.RateLimited({
        ...detail,
        ...(reason.retryAfter === undefined ? undefined : { retryAfter: Duration.fromInputUnsafe(reason.retryAfter) })
      })
    case "QuotaExhaustedError":
      return new Reason.QuotaExhausted(detail)
    case "AuthenticationError":
      return reason.kind === "InsufficientPermissions"
        ? new Reason.Permission(detail)
        : new Reason.Authentication(detail)
    case "ContentPolicyError":
      return new Reason.Refused(detail)
    case "InternalProviderError":
      return new Reason.ServerError({ status: 500, ...detail })
    case "NetworkError":
      return reason.reason === "TransportError"
        ? new Reason.Network({})
        : new Reason.InvalidRequest({ status: 400, ...detail })
    case "InvalidResponseError":
    case "InvalidOutputError":
    case "StructuredOutputError":
      return new Reason.InvalidResponse({ status: 200, ...detail })
    case "UnsupportedSchemaError":
      return new Reason.Unsupported({ feature: "the schema of the output" })
    default:
      return new Reason.InvalidRequest({ status: 400, ...detail })
  }
}

/** Reasons whose HTTP answer, where it is there, says more. */
const classified: ReadonlySet<string> = new Set(["InvalidRequestError", "InternalProviderError", "UnknownError"])

const readable = (
  headers: { readonly [name: string]: string | Redacted.Redacted<string> }
): { readonly [name: string]: string | undefined } =>
  Object.fromEntries(Object.entries(headers).filter((entry): entry is [string, string] => typeof entry[1] === "string"))
