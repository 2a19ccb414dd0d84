/** A store of very many jobs, written by SQL. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * Nine tenths succeeded, one in a hundred is dead, the rest waits, half of it for tomorrow; the newest come last. The
 * state of a job follows from its number, so a test knows what it must find.
 */
export const seed = (jobs: number) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const now = Date.now()
    const text = (offset: number) => new Date(now + offset).toISOString().slice(0, 23).replace("T", " ")
    const [today, before, tomorrow] = [text(0), text(-60_000), text(86_400_000)]
    yield* sql.withTransaction(Effect.gen(function*() {
      yield* sql`CREATE TEMP TABLE seeds AS
        WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${jobs})
        SELECT n, printf('seeded/%07d', n) AS id, 'queue-' || (n % 4) AS queue,
          CASE WHEN n % 100 = 7 THEN 'dead' WHEN n % 10 = 9 THEN 'open' ELSE 'succeeded' END AS state,
          CAST(${now} - (${jobs} - n) * 50 AS INTEGER) AS at FROM n`
      yield* sql`INSERT INTO effect_dspy_jobs
        (id, name, queue, priority, state, cancel, failure, enqueued_at, started_at, finished_at)
        SELECT id, 'job-' || (n % 7), queue, 0, state, 0,
          CASE WHEN state = 'dead' THEN '{"kind":"failed","name":"Overloaded","attempt":5}' END,
          at, CASE WHEN state <> 'open' THEN at + 20 END, CASE WHEN state <> 'open' THEN at + 1500 END FROM seeds`
      yield* sql`INSERT INTO effect_queue
        (id, queue_name, element, state, attempts, visible_at, created_at, updated_at)
        SELECT id, queue, '{"payload":"{}"}',
          CASE state WHEN 'dead' THEN 'failed' WHEN 'open' THEN 'pending' ELSE 'completed' END,
          1, CASE WHEN n % 20 = 9 THEN ${tomorrow} ELSE ${before} END, ${today}, ${today} FROM seeds`
      yield* sql`DROP TABLE seeds`
    }))
  })
