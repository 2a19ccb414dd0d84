/**
 * The jobs on a bench, and how they move from one state to another.
 *
 * It is what the tables and statements of an engine are, in memory and for one job at a time. Time is its own and only
 * moves when a job is taken that is due later.
 */
import type { Claim, Settlement } from "../Claims.ts"
import { isFinal, type JobId, type JobInfo, type State as JobState } from "../JobInfo.ts"
import type { Ending, Entry, GroupEntry } from "../Jobs.ts"

/**
 * A job on the bench. `runs` counts those that do not count as attempts, too.
 *
 * @category models
 */
export interface Row {
  readonly entry: Entry
  readonly enqueuedAt: number
  state: JobState
  attempts: number
  runs: number
  dueAt: number
  unknown: boolean
  cancel: boolean
  ending: Omit<Ending, "state">
  progress?: string
  finishedAt?: number
}

/**
 * A group with its counts; `filling` while its jobs are being enqueued.
 *
 * @category models
 */
export interface Group {
  readonly entry: GroupEntry
  total: number
  pending: number
  failed: number
  filling: boolean
}

/**
 * `signals` and `memo` are by the job's id and the name or key.
 *
 * @category models
 */
export class State {
  now: number
  readonly rows = new Map<JobId, Row>()
  readonly groups = new Map<string, Group>()
  readonly signals = new Map<string, string>()
  readonly memo = new Map<string, string>()
  readonly paused = new Set<string>()

  constructor(now: number) {
    this.now = now
  }

  /** Puts a job on the bench. One that is there already stays as it is, unless it is dead. */
  add(entry: Entry): void {
    const known = this.rows.get(entry.id)
    if (known?.state === "dead") this.reopen(known)
    if (known !== undefined) return
    const delayed = entry.delayMillis > 0
    this.rows.set(entry.id, {
      entry,
      enqueuedAt: this.now,
      state: delayed ? "scheduled" : "queued",
      attempts: 0,
      runs: 0,
      dueAt: delayed ? this.now + entry.delayMillis : this.now - entry.priority * 60_000,
      unknown: false,
      cancel: false,
      ending: {}
    })
    const group = this.groupOf(entry)
    if (group === undefined) return
    group.total++
    group.pending++
  }

  /** Makes an ended job due again, with fresh attempts. */
  reopen(row: Row): void {
    row.state = "queued"
    row.attempts = 0
    row.dueAt = this.now
    row.cancel = false
    row.ending = {}
    const group = this.groupOf(row.entry)
    if (group === undefined) return
    group.pending++
    group.failed--
  }

  /** The job that is due first, if any may run; time moves on to it. */
  take(): Row | undefined {
    let first: Row | undefined
    for (const row of this.rows.values()) {
      const { dueAt, entry, state, unknown } = row
      if (isFinal(state) || state === "running" || unknown || dueAt === Infinity) continue
      if (this.paused.has(entry.queue)) continue
      if (first === undefined || dueAt < first.dueAt) first = row
    }
    if (first === undefined) return undefined
    this.now = Math.max(this.now, first.dueAt)
    first.state = "running"
    first.attempts++
    first.runs++
    return first
  }

  /** Writes down what came of a run. */
  settle(row: Row, settlement: Settlement): void {
    switch (settlement._tag) {
      case "Succeeded":
        return this.end(row, "succeeded", settlement.result === undefined ? {} : { result: settlement.result })
      case "Cancelled":
        return this.end(row, "cancelled", {})
      case "Dead": {
        const { error, failure } = settlement
        return this.end(row, "dead", { failure, ...(error === undefined ? undefined : { error }) })
      }
      case "Retry":
        return this.putBack(row, settlement.delayMillis, settlement.failure)
      case "Back":
        row.attempts--
        row.unknown = settlement.unknown === true
        return this.putBack(row, row.unknown ? 0 : settlement.delayMillis, settlement.failure)
      case "Parked": {
        row.attempts--
        this.putBack(row, settlement.delayMillis)
        const answered = settlement.children.some((child) => isFinal(this.rows.get(child)?.state ?? "queued"))
          || settlement.signals.some((name) => this.signals.has(`${row.entry.id}/${name}`))
        if (answered) row.dueAt = this.now
      }
    }
  }

  /** Ends a job, wakes the parent that waits for it and counts its group down. */
  end(row: Row, state: "succeeded" | "dead" | "cancelled", ending: Row["ending"]): void {
    row.state = state
    row.ending = ending
    row.finishedAt = this.now
    const parent = row.entry.parent === undefined ? undefined : this.rows.get(row.entry.parent)
    if (parent !== undefined && !isFinal(parent.state)) parent.dueAt = this.now
    const group = this.groupOf(row.entry)
    if (group === undefined) return
    group.pending--
    if (state !== "succeeded") group.failed++
    this.close(group)
  }

  /** Enqueues the callbacks of a group in which nothing is pending any more. */
  close(group: Group): void {
    if (group.filling || group.pending > 0) return
    if (group.entry.onComplete !== undefined) this.add(group.entry.onComplete)
    if (group.failed === 0 && group.entry.onSuccess !== undefined) this.add(group.entry.onSuccess)
  }

  private putBack(row: Row, delayMillis: number | undefined, failure?: Ending["failure"]): void {
    row.dueAt = delayMillis === undefined ? Infinity : this.now + delayMillis
    row.state = delayMillis === 0 ? "queued" : failure === undefined ? "scheduled" : "retrying"
    if (failure !== undefined) row.ending = { failure }
  }

  private groupOf({ group }: Entry): Group | undefined {
    return group === undefined ? undefined : this.groups.get(group)
  }
}

/**
 * A job as the worker that has taken it sees it.
 *
 * @category getters
 */
export const claimOf = ({ attempts, cancel, dueAt, enqueuedAt, entry }: Row, now: number): Claim => ({
  id: entry.id,
  name: entry.name,
  queue: entry.queue,
  payload: entry.payload,
  attempt: attempts,
  token: "",
  cancelled: cancel,
  paused: false,
  remembered: true,
  claimedAt: now,
  waitedMs: now - Math.max(dueAt, enqueuedAt),
  trace: entry.trace
})

/**
 * A job as it is seen from outside.
 *
 * @category getters
 */
export const infoOf = (row: Row): JobInfo => ({
  id: row.entry.id,
  name: row.entry.name,
  queue: row.entry.queue,
  state: row.state,
  attempts: row.attempts,
  priority: row.entry.priority,
  unknown: row.unknown,
  ...(row.entry.group === undefined ? undefined : { group: row.entry.group }),
  ...(row.entry.parent === undefined ? undefined : { parent: row.entry.parent }),
  ...(row.progress === undefined ? undefined : { progress: JSON.parse(row.progress) }),
  ...(row.ending.failure === undefined ? undefined : { failure: row.ending.failure }),
  enqueuedAt: row.enqueuedAt,
  dueAt: row.dueAt,
  ...(row.finishedAt === undefined ? undefined : { finishedAt: row.finishedAt })
})
