/**
 * The decorators in the one order that is right.
 *
 * Innermost first: timeout per request, concurrency, rate limit, retry. Concurrency outside retry would hold its
 * permit through every backoff; a timeout outside concurrency would count waiting in line as slowness; a rate limit
 * outside retry would not see the second attempts, and inside concurrency it would wait with a permit in its hand.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type { LMError } from "../LMError.ts"
import { concurrency, type Options as ConcurrencyOptions } from "./Concurrency.ts"
import type { Decorator } from "./Decorator.ts"
import { type Options as RateLimitOptions, rateLimit } from "./RateLimit.ts"
import { retry } from "./Retry.ts"
import type { Service } from "./Tag.ts"
import { type Options as TimeoutOptions, timeout } from "./Timeout.ts"

/**
 * - `timeout`: for one request, for its first part and between parts; default 2 minutes for the whole
 * - `concurrency`: requests in flight, default 64
 * - `rateLimit`: requests and tokens per window, none by default
 * - `retry`: how long to wait between attempts; default 500 ms doubling to 30 s with full jitter
 *
 * @category models
 */
export interface Options {
  readonly timeout?: Duration.Input | TimeoutOptions
  readonly concurrency?: number | ConcurrencyOptions
  readonly rateLimit?: RateLimitOptions
  readonly retry?: Schedule.Schedule<unknown, LMError>
}

/**
 * Timeout, concurrency, rate limit and retry around an LM, in this order from the inside.
 *
 * @category decorators
 */
export const resilient = (options: Options = {}): Decorator => {
  const chain: ReadonlyArray<Decorator> = [
    timeout(options.timeout ?? "2 minutes"),
    concurrency(options.concurrency ?? 64),
    ...(options.rateLimit === undefined ? [] : [rateLimit(options.rateLimit)]),
    retry(options.retry === undefined ? undefined : { schedule: options.retry })
  ]
  return (lm) =>
    chain.reduce<Effect.Effect<Service>>((inner, decorator) => Effect.flatMap(inner, decorator), Effect.succeed(lm))
}
