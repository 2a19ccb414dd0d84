/**
 * Runs of pipelines as they were: the events of each, put together when it ends.
 */
import type { Event } from "@effect-dspy/core/Event"
import * as Events from "@effect-dspy/core/Events"
import * as Effect from "effect/Effect"

/**
 * One run of one pipeline. `events` are its own and those of the pipelines in its steps, in order; `queuedMs` is how
 * long the job it belongs to had been due, where that was told.
 *
 * @category models
 */
export interface Run {
  readonly run: string
  readonly pipeline: string
  readonly events: ReadonlyArray<Event>
  readonly queuedMs?: number
}

interface Open {
  readonly pipeline: string
  readonly parent: string | undefined
  readonly step: string | undefined
  readonly events: Array<Event>
  readonly queuedMs: number | undefined
}

/**
 * Puts events together into runs. Give it to `Events.observe`; it forgets a run when it has told of it.
 *
 * @category constructors
 */
export const make = (onRun: (run: Run) => void): (event: Event) => void => {
  const open = new Map<string, Open>()
  const queued = new Map<string, number>()
  const keep = (run: string, event: Event): void => {
    const found = open.get(run)
    if (found === undefined) return
    found.events.push(event)
    // What happens in a pipeline that is a step happens in that step, too; its own steps are its own affair.
    if (event._tag === "StepStarted" || event._tag === "StepEnded") return
    if (found.parent !== undefined && found.step !== undefined) {
      keep(found.parent, { ...event, run: found.parent, step: found.step })
    }
  }
  return (event) => {
    if (event._tag === "JobStarted" && event.job !== undefined) queued.set(event.job, event.waitedMs)
    if (event._tag === "JobEnded" && event.job !== undefined) queued.delete(event.job)
    const { run } = event
    if (run === undefined) return
    if (event._tag === "RunStarted") {
      open.set(run, {
        pipeline: event.pipeline,
        parent: event.parent,
        step: event.step,
        events: [event],
        queuedMs: event.job === undefined ? undefined : queued.get(event.job)
      })
      return
    }
    if (event._tag !== "RunEnded") return keep(run, event)
    const ended = open.get(run)
    open.delete(run)
    if (ended === undefined) return
    const { events, pipeline, queuedMs } = ended
    events.push(event)
    onRun({ run, pipeline, events, ...(queuedMs === undefined ? undefined : { queuedMs }) })
  }
}

/**
 * Runs a program and gives its result beside the runs of its pipelines, in the order they ended.
 *
 * @category combinators
 */
export const collect = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<readonly [A, ReadonlyArray<Run>], E, R> =>
  Effect.suspend(() => {
    const runs: Array<Run> = []
    return Effect.map(observe((run) => runs.push(run))(self), (value) => [value, runs] as const)
  })

/**
 * Calls `onRun` at the end of every run below `self`, also when `self` fails.
 *
 * @category combinators
 */
export const observe = (onRun: (run: Run) => void) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => Events.observe(make(onRun))(self))
