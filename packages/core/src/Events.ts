/**
 * What happens, told while it happens: to a live view, to metrics, to a report.
 *
 * The life of an event:
 * 1. Something happens on the path of a call. If nobody listens around that fiber, nothing is made of it.
 * 2. Otherwise the event is told to observers, one after the other, and put where streams read.
 * 3. Nobody is waited for: a stream that does not keep up loses the oldest events, and is told how many.
 *
 * `layer` listens for a whole app. Everything that reads events (`stream`, `Metrics`, a dashboard) takes the one
 * service from context, so it is made once however many readers there are. `observe` listens around one program.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Event } from "./Event.ts"
import { counter, Current, type Listener } from "./Telling.ts"

/**
 * - `stream`: events from now on. One reader that is slow loses events, and finds `Missed` in their place
 * - `observe`: calls a function for every event until the scope closes; it runs on the path of the call, so it must
 *   be quick and must not throw
 *
 * @category models
 */
export interface Service {
  readonly stream: Stream.Stream<Event>
  readonly observe: (onEvent: (event: Event) => void) => Effect.Effect<void, never, Scope.Scope>
}

/**
 * The events of an app.
 *
 * @category services
 */
export class Events extends Context.Service<Events, Service>()("@effect-dspy/core/Events") {}

/**
 * Events that a slow reader may be behind: a few seconds of a busy process, and about a megabyte.
 */
const defaultCapacity = 4096

const make = (capacity: number): Effect.Effect<Context.Context<Events>> =>
  Effect.withFiber((fiber) =>
    Effect.map(PubSub.sliding<Numbered>(capacity), (hub) => {
      const outer = fiber.getRef(Current)
      const observers = new Set<(event: Event) => void>()
      let readers = 0
      let told = 0
      const during = (change: (by: 1 | -1) => void) =>
        Effect.acquireRelease(Effect.sync(() => change(1)), () => Effect.sync(() => change(-1)))
      const listener: Listener = {
        id: outer?.id ?? counter(),
        listens: () => readers > 0 || observers.size > 0 || outer?.listens() === true,
        tell: (event) => {
          for (const onEvent of observers) onEvent(event)
          if (readers > 0) {
            const numbered = { number: ++told, event }
            if (!PubSub.publishUnsafe(hub, numbered)) {
              hub.pubsub.slide()
              PubSub.publishUnsafe(hub, numbered)
            }
          }
          outer?.tell(event)
        }
      }
      const stream = Stream.unwrap(Effect.map(
        Effect.tap(PubSub.subscribe(hub), () => during((by) => readers += by)),
        (subscription) => {
          let last = told
          return Stream.fromEffectRepeat(PubSub.takeAll(subscription)).pipe(
            Stream.map((items) => {
              const events: Array<Event> = []
              for (const { event, number } of items) {
                const count = number - last - 1
                if (count > 0) events.push({ _tag: "Missed", at: event.at, count })
                events.push(event)
                last = number
              }
              return events
            }),
            Stream.flattenIterable
          )
        }
      ))
      const observe: Service["observe"] = (onEvent) =>
        Effect.suspend(() => {
          // Its own, so that one function may be given twice.
          const told = (event: Event) => onEvent(event)
          return during((by) => by === 1 ? observers.add(told) : observers.delete(told))
        })
      return Context.make(Events, { stream, observe }).pipe(Context.add(Current, listener))
    })
  )

/** An event with its number, so that a reader notices a gap. */
interface Numbered {
  readonly number: number
  readonly event: Event
}

/**
 * Listens for whatever it is provided to. Without a reader it costs nothing.
 *
 * ```ts
 * import { Events, Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Fiber, Schema, Stream } from "effect"
 *
 * const ask = Predict.make(Signature.make("Ask", { input: { text: Schema.String }, output: { answer: Schema.String } }))
 * const program = Effect.gen(function*() {
 *   const reader = yield* Events.stream.pipe(
 *     Stream.map((event) => event._tag),
 *     Stream.take(4),
 *     Stream.runCollect,
 *     Effect.forkChild({ startImmediately: true })
 *   )
 *   yield* ask({ text: "hi" })
 *   return yield* Fiber.join(reader)
 * })
 * const Live = TestLM.layer([{ answer: "Hello." }])
 * await Effect.runPromise(Effect.provide(program, [Live, Events.layer])) // => ["CallStarted", "AttemptStarted", "AttemptEnded", "CallEnded"]
 * ```
 *
 * @category layers
 */
export const layer: Layer.Layer<Events> = Layer.effectContext(make(defaultCapacity))

/**
 * The same, with the number of events that a slow reader may be behind (default 4,096). Make it once: two layers are
 * two services.
 *
 * @category layers
 */
export const layerCapacity = (capacity: number): Layer.Layer<Events> => Layer.effectContext(make(capacity))

/**
 * The events of the app, from now on.
 *
 * @category streaming
 */
export const stream: Stream.Stream<Event, never, Events> = Stream.unwrap(Effect.map(Events, ({ stream }) => stream))

/**
 * Calls `onEvent` for every event of a program. Observers nest: the inner one tells the outer one too.
 *
 * @category combinators
 */
export const observe =
  (onEvent: (event: Event) => void) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) => {
      const outer = fiber.getRef(Current)
      return Effect.provideService(self, Current, {
        id: outer?.id ?? counter(),
        listens: () => true,
        tell: (event) => {
          onEvent(event)
          outer?.tell(event)
        }
      })
    })
