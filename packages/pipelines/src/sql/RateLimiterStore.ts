/**
 * effect's `RateLimiterStore` in a SQL database: one rate limit for all processes that use it.
 *
 * `effect/persistence/RateLimiter` keeps its limits in memory or in Redis. Where the jobs live in SQLite or PostgreSQL,
 * this keeps them there as well. Provided under `LM.rateLimit`, or `LM.resilient` with one, it is found and used
 * without being named.
 *
 * The life of a request for tokens:
 * 1. A transaction begins with a write to the row of its key, which makes it or locks it. From there on no other
 *    process gets at this limit.
 * 2. The state in the row and the arithmetic of `RateState` give the new state.
 * 3. It is written, the transaction ends, and the next process goes on from there.
 *
 * Times are those of the `Clock` of the process, so machines that share a limit should agree on the time as well as
 * they are to keep to the limit. A transaction of the caller on the same client would hold the lock, and take back
 * what was counted if it failed: ask models outside of them, or give the store a client of its own.
 */
import * as RateState from "@effect-dspy/core/LM/RateState"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

/**
 * - `table`: default `effect_dspy_rate_limits`; made when it isn't there
 *
 * @category models
 */
export interface Options {
  readonly table?: string
}

/**
 * A store in the database in context, SQLite or PostgreSQL.
 *
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(options: Options = {}) {
  const sql = yield* SqlClient.SqlClient
  const table = sql(options.table ?? "effect_dspy_rate_limits")
  const create = sql`CREATE TABLE IF NOT EXISTS ${table} (id TEXT PRIMARY KEY, state TEXT NOT NULL)`
  // PostgreSQL refuses the later of two processes that make it at the same moment.
  yield* Effect.retry(create, { times: 3 })

  const read = (id: string) =>
    Effect.map(sql<Row>`SELECT state FROM ${table} WHERE id = ${id}`, (rows) => rows[0]?.state)
  const lock = (id: string) =>
    Effect.map(
      sql<Row>`INSERT INTO ${table} (id, state) VALUES (${id}, ${""})
        ON CONFLICT (id) DO UPDATE SET id = EXCLUDED.id RETURNING state`,
      (rows) => rows[0]?.state
    )
  const write = (id: string, state: string | undefined) =>
    state === undefined
      ? sql`DELETE FROM ${table} WHERE id = ${id}`
      : sql`UPDATE ${table} SET state = ${state} WHERE id = ${id}`

  /** Reads, changes and writes one state while nobody else can. */
  const change = <S, A>(
    id: string,
    kind: Kind<S>,
    f: (state: S | undefined, now: number) => { readonly state: S | undefined; readonly answer: A }
  ): Effect.Effect<A, RateLimiter.RateLimiterError> =>
    failing(sql.withTransaction(Effect.gen(function*() {
      const locked = yield* lock(id)
      const before = locked === undefined || locked === "" ? undefined : yield* kind.decode(locked)
      // Read behind the lock: whoever held it may have had it for a while.
      const { answer, state } = f(before, yield* Clock.currentTimeMillis)
      yield* write(id, state === undefined ? undefined : kind.encode(state))
      return answer
    })))

  return RateLimiter.RateLimiterStore.of({
    fixedWindow: ({ key, limit, refillRate, tokens }) =>
      change(`window ${key}`, window, (before, now) => {
        const counted = RateState.countInWindow(
          before,
          { tokens, limit, refillMs: Duration.toMillis(refillRate) },
          now
        )
        return { state: counted.state, answer: [counted.count, counted.ttl] }
      }),
    tokenBucket: ({ allowOverflow, key, limit, refillRate, tokens }) =>
      change(`bucket ${key}`, bucket, (before, now) => {
        const taken = RateState.takeFromBucket(
          before,
          { tokens, limit, allowOverflow, refillMs: Duration.toMillis(refillRate) },
          now
        )
        return { state: taken.state, answer: [taken.remaining, taken.elapsed] }
      }),
    adaptiveConsume: ({ fallbackWindow, key, tokens }) => {
      const id = `learned ${key}`
      const fallbackWindowMs = Duration.toMillis(fallbackWindow)
      // As long as nobody was refused there is no row, and nobody needs a lock to see that.
      return Effect.flatMap(failing(read(id)), (state) =>
        state === undefined
          ? Effect.succeed({ delay: Duration.zero, epoch: 0, phase: "inactive" as const })
          : change(id, learned, (before, now) => {
            const { delay, epoch, phase, state } = RateState.consumeLearned(before, { tokens, fallbackWindowMs }, now)
            return { state, answer: { delay: Duration.millis(delay), epoch, phase } }
          }))
    },
    adaptiveFeedback: ({ epoch, key, retryAfter, status, tokens }) =>
      status !== 429 || retryAfter === undefined
        ? Effect.void
        : change(`learned ${key}`, learned, (before, now) => ({
          state: RateState.learnFrom(before, { epoch, tokens, retryAfterMs: Duration.toMillis(retryAfter) }, now),
          answer: undefined
        }))
  })
})

/**
 * The store as a layer, over the database in context.
 *
 * ```ts no-run
 * import { LM } from "@effect-dspy/core"
 * import { RateLimiterStore } from "@effect-dspy/pipelines/sql"
 * import { SqliteClient } from "@effect-dspy/pipelines/sqlite"
 * import { OpenAi } from "@effect-dspy/providers"
 * import { Layer } from "effect"
 *
 * const Live = OpenAi.layer({ model: "gpt-5-mini" }).pipe(
 *   LM.resilient({ rateLimit: { requests: 500, per: "1 minute", key: "openai" } }),
 *   Layer.provide(RateLimiterStore.layer()),
 *   Layer.provide(SqliteClient.layer({ filename: "limits.db" }))
 * )
 * ```
 *
 * @category layers
 */
export const layer = (
  options?: Options
): Layer.Layer<RateLimiter.RateLimiterStore, SqlError, SqlClient.SqlClient> =>
  Layer.effect(RateLimiter.RateLimiterStore, make(options))

interface Row {
  readonly state: string
}

/** How one kind of state is kept as text. */
interface Kind<S> {
  readonly decode: (text: string) => Effect.Effect<S, Schema.SchemaError>
  readonly encode: (state: S) => string
}

const kind = <S>(schema: Schema.Codec<S>): Kind<S> => {
  const text = Schema.fromJsonString(schema)
  return { decode: Schema.decodeEffect(text), encode: Schema.encodeSync(text) }
}

const bucket: Kind<RateState.Bucket> = kind(Schema.Struct({ tokens: Schema.Finite, refilledAt: Schema.Finite }))

const window: Kind<RateState.Window> = kind(Schema.Struct({ count: Schema.Finite, expiresAt: Schema.Finite }))

const learned: Kind<RateState.Learned> = kind(Schema.Struct({
  phase: Schema.Literals(["cooldown", "learning", "learned"]),
  epoch: Schema.Finite,
  until: Schema.Finite,
  startedAt: Schema.Finite,
  observed: Schema.Finite,
  limit: Schema.Finite,
  windowMs: Schema.Finite,
  expiresAt: Schema.Finite
}))

const failing = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, RateLimiter.RateLimiterError> =>
  Effect.mapError(self, (cause) =>
    new RateLimiter.RateLimiterError({
      reason: new RateLimiter.RateLimitStoreError({ message: "The rate limit in the database can't be reached", cause })
    }))
