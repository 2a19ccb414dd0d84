/**
 * The decorators in the one order that is right.
 *
 * Innermost first, and why:
 * 1. `price`, `budget`: what leaves is what costs, so nothing may stand between them and the model.
 * 2. `timeout`: outside concurrency it would mistake waiting in line for slowness.
 * 3. `concurrency`: outside retry it would hold its permit through every backoff.
 * 4. `rateLimit`: outside retry it would not see the second attempts, and inside concurrency it would wait with a
 *    permit in its hand.
 * 5. `circuitBreaker`: inside the limits, a call that is not sent would wait for permits first.
 * 6. `hedge`: the second request takes permits of its own; outside retry it would double every backoff.
 * 7. `retry`: what is below happens for each attempt, what is above once for a call.
 * 8. `fallback`: inside retry, each attempt of the first model would ask all the others.
 * 9. `cache`: what is kept needs none of this.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { CircuitBreaker } from "effect/persistence/CircuitBreaker"
import type { BackingPersistence } from "effect/persistence/Persistence"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { LMError } from "../LMError.ts"
import type * as Price from "../Price.ts"
import { type Budget, budget, type Limits } from "./Budget.ts"
import { cache, type Options as CacheOptions } from "./Cache.ts"
import { circuitBreaker } from "./CircuitBreaker.ts"
import { concurrency, type Options as ConcurrencyOptions } from "./Concurrency.ts"
import type { Decorator } from "./Decorator.ts"
import { fallbackTo } from "./Fallback.ts"
import { hedge, type Options as HedgeOptions } from "./Hedge.ts"
import { type Options as PersistedCacheOptions, persistedCache } from "./PersistedCache.ts"
import { price } from "./Price.ts"
import { type Options as RateLimitOptions, rateLimit } from "./RateLimit.ts"
import { retry } from "./Retry.ts"
import type { LM, Service } from "./Tag.ts"
import { type Options as TimeoutOptions, timeout } from "./Timeout.ts"

/**
 * - `price`: tables for `Usage.costUsd`
 * - `budget`: limits on what everything below costs altogether, money by the prices above unless it has its own
 * - `timeout`: for one request, for its first part and between parts; default 2 minutes for the whole
 * - `concurrency`: requests in flight, default 64
 * - `rateLimit`: requests and tokens per window
 * - `circuitBreaker`: takes effect's `CircuitBreaker` from context
 * - `hedge`: a second request for slow calls
 * - `retry`: how long to wait between attempts; default 500 ms doubling to 30 s with full jitter
 * - `fallback`: layers of other models, which bring decorators of their own
 * - `cache`: in memory, or with `persisted` in effect's `BackingPersistence` from context
 *
 * What has no default here is off. What has one is turned off by its own value: `timeout: Infinity`,
 * `concurrency: Infinity`, `retry: Schedule.recurs(0)`. How many requests a call may send is said in one place,
 * `LM.Settings.attempts`, which re-asks share; `retry` only says how long to wait between them.
 *
 * @category models
 */
export interface Options {
  readonly price?: ReadonlyArray<Price.Table>
  readonly budget?: Limits | Budget
  readonly timeout?: Duration.Input | TimeoutOptions
  readonly concurrency?: number | ConcurrencyOptions
  readonly rateLimit?: RateLimitOptions
  readonly circuitBreaker?: true
  readonly hedge?: true | HedgeOptions
  readonly retry?: Schedule.Schedule<unknown, LMError>
  readonly fallback?: ReadonlyArray<Layer.Layer<LM, unknown, unknown>>
  readonly cache?: true | CacheOptions | PersistedCacheOptions & { readonly persisted: true }
}

/** The type of one option; `never` where it is not among them. */
type Wish<O extends Options, K extends keyof Options> = K extends keyof O ? NonNullable<O[K]> : never

/** The layers of the fallback. */
type Others<O extends Options> = [Wish<O, "fallback">] extends [never] ? never : Wish<O, "fallback">[number]

/**
 * What the options add to the failures of the layer: those of the fallback's layers.
 *
 * @category models
 */
export type Failure<O extends Options> = Layer.Error<Others<O>>

/**
 * What the options take from context.
 *
 * @category models
 */
export type Needs<O extends Options> =
  | (Wish<O, "circuitBreaker"> extends never ? never : CircuitBreaker)
  | (Extract<Wish<O, "cache">, { readonly persisted: true }> extends never ? never : BackingPersistence | Scope.Scope)
  | (Others<O> extends never ? never : Layer.Services<Others<O>> | Scope.Scope)

/**
 * Puts the decorators that are asked for around an LM, in their order.
 *
 * @category decorators
 */
export const resilient = <const O extends Options = {}>(options?: O): Decorator<Failure<O>, Needs<O>> => {
  const chain = links(options ?? {})
  // `Failure` and `Needs` say what the links that were asked for fail with and need.
  return ((lm: Service) =>
    chain.reduce<Effect.Effect<Service, unknown, unknown>>(
      (inner, decorator) => Effect.flatMap(inner, decorator),
      Effect.succeed(lm)
    )) as Decorator<Failure<O>, Needs<O>>
}

const links = (options: Options): ReadonlyArray<Decorator<unknown, unknown>> => {
  const wished = <A>(wish: A | undefined, link: (wish: A) => Decorator<unknown, unknown>) =>
    wish === undefined ? [] : [link(wish)]
  return [
    ...wished(options.price, (tables) => price(...tables)),
    ...wished(options.budget, (wish) => budget(priced(wish, options.price))),
    timeout(options.timeout ?? "2 minutes"),
    concurrency(options.concurrency ?? 64),
    ...wished(options.rateLimit, rateLimit),
    ...wished(options.circuitBreaker, circuitBreaker),
    ...wished(options.hedge, (wish) => hedge(wish === true ? {} : wish)),
    retry(options.retry === undefined ? undefined : { schedule: options.retry }),
    ...wished(options.fallback, (layers) => fallbackTo(layers)),
    ...wished(options.cache, keeping)
  ]
}

// Prices are given once, for the budget as well.
const priced = (wish: Limits | Budget, prices: Options["price"]): Limits | Budget =>
  "limits" in wish || prices === undefined ? wish : { prices, ...wish }

const keeping = (wish: NonNullable<Options["cache"]>): Decorator<unknown, unknown> =>
  wish === true ? cache() : "persisted" in wish ? persistedCache(wish) : cache(wish)
