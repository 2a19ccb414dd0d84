/**
 * The one way to build an LM: what a provider writes is only how one request is answered.
 *
 * Everything that must hold for every LM holds here: the layer's defaults are applied, each request sent
 * is counted against the attempt budget, its usage is reported to whoever listens, and the parts of a
 * streamed answer go to the request's sink.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Completion } from "../Completion.ts"
import * as LMError from "../LMError.ts"
import { BudgetExceeded } from "../LMErrorReason.ts"
import * as Usage from "../Usage.ts"
import * as Attempts from "./Attempts.ts"
import { observed } from "./Observed.ts"
import type { Request } from "./Request.ts"
import * as Settings from "./Settings.ts"
import type { Emit } from "./Sink.ts"
import { type Service, TypeId } from "./Tag.ts"
import * as ToolPrompt from "./ToolPrompt.ts"

/** Reported when a request leaves, so that failed and interrupted requests count too. */
const sent: Usage.Usage = { calls: 1 }

/**
 * Builds an LM from a function that sends one request and reads one answer.
 *
 * - `generate`: gives the whole answer; with `emit`, somebody reads along, and what an endpoint can stream is
 *   emitted part by part on the way
 * - `endpoint`: base URL and account fingerprint, default the provider's name; see `LM.Service`
 * - `tools`: `prompt` for a model that can't call tools natively; it is told of them in words
 * - `lesser`: another way to ask the same, for a request the endpoint refused; it is sent at once and counted
 *
 * ```ts
 * import { LM, Message } from "@effect-dspy/core"
 * import { Effect, Layer } from "effect"
 *
 * const echo = LM.make({
 *   provider: "demo",
 *   model: "echo",
 *   generate: (request) =>
 *     Effect.succeed({
 *       content: [{ type: "text", text: Message.text(request.messages.at(-1)) }],
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
  readonly endpoint?: string
  readonly defaults?: Settings.Settings
  readonly generate: (request: Request, emit?: Emit) => Effect.Effect<Completion, LMError.LMError>
  readonly lesser?: (request: Request, failure: LMError.LMError) => Request | undefined
  readonly tools?: "native" | "prompt"
}): Service => {
  const { lesser, model, provider } = options
  const defaults = options.defaults ?? Settings.none
  const generate = options.tools === "prompt" ? byPrompt(options.generate) : options.generate
  const send = (request: Request): Effect.Effect<Completion, LMError.LMError> =>
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
      const answer = observed(fiber, options, request, (request) => answerTo(generate, request))
      if (attempts === undefined && listener === undefined) return answer
      return Effect.map(answer, (completion) => {
        if (attempts !== undefined) Attempts.spend(attempts, completion.usage)
        listener?.({ ...completion.usage, calls: 0 })
        return completion
      })
    })
  const again = (request: Request): Effect.Effect<Completion, LMError.LMError> =>
    lesser === undefined ? send(request) : Effect.catch(send(request), (failure) => {
      const other = lesser(request, failure)
      return other === undefined ? Effect.fail(failure) : again(other)
    })
  return {
    [TypeId]: TypeId,
    provider,
    model,
    endpoint: options.endpoint ?? provider,
    defaults,
    generate: (request) =>
      again(defaults === Settings.none ? request : { ...request, settings: Settings.merge(defaults, request.settings) })
  }
}

type Generate = (request: Request, emit?: Emit) => Effect.Effect<Completion, LMError.LMError>

const byPrompt = (generate: Generate): Generate => (request, emit) => {
  const { tools } = request
  if (tools === undefined || tools.length === 0) return generate(request, emit)
  const written = ToolPrompt.write(request)
  return Effect.map(generate(written, emit), (completion) => ToolPrompt.read(completion, tools, written))
}

const answerTo = (generate: Generate, request: Request): Effect.Effect<Completion, LMError.LMError> =>
  request.sink === undefined ? generate(request) : streamed(generate, request, request.sink)

const streamed = (
  generate: Generate,
  request: Request,
  sink: NonNullable<Request["sink"]>
): Effect.Effect<Completion, LMError.LMError> =>
  Effect.suspend(() => {
    const attempt = sink.attempt()
    return Effect.onExit(
      generate(request, attempt.emit),
      (exit) => Effect.sync(() => attempt.end(Exit.isSuccess(exit) ? exit.value : undefined))
    )
  })

/**
 * The same LM with another way to generate: what decorators return.
 *
 * @category combinators
 */
export const wrap = (self: Service, generate: Service["generate"]): Service => ({ ...self, generate })
