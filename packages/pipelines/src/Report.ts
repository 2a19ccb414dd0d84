/**
 * Where the time and the money of a run went: its steps against its critical path, and what each of them waited for.
 *
 * Every millisecond of a step has one cause. Where several things go on at once, the first of `causes` counts: while
 * one request is answered, it does not matter that another one waits. So the parts of the critical path add up to the
 * run.
 */
import type { Event, Outcome } from "@effect-dspy/core/Event"
import * as Usage from "@effect-dspy/core/Usage"
import type { Run } from "./Recorder.ts"

/**
 * What a step's time goes to: `model` requests that were answered, for vectors too, `tool`, `failed` requests that
 * failed, `retry` the wait before another one, `rateLimit`, `permit` of a bound on requests, `turn` of a pipeline that
 * bounds its steps, `code` all the rest.
 *
 * @category models
 */
export type Cause = typeof causes[number]

/**
 * The causes, the weightiest first.
 *
 * @category constants
 */
export const causes = ["model", "tool", "failed", "retry", "rateLimit", "permit", "turn", "code"] as const

/** Causes that a run would do without. */
const losses: ReadonlySet<Cause> = new Set<Cause>(["failed", "retry", "rateLimit", "permit", "turn"])

/**
 * Milliseconds by cause; what took none is absent.
 *
 * @category models
 */
export type Parts = { readonly [K in Cause]?: number }

/**
 * A piece of time in a step; `detail` names the failure, or the tool. Milliseconds from the start of the run.
 *
 * @category models
 */
export interface Piece {
  readonly cause: Cause
  readonly fromMs: number
  readonly toMs: number
  readonly detail?: string
}

/**
 * A step of a run. Times are milliseconds from its start.
 *
 * - `after`: the steps it needs fields of; `waitedFor`: the one of them that ended last
 * - `readyMs`: when its fields were there; `startMs`: when its turn had come; both are absent where it never began
 * - `critical`: on the path that made the run as long as it was; `slackMs`: how much longer it might have taken
 * - `parts`: its time from `readyMs` on, by cause; `pieces`: one after the other, overlapping where it does
 *
 * @category models
 */
export interface Step {
  readonly name: string
  readonly after: ReadonlyArray<string>
  readonly waitedFor?: string
  readonly outcome: Outcome | "skipped"
  readonly error?: string
  readonly readyMs?: number
  readonly startMs?: number
  readonly endMs?: number
  readonly critical: boolean
  readonly slackMs: number
  readonly parts: Parts
  readonly pieces: ReadonlyArray<Piece>
  readonly requests: number
  readonly usage: Usage.Usage
}

/**
 * Time that a step lost to one cause, with the failures it was for.
 *
 * @category models
 */
export interface Loss {
  readonly step: string
  readonly cause: Cause
  readonly ms: number
  readonly critical: boolean
  readonly details: ReadonlyArray<string>
}

/**
 * A run, looked back at. It is JSON as it stands. `lost` has the greatest loss first; `queuedMs` came before the run.
 *
 * @category models
 */
export interface Report {
  readonly pipeline: string
  readonly outcome: Outcome
  readonly error?: string
  readonly startedAt: number
  readonly ms: number
  readonly queuedMs?: number
  readonly steps: ReadonlyArray<Step>
  readonly criticalPath: { readonly steps: ReadonlyArray<string>; readonly parts: Parts }
  readonly lost: ReadonlyArray<Loss>
  readonly usage: Usage.Usage
}

/**
 * Looks back at a run.
 *
 * @category constructors
 */
export const make = ({ events, pipeline, queuedMs }: Run): Report => {
  const first = events[0]
  const last = events.at(-1)
  const startedAt = first?.at ?? 0
  const ms = (last?.at ?? startedAt) - startedAt
  const graph = first?._tag === "RunStarted" ? first.steps : []
  const end = last?._tag === "RunEnded" ? last : undefined
  const seen = graph.map(({ after, name }) => read(name, after, pipeline, startedAt, events))
  const byName = new Map(seen.map((step) => [step.name, step]))
  const lastOf = (steps: Iterable<Seen>): Seen | undefined => {
    let latest: Seen | undefined
    for (const step of steps) {
      if (step.endMs !== undefined && (latest?.endMs ?? -1) < step.endMs) latest = step
    }
    return latest
  }
  const blockerOf = ({ after }: Seen) =>
    lastOf(after.map((name) => byName.get(name)).filter((step) => step !== undefined))
  const path: Array<string> = []
  for (let step = lastOf(seen); step !== undefined; step = blockerOf(step)) path.unshift(step.name)
  const latest = latestEnds(seen, ms)
  const steps = seen.map((step): Step => {
    const { endMs, startMs } = step
    const blocker = blockerOf(step)
    // A streamed field may come before its step ends.
    const readyMs = startMs === undefined ? undefined : Math.min(blocker?.endMs ?? 0, startMs)
    return {
      name: step.name,
      after: step.after,
      ...(blocker === undefined ? undefined : { waitedFor: blocker.name }),
      outcome: step.outcome,
      ...(step.error === undefined ? undefined : { error: step.error }),
      ...(readyMs === undefined || startMs === undefined ? undefined : { readyMs, startMs }),
      ...(endMs === undefined ? undefined : { endMs }),
      critical: path.includes(step.name),
      slackMs: endMs === undefined ? 0 : (latest.get(step.name) ?? endMs) - endMs,
      parts: readyMs === undefined || startMs === undefined || endMs === undefined
        ? {}
        : parts(step.pieces, readyMs, endMs),
      pieces: step.pieces,
      requests: step.requests,
      usage: step.usage
    }
  })
  return {
    pipeline,
    outcome: end?.outcome ?? "interrupted",
    ...(end?.error === undefined ? undefined : { error: end.error }),
    startedAt,
    ms,
    ...(queuedMs === undefined ? undefined : { queuedMs }),
    steps,
    criticalPath: { steps: path, parts: sum(steps.filter(({ critical }) => critical).map(({ parts }) => parts)) },
    lost: steps.flatMap(lossesOf).toSorted((a, b) => b.ms - a.ms),
    usage: steps.map(({ usage }) => usage).reduce(Usage.add, Usage.zero)
  }
}

