/**
 * Claims jobs and runs them, a bounded number of each queue at once.
 *
 * The life of a worker:
 * 1. It learns what it can do from the handlers' layers, and takes on jobs that waited for somebody who can.
 * 2. Each slot of a queue claims a job, runs it, settles it, and claims the next. An idle slot costs nothing: the
 *    queue wakes it when it is told of new jobs, or looks by itself once a second.
 * 3. One fiber listens (see `Lookout`): it rings when jobs come or are due, and stops those that were cancelled.
 * 4. Others enqueue cron jobs when their time comes, and prune what ended long ago, once an hour.
 * 5. When its scope closes it drains: idle slots stop at once, busy ones have `drain` to finish. What isn't done
 *    then is interrupted, down to its sockets, and handed back uncounted.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Attempt from "./Attempt.ts"
import { Claims } from "./Claims.ts"
import * as Cron from "./Cron.ts"
import { Handlers } from "./Handlers.ts"
import { Jobs } from "./Jobs.ts"
import * as Journal from "./Journal.ts"
import * as Lookout from "./Lookout.ts"
import { patience, type Run } from "./Run.ts"
import type { StoreError } from "./StoreError.ts"

/**
 * - `queues`: how many jobs of each queue run at once; queues that aren't named aren't worked on
 * - `drain`: how long running jobs may go on when the worker ends, default 25 seconds
 * - `around`: runs around every handler
 * - `cron`: jobs this worker enqueues by the clock, together with all others that have them
 * - `keepSucceeded`, `keepDead`: how long ended jobs are kept, default 7 and 180 days; cancelled ones are kept like
 *   succeeded ones
 *
 * @category models
 */
export interface Options {
  readonly queues: { readonly [queue: string]: number }
  readonly drain?: Duration.Input
  readonly around?: Attempt.Around
  readonly cron?: ReadonlyArray<Cron.Cron>
  readonly keepSucceeded?: Duration.Input
  readonly keepDead?: Duration.Input
}

/**
 * Ends the drain of every worker of this process at once, as a second Ctrl-C does.
 *
 * @category services
 */
export const hurry: Latch.Latch = Latch.makeUnsafe(false)

/**
 * A worker with the handlers in `handlers`.
 *
 * @category layers
 */
export const layer = <R = never>(
  handlers: ReadonlyArray<Layer.Layer<never, never, Handlers | R>>,
  options: Options
): Layer.Layer<never, StoreError, Jobs | Claims | Exclude<R, Handlers>> => {
  const registered = handlers.reduce<Layer.Layer<never, never, Handlers | R>>(
    (all, one) => Layer.merge(all, one),
    Layer.empty
  )
  return Layer.effectDiscard(start(options)).pipe(
    Layer.provide(registered),
    // Its own registry: two workers of one process may know different jobs.
    Layer.provide(Layer.fresh(Layer.sync(Handlers, () => new Map())))
  ) as Layer.Layer<never, StoreError, Jobs | Claims | Exclude<R, Handlers>>
}

