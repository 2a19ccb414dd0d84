/**
 * The few things SQLite and PostgreSQL say differently: the time, and a list of records as a table.
 *
 * Batches travel as one JSON parameter, so a statement has the same text for one job and for ten thousand and
 * is prepared once.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"

/**
 * Types of the columns in a list of records.
 *
 * @category models
 */
export type Columns = { readonly [name: string]: "text" | "bigint" | "float8" | "uuid" }

/**
 * - `now`: the store's time, `nowMillis` as a number
 * - `later`: the store's time so many milliseconds from now, for `visible_at`
 * - `millis`: a stored time as a number
 * - `rows`: records, given as JSON, as a table called `x`
 *
 * @category models
 */
export interface Dialect {
  readonly now: Fragment
  readonly nowMillis: Fragment
  readonly later: (millis: Fragment) => Fragment
  readonly millis: (time: Fragment) => Fragment
  readonly rows: (columns: Columns, records: ReadonlyArray<unknown>) => Fragment
}

/**
 * How the client's database says it.
 *
 * @category constructors
 */
export const make = (sql: SqlClient.SqlClient): Dialect =>
  sql.onDialectOrElse({ pg: () => pg(sql), orElse: () => sqlite(sql) })

const pg = (sql: SqlClient.SqlClient): Dialect => ({
  // Not NOW(), which stands still within a transaction.
  now: sql`clock_timestamp()`,
  nowMillis: sql`(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT`,
  later: (millis) => sql`clock_timestamp() + ${millis} * INTERVAL '1 millisecond'`,
  millis: (time) => sql`(EXTRACT(EPOCH FROM ${time}::TIMESTAMPTZ) * 1000)::BIGINT`,
  rows: (columns, records) => {
    const types = Object.entries(columns).map(([name, type]) => `${name} ${type}`).join(", ")
    return sql`json_to_recordset(${JSON.stringify(records)}::json) AS x(${sql.literal(types)})`
  }
})

const sqlite = (sql: SqlClient.SqlClient): Dialect => ({
  now: sql`CURRENT_TIMESTAMP`,
  nowMillis: sql`CAST(ROUND(unixepoch(CURRENT_TIMESTAMP, 'subsec') * 1000) AS INTEGER)`,
  later: (millis) => sql`strftime('%Y-%m-%d %H:%M:%f', CURRENT_TIMESTAMP, (${millis} / 1000.0) || ' seconds')`,
  millis: (time) => sql`CAST(ROUND(unixepoch(${time}, 'subsec') * 1000) AS INTEGER)`,
  rows: (columns, records) => {
    const names = Object.keys(columns).map((name) => `value ->> '${name}' AS ${name}`).join(", ")
    return sql`(SELECT ${sql.literal(names)} FROM json_each(${JSON.stringify(records)})) AS x`
  }
})
