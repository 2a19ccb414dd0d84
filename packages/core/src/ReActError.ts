/**
 * An agent that found no answer.
 */
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Text } from "./Redaction.ts"
import { Usage } from "./Usage.ts"

/**
 * An agent reached a limit and did not submit a usable output in its last step.
 *
 * - `limit`: which one; `steps`: how many model calls were made; `usage`: what they cost
 * - `history`: the conversation, as JSON, and `lastObservation`, what the last tool said: both kept out of messages
 *   and logs, see `reveal`
 *
 * @category errors
 */
export class ReActError extends Schema.TaggedError<ReActError>("@effect-dspy/core/ReActError")("ReActError", {
  signature: Schema.String,
  limit: Schema.Literals(["steps", "requests", "tokens", "duration"]),
  steps: Schema.Int,
  usage: Usage,
  history: Text,
  lastObservation: Schema.optionalKey(Text)
}) {
  override get message(): string {
    return `${this.signature}: no answer after ${this.steps} steps (limit: ${this.limit}); raise the limit, or give the ` +
      `agent a tool that answers`
  }
}

/**
 * What was said in a run that found no answer.
 *
 * @category getters
 */
export const reveal = (
  error: ReActError
): { readonly history: string; readonly lastObservation: string | undefined } => ({
  history: Redacted.value(error.history),
  lastObservation: error.lastObservation === undefined ? undefined : Redacted.value(error.lastObservation)
})
