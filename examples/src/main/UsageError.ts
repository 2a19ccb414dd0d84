/**
 * What is wrong with how a command was called, found before anything is sent: one line and exit code 2.
 */
import * as Schema from "effect/Schema"

export class UsageError extends Schema.TaggedError<UsageError>()("UsageError", { problem: Schema.String }) {
  /** Nothing gets better by trying again, and what is said holds no key and no text of a document. */
  readonly isRetryable = false
  readonly isMessageSafe = true
  override get message() {
    return this.problem
  }
}
