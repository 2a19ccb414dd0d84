/**
 * The tables beside effect's queue, and the way they came to be.
 *
 * `effect_dspy_jobs` has one row for each row of effect's queue, with the same id, for what the queue has no place for.
 * Whether a job is due, running or delayed is known to the queue and read there. Only endings are written in both, in
 * one transaction.
 */
import * as Effect from "effect/Effect"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import * as Statistics from "./Statistics.ts"

/**
 * Creates what is missing.
 *
 * @category constructors
 */
export const migrate = Effect.suspend(() => Migrator.make({})({ loader: migrations, table: "effect_dspy_migrations" }))

const migrations = Migrator.fromRecord({
  "0001_jobs": Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql`CREATE TABLE effect_dspy_jobs (
      id VARCHAR(255) PRIMARY KEY,
      name VARCHAR(255) NOT NULL,
      queue VARCHAR(255) NOT NULL,
      priority DOUBLE PRECISION NOT NULL,
      state VARCHAR(10) NOT NULL,
      hold VARCHAR(10),
      cancel SMALLINT NOT NULL,
      group_id VARCHAR(255),
      parent_id VARCHAR(255),
      progress TEXT,
      result TEXT,
      failure TEXT,
      error TEXT,
      enqueued_at BIGINT NOT NULL,
      finished_at BIGINT
    )`
    yield* sql`CREATE INDEX effect_dspy_jobs_finished ON effect_dspy_jobs (state, finished_at) WHERE state <> 'open'`
    yield* sql`CREATE INDEX effect_dspy_jobs_group ON effect_dspy_jobs (group_id) WHERE group_id IS NOT NULL`
    yield* sql`CREATE INDEX effect_dspy_jobs_unknown ON effect_dspy_jobs (name) WHERE hold = 'unknown'`
    yield* sql`CREATE TABLE effect_dspy_groups (
      id VARCHAR(255) PRIMARY KEY,
      total BIGINT NOT NULL,
      pending BIGINT NOT NULL,
      failed BIGINT NOT NULL,
      on_complete TEXT,
      on_success TEXT,
      finished_at BIGINT
    )`
    yield* sql`CREATE TABLE effect_dspy_signals (
      job_id VARCHAR(255) NOT NULL,
      name VARCHAR(255) NOT NULL,
      value TEXT NOT NULL,
      PRIMARY KEY (job_id, name)
    )`
    yield* sql`CREATE TABLE effect_dspy_paused (queue VARCHAR(255) PRIMARY KEY)`
  }),
  "0002_statistics": Statistics.create
})
