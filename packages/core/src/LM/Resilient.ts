/**
 * The decorators in the one order that is right.
 *
 * Innermost first: timeout per request, concurrency, retry. Concurrency outside retry would hold its
 * permit through every backoff; a timeout outside concurrency would count waiting in line as slowness.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type { LMError } from "../LMError.ts"
import { concurrency, type Options as ConcurrencyOptions } from "./Concurrency.ts"
import type { Decorator } from "./Decorator.ts"
import { retry } from "./Retry.ts"
import { type Options as TimeoutOptions, timeout } from "./Timeout.ts"

/**
 * - `timeout`: for one request, for its first part and between parts; default 2 minutes for the whole
 * - `concurrency`: requests in flight, default 64
 * - `retry`: how long to wait between attempts; default 500 ms doubling to 30 s with full jitter
 *
 * @category models
 */
export interface Options {
  readonly timeout?: Duration.Input | TimeoutOptions
  readonly concurrency?: number | ConcurrencyOptions
  readonly retry?: Schedule.Schedule<unknown, LMError>
}

/**
 * Timeout, concurrency and retry around an LM, in this order from the inside.
 *
 * @category decorators
 */
export const resilient = (options: Options = {}): Decorator => {
  const inner = timeout(options.timeout ?? "2 minutes")
  const middle = concurrency(options.concurrency ?? 64)
  const outer = retry(options.retry === undefined ? undefined : { schedule: options.retry })
  return (lm) => inner(lm).pipe(Effect.flatMap(middle), Effect.flatMap(outer))
}
