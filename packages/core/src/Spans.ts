/**
 * Spans of what happens, for whatever tracer is installed; none, and no cost, where none is.
 *
 * job -> pipeline -> step -> predictor call -> request -> HTTP. One call of a predictor is one span, with the names of
 * OpenTelemetry's conventions for generative AI (`GenAi`). Requests get spans of their own where there is more than
 * one: a retry, a re-ask, a fallback. `Settings` asks for more.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Tracer from "effect/Tracer"

/**
 * - `requests`: which requests get a span: `several` (default) where a call has more than one, `all` always
 * - `http`: a span for the HTTP exchange of each request, and so one for each request; default none
 * - `propagate`: sends the trace's id to the hosts of models (`traceparent`); default not
 *
 * @category models
 */
export interface Options {
  readonly requests?: "several" | "all"
  readonly http?: boolean
  readonly propagate?: boolean
}

const few: Options = {}

/**
 * Which spans are made around the running fiber.
 *
 * @category services
 */
export const Settings = Context.Reference<Options>("@effect-dspy/core/Spans/Settings", { defaultValue: () => few })

/**
 * Makes more spans in a program.
 *
 * @category combinators
 */
export const settings = (options: Options) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(self, Settings, options)

/**
 * Makes more spans in whatever it is provided to.
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<never> => Layer.succeed(Settings, options)

// The tracer a fiber has when nobody installed one: a span would cost more than the rest of the call.
const untraced = Context.getUnsafe(Context.empty(), Tracer.Tracer)

/**
 * Whether a tracer is installed around a fiber.
 *
 * @category getters
 */
export const traced = (fiber: Fiber.Fiber<unknown, unknown>): boolean => fiber.getRef(Tracer.Tracer) !== untraced

/**
 * The span a fiber is in, if it is one of this process.
 *
 * @category getters
 */
export const current = (fiber: Fiber.Fiber<unknown, unknown>): Tracer.Span | undefined => {
  const span = Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
  return span?._tag === "Span" ? span : undefined
}

/**
 * A span's place in its trace, in the words of W3C's Trace Context: what travels to other processes.
 *
 * ```ts
 * import { Spans } from "@effect-dspy/core"
 *
 * const text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
 * const span = Spans.fromTraceparent(text)
 * span?.spanId // => "00f067aa0ba902b7"
 * span && Spans.toTraceparent(span) // => "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
 * ```
 *
 * @category propagation
 */
export const toTraceparent = ({ sampled, spanId, traceId }: Tracer.AnySpan): string =>
  `00-${traceId.padStart(32, "0")}-${spanId.padStart(16, "0")}-${sampled ? "01" : "00"}`

/**
 * The way back; `undefined` for text that is not a `traceparent`.
 *
 * @category propagation
 */
export const fromTraceparent = (text: string): Tracer.ExternalSpan | undefined => {
  const [, traceId, spanId, flags] = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/.exec(text) ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  return Tracer.externalSpan({ traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 })
}

/**
 * Runs `self` in a span, where a tracer is installed.
 *
 * @category combinators
 */
export const within = <A, E, R>(
  name: string,
  options: () => Tracer.SpanOptionsNoTrace,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) =>
    traced(fiber)
      // A stack trace would only lead here. Without it a span costs 5 us instead of 7.
      ? Effect.withSpan(self, name, { ...options(), captureStackTrace: false }) as Effect.Effect<A, E, R>
      : self
  )
