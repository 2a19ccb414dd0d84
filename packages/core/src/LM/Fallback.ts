/**
 * Other models for when one fails.
 *
 * The life of a call with alternatives:
 * 1. The first model is asked with a part of the attempt budget: one request is kept for each model behind it. So
 *    retries of the first can't use up what the others need.
 * 2. It may try again for `patience`, and begins no wait that ends later: a Retry-After of a minute, or an open
 *    circuit, is no reason to wait while another model stands ready.
 * 3. It fails in a way that speaks of this model or endpoint: the next one is asked. A refusal, an exhausted
 *    budget and the total timeout are final.
 * 4. The last one has all that is left, and its failure is the failure of the call.
 *
 * It goes outside retry, so that each model gets its own attempts, with limits and circuits of its own below.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Completion } from "../Completion.ts"
import type { LMError } from "../LMError.ts"
import * as Attempts from "./Attempts.ts"
import { build, type Decorator } from "./Decorator.ts"
import * as Identity from "./Identity.ts"
import { wrap } from "./Make.ts"
import type { Request } from "./Request.ts"
import type { LM, Service } from "./Tag.ts"

/**
 * - `when`: which failures go on to the next model; default those that speak of one model or endpoint
 * - `patience`: how long a model may be tried again while another stands ready, default 10 seconds
 *
 * @category models
 */
export interface Options {
  readonly when?: (error: LMError) => boolean
  readonly patience?: Duration.Input
}

/**
 * Asks the other models, one after the other, when the LM fails.
 *
 * @category decorators
 */
export const fallback = (others: ReadonlyArray<Service>, options: Options = {}): Decorator => {
  const { when = (error: LMError) => error.goesElsewhere } = options
  const patience = Duration.toMillis(Duration.fromInputUnsafe(options.patience ?? "10 seconds"))
  const ask = (
    lm: Service,
    [next, ...rest]: ReadonlyArray<Service>,
    request: Request
  ): Effect.Effect<Completion, LMError> => {
    if (next === undefined) return lm.generate(request)
    const { attempts } = request
    const asked = attempts === undefined
      ? lm.generate(request)
      : Effect.flatMap(
        Clock.currentTimeMillis,
        (now) => lm.generate({ ...request, attempts: Attempts.sparing(attempts, rest.length + 1, now + patience) })
      )
    return Effect.catchIf(
      asked,
      (error) => when(error) && (attempts === undefined || Attempts.left(attempts)),
      () => ask(next, rest, request)
    )
  }
  return (lm) =>
    Effect.succeed({
      ...wrap(lm, (request) => ask(lm, others, request)),
      endpoint: Identity.endpoints([lm, ...others])
    })
}

/**
 * The same with layers, each built once with the LM's own.
 *
 * ```ts
 * import { Completion, LM, LMErrorReason } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect } from "effect"
 *
 * const Live = TestLM.layer(() => new LMErrorReason.Overloaded({})).pipe(
 *   LM.retry(),
 *   LM.fallback([TestLM.layer(["Hello from the other one."])])
 * )
 * const ask = Effect.map(LM.generate({ messages: [] }), Completion.text)
 * await Effect.runPromise(Effect.provide(ask, Live)) // => "Hello from the other one."
 * ```
 *
 * @category decorators
 */
export const fallbackTo = <const L extends ReadonlyArray<Layer.Layer<LM, unknown, unknown>>>(
  others: L,
  options?: Options
): Decorator<Layer.Error<L[number]>, Layer.Services<L[number]> | Scope.Scope> =>
(lm) =>
  // What a list of layers fails with and needs is the union over its members; `forEach` sees their common bound.
  Effect.flatMap(
    Effect.forEach(others, build, { concurrency: 1 }),
    (services) => fallback(services, options)(lm)
  ) as ReturnType<Decorator<Layer.Error<L[number]>, Layer.Services<L[number]> | Scope.Scope>>
