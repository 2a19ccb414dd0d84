/**
 * A time limit that costs next to nothing until time is up.
 *
 * `Effect.timeout` races two fibers from the start, one of them a timer. Here the work runs first. Only when it does
 * not finish at once is an `Alarm` set for it, and alarms share a timer.
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Alarm from "./Alarm.ts"

/**
 * Runs `self` for the calling fiber, and fails with `onTimeout` when it takes longer than `limit`. What ran
 * is interrupted to its end before the failure goes on, as it is when the caller is interrupted.
 *
 * @category combinators
 */
export const within = <A, E, E2, R>(
  fiber: Fiber.Fiber<unknown, unknown>,
  self: Effect.Effect<A, E, R>,
  limit: Duration.Duration,
  onTimeout: () => E2
): Effect.Effect<A, E | E2, R> =>
  // The fork belongs to the callback: begun earlier, it would run on when the caller is interrupted in between,
  // and would not see the span around the call.
  Effect.callback<A, E | E2>((resume) => {
    const work = fork(fiber, self)
    const done = work.pollUnsafe()
    return done === undefined ? new Timed(fiber, work, limit, onTimeout, resume).leave : resume(done)
  })

/** Work under a limit. It lets go of everything when it is over: `handOn` tells why. */
class Timed<A, E, E2> {
  readonly leave: Effect.Effect<void>
  private readonly alarm: Alarm.Alarm
  private readonly work: Fiber.Fiber<A, E>
  private readonly onTimeout: () => E2
  private resume: ((answer: Effect.Effect<A, E | E2>) => void) | undefined

  constructor(
    fiber: Fiber.Fiber<unknown, unknown>,
    work: Fiber.Fiber<A, E>,
    limit: Duration.Duration,
    onTimeout: () => E2,
    resume: (answer: Effect.Effect<A, E | E2>) => void
  ) {
    this.work = work
    this.onTimeout = onTimeout
    this.resume = resume
    this.alarm = Alarm.set(fiber, Duration.toMillis(limit), () => this.expire())
    this.leave = Effect.suspend(() => {
      Alarm.cancel(this.alarm)
      return Fiber.interrupt(this.work)
    })
    handOn(work, (exit) => this.finish(exit))
  }

  private finish(exit: Exit.Exit<A, E>): void {
    Alarm.cancel(this.alarm)
    const { resume } = this
    this.resume = undefined
    resume?.(exit)
  }

  private expire(): void {
    this.resume?.(Effect.andThen(
      Fiber.interrupt(this.work),
      Effect.suspend(() => Effect.fail(this.onTimeout()))
    ))
  }
}

/**
 * Runs an effect beside the fiber, with the fiber's context.
 *
 * @category constructors
 */
export const fork = <A, E, R>(
  fiber: Fiber.Fiber<unknown, unknown>,
  self: Effect.Effect<A, E, R>
): Fiber.Fiber<A, E> =>
  // The fiber holds what the effect needs: it is the one that would run it.
  Effect.runForkWith(fiber.context as Context.Context<R>)(self)

/**
 * Gives a fiber's exit to `done`, once, and then forgets `done`.
 *
 * A fiber keeps its observers in a list that V8 takes for long-lived where many calls are in flight when a program
 * starts, and makes it old from then on. What an observer holds would outlive its call with it, until the next full
 * collection: the prompt, the answer, the whole call. So the observer that stays there holds nothing.
 *
 * @category combinators
 */
export const handOn = <A, E>(fiber: Fiber.Fiber<A, E>, done: (exit: Exit.Exit<A, E>) => void): void => {
  let waiting: typeof done | undefined = done
  fiber.addObserver((exit) => {
    const then = waiting
    waiting = undefined
    then?.(exit)
  })
}