const start = Effect.fnUntraced(function*(options: Options) {
  const jobs = yield* Jobs
  const claims = yield* Claims
  const handlers = yield* Handlers
  const running = new Map<string, Run>()
  const attempt = Attempt.make({
    jobs,
    claims,
    handlers,
    around: options.around,
    journals: yield* Journal.start(claims),
    started: (run) => running.set(run.claim.id, run),
    ended: (run) => running.delete(run.claim.id)
  })
  const freed = Latch.makeUnsafe(false)
  const queues = Object.entries(options.queues).map(([name, slots]) => queue(name, slots, freed))
  const names = [...handlers.keys()]
  if (names.length > 0) yield* claims.adopt(names)

  const pause = Effect.map(jobs.paused, (paused) => {
    for (const { gate, name } of queues) {
      if (paused.includes(name)) gate.closeUnsafe()
      else gate.openUnsafe()
    }
  })
  const cancel = Effect.suspend(() =>
    running.size === 0 ? Effect.void : Effect.map(claims.cancelRequested([...running.keys()]), (ids) => {
      for (const id of ids) {
        const run = running.get(id)
        if (run !== undefined) Deferred.doneUnsafe(run.stop, Effect.succeed({ _tag: "Cancel" }))
      }
    })
  )
  const control = quietly("control", Effect.andThen(cancel, pause))
  yield* control
  const heard = yield* jobs.wake.heard
  yield* Effect.forkScoped(untraced(Lookout.make({ posts: queues, heard, freed, claims, control, quietly })))

  const retention = {
    succeededMillis: Duration.toMillis(options.keepSucceeded ?? "7 days"),
    deadMillis: Duration.toMillis(options.keepDead ?? "180 days")
  }
  yield* Effect.forkScoped(untraced(Effect.repeat(quietly("prune", jobs.prune(retention)), Schedule.spaced("1 hour"))))

  for (const cron of options.cron ?? []) {
    const enqueue = (slot: Date) =>
      quietly("cron", Effect.provideService(Effect.retry(cron.enqueue(slot), persistent), Jobs, jobs))
    yield* Effect.forkScoped(Cron.run(cron, enqueue))
  }

  const fibers = yield* Effect.forEach(
    queues.flatMap((queue) => queue.slots),
    (slot) => Effect.forkDetach(slot(claims.take, attempt)),
    { concurrency: 1 }
  )
  yield* Effect.addFinalizer(() => drain(queues, fibers, options.drain ?? "25 seconds"))
})

/** A queue with its slots. */
interface Queue extends Lookout.Post {
  readonly gate: Latch.Latch
  readonly slots: ReadonlyArray<Slot>
  /** Stops claiming; gives the slots that are busy. */
  readonly close: () => ReadonlySet<number>
}

type Slot = (take: Claims["Service"]["take"], attempt: ReturnType<typeof Attempt.make>) => Effect.Effect<void>

const queue = (name: string, size: number, freed: Latch.Latch): Queue => {
  const gate = Latch.makeUnsafe(true)
  const busy = new Set<number>()
  let open = true
  return {
    name,
    gate,
    isReady: () => busy.size < size && gate.isOpen(),
    close: () => {
      open = false
      return busy
    },
    slots: Array.from({ length: size }, (_, index): Slot => (take, attempt) => {
      const next = Effect.andThen(
        gate.await,
        take(name, (claim) =>
          Effect.suspend(() => {
            busy.add(index)
            return Effect.ensuring(
              attempt(claim),
              Effect.sync(() => {
                if (busy.size === size) freed.openUnsafe()
                busy.delete(index)
              })
            )
          }))
      )
      const patient = Effect.catchCause(next, (cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause as Cause.Cause<never>)
          : Effect.andThen(Effect.logWarning(`Queue ${name}: a slot could not go on`, cause), Effect.sleep("1 second")))
      return Effect.whileLoop({ while: () => open, body: () => patient, step: () => undefined })
    })
  }
}

const drain = (
  queues: ReadonlyArray<Queue>,
  fibers: ReadonlyArray<Fiber.Fiber<void>>,
  time: Duration.Input
): Effect.Effect<void> =>
  Effect.gen(function*() {
    const busy = new Set<number>()
    let first = 0
    for (const { close, slots } of queues) {
      for (const index of close()) busy.add(first + index)
      first += slots.length
    }
    const idle = fibers.filter((_, index) => !busy.has(index))
    yield* Fiber.interruptAll(idle)
    const done = Effect.asVoid(Fiber.awaitAll(fibers))
    yield* Effect.raceFirst(done, Effect.raceFirst(Effect.sleep(time), hurry.await))
    yield* Fiber.interruptAll(fibers)
  })

/** A cron job that can't be enqueued now is tried for about a minute. */
const persistent = Schedule.max([patience, Schedule.recurs(20)])

// What a worker does by itself would be a trace a second.
const untraced = Effect.withTracerEnabled(false)

const quietly = (what: string, self: Effect.Effect<unknown, unknown>): Effect.Effect<void> =>
  Effect.catchCause(
    Effect.asVoid(self),
    (cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.failCause(cause as Cause.Cause<never>)
        : Effect.logWarning(`Worker: ${what} failed`, cause)
  )
