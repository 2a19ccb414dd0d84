/**
 * The language model as a service: the tag, how to build one, how to ask it, how to decorate it.
 *
 * `LM` is the only requirement a predictor has. Layers bring it (`OpenAiCompatible.layer`, `Offline.layer`,
 * `TestLM.layer`), decorators change how it behaves without anybody noticing:
 *
 * ```ts
 * import { LM } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 *
 * const Live = TestLM.layer(["..."]).pipe(LM.resilient({ timeout: "30 seconds", concurrency: 64 }))
 * ```
 */
import type * as Duration from "effect/Duration"
import type * as Layer from "effect/Layer"
import type * as Schedule from "effect/Schedule"
import * as Around from "./LM/Around.ts"
import { type Budget, budget, type Limits } from "./LM/Budget.ts"
import { cache, type Options as CacheOptions_ } from "./LM/Cache.ts"
import { circuitBreaker } from "./LM/CircuitBreaker.ts"
import { concurrency, type Options as ConcurrencyOptions } from "./LM/Concurrency.ts"
import * as Decorator from "./LM/Decorator.ts"
import { fallback, fallbackTo, type Options as FallbackOptions_ } from "./LM/Fallback.ts"
import { generate } from "./LM/Generate.ts"
import * as Group from "./LM/Group.ts"
import { hedge, type Options as HedgeOptions_ } from "./LM/Hedge.ts"
import { make, wrap } from "./LM/Make.ts"
import { models } from "./LM/Models.ts"
import { type Options as PersistedCacheOptions_, persistedCache } from "./LM/PersistedCache.ts"
import { price } from "./LM/Price.ts"
import { type Options as RateLimitOptions, rateLimit } from "./LM/RateLimit.ts"
import type * as Request_ from "./LM/Request.ts"
import { type Options, resilient } from "./LM/Resilient.ts"
import { retry } from "./LM/Retry.ts"
import * as Route from "./LM/Route.ts"
import * as Settings_ from "./LM/Settings.ts"
import type * as Sink from "./LM/Sink.ts"
import { stream } from "./LM/Stream.ts"
import { LM as Tag, type Service as Service_ } from "./LM/Tag.ts"
import { type Options as TimeoutOptions_, timeout } from "./LM/Timeout.ts"
import { Tokenizer } from "./LM/Tokens.ts"
import type { LMError } from "./LMError.ts"
import type { Table } from "./Price.ts"

/**
 * The tag, to be provided and asked for, with everything one does with a language model.
 *
 * @category services
 */
export const LM = Object.assign(Tag, {
  /** Builds an LM from a function that answers one request. */
  make,
  /** The same LM with another `generate`: for decorators of your own. */
  wrap,
  /** Asks the model with messages written by hand. */
  generate,
  /** The same, as a stream of the answer's parts. */
  stream,
  /** The settings in force; see `withSettings`. */
  Settings: Settings_.Settings,
  /** Runs a program with other settings: temperature, maxTokens, attempts, timeout, ... */
  withSettings: Settings_.provide,
  /** Several models under names of one's own. */
  models,
  /** One LM that asks one of several, chosen request by request. */
  route: Route.layer,
  /** Chooses the model that is likely to cost the least, for `route`. */
  cheapest: Route.cheapest,
  /** The middleware in force around every model call. */
  Around: Around.Current,
  /** Runs a program with middleware around every model call, whatever layers it provides inside. */
  around: Around.around,
  /** The group of calls that is served in turn with others; see `withGroup`. */
  Group: Group.Group,
  /** Runs a program as a group of its own: bounds and rate limits serve the groups in turn. */
  withGroup: Group.provide,
  /** Lifts a decorator to layers. */
  decorate: Decorator.decorate,
  /** Applies a decorator to a part of a program. */
  using: Decorator.using,
  /** The decorators as functions from LM to LM, for `using` and for decorators of your own. */
  decorator: {
    budget,
    cache,
    circuitBreaker,
    concurrency,
    fallback,
    hedge,
    persistedCache,
    price,
    rateLimit,
    resilient,
    retry,
    timeout
  },
  /** At most this many requests at once, over everything that uses the layer; `adaptive` finds out how many. */
  concurrency: (options: number | ConcurrencyOptions) => Decorator.decorate(concurrency(options)),
  /** Requests and tokens per window of time, waited for in line; goes over concurrency and under retry. */
  rateLimit: (options: RateLimitOptions) => Decorator.decorate(rateLimit(options)),
  /** Counts the tokens of a text, for limits that reserve before sending. */
  Tokenizer,
  /** Limits what calls may cost altogether: requests, tokens, money. */
  budget: (options: Limits | Budget) => Decorator.decorate(budget(options)),
  /** Fills `Usage.costUsd` from tables of prices. */
  price: (...tables: ReadonlyArray<Table>) => Decorator.decorate(price(...tables)),
  /** Time limits for one request: for the answer, its first part, and between its parts. */
  timeout: (limit: Duration.Input | TimeoutOptions_) => Decorator.decorate(timeout(limit)),
  /** Retries what is retryable, within `LM.Settings.attempts`. */
  retry: (options?: { readonly schedule?: Schedule.Schedule<unknown, LMError> }) => Decorator.decorate(retry(options)),
  /** Stops asking an endpoint that fails again and again; takes effect's `CircuitBreaker` from context. */
  circuitBreaker: () => Decorator.decorate(circuitBreaker()),
  /** Sends a second request when the first is slow; the first answer wins. */
  hedge: (options?: HedgeOptions_) => Decorator.decorate(hedge(options)),
  /** Asks other models when this one fails. */
  fallback: <const L extends ReadonlyArray<Layer.Layer<Tag, unknown, unknown>>>(
    others: L,
    options?: FallbackOptions_
  ) => Decorator.decorate(fallbackTo(others, options)),
  /** Keeps accepted answers, and makes identical calls in flight one request. */
  cache: (options?: CacheOptions_) => Decorator.decorate(cache(options)),
  /** The same, over a store that outlives the process; takes effect's `BackingPersistence` from context. */
  persistedCache: (options?: PersistedCacheOptions_) => Decorator.decorate(persistedCache(options)),
  /** All that is asked for of the above, in the right order; timeout, concurrency and retry in any case. */
  resilient: <const O extends Options = {}>(options?: O) => Decorator.decorate(resilient(options))
})

/**
 * What a predictor requires: `Effect<Output, PredictError, LM>`.
 *
 * @category services
 */
export type LM = Tag

/** The types that go with the service. */
export declare namespace LM {
  export type Service = Service_
  export type Request = Request_.Request
  export type Output = Request_.Output
  export type Part = Sink.Part
  export type Call = Request_.Call
  export type Settings = Settings_.Settings
  export type Middleware = Around.Middleware
  export type Decorator<E = never, R = never> = Decorator.Decorator<E, R>
  export type CacheOptions = CacheOptions_
  export type PersistedCacheOptions = PersistedCacheOptions_
  export type FallbackOptions = FallbackOptions_
  export type HedgeOptions = HedgeOptions_
  export type Choose<Name extends string> = Route.Choose<Name>
  export type TimeoutOptions = TimeoutOptions_
  export type ResilientOptions = Options
}
