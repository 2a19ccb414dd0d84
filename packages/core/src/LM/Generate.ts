/**
 * Asking the model.
 *
 * `call` is one request inside an open logical call: middleware, then the decorated LM. Predictors use
 * it. `generate` is a logical call of its own, for messages written by hand.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Completion } from "../Completion.ts"
import type { LMError } from "../LMError.ts"
import * as Around from "./Around.ts"
import * as Attempts from "./Attempts.ts"
import * as Request from "./Request.ts"
import * as Settings from "./Settings.ts"
import { LM } from "./Tag.ts"

/**
 * Sends a request through `LM.Around` and the LM in scope.
 *
 * @category constructors
 */
export const call = (request: Request.Request): Effect.Effect<Completion, LMError, LM> =>
  Effect.withFiber<Completion, LMError, LM>((fiber) => {
    const lm = Context.getUnsafe(fiber.context, LM)
    const around = fiber.getRef(Around.Current)
    return around === undefined ? lm.generate(request) : around(request, lm, lm.generate)
  })

/**
 * One logical call without a signature: `LM.Settings` apply, attempts and the total timeout are counted.
 *
 * @category constructors
 */
export const generate = (
  options: Pick<Request.Request, "messages"> & Partial<Request.Request>
): Effect.Effect<Completion, LMError, LM> =>
  Effect.withFiber<Completion, LMError, LM>((fiber) => {
    const settings = Settings.merge(fiber.getRef(Settings.Settings), options.settings)
    const request = { output: Request.text, ...options, settings }
    return fiber.getRef(Attempts.Current) === undefined ? Attempts.within(settings, () => call(request)) : call(request)
  })
