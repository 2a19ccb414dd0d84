/**
 * The article's `DocumentProcessor`, written out: a document's five model calls as one durable job.
 *
 * 1. The document is `processing`. Its text is read from the app's table; the job carries the id only.
 * 2. The pipeline runs as concurrently as its fields allow. Each answer is kept before it is used: killed here and
 *    run again elsewhere, the job pays for what was in flight and for nothing else.
 * 3. All fields: the document is `completed`, and the job's result is what the pipeline gave.
 * 4. A call fails: its siblings are broken off, and what was known by then is written beside the error, so the
 *    document is not empty because of one field. The job is retried on schedule; told by the endpoint to wait, it
 *    waits that long.
 * 5. Nobody will try again: the document is `failed`. Retried by hand, it goes on with what it had.
 */
import { type LM, Step } from "@effect-dspy/core"
import { Failure, Job } from "@effect-dspy/pipelines/jobs"
import { Effect, type LayerMap, Option, Schema } from "effect"
import { DocumentPipeline, type Result } from "../main/DocumentPipeline.ts"
import { Documents } from "./Documents.ts"

/** The document was deleted after its job was enqueued: another attempt would not find it either. */
class DocumentMissing extends Schema.TaggedError<DocumentMissing>()("DocumentMissing", { documentId: Schema.String }) {
  readonly isRetryable = false
}

/**
 * `version` tells one text of a document from another: the same text is the same job, and a changed one is a new
 * job. `lm` is the model asked for, where it is not the worker's own.
 */
export const ProcessDocument = Job.make("process-document", {
  payload: { documentId: Schema.String, version: Schema.String, lm: Schema.optionalKey(Schema.String) },
  success: Step.outputSchema(DocumentPipeline),
  error: DocumentMissing,
  id: ({ documentId, version }) => `${documentId}@${version}`,
  queue: "llm",
  timeout: "10 minutes",
  maxAttempts: 5
})

/** Gives the job to a worker. `models` are those that documents may ask for by name. */
export const layer = <E>(models: LayerMap.LayerMap<string, LM, E>) =>
  ProcessDocument.toLayer(({ documentId, lm }) =>
    Effect.gen(function*() {
      const documents = yield* Documents
      const content = yield* documents.content(documentId)
      if (Option.isNone(content)) return yield* new DocumentMissing({ documentId })
      yield* documents.update(documentId, "processing")
      const found: { [field: string]: unknown } = {}
      const work = DocumentPipeline.stepwise({ content: content.value }, (field, value) => {
        found[field] = value
      })
      const answered: Effect.Effect<Result, unknown, LM> = lm === undefined
        ? work
        : Effect.provide(work, models.get(lm))
      const result = yield* answered.pipe(
        // Also when it is interrupted: by a cancel, or by a worker that ends.
        Effect.onError(() => Effect.ignore(documents.update(documentId, "waiting", found, undefined)))
      )
      yield* documents.update(documentId, "completed", result)
      return result
    }), {
    onDead: ({ documentId }, { failure }) =>
      Effect.gen(function*() {
        const documents = yield* Documents
        const document = yield* documents.find(documentId)
        const fields = Option.match(document, { onNone: () => ({}), onSome: ({ fields }) => fields })
        yield* documents.update(
          documentId,
          "failed",
          fields,
          failure === undefined ? undefined : Failure.describe(failure)
        )
      }).pipe(Effect.orDie)
  })
