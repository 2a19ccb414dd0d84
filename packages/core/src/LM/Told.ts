/**
 * The events of one request: it leaves, and its answer arrives or it fails.
 */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Completion } from "../Completion.ts"
import type { LMError } from "../LMError.ts"
import * as Telling from "../Telling.ts"
import type { Reading } from "./Reading.ts"

/**
 * Sends a request and tells of it.
 *
 * @category combinators
 */
export const told = (
  to: Telling.Listener,
  fiber: Fiber.Fiber<unknown, unknown>,
  about: Reading["about"],
  reading: Reading | undefined,
  send: Effect.Effect<Completion, LMError>
): Effect.Effect<Completion, LMError> => {
  Telling.tell(to, fiber, { _tag: "AttemptStarted", ...about })
  return Telling.ending(fiber, send, (ended, exit) => {
    reading?.flush()
    const completion = Exit.isSuccess(exit) ? exit.value : undefined
    const retryAfter = completion === undefined ? retryAfterOf(exit) : undefined
    Telling.tell(to, fiber, {
      _tag: "AttemptEnded",
      ...about,
      ...ended,
      usage: completion?.usage ?? { calls: 1 },
      ...(completion === undefined
        ? undefined
        : { answeredBy: completion.model, finishReason: completion.finishReason }),
      ...(reading?.firstMs === undefined ? undefined : { firstTokenMs: reading.firstMs }),
      ...(retryAfter === undefined ? undefined : { retryAfterMs: Duration.toMillis(retryAfter) })
    })
  })
}

const retryAfterOf = (exit: Exit.Exit<Completion, LMError>): Duration.Duration | undefined => {
  const failure = Exit.findErrorOption(exit)
  return failure._tag === "Some" ? failure.value.retryAfter : undefined
}
