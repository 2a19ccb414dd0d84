/**
 * What is counted while jobs come and go, so that nobody has to count a million rows to show a number.
 *
 * Triggers do it: whatever moves a job, a bulk insert or a prune, is counted in the same transaction.
 *
 * - `effect_dspy_counts`: how many jobs of a queue are open, and how many ended in which way
 * - `effect_dspy_activity`: what ended in each ten seconds of the last day, and how long it waited and ran
 *
 * On PostgreSQL every session counts in rows of its own (`slot`), because sessions that count in one row would
 * wait for each other's commits. `merge` adds up the rows of sessions that are gone.
 */
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Dialect } from "./Dialect.ts"

/**
 * How long one row of activity is.
 *
 * @category constants
 */
export const bucketMillis = 10_000

const activityKept = 24 * 3_600_000

/**
 * Creates tables, indexes and triggers, and counts what is there.
 *
 * @category constructors
 */
export const create = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`ALTER TABLE effect_dspy_jobs ADD COLUMN started_at BIGINT`
  yield* sql`ALTER TABLE effect_dspy_jobs ADD COLUMN history TEXT`
  // Keys of pages: each ends with the id, so that jobs of one moment have an order too.
  yield* sql`DROP INDEX effect_dspy_jobs_finished`
  yield* sql`CREATE INDEX effect_dspy_jobs_ended ON effect_dspy_jobs (state, finished_at, id) WHERE state <> 'open'`
  yield* sql`CREATE INDEX effect_dspy_jobs_queue_ended ON effect_dspy_jobs (queue, state, finished_at, id)
    WHERE state <> 'open'`
  yield* sql`CREATE INDEX effect_dspy_jobs_open ON effect_dspy_jobs (enqueued_at, id) WHERE state = 'open'`
  yield* sql`CREATE INDEX effect_dspy_queue_running ON effect_queue (queue_name) WHERE acquired_by IS NOT NULL`
  yield* sql`CREATE TABLE effect_dspy_counts (
    queue VARCHAR(255) NOT NULL,
    state VARCHAR(10) NOT NULL,
    slot BIGINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (queue, state, slot)
  )`
  yield* sql`CREATE TABLE effect_dspy_activity (
    bucket BIGINT NOT NULL,
    queue VARCHAR(255) NOT NULL,
    slot BIGINT NOT NULL,
    succeeded BIGINT NOT NULL,
    dead BIGINT NOT NULL,
    total_ms BIGINT NOT NULL,
    ran BIGINT NOT NULL,
    ran_ms BIGINT NOT NULL,
    PRIMARY KEY (bucket, queue, slot)
  )`
  yield* sql`INSERT INTO effect_dspy_counts (queue, state, slot, count)
    SELECT queue, state, 0, COUNT(*) FROM effect_dspy_jobs GROUP BY queue, state`
  yield* sql.onDialectOrElse({ pg: () => pg(sql), orElse: () => sqlite(sql) })
})

/** How a job that ended is added to the activity; `n` is the job. */
const activity = `n.finished_at / ${bucketMillis}, n.queue, %slot, %sum(n.state = 'succeeded'), %sum(n.state = 'dead'),
  %total(n.finished_at - n.enqueued_at), %sum(n.started_at IS NOT NULL), %total(n.finished_at - n.started_at)`

const addActivity = `ON CONFLICT (bucket, queue, slot) DO UPDATE SET
  succeeded = effect_dspy_activity.succeeded + excluded.succeeded, dead = effect_dspy_activity.dead + excluded.dead,
  total_ms = effect_dspy_activity.total_ms + excluded.total_ms, ran = effect_dspy_activity.ran + excluded.ran,
  ran_ms = effect_dspy_activity.ran_ms + excluded.ran_ms`

const addCount = "ON CONFLICT (queue, state, slot) DO UPDATE SET count = effect_dspy_counts.count + excluded.count"

const filled = (slot: string, sum: (condition: string) => string, total: (millis: string) => string) =>
  activity.replace("%slot", slot)
    .replace(/%sum\((.*?)\)/g, (_, condition: string) => sum(condition))
    .replace(/%total\((.*?)\)/g, (_, millis: string) => total(millis))

