/**
 * What follows from the end of jobs: their groups are counted down, and parents that wait for them are woken.
 *
 * The row of a group is the lock that makes its last job the last one: two workers that end the last two jobs
 * at once take it one after the other, and the second finds nothing pending.
 */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { GroupNotFound } from "../JobError.ts"
import type { JobId } from "../JobInfo.ts"
import type { Entry } from "../Jobs.ts"
import type { Dialect } from "./Dialect.ts"

/**
 * A job that has just ended.
 *
 * @category models
 */
export interface Ended {
  readonly id: JobId
  readonly group?: string | undefined
  readonly parent?: JobId | undefined
  readonly failed: boolean
}

/**
 * Draws the consequences, within the transaction that ends the jobs.
 *
 * @category constructors
 */
export const make = (
  sql: SqlClient.SqlClient,
  dialect: Dialect,
  enqueue: (entries: ReadonlyArray<Entry>) => Effect.Effect<void, SqlError | GroupNotFound>
): (ended: ReadonlyArray<Ended>) => Effect.Effect<void, SqlError> => {
  return Effect.fnUntraced(function*(ended) {
    const groups = new Map<string, { count: number; failed: number }>()
    const parents = new Set<JobId>()
    for (const { failed, group, parent } of ended) {
      if (parent !== undefined) parents.add(parent)
      if (group === undefined) continue
      const counted = groups.get(group) ?? { count: 0, failed: 0 }
      groups.set(group, { count: counted.count + 1, failed: counted.failed + Number(failed) })
    }
    // In one order everywhere, or two batches could each hold the row the other one wants.
    for (const group of [...groups.keys()].toSorted()) {
      const { count, failed } = groups.get(group) ?? { count: 0, failed: 0 }
      yield* sql`
        UPDATE effect_dspy_groups SET pending = pending - ${count}, failed = failed + ${failed} WHERE id = ${group}`
      yield* closeGroup(sql, dialect, enqueue, group)
    }
    for (const parent of [...parents].toSorted()) {
      yield* sql`UPDATE effect_queue SET visible_at = ${dialect.now} WHERE id = ${parent} AND state = 'pending'`
    }
  })
}

/**
 * Ends a group that has nothing pending and enqueues its callbacks.
 *
 * @category constructors
 */
export const closeGroup = Effect.fnUntraced(function*(
  sql: SqlClient.SqlClient,
  dialect: Dialect,
  enqueue: (entries: ReadonlyArray<Entry>) => Effect.Effect<void, SqlError | GroupNotFound>,
  group: string
) {
  const done = yield* sql<{
    readonly failed: number
    readonly on_complete: string | null
    readonly on_success: string | null
  }>`
    UPDATE effect_dspy_groups SET finished_at = ${dialect.nowMillis}
    WHERE id = ${group} AND pending = 0 AND finished_at IS NULL
    RETURNING failed, on_complete, on_success`
  for (const { failed, on_complete, on_success } of done) {
    // Written from entries when the group was opened; a group that ends twice finds its callbacks there already.
    const callbacks = [on_complete, Number(failed) === 0 ? on_success : null].flatMap((entry) =>
      entry === null ? [] : [JSON.parse(entry) as Entry]
    )
    // A callback may have been meant for a group of its own that is gone; nobody is here to be told of it.
    const ungrouped = callbacks.map((entry) => ({ ...entry, group: undefined }))
    yield* Effect.catchTag(
      enqueue(callbacks),
      "GroupNotFound",
      () => Effect.catchTag(enqueue(ungrouped), "GroupNotFound", Effect.die)
    )
  }
})
