/**
 * `@effect-dspy/pipelines/postgres`: jobs in PostgreSQL.
 */
export * as Postgres from "./Postgres.ts"
