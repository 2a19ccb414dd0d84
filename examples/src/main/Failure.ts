/**
 * What can be wrong with one document, and how any failure is shown: a tag, a line, whether trying again
 * may help. Never a stack trace.
 */
import type * as PredictError from "@effect-dspy/core/PredictError"
import * as Schema from "effect/Schema"

const file = { file: Schema.String }

export class FileMissing extends Schema.TaggedError<FileMissing>()("FileMissing", file) {
  readonly isRetryable = false
  override get message() {
    return "there is no such file or directory, and nothing matches it"
  }
}

export class FolderEmpty extends Schema.TaggedError<FolderEmpty>()("FolderEmpty", file) {
  readonly isRetryable = false
  override get message() {
    return "there is no document in it (*.md, *.markdown or *.txt)"
  }
}

export class FileUnreadable extends Schema.TaggedError<FileUnreadable>()("FileUnreadable", {
  ...file,
  problem: Schema.String
}) {
  readonly isRetryable = false
  override get message() {
    return `it can't be read (${this.problem})`
  }
}

export class FileBinary extends Schema.TaggedError<FileBinary>()("FileBinary", file) {
  readonly isRetryable = false
  override get message() {
    return "it is not text (UTF-8)"
  }
}

export class FileEmpty extends Schema.TaggedError<FileEmpty>()("FileEmpty", file) {
  readonly isRetryable = false
  override get message() {
    return "it is empty"
  }
}

export class FileTooLarge extends Schema.TaggedError<FileTooLarge>()("FileTooLarge", {
  ...file,
  maxBytes: Schema.Int
}) {
  readonly isRetryable = false
  override get message() {
    return `it is larger than ${this.maxBytes} bytes; --max-bytes raises the limit`
  }
}

export type FileError = FileMissing | FolderEmpty | FileUnreadable | FileBinary | FileEmpty | FileTooLarge

/** A failure as the JSON output has it. */
export interface Shown {
  readonly tag: string
  readonly reason?: string
  readonly message: string
  readonly retryable: boolean
}

export const show = (error: FileError | PredictError.PredictError): Shown => ({
  tag: error._tag,
  ...("reason" in error ? { reason: error.reason._tag } : undefined),
  message: error.message,
  retryable: error.isRetryable
})
