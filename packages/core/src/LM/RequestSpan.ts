/**
 * The span of one request.
 *
 * A predictor call with one request is one span: what is known of the request goes there. Where there are more, each
 * gets a span of its own below the call's; that of the first is made when the second begins, with the times it had.
 * Requests outside of predictors have spans in any case, for nothing else would tell of them.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { Completion } from "../Completion.ts"
import { Show } from "../Content.ts"
import * as GenAi from "../GenAi.ts"
import type { LMError } from "../LMError.ts"
import * as Spans from "../Spans.ts"
import * as Telling from "../Telling.ts"
import type { Reading } from "./Reading.ts"
import type { Request } from "./Request.ts"
import type { Service } from "./Tag.ts"

/**
 * The span of a predictor call, which stands for its request as long as there is one. `first` makes a span of that
 * request.
 *
 * @category models
 */
export interface Call {
  readonly span: Tracer.Span
  first: (() => void) | undefined
}

/**
 * What a span says of who is asked.
 *
 * @category models
 */
export type Asked = Pick<Service, "provider" | "model"> & Partial<Pick<Service, "endpoint">>

/**
 * Sends a request, with a span where it has one.
 *
 * @category combinators
 */
export const spanned = (
  fiber: Fiber.Fiber<unknown, unknown>,
  lm: Asked,
  request: Request,
  reading: Reading | undefined,
  send: Effect.Effect<Completion, LMError>
): Effect.Effect<Completion, LMError> => {
  const { attempts } = request
  const call = attempts?.call
  const { http, requests } = fiber.getRef(Spans.Settings)
  if (call !== undefined && attempts?.used === 1 && requests !== "all" && http !== true) {
    return within(fiber, lm, request, reading, call, send)
  }
  call?.first?.()
  const sent = Effect.withFiber<Completion, LMError>((inside) => {
    const span = Spans.current(inside)
    return span === undefined
      ? send
      : Effect.onExit(send, (exit) => Effect.sync(() => ended(inside, span, request, reading, exit)))
  })
  return Effect.withSpan(sent, nameOf(lm), {
    kind: "client",
    attributes: attributesOf(lm, request),
    captureStackTrace: false
  })
}

// The request is the call's only one so far: it has no span of its own, and may get one later.
const within = (
  fiber: Fiber.Fiber<unknown, unknown>,
  lm: Asked,
  request: Request,
  reading: Reading | undefined,
  call: Call,
  send: Effect.Effect<Completion, LMError>
): Effect.Effect<Completion, LMError> => {
  const clock = fiber.getRef(Clock.Clock)
  const startTime = clock.currentTimeNanosUnsafe()
  if (request.sink !== undefined) call.span.attribute("gen_ai.request.stream", true)
  const show = fiber.getRef(Show)
  if (show !== undefined) call.span.attribute("gen_ai.input.messages", GenAi.inputMessages(request.messages, show))
  return Effect.onExit(send, (exit) =>
    Effect.sync(() => {
      const endTime = clock.currentTimeNanosUnsafe()
      if (reading?.firstMs !== undefined) firstChunk(call.span, reading.firstMs)
      const make = () => {
        call.first = undefined
        const span = fiber.getRef(Tracer.Tracer).span({
          name: nameOf(lm),
          parent: Option.some(call.span),
          annotations: Context.empty(),
          links: [],
          startTime,
          kind: "client",
          root: false,
          sampled: call.span.sampled
        })
        for (const [name, value] of Object.entries(attributesOf(lm, request, 1))) span.attribute(name, value)
        ended(fiber, span, request, reading, exit)
        span.end(endTime, exit)
      }
      // A second one has begun meanwhile.
      if ((request.attempts?.used ?? 1) > 1) make()
      else call.first = make
    }))
}

const nameOf = ({ model }: Asked) => `chat ${model}`

const attributesOf = (lm: Asked, request: Request, attempt = request.attempts?.used) => ({
  ...GenAi.asked(lm, request.settings, request),
  ...(attempt === undefined ? undefined : { "effect_dspy.attempt": attempt })
})

const firstChunk = (span: Tracer.Span, ms: number) => span.attribute("gen_ai.response.time_to_first_chunk", ms / 1000)

const ended = (
  fiber: Fiber.Fiber<unknown, unknown>,
  span: Tracer.Span,
  request: Request,
  reading: Reading | undefined,
  exit: Exit.Exit<Completion, LMError>
): void => {
  const show = fiber.getRef(Show)
  if (show !== undefined) span.attribute("gen_ai.input.messages", GenAi.inputMessages(request.messages, show))
  if (reading?.firstMs !== undefined) firstChunk(span, reading.firstMs)
  if (Exit.isSuccess(exit)) {
    GenAi.answered(span, exit.value)
    GenAi.paid(span, exit.value.usage)
    if (show !== undefined) span.attribute("gen_ai.output.messages", GenAi.outputMessages(exit.value, show))
  } else if (!Cause.hasInterruptsOnly(exit.cause)) {
    span.attribute("error.type", Telling.endOf(exit).error)
  }
}
