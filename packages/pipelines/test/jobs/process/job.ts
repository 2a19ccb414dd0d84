import { Job } from "@effect-dspy/pipelines/jobs"
import { Postgres } from "@effect-dspy/pipelines/postgres"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { Schema } from "effect"

/** A job of five steps; it may be killed often, so it has many attempts. */
export const Process = Job.make("process", { payload: { key: Schema.String }, success: Schema.Int, maxAttempts: 50 })

/** What each job asks. */
export const steps = ["title", "keywords", "category", "summary", "quality"] as const

/** The store at a URL or in a file; a dead worker's jobs are free after two seconds. */
export const store = (at: string) =>
  at.startsWith("postgres:")
    ? Postgres.layer({ url: at, lock: "2 seconds" })
    : Sqlite.layer({ filename: at, lock: "2 seconds" })
