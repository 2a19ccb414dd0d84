/**
 * How payloads, results, errors and memoized answers are written into the store: as they are, or sealed.
 *
 * Names, queues, states and ids stay readable, so that a worker can claim and people can list what they
 * cannot read. Any pair of functions over text will do.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * A pair of functions over JSON text. `open` undoes `seal`.
 *
 * @category models
 */
export interface Codec {
  readonly seal: (text: string) => Effect.Effect<string, CodecError>
  readonly open: (sealed: string) => Effect.Effect<string, CodecError>
}

/**
 * Stored text could not be sealed or opened: another key, or not sealed at all.
 *
 * @category errors
 */
export class CodecError extends Schema.TaggedError<CodecError>("@effect-dspy/pipelines/jobs/CodecError")("CodecError", {
  operation: Schema.Literals(["seal", "open"])
}) {
  readonly isRetryable = false
  override get message(): string {
    return this.operation === "open" ? "stored text can't be opened with this key" : "text can't be sealed"
  }
}

/**
 * Text as it is.
 *
 * @category constructors
 */
export const plain: Codec = { seal: Effect.succeed, open: Effect.succeed }
