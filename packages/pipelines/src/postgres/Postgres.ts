/**
 * Jobs in PostgreSQL: many worker processes on many machines.
 *
 * Processes tell each other of changes with `NOTIFY`; one connection of each listens. A lost connection is made anew,
 * and until then everybody looks again once a second.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Claims } from "../jobs/Claims.ts"
import * as Engine from "../jobs/engine/Engine.ts"
import type { Jobs } from "../jobs/Jobs.ts"
import * as StoreError from "../jobs/StoreError.ts"
import type { Line, Topic } from "../jobs/Wake.ts"

/**
 * - `url`: `postgres://user:password@host:port/database`
 * - `maxConnections`: default 10; one of them listens
 *
 * @category models
 */
export interface Options extends Engine.Options {
  readonly url: Redacted.Redacted | string
  readonly maxConnections?: number
}

/**
 * Jobs in the database at `url`, tables created when they aren't there.
 *
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<Jobs | Claims | SqlClient.SqlClient | PgClient.PgClient, StoreError.StoreError> => {
  const client = PgClient.layer({
    url: typeof options.url === "string" ? Redacted.make(options.url) : options.url,
    maxConnections: options.maxConnections ?? 10,
    applicationName: "effect-dspy jobs",
    // The queue compares local times; two sessions in two zones would be hours apart.
    startupParameters: { TimeZone: "UTC" }
  })
  return layerFrom(options).pipe(
    Layer.provideMerge(Layer.catchCause(client, (cause) => Layer.effectContext(StoreError.opening(cause))))
  )
}

/**
 * Jobs in the database of the `PgClient` there is. Sessions of all clients must have one `TimeZone`.
 *
 * @category layers
 */
export const layerFrom = (
  options?: Engine.Options
): Layer.Layer<Jobs | Claims, StoreError.StoreError, PgClient.PgClient | SqlClient.SqlClient> =>
  Layer.unwrap(
    Effect.map(PgClient.PgClient, (sql) =>
      Engine.layer(options, Effect.succeed({ line: line(sql), boot: oneAtATime(sql) })))
  )

const channel = "effect_dspy_jobs"

const line = (sql: PgClient.PgClient): Line => ({
  // A lost word costs a second.
  send: (topic) => Effect.ignore(sql.notify(channel, topic)),
  listen: (hear) =>
    Effect.scoped(Effect.gen(function*() {
      const notifications = yield* sql.listen(channel)
      // Whatever was said before is looked up.
      hear("*")
      while (true) {
        const { payload } = yield* Queue.take(notifications)
        // Only this module writes to the channel; a stranger's word wakes nobody.
        hear(payload as Topic)
      }
    })).pipe(
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause as Cause.Cause<never>)
          : Effect.logDebug("Listening for changes of jobs stopped; trying again", cause)
      ),
      Effect.andThen(Effect.sleep("500 millis")),
      Effect.forever
    )
})

/** Any number: the key of the lock that lets one process at a time create tables. */
const bootLock = 7_305_816

// `CREATE TABLE IF NOT EXISTS` fails when two sessions run it at once on an empty database. The lock has a scope of
// its own: what is built under it lives on in the caller's.
const oneAtATime = (sql: PgClient.PgClient): Engine.Engine["boot"] => (self) =>
  Effect.acquireUseRelease(
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const connection = yield* Scope.provide(sql.reserve, scope)
      yield* connection.executeRaw(`SELECT pg_advisory_lock(${bootLock})`, [])
      return { connection, scope }
    }).pipe(Effect.orDie),
    () => self,
    ({ connection, scope }) =>
      Effect.andThen(
        Effect.ignore(connection.executeRaw(`SELECT pg_advisory_unlock(${bootLock})`, [])),
        Scope.close(scope, Exit.void)
      )
  )
