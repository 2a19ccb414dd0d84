/** As much of a `SqlClient` on Node's SQLite as a store needs. */
import { Effect, Layer, Semaphore, Stream } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import { SqlClient, SqlError, Statement } from "effect/sql"
import { DatabaseSync, type SQLInputValue } from "node:sqlite"

export const layer = (filename: string): Layer.Layer<SqlClient.SqlClient> =>
  Layer.effect(
    SqlClient.SqlClient,
    Effect.gen(function*() {
      const db = yield* Effect.acquireRelease(
        Effect.sync(() => new DatabaseSync(filename)),
        (db) => Effect.sync(() => db.close())
      )
      db.exec("PRAGMA busy_timeout = 5000")
      if (filename !== ":memory:") db.exec("PRAGMA journal_mode = WAL")
      const execute = (sql: string, params: ReadonlyArray<unknown>) =>
        Effect.try({
          try: () => db.prepare(sql).all(...(params as ReadonlyArray<SQLInputValue>)),
          catch: (cause) => new SqlError.SqlError({ reason: SqlError.classifySqliteError(cause) })
        })
      return yield* SqlClient.make({
        ...SqlClient.makeSqliteAcquirers({
          connection: Effect.succeed({
            execute,
            executeUnprepared: execute,
            executeRaw: execute,
            executeValues: () => Effect.die("unused"),
            executeValuesUnprepared: () => Effect.die("unused"),
            executeStream: () => Stream.die("unused")
          }),
          semaphore: Semaphore.makeUnsafe(1),
          isTransaction: () => db.isTransaction
        }),
        driver: "sqlite-node",
        compiler: Statement.makeCompilerSqlite(),
        spanAttributes: []
      })
    })
  ).pipe(Layer.provide(Reactivity.layer))
