/**
 * Middleware around every model call of a program, outside all layers.
 *
 * A decorated layer can be replaced by an inner `Effect.provide(OtherLM)`; middleware can't. So what must
 * see every call lives here: the durable memo of a job, recordings, taps.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Completion } from "../Completion.ts"
import type { LMError } from "../LMError.ts"
import type { Request } from "./Request.ts"
import type { Service } from "./Tag.ts"

/**
 * Sees a request and the LM it goes to. `next` passes it on; not calling it answers without sending.
 *
 * @category models
 */
export interface Middleware {
  (
    request: Request,
    lm: Service,
    next: (request: Request) => Effect.Effect<Completion, LMError>
  ): Effect.Effect<Completion, LMError>
}

/**
 * The middleware in force around the running fiber; use `around` to add to it.
 *
 * @category services
 */
export const Current = Context.Reference<Middleware | undefined>("@effect-dspy/core/LM/Around", {
  defaultValue: () => undefined
})

/**
 * Runs a program with middleware around its model calls. Middleware nests: the outer one sees a request
 * first.
 *
 * @category combinators
 */
export const around = (middleware: Middleware) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const outer = fiber.getRef(Current)
    const nested: Middleware = outer === undefined
      ? middleware
      : (request, lm, next) => outer(request, lm, (passed) => middleware(passed, lm, next))
    return Effect.provideService(self, Current, nested)
  })
