/**
 * One request as others see it: its events where somebody listens, its span where a tracer is installed.
 */
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Completion } from "../Completion.ts"
import type { LMError } from "../LMError.ts"
import * as Spans from "../Spans.ts"
import * as Telling from "../Telling.ts"
import * as ChatSpan from "./ChatSpan.ts"
import { Reading } from "./Reading.ts"
import type { Request } from "./Request.ts"
import * as RequestSpan from "./RequestSpan.ts"
import * as Sink from "./Sink.ts"
import { told } from "./Told.ts"

/**
 * Sends a request; `send` is the same without anybody to see it.
 *
 * @category combinators
 */
export const observed = (
  fiber: Fiber.Fiber<unknown, unknown>,
  lm: ChatSpan.Asked,
  request: Request,
  send: (request: Request) => Effect.Effect<Completion, LMError>
): Effect.Effect<Completion, LMError> => {
  const to = Telling.listener(fiber)
  const traced = Spans.traced(fiber)
  if (to === undefined && !traced) return send(request)
  const { sink } = request
  const about = { attempt: request.attempts?.used ?? 1, provider: lm.provider, model: lm.model }
  const reading = sink === undefined ? undefined : new Reading(to, fiber, about)
  const sent = send(
    sink === undefined || reading === undefined
      ? request
      : { ...request, sink: Sink.mapEmit(sink, (emit) => reading.through(emit)) }
  )
  const seen = to === undefined ? sent : told(to, fiber, about, sent, (completion) => {
    reading?.flush()
    return {
      ...(completion === undefined
        ? undefined
        : { usage: completion.usage, answeredBy: completion.model, finishReason: completion.finishReason }),
      ...(reading?.firstMs === undefined ? undefined : { firstTokenMs: reading.firstMs })
    }
  })
  return traced ? RequestSpan.spanned(fiber, request.attempts, ChatSpan.words(fiber, lm, request, reading), seen) : seen
}
