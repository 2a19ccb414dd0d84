/**
 * The app's own table: documents with a status and what is known of them so far.
 *
 * It lies in the database of the jobs, so a document and its job are written together or not at all. The status is
 * for people who look at documents; what the job does is the job's own knowledge.
 */
import { StoreError } from "@effect-dspy/pipelines/jobs"
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql"
import type { Result } from "../main/DocumentPipeline.ts"

/**
 * - `waiting`: for its turn, or for its next attempt; `failed`: nobody tries again
 * - the fields are those the pipeline gives, each there as soon as it is known
 */
interface Document {
  readonly id: string
  readonly status: "waiting" | "processing" | "completed" | "failed"
  readonly fields: Partial<Result>
  readonly error: string | undefined
}

interface Service {
  readonly add: (id: string, version: string, content: string) => Effect.Effect<void, StoreError.StoreError>
  readonly content: (id: string) => Effect.Effect<Option.Option<string>, StoreError.StoreError>
  readonly find: (id: string) => Effect.Effect<Option.Option<Document>, StoreError.StoreError>
  readonly update: (
    id: string,
    status: Document["status"],
    fields?: Partial<Result>,
    error?: string
  ) => Effect.Effect<void, StoreError.StoreError>
}

export class Documents extends Context.Service<Documents, Service>()("examples/Documents") {
  static readonly layer = Layer.effect(
    Documents,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* StoreError.during("open")(Effect.retry(
        sql`CREATE TABLE IF NOT EXISTS documents (
          id VARCHAR(500) PRIMARY KEY, version VARCHAR(64) NOT NULL, content TEXT NOT NULL,
          status VARCHAR(20) NOT NULL, fields TEXT NOT NULL, error TEXT
        )`,
        // Two processes that create it at once: one of them is told that it is there.
        { times: 2 }
      ))
      return {
        // The same text again changes nothing; another text starts over.
        add: (id, version, content) =>
          StoreError.during("add a document")(sql`
            INSERT INTO documents (id, version, content, status, fields)
            VALUES (${id}, ${version}, ${content}, 'waiting', '{}')
            ON CONFLICT (id) DO UPDATE SET version = excluded.version, content = excluded.content,
              status = 'waiting', fields = '{}', error = NULL
            WHERE documents.version <> excluded.version`),
        content: (id) =>
          StoreError.during("read a document")(Effect.map(
            sql<{ readonly content: string }>`SELECT content FROM documents WHERE id = ${id}`,
            ([row]) => Option.map(Option.fromUndefinedOr(row), ({ content }) => content)
          )),
        find: (id) =>
          StoreError.during("read a document")(Effect.map(
            sql<Row>`SELECT id, status, fields, error FROM documents WHERE id = ${id}`,
            ([row]) =>
              Option.map(Option.fromUndefinedOr(row), (row) => ({
                id: row.id,
                status: row.status,
                fields: readFields(row.fields),
                error: row.error ?? undefined
              }))
          )),
        update: (id, status, fields, error) =>
          StoreError.during("write a document")(
            fields === undefined
              ? sql`UPDATE documents SET status = ${status} WHERE id = ${id}`
              : sql`UPDATE documents SET status = ${status}, fields = ${JSON.stringify(fields)}, error = ${
                error ?? null
              } WHERE id = ${id}`
          )
      }
    })
  )
}

interface Row {
  readonly id: string
  readonly status: Document["status"]
  readonly fields: string
  readonly error: string | null
}

// Written by `update` alone.
const readFields = (text: string): Partial<Result> => JSON.parse(text)
