/**
 * The closed list of reasons a model call can fail for.
 *
 * Each reason declares its own answers (`isRetryable`, `goesElsewhere`, `retryAfter`, a message with a remedy), so
 * nobody switches over tags to decide what to do. `detail` holds the provider's own words, redacted.
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { Text } from "./Redaction.ts"

const detail = { detail: Schema.optionalKey(Text) }
const wait = { retryAfter: Schema.optionalKey(Schema.Duration) }

const after = (retryAfter: Duration.Duration | undefined): string =>
  retryAfter === undefined ? "" : `, retry after ${Duration.format(retryAfter)}`

/** Too many requests or tokens for now (429). */
export class RateLimited extends Schema.TaggedError<RateLimited>()("RateLimited", { ...wait, ...detail }) {
  readonly isRetryable = true
  readonly goesElsewhere = true
  override get message(): string {
    return `rate limited${after(this.retryAfter)}`
  }
}

/** The account has no credit left (429 `insufficient_quota`, 402). */
export class QuotaExhausted extends Schema.TaggedError<QuotaExhausted>()("QuotaExhausted", detail) {
  readonly isRetryable = false
  readonly goesElsewhere = true
  readonly retryAfter = undefined
  override get message(): string {
    return "the account's quota is exhausted; check plan and billing"
  }
}

/** The key is missing, wrong or expired (401). */
export class Authentication extends Schema.TaggedError<Authentication>()("Authentication", detail) {
  readonly isRetryable = false
  readonly goesElsewhere = true
  readonly retryAfter = undefined
  override get message(): string {
    return "the key was not accepted; check the API key"
  }
}

/** The key is known but may not do this (403). */
export class Permission extends Schema.TaggedError<Permission>()("Permission", detail) {
  readonly isRetryable = false
  readonly goesElsewhere = true
  readonly retryAfter = undefined
  override get message(): string {
    return "the key has no permission for this; check its project, region and scopes"
  }
}

/** The endpoint does not have this model, or not this path (404). */
export class ModelNotFound extends Schema.TaggedError<ModelNotFound>()("ModelNotFound", detail) {
  readonly isRetryable = false
  readonly goesElsewhere = true
  readonly retryAfter = undefined
  override get message(): string {
    return "the model was not found; check its name and the base URL"
  }
}

/** The endpoint refused the request as wrong (400, 422 and other 4xx). */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>()("InvalidRequest", {
  status: Schema.Int,
  ...detail
}) {
  readonly isRetryable = false
  readonly goesElsewhere = true
  readonly retryAfter = undefined
  override get message(): string {
    return `the endpoint refused the request (HTTP ${this.status}); LMError.reveal shows its words`
  }
}

/** The prompt does not fit the model's context window. */
export class ContextTooLong extends Schema.TaggedError<ContextTooLong>()("ContextTooLong", detail) {
  readonly isRetryable = false
  readonly goesElsewhere = true
  readonly retryAfter = undefined
  override get message(): string {
    return "the prompt is longer than the model's context window; shorten the input or the demos"
  }
}

