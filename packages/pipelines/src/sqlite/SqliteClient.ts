/**
 * Effect's `SqlClient` on Node's own SQLite.
 *
 * To be deleted when `@effect/sql-sqlite-node` works with effect 4.1: its newest release still imports modules
 * from where 4.0 had them. Nothing else in the package knows this file but `Sqlite.ts`.
 *
 * The clock of SQL is `Clock` for a database in memory, so that a virtual clock moves its jobs, and the
 * machine's for a file, because other processes go by it. Either tells milliseconds where SQLite's own
 * `CURRENT_TIMESTAMP` tells seconds; the two compare as text.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { classifySqliteError, SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"

/**
 * - `filename`: a path, or `:memory:`
 * - `synchronous`: `FULL` (default) keeps a committed answer through a power cut, `NORMAL` is about twice as
 *   fast and keeps it through a crash of the process only
 * - `busyTimeout`: how long a statement waits for another process's lock, default 5 seconds; the process
 *   stands still meanwhile
 *
 * @category models
 */
export interface Options {
  readonly filename: string
  readonly synchronous?: "FULL" | "NORMAL"
  readonly busyTimeout?: Duration.Input
}

/**
 * The version of a database as this connection sees it: another number when another one has committed since. It is
 * read without a statement's ceremony, because it is read all the time.
 *
 * @category services
 */
export class Version extends Context.Service<Version, () => number>()("@effect-dspy/pipelines/sqlite/Version") {}

/**
 * Opens a database. It is closed with the scope.
 *
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<
  Context.Context<SqlClient.SqlClient | Version>,
  SqlError,
  Scope.Scope | Reactivity.Reactivity
> =>
  Effect.gen(function*() {
    const inMemory = options.filename === ":memory:"
    const clock = inMemory ? yield* Clock.Clock : Context.getUnsafe(Context.empty(), Clock.Clock)
    const db = yield* Effect.acquireRelease(
      attempt("open", () => new DatabaseSync(options.filename)),
      (db) => Effect.sync(() => db.close())
    )
    yield* attempt("open", () => {
      // The timeout goes first: with the order turned round, two processes opening a new file at once crash.
      db.exec(`PRAGMA busy_timeout = ${Math.ceil(Duration.toMillis(options.busyTimeout ?? "5 seconds"))}`)
      if (!inMemory) db.exec("PRAGMA journal_mode = WAL")
      db.exec(`PRAGMA synchronous = ${options.synchronous ?? "FULL"}`)
      // Deterministic within a statement: SQLite then asks once for each, as it does with its own.
      db.function("current_timestamp", { deterministic: true }, () => timestamp(clock.currentTimeMillisUnsafe()))
    })
    const semaphore = Semaphore.makeUnsafe(1)
    const acquirers = SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connection(db)),
      semaphore,
      isTransaction: () => db.isTransaction
    })
    const client = yield* SqlClient.make({
      ...acquirers,
      driver: "sqlite-node",
      compiler: Statement.makeCompilerSqlite(),
      // Taking the write lock at once: a transaction that reads first and writes later may find it taken.
      beginTransaction: "BEGIN IMMEDIATE",
      prepareTransactionControls: true,
      releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
      spanAttributes: [["db.system.name", "sqlite"]]
    })
    const version = db.prepare("PRAGMA data_version")
    return Context.make(SqlClient.SqlClient, client).pipe(
      Context.add(Version, () => Number(version.get()?.["data_version"]))
    )
  })

/**
 * A client as a layer.
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<SqlClient.SqlClient | Version, SqlError> =>
  Layer.effectContext(make(options)).pipe(Layer.provide(Reactivity.layer))

/** `2026-03-01 10:00:00.250`, the form SQLite's date functions read and give. */
const timestamp = (millis: number): string =>
  DateTime.formatIso(DateTime.makeUnsafe(millis)).slice(0, 23).replace("T", " ")

const attempt = <A>(operation: string, run: () => A): Effect.Effect<A, SqlError> =>
  Effect.try({ try: run, catch: (cause) => failure(cause, operation) })

const failure = (cause: unknown, operation: string): SqlError => {
  // Effect reads SQLite's result code from `errno`; Node calls it `errcode`.
  const known = cause instanceof Error && "errcode" in cause
    ? Object.assign(cause, { errno: cause.errcode })
    : cause
  const message = cause instanceof Error ? cause.message : "SQLite failed"
  return new SqlError({ reason: classifySqliteError(known, { message, operation }) })
}

const connection = (db: DatabaseSync): Connection => {
  // Statements come from templates, so there are few; a limit only guards against generated text.
  const prepared = new Map<string, StatementSync>()
  const prepare = (sql: string): StatementSync => {
    const known = prepared.get(sql)
    if (known !== undefined) return known
    const statement = db.prepare(sql)
    if (prepared.size >= 200) prepared.clear()
    prepared.set(sql, statement)
    return statement
  }
  const all = (statement: StatementSync, params: ReadonlyArray<unknown>) => statement.all(...params.map(parameter))
  const values = (statement: StatementSync, params: ReadonlyArray<unknown>) =>
    all(statement, params).map((row) => Object.values(row))
  const execute = <A>(run: () => A) => attempt("execute", run)
  return {
    execute: (sql, params, transform) =>
      execute(() => {
        const rows = all(prepare(sql), params)
        return transform === undefined ? rows : transform(rows)
      }),
    executeRaw: (sql, params) => execute(() => all(prepare(sql), params)),
    executeValues: (sql, params) => execute(() => values(prepare(sql), params)),
    executeValuesUnprepared: (sql, params) => execute(() => values(db.prepare(sql), params)),
    executeUnprepared: (sql, params, transform) =>
      execute(() => {
        const rows = all(db.prepare(sql), params)
        return transform === undefined ? rows : transform(rows)
      }),
    executeStream: (sql, params) => Stream.fromIterableEffect(execute(() => all(prepare(sql), params)))
  }
}

const parameter = (value: unknown): SQLInputValue =>
  // The template compiler lets through only what SQLite can hold, and booleans, which it can't.
  typeof value === "boolean" ? Number(value) : value as SQLInputValue
