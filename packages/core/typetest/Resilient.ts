/** What `LM.resilient` adds to the types of a layer: what is asked for, and nothing else. */
import { LM } from "@effect-dspy/core"
import { Context, Layer } from "effect"
import type { CircuitBreaker, Persistence } from "effect/persistence"

class Key extends Context.Service<Key, string>()("typetest/Key") {}
class Missing {
  readonly _tag = "Missing"
}

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const check = <_ extends true>() => {}

declare const fast: Layer.Layer<LM>
declare const strong: Layer.Layer<LM, Missing, Key>
declare const wide: LM.ResilientOptions

const plain = fast.pipe(LM.resilient({ timeout: "1 second", hedge: true, cache: true, budget: { calls: 3 } }))
check<Equal<typeof plain, Layer.Layer<LM>>>()
const none = fast.pipe(LM.resilient())
check<Equal<typeof none, Layer.Layer<LM>>>()

const breaking = fast.pipe(LM.resilient({ circuitBreaker: true }))
check<Equal<typeof breaking, Layer.Layer<LM, never, CircuitBreaker.CircuitBreaker>>>()

const persisted = fast.pipe(LM.resilient({ cache: { persisted: true, timeToLive: "1 hour" } }))
check<Equal<typeof persisted, Layer.Layer<LM, never, Persistence.BackingPersistence>>>()

const row = fast.pipe(LM.resilient({ fallback: [strong, fast] }))
check<Equal<typeof row, Layer.Layer<LM, Missing, Key>>>()

// Options whose type does not tell may need anything.
// @ts-expect-error it may need a circuit breaker
export const untold: Layer.Layer<LM> = fast.pipe(LM.resilient(wide))

// @ts-expect-error no such option
fast.pipe(LM.resilient({ timeuot: "1 second" }))
