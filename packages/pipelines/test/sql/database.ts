/** A client of a database by its place: the URL of a PostgreSQL database, or the name of a SQLite file. */
import { SqliteClient } from "@effect-dspy/pipelines/sqlite"
import { PgClient } from "@effect/sql-pg"
import { type Layer, Redacted } from "effect"
import type { SqlClient, SqlError } from "effect/sql"

export const layer = (place: string): Layer.Layer<SqlClient.SqlClient, SqlError.SqlError> =>
  place.startsWith("postgres")
    ? PgClient.layer({ url: Redacted.make(place), maxConnections: 4 })
    : SqliteClient.layer({ filename: place, synchronous: "NORMAL" })
