/**
 * Tags of effect's persistence services, without the modules they come from.
 *
 * A decorator that keeps state beyond its layer takes a service of `effect/persistence` from context. Those
 * modules bring SQL, Redis and more; only types are imported here, and a tag is its key. So the modules are
 * loaded by whoever builds the layer, and by nobody else.
 */
import * as Context from "effect/Context"
import type * as EffectCircuitBreaker from "effect/persistence/CircuitBreaker"
import type * as EffectPersistence from "effect/persistence/Persistence"
import type * as EffectRateLimiter from "effect/persistence/RateLimiter"

/**
 * The tag `CircuitBreaker` of `effect/persistence/CircuitBreaker`.
 *
 * @category services
 */
export const CircuitBreaker: Context.Service<
  EffectCircuitBreaker.CircuitBreaker,
  EffectCircuitBreaker.CircuitBreaker
> = Context.Service("~effect/persistence/CircuitBreaker")

/**
 * The tag `BackingPersistence` of `effect/persistence/Persistence`.
 *
 * @category services
 */
export const BackingPersistence: Context.Service<
  EffectPersistence.BackingPersistence,
  EffectPersistence.BackingPersistence["Service"]
> = Context.Service("effect/persistence/BackingPersistence")

/**
 * The tag `RateLimiterStore` of `effect/persistence/RateLimiter`.
 *
 * @category services
 */
export const RateLimiterStore: Context.Service<
  EffectRateLimiter.RateLimiterStore,
  EffectRateLimiter.RateLimiterStore["Service"]
> = Context.Service("effect/persistence/RateLimiter/RateLimiterStore")
