/**
 * Jobs in a SQLite file: durable work without a server, for one machine.
 *
 * Any number of processes share the file. Each is told of the others' changes by the file's version, which it
 * reads a dozen times a second while it has something to wait for.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Claims } from "../jobs/Claims.ts"
import * as Engine from "../jobs/engine/Engine.ts"
import type { Jobs } from "../jobs/Jobs.ts"
import * as StoreError from "../jobs/StoreError.ts"
import type { Line } from "../jobs/Wake.ts"
import * as SqliteClient from "./SqliteClient.ts"

/**
 * Options of the file and of the engine.
 *
 * @category models
 */
export interface Options extends SqliteClient.Options, Engine.Options {}

/**
 * Jobs in a file, which is created when it isn't there. The `SqlClient` is the file's: what is written in its
 * transactions and what is enqueued there happens together or not at all.
 *
 * ```ts no-run
 * import { Job } from "@effect-dspy/pipelines/jobs"
 * import { Sqlite } from "@effect-dspy/pipelines/sqlite"
 * import { Effect, Schema } from "effect"
 * import { SqlClient } from "effect/sql"
 *
 * const Welcome = Job.make("welcome", { payload: { user: Schema.String } })
 * const signUp = Effect.gen(function*() {
 *   const sql = yield* SqlClient.SqlClient
 *   yield* sql`INSERT INTO users (name) VALUES ('Ada')`
 *   yield* Job.enqueue(Welcome, { user: "Ada" })
 * })
 * const program = Effect.flatMap(SqlClient.SqlClient, (sql) => sql.withTransaction(signUp)).pipe(
 *   Effect.provide(Sqlite.layer({ filename: "app.db" }))
 * )
 * ```
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Jobs | Claims | SqlClient.SqlClient, StoreError.StoreError> =>
  Layer.unwrap(
    Effect.map(SqliteClient.Version, (version) =>
      Engine.layer(
        options,
        Effect.succeed({ line: watch(version), boot: (self) => self })
      ))
  ).pipe(
    Layer.provideMerge(open(SqliteClient.layer(options)))
  )

/**
 * Jobs in memory, for tests: the same engine on the same SQL, gone with the layer. Its clock is `Clock`, so a
 * virtual one moves delays and retries.
 *
 * @category layers
 */
export const memory = (
  options?: Engine.Options
): Layer.Layer<Jobs | Claims | SqlClient.SqlClient, StoreError.StoreError> =>
  Engine.layer(options, Engine.alone).pipe(Layer.provideMerge(open(SqliteClient.layer({ filename: ":memory:" }))))

const open = <A>(client: Layer.Layer<A, SqlError>): Layer.Layer<A, StoreError.StoreError> =>
  Layer.catchCause(client, (cause) => Layer.effectContext(StoreError.opening(cause)))

/** How often a file's version is read. A wake-up of an idle process costs half a millisecond, mostly Node's own. */
const watchInterval = Duration.millis(80)

/** Other processes see a commit by themselves, so nothing is sent. */
const watch = (version: () => number): Line => ({
  send: () => Effect.void,
  listen: (hear) =>
    Effect.suspend(() => {
      let seen = version()
      const look = Effect.sync(() => {
        const current = version()
        if (current !== seen) hear("*")
        seen = current
      })
      return Effect.forever(Effect.andThen(Effect.sleep(watchInterval), look))
    }).pipe(
      // A file that can't be read now is looked at again by everybody who waits, now and then.
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause)
          : Effect.logDebug("The file's version can't be read", cause)
      ),
      Effect.andThen(Effect.sleep("1 second")),
      Effect.forever
    )
})
