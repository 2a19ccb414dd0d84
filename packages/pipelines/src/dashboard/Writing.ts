/**
 * What models are writing right now, for jobs that run in the dashboard's own process: where the app has `Events`
 * and shows content, and only while a page is open. It is kept in memory and nowhere else.
 */
import type { Event } from "@effect-dspy/core/Event"
import * as Events from "@effect-dspy/core/Events"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import type { JobId } from "../jobs/JobInfo.ts"

/** The end of what is written is what people read. */
const longest = 2_000

/**
 * - `of`: the texts of a job's open calls
 * - `changed`: opens when one has changed
 *
 * @category models
 */
export interface Writing {
  readonly of: (job: JobId) => ReadonlyArray<string>
  readonly changed: Latch.Latch
}

/**
 * Listens until the scope closes.
 *
 * @category constructors
 */
export const listen: Effect.Effect<Writing, never, Scope.Scope> = Effect.gen(function*() {
  const events = yield* Effect.serviceOption(Events.Events)
  const changed = Latch.makeUnsafe(false)
  const jobs = new Map<JobId, Map<string, string>>()
  const forget = (job: JobId, call: string) => {
    const texts = jobs.get(job)
    texts?.delete(call)
    if (texts?.size === 0) jobs.delete(job)
  }
  const observe = (event: Event) => {
    const { call, job } = event
    if (job === undefined) return
    switch (event._tag) {
      case "JobEnded":
        jobs.delete(job)
        return
      case "CallEnded":
        if (call !== undefined) forget(job, call)
        return
      // Another attempt begins anew.
      case "AttemptStarted":
        if (call !== undefined) forget(job, call)
        return
      case "Written": {
        if (call === undefined || event.text === undefined) return
        const texts = jobs.get(job) ?? new Map<string, string>()
        jobs.set(job, texts.set(call, `${texts.get(call) ?? ""}${event.text}`.slice(-longest)))
        changed.openUnsafe()
      }
    }
  }
  if (events._tag === "Some") yield* events.value.observe(observe)
  return { changed, of: (job) => [...jobs.get(job)?.values() ?? []] }
})