/** Something that was asked for cannot be expressed here; nothing was sent. */
export class Unsupported extends Schema.TaggedError<Unsupported>()("Unsupported", {
  feature: Schema.String,
  field: Schema.optionalKey(Schema.String)
}) {
  readonly isRetryable = false
  readonly goesElsewhere = true
  readonly retryAfter = undefined
  readonly detail = undefined
  override get message(): string {
    return `${this.feature} is not supported${this.field === undefined ? "" : ` (field \`${this.field}\`)`}`
  }
}

/** The model or its filter declined to answer. Asking the same again is pointless and is never done. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", detail) {
  readonly isRetryable = false
  readonly goesElsewhere = false
  readonly retryAfter = undefined
  override get message(): string {
    return "the model refused to answer; LMError.reveal shows its words"
  }
}

/** The endpoint is busy (503, 529). */
export class Overloaded extends Schema.TaggedError<Overloaded>()("Overloaded", { ...wait, ...detail }) {
  readonly isRetryable = true
  readonly goesElsewhere = true
  override get message(): string {
    return `the endpoint is overloaded${after(this.retryAfter)}`
  }
}

/** The endpoint failed (other 5xx, 408, 409). */
export class ServerError extends Schema.TaggedError<ServerError>()("ServerError", {
  status: Schema.Int,
  ...wait,
  ...detail
}) {
  readonly isRetryable = true
  readonly goesElsewhere = true
  override get message(): string {
    return `the endpoint failed (HTTP ${this.status})${after(this.retryAfter)}`
  }
}

/** No connection, or it broke before an answer began. `code` is the system's word, such as ECONNREFUSED. */
export class Network extends Schema.TaggedError<Network>()("Network", { code: Schema.optionalKey(Schema.String) }) {
  readonly isRetryable = true
  readonly goesElsewhere = true
  readonly retryAfter = undefined
  readonly detail = undefined
  override get message(): string {
    return `the connection failed${this.code === undefined ? "" : ` (${this.code})`}`
  }
}

/**
 * Time ran out: `total` for the logical call with all its attempts, `attempt` for one request,
 * `firstToken` and `betweenTokens` while streaming.
 */
export class Timeout extends Schema.TaggedError<Timeout>()("Timeout", {
  kind: Schema.Literals(["total", "attempt", "firstToken", "betweenTokens"]),
  limit: Schema.Duration
}) {
  readonly retryAfter = undefined
  readonly detail = undefined
  get isRetryable(): boolean {
    return this.kind !== "total"
  }
  get goesElsewhere(): boolean {
    return this.kind !== "total"
  }
  override get message(): string {
    return `no answer within ${Duration.format(this.limit)} (${this.kind} timeout)`
  }
}

/** An answer came, but not one of this protocol: HTML from a proxy, broken JSON, no choices. */
export class InvalidResponse extends Schema.TaggedError<InvalidResponse>()("InvalidResponse", {
  status: Schema.Int,
  ...detail
}) {
  readonly isRetryable = true
  readonly goesElsewhere = true
  readonly retryAfter = undefined
  override get message(): string {
    return `the endpoint's answer is not of its protocol (HTTP ${this.status}); check the base URL`
  }
}

/** The answer broke off in the middle. */
export class StreamCut extends Schema.TaggedError<StreamCut>()("StreamCut", {}) {
  readonly isRetryable = true
  readonly goesElsewhere = true
  readonly retryAfter = undefined
  readonly detail = undefined
  override get message(): string {
    return "the answer broke off before its end"
  }
}

/** A limit of our own was reached before sending: `attempts`, or a budget in calls, tokens or money. */
export class BudgetExceeded extends Schema.TaggedError<BudgetExceeded>()("BudgetExceeded", {
  limit: Schema.String,
  spent: Schema.Finite
}) {
  readonly isRetryable = false
  readonly goesElsewhere = false
  readonly retryAfter = undefined
  readonly detail = undefined
  override get message(): string {
    return `the budget of ${this.limit} is spent (${this.spent}); nothing was sent`
  }
}

/** A circuit breaker is open; nothing was sent. */
export class CircuitOpen extends Schema.TaggedError<CircuitOpen>()("CircuitOpen", wait) {
  readonly isRetryable = true
  readonly goesElsewhere = true
  readonly detail = undefined
  override get message(): string {
    return `the circuit breaker is open${after(this.retryAfter)}`
  }
}

/** A replay has no recording of this request. `nearest` names the one that comes closest. */
export class NoRecording extends Schema.TaggedError<NoRecording>()("NoRecording", {
  nearest: Schema.optionalKey(Schema.String)
}) {
  readonly isRetryable = false
  readonly goesElsewhere = false
  readonly retryAfter = undefined
  readonly detail = undefined
  override get message(): string {
    return `there is no recording of this request${this.nearest === undefined ? "" : `; nearest: ${this.nearest}`}`
  }
}

/**
 * Every reason, as a schema.
 *
 * @category models
 */
export const Reason = Schema.Union([
  RateLimited,
  QuotaExhausted,
  Authentication,
  Permission,
  ModelNotFound,
  InvalidRequest,
  ContextTooLong,
  Unsupported,
  Refused,
  Overloaded,
  ServerError,
  Network,
  Timeout,
  InvalidResponse,
  StreamCut,
  BudgetExceeded,
  CircuitOpen,
  NoRecording
])

/**
 * One of the reasons, told apart by `_tag`.
 *
 * @category models
 */
export type Reason = typeof Reason.Type
