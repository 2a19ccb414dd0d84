/**
 * Leaves alone an endpoint that fails again and again.
 *
 * effect's `CircuitBreaker` does the work, and is taken from context: its layer says when a circuit opens and for
 * how long, its store whether other processes see it too.
 *
 * It goes under retry, so that every attempt counts and a retry finds the circuit open, and over concurrency and
 * rate limits, so that a call which is not sent waits for no permit.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as EffectCircuitBreaker from "effect/persistence/CircuitBreaker"
import type { Completion } from "../Completion.ts"
import * as LMError from "../LMError.ts"
import { CircuitOpen } from "../LMErrorReason.ts"
import type { Decorator } from "./Decorator.ts"
import { wrap } from "./Make.ts"
import { CircuitBreaker } from "./Persistence.ts"
import type { Request } from "./Request.ts"
import type { Service } from "./Tag.ts"

/**
 * Fails with `CircuitOpen` while the circuit of this endpoint and model is open. Failures that speak of the
 * endpoint's health count, which are the retryable ones but for `RateLimited`: that speaks of the caller's pace.
 *
 * ```ts
 * import { LM, LMErrorReason } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Layer } from "effect"
 * import { CircuitBreaker } from "effect/persistence"
 *
 * const Breaker = CircuitBreaker.layer({ tripPolicy: CircuitBreaker.consecutive(2), openDuration: "30 seconds" }).pipe(
 *   Layer.provide(CircuitBreaker.layerStoreMemory())
 * )
 * const Live = TestLM.layer(() => new LMErrorReason.Overloaded({})).pipe(LM.circuitBreaker(), Layer.provide(Breaker))
 * const ask = Effect.flip(LM.generate({ messages: [] }))
 * const errors = Effect.all([ask, ask, ask], { concurrency: 1 }).pipe(Effect.provide(Live))
 * await Effect.runPromise(Effect.map(errors, (all) => all.map((error) => error.reason._tag))) // => ["Overloaded", "Overloaded", "CircuitOpen"]
 * ```
 *
 * @category decorators
 */
export const circuitBreaker = (): Decorator<never, EffectCircuitBreaker.CircuitBreaker> => (lm) =>
  Effect.map(CircuitBreaker, (breaker) => {
    const key = `${lm.endpoint} ${lm.model}`
    return wrap(lm, (request) =>
      Effect.mapError(
        breaker.execute(sentOnce(lm, request), { key, classify }),
        (error) => error._tag === "LMError" ? error : LMError.make(lm.provider, lm.model, notSent(error.reason))
      ))
  })

// `execute` writes a generator function for each call, and V8 keeps what such a function sees until the next full
// collection, however short its life was. So it sees a request that is taken out when it is sent: kept, every call with
// its prompt and its answer would outlive the nursery, which cost more than all the breaker does.
const sentOnce = (lm: Service, request: Request): Effect.Effect<Completion, LMError.LMError> => {
  let waiting: Request | undefined = request
  return Effect.suspend(() => {
    const leaving = waiting
    waiting = undefined
    return leaving === undefined ? Effect.die(new Error("a request was sent twice")) : lm.generate(leaving)
  })
}

// Half open, a probe of another call is on its way; a store that fails, and was told to, says no more than that.
const notSent = (reason: EffectCircuitBreaker.CircuitBreakerErrorReason): CircuitOpen =>
  new CircuitOpen(reason._tag === "CircuitOpen" ? { retryAfter: reason.retryAfter } : {})

const classify = (exit: Exit.Exit<Completion, LMError.LMError>): EffectCircuitBreaker.Outcome => {
  if (Exit.isSuccess(exit)) return { _tag: "Success" }
  const error = Exit.findErrorOption(exit)
  return error._tag === "Some" && error.value.isRetryable && error.value.reason._tag !== "RateLimited"
    ? { _tag: "Failure", retryAfter: error.value.retryAfter }
    : { _tag: "Ignored" }
}
