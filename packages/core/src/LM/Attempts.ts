/**
 * The attempt budget of one logical call: how many requests it may send, until when, and what they cost.
 *
 * The life of a budget:
 * 1. `Predict`, or `LM.generate` on its own, opens one, from settings or defaults. It travels with the
 *    requests of the call.
 * 2. `LM.make` counts each request it sends, and refuses to send more than `max`. Nothing else counts, so
 *    cached answers are free, and retries, re-asks and fallbacks share one budget however they are stacked.
 * 3. `LM.retry` and the re-ask loop look at what is left before they try again.
 * 4. At the deadline everything below is interrupted and the call fails with `Timeout`, kind `total`.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as LMError from "../LMError.ts"
import { Timeout } from "../LMErrorReason.ts"
import * as Usage from "../Usage.ts"
import * as Deadline from "./Deadline.ts"
import type * as RequestSpan from "./RequestSpan.ts"
import type { Settings } from "./Settings.ts"

/**
 * `limit` is the total timeout, `deadline` its end in milliseconds of the Clock. `used` and `tokens` grow while the
 * call runs. `call` is the span that stands for the requests of a predictor call, where one does.
 *
 * @category models
 */
export interface Attempts {
  readonly max: number
  readonly limit: Duration.Duration
  readonly deadline: number
  readonly call?: RequestSpan.Call | undefined
  used: number
  tokens: Usage.Usage
}

/** First request plus two more: enough for one bad answer and one hiccup, short of hammering an endpoint. */
const defaultAttempts = 3

/** What the vendors' own SDKs allow a call: long enough for slow reasoning models. */
const defaultTimeout = Duration.minutes(10)

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
 * Counts what an answer cost.
 *
 * @category mutations
 */
export const spend = (attempts: Attempts, spent: Usage.Usage): void => {
  attempts.tokens = attempts.tokens === Usage.zero ? spent : Usage.add(attempts.tokens, spent)
}

/**
 * The same budget with a part of it kept back: `others` requests, and no new attempt after `until` (milliseconds of
 * the Clock). One request may always be sent, if there is one left.
 *
 * @category combinators
 */
export const sparing = (attempts: Attempts, others: number, until: number): Attempts =>
  new Sparing(attempts, others, until)

class Sparing implements Attempts {
  readonly max: number
  readonly limit: Duration.Duration
  readonly deadline: number
  readonly call: Attempts["call"]
  private readonly whole: Attempts

  constructor(whole: Attempts, others: number, until: number) {
    this.max = Math.min(whole.max, Math.max(whole.used + 1, whole.max - others))
    this.limit = whole.limit
    this.deadline = Math.min(whole.deadline, until)
    this.call = whole.call
    this.whole = whole
  }

  get used(): number {
    return this.whole.used
  }

  set used(used: number) {
    this.whole.used = used
  }

  get tokens(): Usage.Usage {
    return this.whole.tokens
  }

  set tokens(tokens: Usage.Usage) {
    this.whole.tokens = tokens
  }
}

/** Who is asked: for the layer's defaults and for errors. */
type Asked = { readonly provider: string; readonly model: string; readonly defaults: Settings }

/**
 * Opens a budget for one logical call of the given LM.
 *
 * @category constructors
 */
export const open = (
  fiber: Fiber.Fiber<unknown, unknown>,
  lm: Asked,
  settings: Settings,
  call?: RequestSpan.Call
): Attempts => {
  const wish = settings.timeout ?? lm.defaults.timeout
  const limit = wish === undefined ? defaultTimeout : Duration.fromInputUnsafe(wish)
  return {
    max: settings.attempts ?? lm.defaults.attempts ?? defaultAttempts,
    limit,
    deadline: fiber.getRef(Clock.Clock).currentTimeMillisUnsafe() + Duration.toMillis(limit),
    call,
    used: 0,
    tokens: Usage.zero
  }
}

/**
 * Runs a logical call under the total timeout of its budget.
 *
 * @category combinators
 */
export const bounded = <A, E, R>(
  fiber: Fiber.Fiber<unknown, unknown>,
  lm: Asked,
  { limit }: Attempts,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | LMError.LMError, R> =>
  Duration.isFinite(limit)
    ? Deadline.within(
      fiber,
      self,
      limit,
      () => LMError.make(lm.provider, lm.model, new Timeout({ kind: "total", limit }))
    )
    : self

/**
 * Opens a budget and runs a logical call in it.
 *
 * @category combinators
 */
export const within = <A, E, R>(
  fiber: Fiber.Fiber<unknown, unknown>,
  lm: Asked,
  settings: Settings,
  body: (attempts: Attempts) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | LMError.LMError, R> => {
  const attempts = open(fiber, lm, settings)
  return bounded(fiber, lm, attempts, body(attempts))
}
