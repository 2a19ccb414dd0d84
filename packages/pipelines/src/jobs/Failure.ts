/**
 * How a job failed, as it is stored: enough to act on, and no word of a prompt, a reply or a secret.
 *
 * Messages are kept only of errors that promise to be free of them: those of predictors, and those that say so
 * themselves with `isMessageSafe: true`. Of any other error the name is kept and, for a bug, where in the code it
 * happened. An error of the job's own `error` schema is stored
 * whole beside it, as its author wrote it down.
 */
import * as LMError from "@effect-dspy/core/LMError"
import * as PredictError from "@effect-dspy/core/PredictError"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

/**
 * - `failed`: the handler failed; `defect`: it threw, a bug; `timeout`: an attempt took too long
 * - `payload`: the stored payload does not fit the job's schema; `result`: the result does not fit
 * - `crashed`: its worker died in the last attempt
 * - `attempt`: which attempt it was
 *
 * @category models
 */
export const Failure = Schema.Struct({
  kind: Schema.Literals(["failed", "defect", "timeout", "payload", "result", "crashed"]),
  name: Schema.String,
  message: Schema.optionalKey(Schema.String),
  where: Schema.optionalKey(Schema.String),
  attempt: Schema.Int
})

/**
 * How a job failed.
 *
 * @category models
 */
export type Failure = typeof Failure.Type

/**
 * What a failure asks for: whether another attempt can help, and not before when. An error says so itself, in
 * `isRetryable` and `retryAfter`; one that says nothing is tried again.
 *
 * @category models
 */
export interface Verdict {
  readonly failure: Failure
  readonly error?: unknown
  readonly isRetryable: boolean
  readonly retryAfter?: Duration.Duration
}

/**
 * Reads a cause.
 *
 * @category constructors
 */
export const fromCause = (cause: Cause.Cause<unknown>, attempt: number): Verdict => {
  const reason = cause.reasons.find(Cause.isFailReason)
  if (reason !== undefined) return fromError(reason.error, attempt)
  const defect = cause.reasons.find(Cause.isDieReason)?.defect
  const where = stackOf(defect)
  return {
    failure: { kind: "defect", name: nameOf(defect), ...(where === undefined ? undefined : { where }), attempt },
    isRetryable: true
  }
}

const fromError = (error: unknown, attempt: number): Verdict => {
  const retryAfter = own(error, "retryAfter")
  const known = error instanceof LMError.LMError || error instanceof PredictError.OutputError
    || error instanceof PredictError.InputError
  const message = known ? error.message : own(error, "isMessageSafe") === true ? own(error, "message") : undefined
  return {
    failure: {
      kind: "failed",
      name: nameOf(error),
      ...(typeof message === "string" ? { message } : undefined),
      attempt
    },
    error,
    isRetryable: own(error, "isRetryable") !== false,
    ...(Duration.isDuration(retryAfter) ? { retryAfter } : undefined)
  }
}

/**
 * A failure that is no error of the handler.
 *
 * @category constructors
 */
export const of = (kind: Failure["kind"], name: string, attempt: number): Failure => ({ kind, name, attempt })

/**
 * A failure as people read it, in one line.
 *
 * @category formatting
 */
export const describe = ({ attempt, kind, message, name }: Failure): string =>
  `${kind} in attempt ${attempt}: ${name}${message === undefined ? "" : `: ${message}`}`

const own = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && key in value ? value[key as keyof typeof value] : undefined

const nameOf = (value: unknown): string => {
  const name = own(value, "_tag") ?? own(value, "name")
  return typeof name === "string" ? name : typeof value
}

/** The frames of a stack without its first lines, which hold the message. */
const stackOf = (value: unknown): string | undefined => {
  const stack = own(value, "stack")
  if (typeof stack !== "string") return undefined
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line)).slice(0, 8)
  return frames.length === 0 ? undefined : frames.map((line) => line.trim()).join("\n")
}
