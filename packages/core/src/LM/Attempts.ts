/**
 * The attempt budget of one logical call: how many requests it may send, until when, and what they cost.
 *
 * The life of a budget:
 * 1. `Predict`, or `LM.generate` on its own, opens one with `within`, from settings or defaults.
 * 2. `LM.make` counts each request it sends, and refuses to send more than `max`. Nothing else counts, so
 *    cached answers are free, and retries, re-asks and fallbacks share one budget however they are stacked.
 * 3. `LM.retry` and the re-ask loop look at what is left before they try again.
 * 4. At the deadline everything below is interrupted and the call fails with `Timeout`, kind `total`.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as LMError from "../LMError.ts"
import { Timeout } from "../LMErrorReason.ts"
import * as Usage from "../Usage.ts"
import type { Settings } from "./Settings.ts"
import { LM } from "./Tag.ts"

/**
 * `deadline` is in milliseconds of the Clock. `used` and `tokens` grow while the call runs.
 *
 * @category models
 */
export interface Attempts {
  readonly max: number
  readonly deadline: number
  used: number
  tokens: Usage.Usage
}

/** First request plus two more: enough for one bad answer and one hiccup, short of hammering an endpoint. */
const defaultAttempts = 3

/** What the vendors' own SDKs allow a call: long enough for slow reasoning models. */
const defaultTimeout = Duration.minutes(10)

/**
 * The budget of the running call, if one is open.
 *
 * @category services
 */
export const Current = Context.Reference<Attempts | undefined>("@effect-dspy/core/LM/Attempts", {
  defaultValue: () => undefined
})

/**
 * Whether another request may be sent.
 *
 * @category getters
 */
export const left = (attempts: Attempts): boolean => attempts.used < attempts.max

/**
 * What the call cost so far, failed requests included.
 *
 * @category getters
 */
export const usage = (attempts: Attempts): Usage.Usage => ({ ...attempts.tokens, calls: attempts.used })

/**
 * Opens a budget for one logical call and runs it under the total timeout.
 *
 * @category combinators
 */
export const within = <A, E, R>(
  settings: Settings,
  body: (attempts: Attempts) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | LMError.LMError, R | LM> =>
  Effect.withFiber<A, E | LMError.LMError, R | LM>((fiber) => {
    const lm = Context.getUnsafe(fiber.context, LM)
    const limit = Duration.fromInputUnsafe(settings.timeout ?? lm.defaults.timeout ?? defaultTimeout)
    const attempts: Attempts = {
      max: settings.attempts ?? lm.defaults.attempts ?? defaultAttempts,
      deadline: fiber.getRef(Clock.Clock).currentTimeMillisUnsafe() + Duration.toMillis(limit),
      used: 0,
      tokens: Usage.zero
    }
    const run = Effect.provideService(body(attempts), Current, attempts)
    return Duration.isFinite(limit)
      ? Effect.timeoutOrElse(run, {
        duration: limit,
        orElse: () => Effect.fail(LMError.make(lm.provider, lm.model, new Timeout({ kind: "total", limit })))
      })
      : run
  })
