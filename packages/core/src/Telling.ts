/**
 * Telling that something happened: what the path of a call does, for `Events` to hand on.
 *
 * Without a listener around the fiber nothing is made, not even an object; with one, an event gets its place and time
 * here. The place goes with the fiber, so it is right whatever runs side by side.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import * as Tracer from "effect/Tracer"
import type { Ended, Event, Happening, Outcome, Place, Wait } from "./Event.ts"

/**
 * Who is told around a fiber.
 *
 * - `tell`: takes an event; must not throw, and is waited for
 * - `id`: a new number for a call or a run
 * - `listens`: whether anybody does
 *
 * @category models
 */
export interface Listener {
  readonly tell: (event: Event) => void
  readonly id: () => string
  readonly listens: () => boolean
}

/**
 * The listener around the running fiber; use `layer` or `observe`.
 *
 * @category services
 */
export const Current = Context.Reference<Listener | undefined>("@effect-dspy/core/Events/Current", {
  defaultValue: () => undefined
})

const nowhere: Place = {}

/**
 * Where the running fiber is.
 *
 * @category services
 */
export const Where = Context.Reference<Place>("@effect-dspy/core/Events/Where", { defaultValue: () => nowhere })

/**
 * Numbers from 1, as text.
 *
 * @category constructors
 */
export const counter = (): () => string => {
  let last = 0
  return () => String(++last)
}

/**
 * The listener around a fiber, if anybody listens.
 *
 * @category telling
 */
export const listener = (fiber: Fiber.Fiber<unknown, unknown>): Listener | undefined => {
  const current = fiber.getRef(Current)
  return current !== undefined && current.listens() ? current : undefined
}

/**
 * Tells that something happened where a fiber is.
 *
 * @category telling
 */
export const tell = (to: Listener, fiber: Fiber.Fiber<unknown, unknown>, happening: Happening): void =>
  to.tell({ ...fiber.getRef(Where), ...happening, at: fiber.getRef(Clock.Clock).currentTimeMillisUnsafe() })

/**
 * Runs a part of a program in a place within the present one; its events carry both. The trace is the fiber's.
 *
 * @category telling
 */
export const within = <A, E, R>(
  fiber: Fiber.Fiber<unknown, unknown>,
  place: Place,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const span = Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
  return Effect.provideService(self, Where, {
    ...fiber.getRef(Where),
    ...(span === undefined ? undefined : { trace: span.traceId }),
    ...place
  })
}

/**
 * Tells of the end of something, whatever it is.
 *
 * @category telling
 */
export const ending = <A, E, R>(
  fiber: Fiber.Fiber<unknown, unknown>,
  self: Effect.Effect<A, E, R>,
  onEnd: (ended: Ended, exit: Exit.Exit<A, E>) => void
): Effect.Effect<A, E, R> => {
  const clock = fiber.getRef(Clock.Clock)
  const start = clock.currentTimeMillisUnsafe()
  return Effect.onExit(
    self,
    (exit) => Effect.sync(() => onEnd({ ...endOf(exit), ms: clock.currentTimeMillisUnsafe() - start }, exit))
  )
}

/**
 * Waits, and tells of it.
 *
 * @category telling
 */
export const waiting = <A, E, R>(
  wait: Wait,
  self: Effect.Effect<A, E, R>,
  about: { readonly ms?: number; readonly error?: string } = {}
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const to = listener(fiber)
    if (to === undefined) return self
    tell(to, fiber, { _tag: "Waiting", for: wait, ...about })
    return ending(fiber, self, (ended) => tell(to, fiber, { _tag: "Waited", for: wait, ...ended }))
  })

/**
 * How an exit reads in an event.
 *
 * @category getters
 */
export const endOf = (exit: Exit.Exit<unknown, unknown>): { readonly outcome: Outcome; readonly error?: string } => {
  if (Exit.isSuccess(exit)) return { outcome: "succeeded" }
  if (Cause.hasInterruptsOnly(exit.cause)) return { outcome: "interrupted" }
  const error = Cause.findErrorOption(exit.cause)
  return { outcome: "failed", error: Option.isSome(error) ? nameOf(error.value) : "Defect" }
}

/**
 * The name of a failure: the tag of its reason where it has one, else its own.
 *
 * @category getters
 */
export const nameOf = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return "Error"
  if ("reason" in error && typeof error.reason === "object" && error.reason !== null && "_tag" in error.reason) {
    return String(error.reason._tag)
  }
  return "_tag" in error ? String(error._tag) : error instanceof Error ? error.name : "Error"
}

/**
 * Stands in a line, and tells of it: `enter` runs what it is given when the turn has come. `free` says that it comes
 * at once, and then there is nothing to tell.
 *
 * @category telling
 */
export const queueing = <A, E, R>(
  wait: Wait,
  free: Effect.Effect<boolean>,
  self: Effect.Effect<A, E, R>,
  enter: (ready: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const to = listener(fiber)
    if (to === undefined) return enter(self)
    return Effect.flatMap(free, (free) => {
      if (free) return enter(self)
      const clock = fiber.getRef(Clock.Clock)
      const start = clock.currentTimeMillisUnsafe()
      let waits = true
      const over = (how: ReturnType<typeof endOf>) => {
        if (!waits) return
        waits = false
        tell(to, fiber, { _tag: "Waited", for: wait, ...how, ms: clock.currentTimeMillisUnsafe() - start })
      }
      tell(to, fiber, { _tag: "Waiting", for: wait })
      const ready = Effect.suspend(() => {
        over({ outcome: "succeeded" })
        return self
      })
      return Effect.onExit(enter(ready), (exit) => Effect.sync(() => over(endOf(exit))))
    })
  })

/**
 * Makes a bound: of the effects it is put around, at most `bound` run at once. The others wait, which is told as
 * `wait`.
 *
 * @category telling
 */
export const inTurn = (
  wait: Wait,
  bound: number
): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> => {
  const semaphore = Semaphore.makeUnsafe(bound)
  // Counts those inside and those in line: a free permit may already be meant for one in line.
  let present = 0
  return (self) =>
    Effect.suspend(() => {
      const free = Effect.succeed(present++ < bound)
      const entered = queueing(wait, free, self, (ready) => semaphore.withPermit(ready))
      return Effect.ensuring(entered, Effect.sync(() => present--))
    })
}
