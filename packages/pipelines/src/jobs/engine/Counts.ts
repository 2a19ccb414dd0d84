/**
 * How many jobs of each queue are in each state, without counting them.
 *
 * Endings and the sum of open jobs are kept by triggers (`Statistics`). Which open jobs run is read from a small
 * index. Which are due and which wait depends on the time of day, so those are counted here, up to a limit.
 */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { State } from "../JobInfo.ts"
import type { Count } from "../Jobs.ts"
import type { Dialect } from "./Dialect.ts"

/** Jobs counted one by one, for each queue: a few milliseconds' worth. */
const counted = 2_000

interface Row {
  readonly queue: string
  readonly state: State | "open"
  readonly count: number | string
}

/**
 * Counts by queue and state, those that are 0 left out. A count is marked `atLeast` when there are more than are
 * counted one by one.
 *
 * @category constructors
 */
export const make = (sql: SqlClient.SqlClient, dialect: Dialect): Effect.Effect<ReadonlyArray<Count>, SqlError> => {
  const kept = sql<Row>`
    SELECT queue, state, SUM(count) AS count FROM effect_dspy_counts GROUP BY queue, state ORDER BY queue, state`
  const running = sql<Pick<Row, "queue" | "count">>`
    SELECT queue_name AS queue, COUNT(*) AS count FROM effect_queue WHERE acquired_by IS NOT NULL GROUP BY queue_name`
  const waiting = (queue: string, due: boolean) =>
    sql`FROM effect_queue q JOIN effect_dspy_jobs j ON j.id = q.id
      WHERE q.queue_name = ${queue} AND q.state = 'pending' AND q.acquired_by IS NULL
        AND q.visible_at ${sql.literal(due ? "<=" : ">")} ${dialect.now} LIMIT ${counted + 1}`
  const due = (queue: string) =>
    Effect.map(
      sql<{ readonly count: number | string }>`
        SELECT COUNT(*) AS count FROM (SELECT q.id ${waiting(queue, true)}) AS due`,
      ([row]) => Number(row?.count ?? 0)
    )
  const later = (queue: string) =>
    Effect.map(
      sql<Pick<Row, "state" | "count">>`
        SELECT state, COUNT(*) AS count FROM (
          SELECT CASE WHEN j.hold = 'unknown' THEN 'queued'
            WHEN j.hold IS NULL AND j.failure IS NOT NULL THEN 'retrying' ELSE 'scheduled' END AS state
          ${waiting(queue, false)}
        ) AS later GROUP BY state`,
      (rows) => new Map(rows.map(({ count, state }) => [state, Number(count)]))
    )
  const open = Effect.fnUntraced(function*(queue: string, total: number, running: number) {
    const waiting = total - running
    const counts: Array<Count> = running > 0 ? [{ queue, state: "running", count: running }] : []
    if (waiting <= 0) return counts
    const ready = yield* due(queue)
    const byState = yield* later(queue)
    const retrying = byState.get("retrying") ?? 0
    const unknown = byState.get("queued") ?? 0
    const scheduled = byState.get("scheduled") ?? 0
    const many = retrying + unknown + scheduled > counted
    // Whichever side is small enough to count gives the other one by difference.
    const add = (state: State, count: number, atLeast: boolean) => {
      if (count > 0) counts.push({ queue, state, count, ...(atLeast ? { atLeast: true as const } : undefined) })
    }
    const queued = ready > counted && !many ? Math.max(0, waiting - retrying - scheduled) : ready + unknown
    add("queued", queued, ready > counted && many)
    add("retrying", retrying, many)
    add("scheduled", many && ready <= counted ? waiting - ready - unknown - retrying : scheduled, many)
    return counts
  })
  return Effect.gen(function*() {
    const totals = yield* kept
    const busy = new Map((yield* running).map(({ count, queue }) => [queue, Number(count)]))
    const counts: Array<Count> = []
    for (const { count, queue, state } of totals) {
      const total = Number(count)
      if (total <= 0) continue
      if (state === "open") counts.push(...yield* open(queue, total, busy.get(queue) ?? 0))
      else counts.push({ queue, state, count: total })
    }
    return counts
  })
}
