/**
 * Time limits for one request: for the whole answer, for its first part, and between its parts.
 *
 * They go innermost, so that waiting for a permit is not taken for slowness; the limit for the whole
 * logical call is `LM.Settings.timeout`.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Completion } from "../Completion.ts"
import * as LMError from "../LMError.ts"
import * as Reason from "../LMErrorReason.ts"
import * as Deadline from "./Deadline.ts"
import type { Decorator } from "./Decorator.ts"
import { wrap } from "./Make.ts"
import type { Request } from "./Request.ts"
import * as Sink from "./Sink.ts"
import type { Service } from "./Tag.ts"

/**
 * - `attempt`: from sending to the last byte of the answer
 * - `firstToken`: until the first part of the answer; a model that hangs is found out long before one that writes a
 *   lot would be cut off
 * - `betweenTokens`: from one part to the next; the time a slow reader takes does not count
 *
 * With one of the last two the answer is streamed even when nobody reads along. For an endpoint that can't stream, the
 * whole answer is the first part.
 *
 * @category models
 */
export interface Options {
  readonly attempt?: Duration.Input
  readonly firstToken?: Duration.Input
  readonly betweenTokens?: Duration.Input
}

/**
 * Requests that take longer are interrupted, their sockets closed, and fail with `Timeout`, kind `attempt`,
 * `firstToken` or `betweenTokens`, which is worth a retry. One duration alone is the limit of the attempt.
 *
 * ```ts
 * import { LM, LMErrorReason } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect } from "effect"
 *
 * const Live = TestLM.layer([TestLM.never]).pipe(LM.timeout({ attempt: "2 minutes", firstToken: "20 millis" }))
 * const error = Effect.flip(LM.generate({ messages: [] })).pipe(Effect.provide(Live))
 * await Effect.runPromise(Effect.map(error, (error) => error.message)) // => "test/scripted: no answer within 20ms (firstToken timeout)"
 * ```
 *
 * @category decorators
 */
export const timeout = (limit: Duration.Input | Options): Decorator => {
  const { attempt, betweenTokens, firstToken } = isOptions(limit) ? limit : { attempt: limit }
  const limits: Limits = { firstToken: duration(firstToken), betweenTokens: duration(betweenTokens) }
  const whole = duration(attempt)
  return (lm) => {
    const send = firstToken === undefined && betweenTokens === undefined
      ? lm.generate
      : (request: Request) => watched(lm, request, limits)
    if (whole === undefined || !Duration.isFinite(whole)) return Effect.succeed(wrap(lm, send))
    const late = () => expired(lm, "attempt", whole)
    return Effect.succeed(
      wrap(lm, (request) => Effect.withFiber((fiber) => Deadline.within(fiber, send(request), whole, late)))
    )
  }
}

interface Limits {
  readonly firstToken: Duration.Duration | undefined
  readonly betweenTokens: Duration.Duration | undefined
}

const isOptions = (limit: Duration.Input | Options): limit is Options =>
  typeof limit === "object" && ("attempt" in limit || "firstToken" in limit || "betweenTokens" in limit)

const duration = (input: Duration.Input | undefined): Duration.Duration | undefined =>
  input === undefined ? undefined : Duration.fromInputUnsafe(input)

const expired = (lm: Service, kind: Reason.Timeout["kind"], limit: Duration.Duration): LMError.LMError =>
  LMError.make(lm.provider, lm.model, new Reason.Timeout({ kind, limit }))

const watched = (lm: Service, request: Request, limits: Limits): Effect.Effect<Completion, LMError.LMError> =>
  Effect.clockWith((clock) => {
    const progress = new Progress(clock)
    const sink = Sink.mapEmit(request.sink ?? nobody, (emit) => (parts) => progress.around(emit(parts)))
    return Effect.raceFirst(lm.generate({ ...request, sink }), watch(lm, progress, limits))
  })

const nobody: Sink.Sink = { attempt: () => ({ emit: () => Effect.void, end: () => {} }), finish: () => Effect.void }

/** How far a streamed answer has come. */
class Progress {
  /** When the last part was taken, or the request was sent. */
  last: number
  begun = false
  private readonly clock: Clock.Clock
  private reading = 0

  constructor(clock: Clock.Clock) {
    this.clock = clock
    this.last = clock.currentTimeMillisUnsafe()
  }

  /** Notes parts that are handed on, and the time their reader takes for them. */
  around(handing: Effect.Effect<void>): Effect.Effect<void> {
    this.begun = true
    this.reading++
    return Effect.ensuring(
      handing,
      Effect.sync(() => {
        this.reading--
        this.last = this.clock.currentTimeMillisUnsafe()
      })
    )
  }

  /** Milliseconds since anything happened; while the reader is busy, none. */
  silence(): number {
    return this.reading > 0 ? 0 : this.clock.currentTimeMillisUnsafe() - this.last
  }
}

// Sleeps to the next moment at which time may be up, looks, and sleeps again: no timer is set for each part.
const watch = (lm: Service, progress: Progress, limits: Limits): Effect.Effect<never, LMError.LMError> =>
  Effect.suspend(() => {
    const kind = progress.begun ? "betweenTokens" : "firstToken"
    const limit = limits[kind]
    if (limit === undefined) {
      return progress.begun || limits.betweenTokens === undefined
        ? Effect.never
        : Effect.flatMap(Effect.sleep(limits.betweenTokens), () => watch(lm, progress, limits))
    }
    const left = Duration.toMillis(limit) - progress.silence()
    return left <= 0
      ? Effect.fail(expired(lm, kind, limit))
      : Effect.flatMap(Effect.sleep(left), () => watch(lm, progress, limits))
  })
