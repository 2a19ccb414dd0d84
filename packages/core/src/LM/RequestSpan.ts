/**
 * The spans of requests.
 *
 * A call with one request is one span, which also says what is known of the request. Where there are more requests,
 * each gets a span of its own below the call's; the first one's is made when the second begins, with the times it had.
 * Requests outside of calls always have spans of their own, because nothing else would tell of them.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import * as GenAi from "../GenAi.ts"
import type { LMError } from "../LMError.ts"
import * as Spans from "../Spans.ts"

/**
 * The span of a call, which stands for its request as long as there is one. `first` makes a span of that request.
 *
 * @category models
 */
export interface Call {
  readonly span: Tracer.Span
  first: (() => void) | undefined
}

/**
 * The call that requests belong to: its span, if one stands for the request, and how many requests it has sent.
 *
 * @category models
 */
export interface Counted {
  readonly call?: Call | undefined
  readonly used: number
}

/**
 * What a request says of itself in a span.
 *
 * - `attributes`: what is known before it is sent
 * - `ended`: writes what came of it into its own span, apart from a failure
 * - `begins`, `ends`: write into the call's span, where that one stands for the request
 *
 * @category models
 */
export interface Words<A> {
  readonly name: string
  readonly attributes: () => { readonly [name: string]: unknown }
  readonly ended: (span: Tracer.Span, exit: Exit.Exit<A, LMError>) => void
  readonly begins?: (span: Tracer.Span) => void
  readonly ends?: (span: Tracer.Span) => void
}

/**
 * Sends a request, with a span where it has one.
 *
 * @category combinators
 */
export const spanned = <A>(
  fiber: Fiber.Fiber<unknown, unknown>,
  counted: Counted | undefined,
  words: Words<A>,
  send: Effect.Effect<A, LMError>
): Effect.Effect<A, LMError> => {
  const call = counted?.call
  const { http, requests } = fiber.getRef(Spans.Settings)
  if (call !== undefined && counted?.used === 1 && requests !== "all" && http !== true) {
    return within(fiber, call, counted, words, send)
  }
  call?.first?.()
  const sent = Effect.withFiber<A, LMError>((inside) => {
    const span = Spans.current(inside)
    return span === undefined ? send : Effect.onExit(send, (exit) => Effect.sync(() => ended(span, words, exit)))
  })
  return Effect.withSpan(sent, words.name, {
    kind: "client",
    attributes: attributesOf(words, counted?.used),
    captureStackTrace: false
  })
}

// The request is the call's only one so far: it has no span of its own, and may get one later.
const within = <A>(
  fiber: Fiber.Fiber<unknown, unknown>,
  call: Call,
  counted: Counted,
  words: Words<A>,
  send: Effect.Effect<A, LMError>
): Effect.Effect<A, LMError> => {
  const clock = fiber.getRef(Clock.Clock)
  const startTime = clock.currentTimeNanosUnsafe()
  words.begins?.(call.span)
  return Effect.onExit(send, (exit) =>
    Effect.sync(() => {
      const endTime = clock.currentTimeNanosUnsafe()
      words.ends?.(call.span)
      const make = () => {
        call.first = undefined
        const span = fiber.getRef(Tracer.Tracer).span({
          name: words.name,
          parent: Option.some(call.span),
          annotations: Context.empty(),
          links: [],
          startTime,
          kind: "client",
          root: false,
          sampled: call.span.sampled
        })
        for (const [name, value] of Object.entries(attributesOf(words, 1))) span.attribute(name, value)
        ended(span, words, exit)
        span.end(endTime, exit)
      }
      // A second one has begun meanwhile.
      if (counted.used > 1) make()
      else call.first = make
    }))
}

const attributesOf = <A>({ attributes }: Words<A>, attempt: number | undefined) => ({
  ...attributes(),
  ...(attempt === undefined ? undefined : { "effect_dspy.attempt": attempt })
})

const ended = <A>(span: Tracer.Span, words: Words<A>, exit: Exit.Exit<A, LMError>): void => {
  words.ended(span, exit)
  GenAi.failed(span, exit)
}