/** A step as its events tell of it. */
interface Seen extends Pick<Step, "name" | "after" | "outcome" | "error" | "pieces" | "requests" | "usage"> {
  readonly startMs: number | undefined
  readonly endMs: number | undefined
}

const read = (
  name: string,
  after: ReadonlyArray<string>,
  pipeline: string,
  startedAt: number,
  events: ReadonlyArray<Event>
): Seen => {
  const pieces: Array<Piece> = []
  const piece = (cause: Cause, toMs: number, ms: number, detail?: string) => {
    if (ms > 0) pieces.push({ cause, fromMs: toMs - ms, toMs, ...(detail === undefined ? undefined : { detail }) })
  }
  let seen: Omit<Seen, "pieces" | "requests" | "name" | "after"> = {
    outcome: "skipped",
    startMs: undefined,
    endMs: undefined,
    usage: Usage.zero
  }
  let requests = 0
  // What a retry of a call waits for is said when the wait begins.
  const reasons = new Map<string | undefined, string | undefined>()
  for (const event of events) {
    if (event.step !== `${pipeline}/${name}`) continue
    const at = event.at - startedAt
    switch (event._tag) {
      case "StepStarted":
        seen = { ...seen, outcome: "interrupted", startMs: at }
        break
      case "StepEnded": {
        const { error, outcome, usage } = event
        seen = { ...seen, outcome, usage, endMs: at, ...(error === undefined ? undefined : { error }) }
        break
      }
      case "AttemptStarted":
        requests++
        break
      case "AttemptEnded":
        if (event.outcome === "succeeded") piece("model", at, event.ms, event.model)
        else piece("failed", at, event.ms, event.error ?? event.outcome)
        break
      case "Waiting":
        reasons.set(event.call, event.error)
        break
      case "Waited":
        // A model embeds the step's texts, in a request that is counted in another step.
        if (event.for === "batch") piece(event.outcome === "succeeded" ? "model" : "failed", at, event.ms, event.error)
        else piece(event.for, at, event.ms, event.for === "retry" ? reasons.get(event.call) : undefined)
        break
      case "ToolEnded":
        piece("tool", at, event.ms, event.tool)
    }
  }
  return { name, after, pieces, requests, ...seen }
}

// How late each step could have ended without the run taking longer, from the end to the beginning.
const latestEnds = (steps: ReadonlyArray<Seen>, ms: number): ReadonlyMap<string, number> => {
  const latest = new Map<string, number>()
  for (const step of steps.toReversed()) {
    const followers = steps.filter(({ after, startMs }) => startMs !== undefined && after.includes(step.name))
    latest.set(
      step.name,
      Math.min(
        ms,
        ...followers.map(({ endMs = ms, name, startMs = 0 }) => (latest.get(name) ?? ms) - (endMs - startMs))
      )
    )
  }
  return latest
}

const parts = (pieces: ReadonlyArray<Piece>, readyMs: number, endMs: number): Parts => {
  const edges = [...new Set([readyMs, endMs, ...pieces.flatMap(({ fromMs, toMs }) => [fromMs, toMs])])]
    .filter((edge) => edge >= readyMs && edge <= endMs)
    .toSorted((a, b) => a - b)
  const total: { [K in Cause]?: number } = {}
  edges.forEach((from, index) => {
    const to = edges[index + 1]
    if (to === undefined) return
    const going = pieces.filter(({ fromMs, toMs }) => fromMs <= from && toMs >= to)
    const cause = causes.find((cause) => going.some((piece) => piece.cause === cause)) ?? "code"
    total[cause] = (total[cause] ?? 0) + to - from
  })
  return total
}

const sum = (all: ReadonlyArray<Parts>): Parts =>
  Object.fromEntries(causes.flatMap((cause) => {
    const ms = all.reduce((total, parts) => total + (parts[cause] ?? 0), 0)
    return ms === 0 ? [] : [[cause, ms]]
  }))

const lossesOf = ({ critical, name, parts, pieces }: Step): ReadonlyArray<Loss> =>
  causes.flatMap((cause) => {
    const ms = parts[cause]
    if (ms === undefined || !losses.has(cause)) return []
    const details = pieces.flatMap((piece) => piece.cause === cause && piece.detail !== undefined ? [piece.detail] : [])
    return [{ step: name, cause, ms, critical, details: [...new Set(details)] }]
  })
