/**
 * A time limit for one request, from sending to the last byte of the answer.
 *
 * It goes innermost, so that waiting for a permit is not taken for slowness; the limit for the whole
 * logical call is `LM.Settings.timeout`.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as LMError from "../LMError.ts"
import * as Reason from "../LMErrorReason.ts"
import type { Decorator } from "./Decorator.ts"
import { wrap } from "./Make.ts"

/**
 * Requests that take longer are interrupted, their sockets closed, and fail with `Timeout`, kind
 * `attempt`, which is worth a retry.
 *
 * @category decorators
 */
export const timeout = (limit: Duration.Input): Decorator => {
  const duration = Duration.fromInputUnsafe(limit)
  return (lm) =>
    Effect.succeed(wrap(lm, (request) =>
      Effect.timeoutOrElse(lm.generate(request), {
        duration,
        orElse: () =>
          Effect.fail(LMError.make(lm.provider, lm.model, new Reason.Timeout({ kind: "attempt", limit: duration })))
      })))
}