const sqlite = Effect.fnUntraced(function*(sql: SqlClient.SqlClient) {
  const count = (row: string, by: 1 | -1) =>
    `INSERT INTO effect_dspy_counts (queue, state, slot, count) VALUES (${row}.queue, ${row}.state, 0, ${by}) ${addCount};`
  const done = filled("0", (condition) => condition, (millis) => `COALESCE(${millis}, 0)`).replaceAll("n.", "NEW.")
  yield* sql.unsafe(`CREATE TRIGGER effect_dspy_jobs_came AFTER INSERT ON effect_dspy_jobs
    BEGIN ${count("NEW", 1)} END`)
  yield* sql.unsafe(`CREATE TRIGGER effect_dspy_jobs_went AFTER DELETE ON effect_dspy_jobs
    BEGIN ${count("OLD", -1)} END`)
  yield* sql.unsafe(`CREATE TRIGGER effect_dspy_jobs_moved AFTER UPDATE OF state ON effect_dspy_jobs
    WHEN OLD.state <> NEW.state BEGIN ${count("OLD", -1)} ${count("NEW", 1)} END`)
  yield* sql.unsafe(`CREATE TRIGGER effect_dspy_jobs_done AFTER UPDATE OF state ON effect_dspy_jobs
    WHEN OLD.state <> NEW.state AND NEW.state <> 'open'
    BEGIN INSERT INTO effect_dspy_activity VALUES (${done}) ${addActivity}; END`)
})

const pg = Effect.fnUntraced(function*(sql: SqlClient.SqlClient) {
  const count = (rows: string) =>
    `INSERT INTO effect_dspy_counts (queue, state, slot, count)
      SELECT queue, state, pg_backend_pid(), SUM(by) FROM (${rows}) AS moved GROUP BY queue, state ${addCount};`
  const done = filled(
    "pg_backend_pid()",
    (condition) => `COUNT(*) FILTER (WHERE ${condition})`,
    (millis) => `COALESCE(SUM(${millis}), 0)`
  )
  // Once for each statement: a batch of two hundred jobs is counted in one go.
  const trigger = Effect.fnUntraced(function*(name: string, event: string, tables: string, body: string) {
    yield* sql.unsafe(`CREATE FUNCTION effect_dspy_jobs_${name}() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN ${body} RETURN NULL; END $$`)
    yield* sql.unsafe(`CREATE TRIGGER effect_dspy_jobs_${name} AFTER ${event} ON effect_dspy_jobs
      REFERENCING ${tables} FOR EACH STATEMENT EXECUTE FUNCTION effect_dspy_jobs_${name}()`)
  })
  yield* trigger("came", "INSERT", "NEW TABLE AS came", count("SELECT queue, state, 1 AS by FROM came"))
  yield* trigger("went", "DELETE", "OLD TABLE AS went", count("SELECT queue, state, -1 AS by FROM went"))
  const moved = "FROM earlier o JOIN later n ON n.id = o.id WHERE n.state <> o.state"
  yield* trigger(
    "moved",
    "UPDATE",
    "OLD TABLE AS earlier NEW TABLE AS later",
    `${count(`SELECT o.queue, o.state, -1 AS by ${moved} UNION ALL SELECT n.queue, n.state, 1 ${moved}`)}
    INSERT INTO effect_dspy_activity SELECT ${done} ${moved} AND n.state <> 'open' GROUP BY 1, 2 ${addActivity};`
  )
})

/**
 * Forgets activity of yesterday and adds up what sessions have counted that are gone.
 *
 * @category constructors
 */
export const merge = (sql: SqlClient.SqlClient, dialect: Dialect): Effect.Effect<void, SqlError> => {
  const forget = sql`
    DELETE FROM effect_dspy_activity WHERE bucket < (${dialect.nowMillis} - ${activityKept}) / ${bucketMillis}`
  return sql.onDialectOrElse({
    pg: () =>
      Effect.andThen(
        forget,
        Effect.asVoid(sql`
          WITH gone AS (
            DELETE FROM effect_dspy_counts WHERE slot <> 0 AND slot NOT IN (SELECT pid FROM pg_stat_activity)
            RETURNING queue, state, count
          )
          INSERT INTO effect_dspy_counts (queue, state, slot, count)
          SELECT queue, state, 0, SUM(count) FROM gone GROUP BY queue, state ORDER BY queue, state
          ON CONFLICT (queue, state, slot) DO UPDATE SET count = effect_dspy_counts.count + excluded.count`)
      ),
    orElse: () => Effect.asVoid(forget)
  })
}
