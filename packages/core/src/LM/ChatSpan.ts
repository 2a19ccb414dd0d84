/**
 * What the span of a request for an answer says.
 */
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"
import type { Completion } from "../Completion.ts"
import { Show } from "../Content.ts"
import * as GenAi from "../GenAi.ts"
import type { Reading } from "./Reading.ts"
import type { Request } from "./Request.ts"
import type { Words } from "./RequestSpan.ts"
import type { Service } from "./Tag.ts"

/**
 * What a span says of who is asked.
 *
 * @category models
 */
export type Asked = Pick<Service, "provider" | "model"> & Partial<Pick<Service, "endpoint">>

/**
 * What one request says in a span. `reading` knows when a streamed answer began.
 *
 * @category constructors
 */
export const words = (
  fiber: Fiber.Fiber<unknown, unknown>,
  lm: Asked,
  request: Request,
  reading: Reading | undefined
): Words<Completion> => {
  const show = fiber.getRef(Show)
  const prompt = (span: Tracer.Span) => {
    if (show !== undefined) span.attribute("gen_ai.input.messages", GenAi.inputMessages(request.messages, show))
  }
  const firstChunk = (span: Tracer.Span) => {
    if (reading?.firstMs !== undefined) span.attribute("gen_ai.response.time_to_first_chunk", reading.firstMs / 1000)
  }
  return {
    name: `chat ${lm.model}`,
    attributes: () => GenAi.asked(lm, request.settings, request),
    begins: (span) => {
      if (request.sink !== undefined) span.attribute("gen_ai.request.stream", true)
      prompt(span)
    },
    ends: firstChunk,
    ended: (span, exit) => {
      prompt(span)
      firstChunk(span)
      if (Exit.isFailure(exit)) return
      GenAi.answered(span, exit.value)
      GenAi.paid(span, exit.value.usage)
      if (show !== undefined) span.attribute("gen_ai.output.messages", GenAi.outputMessages(exit.value, show))
    }
  }
}
