/**
 * Answers that are kept, so that nobody pays twice for the same question.
 *
 * The life of a question:
 * 1. Its identity (see `Identity`) holds endpoint, account, model, messages, schema, tools and settings. Another
 *    base URL, another key or another `LM.Settings.rollout` makes another question.
 * 2. The first to ask sends the request. Whoever asks the same meanwhile waits for that answer. When the first
 *    gives up, the others still get it; when all give up, the request is interrupted.
 * 3. The answer is kept if the request accepts it. A failure, or an answer that can't be read, is shared with
 *    those who were waiting and then forgotten.
 * 4. A kept answer is `replayed`: it was not sent, so it counts no call and no token. It goes when its time to
 *    live is over, or when it is the least recently used of too many.
 *
 * The cache goes outermost. Under retry it would be asked again for every attempt, and under concurrency a kept
 * answer would wait for a permit that it does not need.
 */
import * as EffectCache from "effect/Cache"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Completion } from "../Completion.ts"
import type { CacheHit } from "../Event.ts"
import type { LMError } from "../LMError.ts"
import * as Telling from "../Telling.ts"
import type { Decorator } from "./Decorator.ts"
import * as Identity from "./Identity.ts"
import { wrap } from "./Make.ts"
import * as Request from "./Request.ts"

/**
 * - `capacity`: answers kept, default 1,000
 * - `timeToLive`: default one day, because the model behind a name changes without notice
 *
 * @category models
 */
export interface Options {
  readonly capacity?: number
  readonly timeToLive?: Duration.Input
}

/**
 * How long an answer is kept when nobody says otherwise.
 *
 * @category constants
 */
export const defaultTimeToLive: Duration.Input = "1 day"

/**
 * Keeps accepted answers in memory for as long as the layer lives, and makes identical calls in flight one
 * request.
 *
 * ```ts
 * import { LM, Usage } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect } from "effect"
 *
 * const ask = LM.generate({ messages: [{ role: "user", content: "hello" }] })
 * const program = Effect.all(Array.from({ length: 50 }, () => ask), { concurrency: "unbounded" })
 * const Live = TestLM.layer(() => "Hi!").pipe(LM.cache())
 * const [answers, usage] = await Effect.runPromise(program.pipe(Usage.track, Effect.provide(Live)))
 * usage // => { calls: 1 }
 * answers.filter((answer) => answer.replayed).length // => 49
 * ```
 *
 * @category decorators
 */
export const cache = (options: Options = {}): Decorator => {
  const timeToLive = Duration.fromInputUnsafe(options.timeToLive ?? defaultTimeToLive)
  return (lm) => {
    const lookup = (): Effect.Effect<Answer, LMError> =>
      Effect.withFiber((fiber) => {
        const request = take(fiber.getRef(Asking))
        return request === undefined
          ? Effect.die(new Error("a question was looked up twice"))
          : Effect.map(
            lm.generate(request),
            (completion): Answer => ({ completion, accepted: Request.accepts(request, completion) })
          )
      })
    const answers = EffectCache.makeWith<string, Answer, LMError>(lookup, {
      capacity: options.capacity ?? 1000,
      timeToLive: (exit) => Exit.isSuccess(exit) && exit.value.accepted ? timeToLive : Duration.zero
    })
    const keyOf = Identity.keys(lm)
    return Effect.map(answers, (answers) =>
      wrap(lm, (request) =>
        Effect.suspend(() => {
          const asking: Asking = { request }
          const answer = Effect.provideService(EffectCache.get(answers, keyOf(request)), Asking, asking)
          return Effect.flatMap(answer, (answer) => {
            if (take(asking) === undefined) return Effect.succeed(answer.completion)
            const replayed: Completion = { ...answer.completion, replayed: true }
            // Two callers with one question may judge its answer differently.
            return answer.accepted && !Request.accepts(request, replayed)
              ? lm.generate(request)
              : hit("memory", lm, replayed)
          })
        })))
  }
}

/**
 * Gives a kept answer, and tells that it was kept.
 *
 * @category combinators
 */
export const hit = (
  cache: CacheHit["cache"],
  { model, provider }: { readonly model: string; readonly provider: string },
  completion: Completion
): Effect.Effect<Completion> =>
  Effect.withFiber((fiber) => {
    const to = Telling.listener(fiber)
    if (to !== undefined) Telling.tell(to, fiber, { _tag: "CacheHit", cache, provider, model })
    return Effect.succeed(completion)
  })

/**
 * A request on its way to the lookup. It goes through the context, because the key is the question alone, and is taken
 * out there, because kept answers must not keep prompts as well.
 */
interface Asking {
  request: Request.Request | undefined
}

const Asking = Context.Reference<Asking>("@effect-dspy/core/LM/Cache/Asking", {
  defaultValue: () => ({ request: undefined })
})

// Gives the request the first time. A caller that finds it gone is the one whose request was sent.
const take = (asking: Asking): Request.Request | undefined => {
  const { request } = asking
  asking.request = undefined
  return request
}

/** An answer as it came. */
interface Answer {
  readonly completion: Completion
  readonly accepted: boolean
}
