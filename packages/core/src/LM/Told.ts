/**
 * The events of one request: it leaves, and its answer arrives or it fails.
 */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { AttemptEnded, AttemptStarted } from "../Event.ts"
import type { LMError } from "../LMError.ts"
import * as Telling from "../Telling.ts"

/**
 * Sends a request and tells of it. `also` gives what else the end says; it is called with the answer, or with nothing
 * where the request failed.
 *
 * @category combinators
 */
export const told = <A>(
  to: Telling.Listener,
  fiber: Fiber.Fiber<unknown, unknown>,
  about: Omit<AttemptStarted, "_tag">,
  send: Effect.Effect<A, LMError>,
  also: (answer: A | undefined) => Partial<AttemptEnded>
): Effect.Effect<A, LMError> => {
  Telling.tell(to, fiber, { _tag: "AttemptStarted", ...about })
  return Telling.ending(fiber, send, (ended, exit) => {
    const more = also(Exit.isSuccess(exit) ? exit.value : undefined)
    const retryAfter = retryAfterOf(exit)
    Telling.tell(to, fiber, {
      _tag: "AttemptEnded",
      ...about,
      ...ended,
      usage: { calls: 1 },
      ...more,
      ...(retryAfter === undefined ? undefined : { retryAfterMs: Duration.toMillis(retryAfter) })
    })
  })
}

const retryAfterOf = (exit: Exit.Exit<unknown, LMError>): Duration.Duration | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const failure = Exit.findErrorOption(exit)
  return failure._tag === "Some" ? failure.value.retryAfter : undefined
}
