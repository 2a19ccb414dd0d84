/**
 * How a predictor can fail: the input was wrong (`InputError`, nothing was sent), the model call failed
 * (`LMError`), or its answer could not be used (`OutputError`).
 *
 * Interruption is never one of them. All three are plain tagged values with data and a remedy; none shows
 * a prompt or a reply unless asked (`OutputError.reveal`).
 */
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { LMError } from "./LMError.ts"
import { Text } from "./Redaction.ts"
import { Usage } from "./Usage.ts"

/**
 * One thing wrong with a value: where, and what was expected there. Never the value itself.
 *
 * @category models
 */
export const Issue = Schema.Struct({
  path: Schema.Array(Schema.Union([Schema.String, Schema.Finite])),
  expected: Schema.String
})

/**
 * Where something is wrong, and what was expected.
 *
 * @category models
 */
export type Issue = typeof Issue.Type

/**
 * An issue as people and models read it.
 *
 * ```ts
 * import { PredictError } from "@effect-dspy/core"
 *
 * PredictError.describe({ path: ["facts", 2, "score"], expected: "a value between 0 and 1" }) // => "facts[2].score: expected a value between 0 and 1"
 * ```
 *
 * @category formatting
 */
export const describe = (issue: Issue): string => {
  const path = issue.path.reduce<string>(
    (text, key) => typeof key === "number" ? `${text}[${key}]` : text === "" ? key : `${text}.${key}`,
    ""
  )
  return path === "" ? `expected ${issue.expected}` : `${path}: expected ${issue.expected}`
}

/**
 * The input does not fit its signature. Nothing was sent.
 *
 * @category errors
 */
export class InputError extends Schema.TaggedError<InputError>("@effect-dspy/core/InputError")("InputError", {
  signature: Schema.String,
  issues: Schema.Array(Issue)
}) {
  readonly isRetryable = false
  override get message(): string {
    return `${this.signature}: wrong input: ${this.issues.map(describe).join("; ")}`
  }
}

/** The reply had no text at all. */
export class Empty extends Schema.TaggedClass<Empty>()("Empty", {}) {
  readonly issues: ReadonlyArray<Issue> = []
  get message(): string {
    return "the reply was empty"
  }
}

/** The reply was cut at the token limit. A cut reply is never read, however complete it looks. */
export class Truncated extends Schema.TaggedClass<Truncated>()("Truncated", {}) {
  readonly issues: ReadonlyArray<Issue> = []
  get message(): string {
    return "the reply was cut at the token limit; raise maxTokens, or set retryMaxTokens"
  }
}

/** No output fields could be found in the reply. */
export class Unreadable extends Schema.TaggedClass<Unreadable>()("Unreadable", { expected: Schema.String }) {
  get issues(): ReadonlyArray<Issue> {
    return [{ path: [], expected: this.expected }]
  }
  get message(): string {
    return `the reply could not be read, expected ${this.expected}`
  }
}

/** The reply was read, but fields are missing or wrong. */
export class Invalid extends Schema.TaggedClass<Invalid>()("Invalid", { issues: Schema.Array(Issue) }) {
  get message(): string {
    return this.issues.map(describe).join("; ")
  }
}

/**
 * Why a reply could not be used, as a schema.
 *
 * @category models
 */
export const OutputReason = Schema.Union([Empty, Truncated, Unreadable, Invalid])

/**
 * Why a reply could not be used.
 *
 * @category models
 */
export type OutputReason = typeof OutputReason.Type

/**
 * The model answered, and no attempt gave a usable output.
 *
 * - `reason`: what was wrong with the last reply; `issues` are its field-level findings
 * - `raw`: the last reply, redacted
 * - `usage`: what all attempts cost together; `attempts`: requests sent
 *
 * @category errors
 */
export class OutputError extends Schema.TaggedError<OutputError>("@effect-dspy/core/OutputError")("OutputError", {
  signature: Schema.String,
  provider: Schema.String,
  model: Schema.String,
  reason: OutputReason,
  raw: Text,
  usage: Usage,
  attempts: Schema.Int
}) {
  // Another run of the same call samples a new answer, so a job may well try again.
  get isRetryable(): boolean {
    return this.reason._tag !== "Truncated"
  }
  /** The last reply, in clear. */
  static reveal(error: OutputError): string {
    return Redacted.value(error.raw)
  }
  get issues(): ReadonlyArray<Issue> {
    return this.reason.issues
  }
  override get message(): string {
    const attempts = this.attempts === 1 ? "1 attempt" : `${this.attempts} attempts`
    return `${this.signature}: no usable output from ${this.provider}/${this.model} in ${attempts}: ${this.reason.message}`
  }
}

/**
 * Everything a predictor can fail with.
 *
 * @category models
 */
export type PredictError = InputError | LMError | OutputError
