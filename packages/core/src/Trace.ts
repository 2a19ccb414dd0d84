/**
 * What predictor calls took, gave and cost, asked of any program.
 *
 * Nobody records anything unless a collector is in scope; then every predictor call below it, failed ones
 * included, becomes one event. Collectors nest: the inner one passes its events on to the outer one.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Adjustment } from "./Completion.ts"
import type { Message } from "./Message.ts"
import type { Any as Signature, Encoded } from "./Signature.ts"
import type { Usage } from "./Usage.ts"

/**
 * One predictor call.
 *
 * - `path`: where in the program (`Document/summarize`); `name`: the predictor's name
 * - `input`: its JSON form; `result`: the output, the error (a `PredictError`, or what a tool failed with), or that
 *   the call was interrupted
 * - `messages`: of the last request; `raw`, `model`, `finishReason`: of the last reply, where there was one
 * - `adjustments`: where the last request was not sent as asked
 * - `attempts`: requests sent; `startMs`, `endMs`: milliseconds of the Clock
 *
 * @category models
 */
export interface Event {
  readonly path: string
  readonly name: string
  readonly signature: Signature
  readonly input: Encoded
  readonly result:
    | { readonly _tag: "Success"; readonly output: Encoded }
    | { readonly _tag: "Failure"; readonly error: unknown }
    | { readonly _tag: "Interrupted" }
  readonly usage: Usage
  readonly attempts: number
  readonly startMs: number
  readonly endMs: number
  readonly messages?: ReadonlyArray<Message>
  readonly raw?: string
  readonly model?: string
  readonly finishReason?: string
  readonly adjustments?: ReadonlyArray<Adjustment>
}

/**
 * Who is told of predictor calls around the running fiber; use `observe` or `collect`.
 *
 * @category services
 */
export const Collector = Context.Reference<((event: Event) => void) | undefined>("@effect-dspy/core/Trace/Collector", {
  defaultValue: () => undefined
})

/**
 * Calls `onEvent` for every predictor call below `self`, also when `self` fails.
 *
 * @category combinators
 */
export const observe =
  (onEvent: (event: Event) => void) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) => {
      const outer = fiber.getRef(Collector)
      const collector = outer === undefined ? onEvent : (event: Event) => {
        onEvent(event)
        outer(event)
      }
      return Effect.provideService(self, Collector, collector)
    })

/**
 * Runs a program and gives its result beside the events of its predictor calls, in the order they ended.
 *
 * ```ts
 * import { Predict, Signature, Trace } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * const Greet = Signature.make("Greet", { input: { name: Schema.String }, output: { text: Schema.String } })
 * const program = Predict.make(Greet)({ name: "Ada" }).pipe(Trace.collect, Effect.provide(TestLM.layer([{ text: "Hello" }])))
 * const [output, events] = await Effect.runPromise(program)
 * events.map((event) => [event.path, event.input, event.attempts]) // => [["Greet", { name: "Ada" }, 1]]
 * ```
 *
 * @category combinators
 */
export const collect = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<readonly [A, ReadonlyArray<Event>], E, R> =>
  Effect.suspend(() => {
    const events: Array<Event> = []
    return Effect.map(observe((event) => events.push(event))(self), (value) => [value, events] as const)
  })

/**
 * The same for programs that run long: keeps the last `limit` events and forgets the rest.
 *
 * @category combinators
 */
export const latest =
  (limit: number) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<readonly [A, ReadonlyArray<Event>], E, R> =>
    Effect.suspend(() => {
      // A ring: the oldest event is where the next one goes.
      const ring: Array<Event> = []
      let next = 0
      const kept = observe((event) => {
        if (limit < 1) return
        ring[next] = event
        next = (next + 1) % limit
      })(self)
      const inOrder = () => ring.length < limit ? ring : [...ring.slice(next), ...ring.slice(0, next)]
      return Effect.map(kept, (value) => [value, inOrder()] as const)
    })
