/**
 * Writes the history of running jobs, from the events of what runs in them.
 *
 * 1. A run begins with what earlier runs have left. One that never ended died with its worker.
 * 2. Events of its pipelines, steps, calls, tools and waits become entries, and close them. A request for vectors is an
 *    entry like a call.
 * 3. Twice a second what has changed is written to the store, all running jobs in one statement; a run that is over
 *    sooner is written once, with its outcome.
 */
import type { Event } from "@effect-dspy/core/Event"
import * as Events from "@effect-dspy/core/Events"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Claim, Service as Claims, Settlement } from "./Claims.ts"
import * as History from "./History.ts"

/** How often the store is told of running jobs. */
const interval = "500 millis"

/**
 * Keeps a journal around one run of a job; gives its settlement with its history.
 *
 * @category models
 */
export interface Journals {
  readonly around: (claim: Claim, run: Effect.Effect<Settlement>) => Effect.Effect<readonly [Settlement, string]>
}

/**
 * The journals of a worker.
 *
 * @category constructors
 */
export const start = (claims: Claims): Effect.Effect<Journals, never, Scope.Scope> =>
  Effect.gen(function*() {
    const open = new Map<string, { readonly claim: Claim; readonly journal: Journal }>()
    const record = (journals: Iterable<{ readonly claim: Claim; readonly journal: Journal }>) =>
      Effect.suspend(() => {
        const changed = [...journals].filter(({ journal }) => journal.changed())
        return changed.length === 0
          ? Effect.void
          : claims.record(changed.map(({ claim, journal }) => ({ claim, history: journal.text() })))
      }).pipe(
        // The next time tells it again, with what has happened since.
        Effect.catch((error) => Effect.logDebug("The history of running jobs can't be written", error))
      )
    yield* Effect.forkScoped(
      Effect.repeat(Effect.suspend(() => record(open.values())), Schedule.spaced(interval))
    )
    return {
      around: (claim, run) =>
        Effect.gen(function*() {
          const journal = make(claim, yield* Clock.currentTimeMillis, yield* History.read(claim.history ?? null))
          const entry = { claim, journal }
          open.set(claim.id, entry)
          return yield* Events.observe(journal.observe)(run).pipe(
            Effect.map((settlement) => [settlement, journal.text()] as const),
            // Handed back: the queue does that without an outcome.
            Effect.onInterrupt(() => record([entry])),
            Effect.ensuring(Effect.sync(() => open.delete(claim.id)))
          )
        })
    }
  })

/** The history of one running job. */
interface Journal {
  readonly observe: (event: Event) => void
  readonly changed: () => boolean
  readonly text: () => string
}

type Open<A> = { -readonly [K in keyof A]: A[K] }

const make = (claim: Claim, began: number, earlier: ReadonlyArray<History.Attempt>): Journal => {
  const runs = earlier.map((run): History.Attempt => run.outcome === undefined ? { ...run, outcome: "crashed" } : run)
  const entries: Array<Open<History.Entry>> = []
  const run: Open<History.Attempt> = { attempt: claim.attempt, startedAt: claim.claimedAt, entries }
  /** What goes on, by what its events have in common. */
  const going = new Map<string, number>()
  let dirty = true

  const begin = (event: Event, key: string, entry: Omit<History.Entry, "at">) => {
    if (entries.length >= History.limits.entries) {
      run.more = (run.more ?? 0) + 1
      return
    }
    going.set(key, entries.length)
    entries.push({ ...entry, at: event.at - began })
  }
  const of = (key: string): Open<History.Entry> | undefined => {
    const index = going.get(key)
    return index === undefined ? undefined : entries[index]
  }
  const end = (key: string, how: Partial<History.Entry>) => {
    const entry = of(key)
    if (entry !== undefined) Object.assign(entry, how)
    going.delete(key)
  }
  /** The innermost thing that goes on around an event. */
  const within = (...keys: ReadonlyArray<string>) => {
    for (const key of keys) {
      const index = going.get(key)
      if (index !== undefined) return { within: index }
    }
    return {}
  }
  const ended = ({ error, ms, outcome }: Pick<History.Entry, "ms" | "outcome" | "error">) => ({
    ...(ms === undefined ? undefined : { ms }),
    ...(outcome === undefined ? undefined : { outcome }),
    ...(error === undefined ? undefined : { error })
  })

  const observe = (event: Event) => {
    dirty = true
    if (event.trace !== undefined) run.trace ??= event.trace
    const call = `call ${event.call}`
    const step = `step ${event.run} ${event.step}`
    const pipeline = `run ${event.run}`
    switch (event._tag) {
      case "RunStarted":
        return begin(event, pipeline, { kind: "run", name: event.pipeline, ...within(call) })
      case "RunEnded":
        return end(pipeline, ended(event))
      case "StepStarted":
        return begin(event, step, { kind: "step", name: event.name, ...within(pipeline) })
      case "StepEnded":
        return end(step, ended(event))
      case "CallStarted":
        return begin(event, call, { kind: "call", name: event.predictor, ...within(step, pipeline) })
      case "AttemptStarted": {
        if (event.operation === "embeddings") {
          const { model, operation: name } = event
          return begin(event, call, { kind: "call", name, model, ...within(step, pipeline) })
        }
        const entry = of(call)
        if (entry !== undefined) Object.assign(entry, { sent: (entry.sent ?? 0) + 1, model: event.model })
        return
      }
      case "FirstToken": {
        const entry = of(call)
        if (entry !== undefined) entry.firstTokenMs = event.ms
        return
      }
      case "Written": {
        const entry = of(call)
        if (entry !== undefined) entry.characters = event.characters
        return
      }
      case "CacheHit": {
        const entry = of(call)
        if (entry !== undefined) entry.kept = true
        return
      }
      case "AttemptEnded":
        return event.operation === "embeddings" ? end(call, { ...ended(event), usage: event.usage }) : undefined
      case "CallEnded":
        return end(call, { ...ended(event), usage: event.usage })
      case "ToolStarted":
        return begin(event, `tool ${event.call} ${event.id}`, { kind: "tool", name: event.tool, ...within(call, step) })
      case "ToolEnded":
        return end(`tool ${event.call} ${event.id}`, ended(event))
      case "Waiting":
        return begin(event, `wait ${event.run} ${event.step} ${event.call} ${event.for}`, {
          kind: "wait",
          name: event.for,
          ...(event.error === undefined ? undefined : { error: event.error }),
          ...within(call, step, pipeline)
        })
      case "Waited":
        return end(`wait ${event.run} ${event.step} ${event.call} ${event.for}`, {
          ms: event.ms,
          outcome: event.outcome
        })
      case "JobEnded":
        Object.assign(run, {
          ms: event.ms,
          outcome: event.outcome,
          ...(event.error === undefined ? undefined : { error: event.error }),
          ...(event.usage.calls === 0 ? undefined : { usage: event.usage })
        })
        return
      default:
        return
    }
  }
  return {
    observe,
    changed: () => dirty,
    text: () => {
      dirty = false
      return History.write([...runs, run])
    }
  }
}
