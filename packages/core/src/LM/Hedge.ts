/**
 * A second request for calls that take unusually long; the first answer wins.
 *
 * The life of a hedged call:
 * 1. The request is sent.
 * 2. It takes longer than 95 of 100 calls before it, or than a given delay: the same request is sent once more, if
 *    the attempt budget has one left. It counts there and in every budget below like any other.
 * 3. The first answer is the answer, and the other request is interrupted, its socket closed. A failure only counts
 *    when both have failed.
 *
 * It costs money for time, so nothing else sends it: use it where somebody waits. It goes inside retry and outside
 * concurrency and rate limits, so that the second request takes a permit of its own. Waiting for permits is measured
 * with the rest, so a longer line is not taken for slowness for long; and where everything gets slower together, second
 * requests would make it worse, so one call in ten may send one. A fixed delay has no such bound.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Completion } from "../Completion.ts"
import type { LMError } from "../LMError.ts"
import * as Alarm from "./Alarm.ts"
import * as Attempts from "./Attempts.ts"
import * as Deadline from "./Deadline.ts"
import type { Decorator } from "./Decorator.ts"
import { wrap } from "./Make.ts"
import type { Request } from "./Request.ts"
import type { Service } from "./Tag.ts"

/**
 * - `delay`: when to send the second request; default the 95th percentile of the last 100 answers, and no second
 *   request before there were 20
 *
 * @category models
 */
export interface Options {
  readonly delay?: Duration.Input
}

/** Enough answers to remember for a percentile that follows the endpoint's mood, and few enough to sort each time. */
const window = 100

/** Of fewer answers, the slowest twentieth is none. */
const enough = 20

/** Second requests saved up at most, and the calls that earn one. */
const savings = 10
const price = 10

/**
 * Sends a second request when the first is slow, and takes whichever answers first.
 *
 * ```ts
 * import { Completion, LM } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect } from "effect"
 *
 * const Live = TestLM.layer([TestLM.never, "Hello!"]).pipe(LM.hedge({ delay: "10 millis" }))
 * const ask = Effect.map(LM.generate({ messages: [] }), Completion.text)
 * await Effect.runPromise(Effect.provide(ask, Live)) // => "Hello!"
 * ```
 *
 * @category decorators
 */
export const hedge = (options: Options = {}): Decorator => (lm) =>
  Effect.sync(() => {
    const fixed = options.delay === undefined ? undefined : Duration.toMillis(options.delay)
    // A ring. A call that was hedged counts as long as it took, or slow requests would vanish from the measure.
    const latencies: Array<number> = []
    let next = 0
    let calls = price
    const mayHedge = (): boolean => {
      if (fixed !== undefined) return true
      if (calls < price) return false
      calls -= price
      return true
    }
    return wrap(lm, (request) =>
      Effect.withFiber((fiber) => {
        if (fixed !== undefined) return pair(fiber, lm, request, fixed, mayHedge)
        const clock = fiber.getRef(Clock.Clock)
        const start = clock.currentTimeMillisUnsafe()
        calls = Math.min(savings * price, calls + 1)
        const delay = slow(latencies)
        return Effect.map(
          delay === undefined ? lm.generate(request) : pair(fiber, lm, request, delay, mayHedge),
          (completion) => {
            latencies[next] = clock.currentTimeMillisUnsafe() - start
            next = (next + 1) % window
            return completion
          }
        )
      }))
  })

const slow = (latencies: ReadonlyArray<number>): number | undefined =>
  latencies.length < enough
    ? undefined
    : latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length * 0.95)]

const pair = (
  fiber: Fiber.Fiber<unknown, unknown>,
  lm: Service,
  request: Request,
  delay: number,
  mayHedge: () => boolean
): Effect.Effect<Completion, LMError> =>
  Effect.callback((resume) => {
    const first = Deadline.fork(fiber, lm.generate(request))
    const done = first.pollUnsafe()
    return done === undefined
      ? new Pair(fiber, lm, request, delay, mayHedge, first, resume).leave
      : resume(done)
  })

/** The first request, and the second while there may be one. It lets go of everything when the first is over. */
class Pair {
  readonly leave: Effect.Effect<void>
  private readonly lm: Service
  private readonly mayHedge: () => boolean
  private readonly first: Fiber.Fiber<Completion, LMError>
  private readonly alarm: Alarm.Alarm
  private request: Request | undefined
  private resume: ((answer: Effect.Effect<Completion, LMError>) => void) | undefined
  private hedged = false

  constructor(
    fiber: Fiber.Fiber<unknown, unknown>,
    lm: Service,
    request: Request,
    delay: number,
    mayHedge: () => boolean,
    first: Fiber.Fiber<Completion, LMError>,
    resume: (answer: Effect.Effect<Completion, LMError>) => void
  ) {
    this.lm = lm
    this.mayHedge = mayHedge
    this.first = first
    this.request = request
    this.resume = resume
    this.alarm = Alarm.set(fiber, delay, () => this.second())
    this.leave = Effect.suspend(() => {
      Alarm.cancel(this.alarm)
      return Fiber.interrupt(this.first)
    })
    Deadline.handOn(first, (exit) => this.finish(exit))
  }

  private second(): void {
    const { first, lm, request, resume } = this
    if (request === undefined) return
    const { attempts } = request
    this.hedged = (attempts === undefined || Attempts.left(attempts)) && this.mayHedge()
    // Whoever loses is interrupted, and both are when the caller gives up.
    if (this.hedged) {
      resume?.(Effect.ensuring(Effect.race(Fiber.join(first), lm.generate(request)), Fiber.interrupt(first)))
    }
  }

  private finish(exit: Exit.Exit<Completion, LMError>): void {
    Alarm.cancel(this.alarm)
    const { resume } = this
    this.request = undefined
    this.resume = undefined
    if (!this.hedged) resume?.(exit)
  }
}
