/**
 * Asking the model.
 *
 * `sender` is how predictors send the requests of a logical call they have opened: through middleware,
 * then the decorated LM. `generate` is a logical call of its own, for messages written by hand.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Completion } from "../Completion.ts"
import type { LMError } from "../LMError.ts"
import * as Around from "./Around.ts"
import * as Attempts from "./Attempts.ts"
import * as Request from "./Request.ts"
import * as Settings from "./Settings.ts"
import { LM, type Service } from "./Tag.ts"

/**
 * The LM of a fiber, with the middleware around it.
 *
 * @category getters
 */
export const sender = (fiber: Fiber.Fiber<unknown, unknown>): Service => {
  // Whoever runs a predictor has provided an LM: its type says so.
  const lm = Context.getUnsafe(fiber.context as Context.Context<LM>, LM)
  const around = fiber.getRef(Around.Current)
  return around === undefined ? lm : { ...lm, generate: (request) => around(request, lm, lm.generate) }
}

/**
 * One logical call without a signature: `LM.Settings` apply, attempts and the total timeout are counted.
 *
 * @category constructors
 */
export const generate = (
  options: Pick<Request.Request, "messages"> & Partial<Request.Request>
): Effect.Effect<Completion, LMError, LM> =>
  Effect.withFiber<Completion, LMError, LM>((fiber) => {
    const lm = sender(fiber)
    const settings = Settings.merge(fiber.getRef(Settings.Settings), options.settings)
    const request = { output: Request.text, ...options, settings }
    return options.attempts === undefined
      ? Attempts.within(fiber, lm, settings, (attempts) => lm.generate({ ...request, attempts }))
      : lm.generate(request)
  })
