/**
 * The one way to build an LM: what a provider writes is only how one request is answered.
 *
 * Everything that must hold for every LM holds here: the layer's defaults are applied, each request sent
 * is counted against the attempt budget, and its usage is reported to whoever listens.
 */
import * as Effect from "effect/Effect"
import type { Completion } from "../Completion.ts"
import * as LMError from "../LMError.ts"
import { BudgetExceeded } from "../LMErrorReason.ts"
import * as Usage from "../Usage.ts"
import * as Attempts from "./Attempts.ts"
import type { Request } from "./Request.ts"
import * as Settings from "./Settings.ts"
import { type Service, TypeId } from "./Tag.ts"

/** Reported when a request leaves, so that failed and interrupted requests count too. */
const sent: Usage.Usage = { calls: 1 }

/**
 * Builds an LM from a function that sends one request and reads one answer.
 *
 * ```ts
 * import { LM } from "@effect-dspy/core"
 * import { Effect, Layer } from "effect"
 *
 * const echo = LM.make({
 *   provider: "demo",
 *   model: "echo",
 *   generate: (request) =>
 *     Effect.succeed({
 *       content: [{ type: "text", text: request.messages.at(-1)?.content ?? "" }],
 *       finishReason: "stop",
 *       usage: { calls: 1 },
 *       provider: "demo",
 *       model: "echo"
 *     })
 * })
 * const answer = LM.generate({ messages: [{ role: "user", content: "hello" }] })
 * await Effect.runPromise(answer.pipe(Effect.map((completion) => completion.content), Effect.provide(Layer.succeed(LM, echo)))) // => [{ type: "text", text: "hello" }]
 * ```
 *
 * @category constructors
 */
export const make = (options: {
  readonly provider: string
  readonly model: string
  readonly defaults?: Settings.Settings
  readonly generate: (request: Request) => Effect.Effect<Completion, LMError.LMError>
}): Service => {
  const { model, provider } = options
  const defaults = options.defaults ?? Settings.none
  return {
    [TypeId]: TypeId,
    provider,
    model,
    defaults,
    generate: (request) =>
      Effect.withFiber((fiber) => {
        const { attempts } = request
        const listener = fiber.getRef(Usage.Listener)
        if (attempts !== undefined) {
          if (!Attempts.left(attempts)) {
            return Effect.fail(
              LMError.make(provider, model, new BudgetExceeded({ limit: "attempts", spent: attempts.used }))
            )
          }
          attempts.used++
        }
        listener?.(sent)
        const answer = options.generate(
          defaults === Settings.none ? request : { ...request, settings: Settings.merge(defaults, request.settings) }
        )
        if (attempts === undefined && listener === undefined) return answer
        return Effect.map(answer, (completion) => {
          if (attempts !== undefined) Attempts.spend(attempts, completion.usage)
          listener?.({ ...completion.usage, calls: 0 })
          return completion
        })
      })
  }
}

/**
 * The same LM with another way to generate: what decorators return.
 *
 * @category combinators
 */
export const wrap = (self: Service, generate: Service["generate"]): Service => ({ ...self, generate })
