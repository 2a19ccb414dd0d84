/**
 * Why a model call failed, decided once, at the boundary where it failed.
 *
 * Providers and decorators raise `LMError`; its `reason` (see `LMErrorReason`) says what happened, whether
 * asking again can help and how long to wait first. Retry, circuit breakers and job queues read those
 * answers and never look at messages or status codes.
 */
import type * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Reason } from "./LMErrorReason.ts"

/**
 * A failed model call.
 *
 * - `provider`, `model`: who was asked
 * - `reason`: what happened, a tagged value for `Effect.catchReason`
 * - `shouldRetry`: the endpoint's own word on retrying (`x-should-retry`), which goes before the reason's
 *
 * ```ts
 * import { Duration } from "effect"
 * import { LMError, LMErrorReason } from "@effect-dspy/core"
 *
 * const error = LMError.make("openai", "gpt-5-mini", new LMErrorReason.RateLimited({ retryAfter: Duration.seconds(90) }))
 * error.message // => "openai/gpt-5-mini: rate limited, retry after 1m 30s"
 * error.isRetryable // => true
 * ```
 *
 * @category errors
 */
export class LMError extends Schema.TaggedError<LMError>("@effect-dspy/core/LMError")("LMError", {
  provider: Schema.String,
  model: Schema.String,
  reason: Reason,
  shouldRetry: Schema.optionalKey(Schema.Boolean)
}) {
  override get message(): string {
    return `${this.provider}/${this.model}: ${this.reason.message}`
  }

  /** Whether the same request may succeed later. */
  get isRetryable(): boolean {
    return this.shouldRetry ?? this.reason.isRetryable
  }

  /** Whether another model or endpoint may answer where this one failed. */
  get goesElsewhere(): boolean {
    return this.reason.goesElsewhere
  }

  /** How long the endpoint asked to wait; retrying earlier is never right. */
  get retryAfter(): Duration.Duration | undefined {
    return this.reason.retryAfter
  }
}

/**
 * Builds an error. `shouldRetry` is the endpoint's own word, where it gave one.
 *
 * @category constructors
 */
export const make = (provider: string, model: string, reason: Reason, shouldRetry?: boolean): LMError =>
  new LMError({ provider, model, reason, ...(shouldRetry === undefined ? undefined : { shouldRetry }) })

/**
 * The words behind a failure that are kept out of messages, logs and spans: a refusal's text, a
 * provider's error body. `undefined` where there were none.
 *
 * @category getters
 */
export const reveal = (error: LMError): string | undefined =>
  error.reason.detail === undefined ? undefined : Redacted.value(error.reason.detail)
