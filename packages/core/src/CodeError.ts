/**
 * Why code did not finish: it ran out of time, memory or output, threw, waits for what will never come, or its process
 * died.
 *
 * The code was written by a model and its words may be a prompt's, so what it threw and printed is kept out of
 * messages and logs; `reveal` gives it.
 */
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Text } from "./Redaction.ts"

/** The code ran longer than it may. Time in which it waited for functions of the host is not counted. */
export class TimeLimit extends Schema.TaggedClass<TimeLimit>()("TimeLimit", { limit: Schema.Duration }) {
  get message(): string {
    return `the code ran longer than ${Duration.format(this.limit)}`
  }
}

/** The code wanted more memory than it may have. */
export class MemoryLimit extends Schema.TaggedClass<MemoryLimit>()("MemoryLimit", { limitBytes: Schema.Int }) {
  get message(): string {
    return `the code needed more memory than ${this.limitBytes} bytes`
  }
}

/** The code printed, returned or handed to functions more characters than it may. */
export class OutputLimit extends Schema.TaggedClass<OutputLimit>()("OutputLimit", { limitChars: Schema.Int }) {
  get message(): string {
    return `the code gave more than ${this.limitChars} characters`
  }
}

/** The code threw, or is not a program at all. `detail` is the error's name, message and where it was thrown. */
export class Thrown extends Schema.TaggedClass<Thrown>()("Thrown", { detail: Text }) {
  get message(): string {
    return "the code threw an error"
  }
}

/** The code waits for a promise that nothing will settle. */
export class Stalled extends Schema.TaggedClass<Stalled>()("Stalled", {}) {
  get message(): string {
    return "the code waits for a promise that nobody will settle"
  }
}

/** The process that ran the code is gone: it was killed, or it crashed. */
export class ProcessDied extends Schema.TaggedClass<ProcessDied>()("ProcessDied", {
  exitCode: Schema.NullOr(Schema.Int),
  signal: Schema.NullOr(Schema.String)
}) {
  get message(): string {
    return `the process that ran the code ended (${this.signal ?? `exit code ${this.exitCode}`})`
  }
}

/** No process could be started to run code in. `detail` says why. */
export class NotStarted extends Schema.TaggedClass<NotStarted>()("NotStarted", { detail: Schema.String }) {
  get message(): string {
    return `no code can be run here: ${this.detail}`
  }
}

/**
 * Why code did not come to its end.
 *
 * @category models
 */
export const Reason = Schema.Union([TimeLimit, MemoryLimit, OutputLimit, Thrown, Stalled, ProcessDied, NotStarted])

/**
 * One of the reasons.
 *
 * @category models
 */
export type Reason = typeof Reason.Type

/**
 * Code that failed.
 *
 * - `output`: what it had printed until then
 * - `stateLost`: the process had to be ended, and with it what earlier runs of the session have defined
 *
 * @category errors
 */
export class CodeError extends Schema.TaggedError<CodeError>("@effect-dspy/core/CodeError")("CodeError", {
  reason: Reason,
  output: Text,
  stateLost: Schema.Boolean
}) {
  override get message(): string {
    return this.reason.message
  }
}

/**
 * Builds an error.
 *
 * @category constructors
 */
export const make = (reason: Reason, output: string, stateLost: boolean): CodeError =>
  new CodeError({ reason, output: Redacted.make(output), stateLost })

/**
 * What the code threw, in clear, and what it had printed.
 *
 * @category getters
 */
export const reveal = (error: CodeError): { readonly message: string; readonly output: string } => ({
  message: error.reason._tag === "Thrown" ? Redacted.value(error.reason.detail) : error.message,
  output: Redacted.value(error.output)
})
