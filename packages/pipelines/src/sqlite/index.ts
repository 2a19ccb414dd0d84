/**
 * `@effect-dspy/pipelines/sqlite`: jobs in a file, or in memory for tests.
 */
export * as Sqlite from "./Sqlite.ts"
export * as SqliteClient from "./SqliteClient.ts"
