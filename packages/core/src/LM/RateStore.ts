/**
 * Where rate limits are kept when nobody brings a store: in the memory of one layer.
 *
 * It does what effect's own store in memory does, and is here because that one comes with Redis, pools and a file
 * system behind it, which core does not load.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { RateLimiterStore } from "effect/persistence/RateLimiter"
import * as RateState from "./RateState.ts"

/**
 * What `LM.rateLimit` asks of a store: every `RateLimiterStore` of effect is one.
 *
 * @category models
 */
export type RateStore = Pick<RateLimiterStore["Service"], "tokenBucket" | "adaptiveConsume" | "adaptiveFeedback">

/**
 * One that is in memory answers at once as well, and then costs no effect.
 *
 * - `take`: `tokenBucket` at the moment `now`: what remains, and the milliseconds since the last refill
 * - `learned`: whether a refusal has taught a limit that is still remembered
 *
 * @category models
 */
export interface Memory extends RateStore {
  readonly take: (options: Taking, now: number) => readonly [remaining: number, elapsed: number]
  readonly learned: (key: string, now: number) => boolean
}

type Taking = Parameters<RateStore["tokenBucket"]>[0]

/**
 * An empty store in memory.
 *
 * @category constructors
 */
export const make = (): Memory => {
  const buckets = new Map<string, RateState.Bucket>()
  const learned = new Map<string, RateState.Learned>()
  const keep = (key: string, state: RateState.Learned | undefined): void => {
    if (state === undefined) learned.delete(key)
    else learned.set(key, state)
  }
  const take = (options: Taking, now: number): readonly [number, number] => {
    const { allowOverflow, key, limit, refillRate, tokens } = options
    const refillMs = Duration.toMillis(refillRate)
    const taken = RateState.takeFromBucket(buckets.get(key), { tokens, limit, refillMs, allowOverflow }, now)
    buckets.set(key, taken.state)
    return [taken.remaining, taken.elapsed]
  }
  return {
    take,
    learned: (key, now) => RateState.isKnown(learned.get(key), now),
    tokenBucket: (options) => at((now) => take(options, now)),
    adaptiveConsume: ({ fallbackWindow, key, tokens }) =>
      at((now) => {
        const fallbackWindowMs = Duration.toMillis(fallbackWindow)
        const { delay, epoch, phase, state } = RateState.consumeLearned(
          learned.get(key),
          { tokens, fallbackWindowMs },
          now
        )
        keep(key, state)
        return { delay: Duration.millis(delay), epoch, phase }
      }),
    adaptiveFeedback: ({ epoch, key, retryAfter, status, tokens }) =>
      status !== 429 || retryAfter === undefined ? Effect.void : at((now) =>
        keep(
          key,
          RateState.learnFrom(learned.get(key), { epoch, tokens, retryAfterMs: Duration.toMillis(retryAfter) }, now)
        )
      )
  }
}

const at = <A>(f: (now: number) => A): Effect.Effect<A> =>
  Effect.clockWith((clock) => Effect.succeed(f(clock.currentTimeMillisUnsafe())))
