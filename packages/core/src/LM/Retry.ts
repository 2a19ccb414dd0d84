/**
 * Sending a request again when that can help, and only then.
 *
 * The life of a failure:
 * 1. The reason says whether it is worth another request. If not, it goes up as it is.
 * 2. The attempt budget says whether there is one left. Retries that are stacked share it, so stacking
 *    them sends no more requests.
 * 3. The schedule says how long to wait; an endpoint's Retry-After makes the wait longer, never shorter.
 * 4. A wait that would end after the call's deadline is not begun: the failure goes up at once, and says
 *    how long it would have taken.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type { Completion } from "../Completion.ts"
import type { LMError } from "../LMError.ts"
import * as Telling from "../Telling.ts"
import * as Attempts from "./Attempts.ts"
import type { Decorator } from "./Decorator.ts"
import { wrap } from "./Make.ts"
import type { Request } from "./Request.ts"
import type { Service } from "./Tag.ts"

/**
 * 500 ms doubling up to 30 s, each wait drawn from the whole range below it ("full jitter", Brooker,
 * "Exponential Backoff and Jitter", AWS 2015), so that callers who failed together don't return together.
 *
 * @category constructors
 */
export const defaultSchedule: Schedule.Schedule<Duration.Duration> = Schedule.exponential("500 millis").pipe(
  Schedule.modifyDelay(({ duration }) =>
    Effect.map(Random.next, (fraction) => Duration.millis(Math.min(Duration.toMillis(duration), 30_000) * fraction))
  )
)

/**
 * Retries what is retryable. How often is a matter of `LM.Settings.attempts`; the schedule only says how
 * long to wait, and may end earlier.
 *
 * @category decorators
 */
export const retry = (options?: { readonly schedule?: Backoff }): Decorator => {
  const schedule = options?.schedule ?? defaultSchedule
  return (lm) =>
    Effect.succeed(wrap(lm, (request) =>
      request.attempts === undefined
        // Used without a predictor: the request is a logical call of its own.
        ? Effect.withFiber((fiber) =>
          Attempts.within(
            fiber,
            lm,
            request.settings,
            (attempts) => within(lm, schedule, { ...request, attempts }, attempts)
          )
        )
        : within(lm, schedule, request, request.attempts)))
}

const within = (
  lm: Service,
  schedule: Backoff,
  request: Request,
  attempts: Attempts.Attempts
): Effect.Effect<Completion, LMError> =>
  resending(
    () => lm.generate(request),
    schedule,
    (failure) => failure.isRetryable && Attempts.left(attempts),
    attempts.deadline
  )

/**
 * How long to wait after which failure.
 *
 * @category models
 */
export type Backoff = Schedule.Schedule<unknown, LMError>

/**
 * Sends a request, and sends it again after failures for which `worthIt` holds. A wait that would end after `deadline`
 * (milliseconds of the Clock) is not begun. The schedule is only started when the first request has failed.
 *
 * @category combinators
 */
export const resending = <A>(
  send: () => Effect.Effect<A, LMError>,
  schedule: Backoff,
  worthIt: (failure: LMError) => boolean,
  deadline: number
): Effect.Effect<A, LMError> =>
  Effect.catchIf(
    send(),
    worthIt,
    (failure) =>
      Effect.flatMap(Schedule.toStep(schedule), (step) => {
        const again = (failure: LMError): Effect.Effect<A, LMError> =>
          Effect.flatMap(pause(step, failure, deadline), () => Effect.catchIf(send(), worthIt, again))
        return again(failure)
      })
  )

type Step = (now: number, input: LMError) => Pull.Pull<[unknown, Duration.Duration], never, unknown>

const pause = (step: Step, failure: LMError, deadline: number): Effect.Effect<void, LMError> =>
  Effect.clockWith((clock) => {
    const now = clock.currentTimeMillisUnsafe()
    const waited = Effect.flatMap(step(now, failure), ([, backoff]) => {
      const wait = Math.max(Duration.toMillis(backoff), Duration.toMillis(failure.retryAfter ?? Duration.zero))
      return now + wait >= deadline ?
        Effect.fail(failure)
        : Telling.waiting("retry", Effect.sleep(wait), { ms: wait, error: failure.reason._tag })
    })
    return Pull.catchDone(waited, () => Effect.fail(failure))
  })
