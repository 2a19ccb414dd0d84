/**
 * One LM out of several: each request goes to the one that is chosen for it.
 *
 * The choice is made request by request, before anything is sent; a re-ask may go elsewhere than the call it belongs
 * to. Each model keeps decorators and limits of its own, so a route goes outside those of its models and inside a cache
 * that they share.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Completion } from "../Completion.ts"
import type { LMError } from "../LMError.ts"
import * as Price from "../Price.ts"
import { buildAll, type Layers } from "./Decorator.ts"
import * as Identity from "./Identity.ts"
import type { Request } from "./Request.ts"
import * as Settings from "./Settings.ts"
import { LM, type Service, TypeId } from "./Tag.ts"
import * as Tokens from "./Tokens.ts"

/**
 * Names the model for a request. It may ask others: a classifier, a database, another model.
 *
 * @category models
 */
export interface Choose<in out Name extends string> {
  (request: Request, models: { readonly [K in Name]: Service }): Name | Effect.Effect<Name, LMError>
}

/**
 * One LM that asks one of several.
 *
 * @category constructors
 */
export const route = <Name extends string>(
  models: { readonly [K in Name]: Service },
  choose: Choose<Name>
): Service => {
  const ask = (request: Request, name: Name): Effect.Effect<Completion, LMError> => models[name].generate(request)
  return {
    [TypeId]: TypeId,
    provider: "route",
    model: Object.keys(models).join("|"),
    endpoint: Identity.endpoints(Object.values(models)),
    defaults: Settings.none,
    generate: (request) => {
      const chosen = choose(request, models)
      return Effect.isEffect(chosen) ? Effect.flatMap(chosen, (name) => ask(request, name)) : ask(request, chosen)
    }
  }
}

/**
 * A layer that asks one of several, each built once.
 *
 * ```ts
 * import { LM, Message } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect } from "effect"
 *
 * const Live = LM.route(
 *   { small: TestLM.layer(() => "ok", { model: "small" }), large: TestLM.layer(() => "ok", { model: "large" }) },
 *   (request) => request.messages.length > 1 ? "large" : "small"
 * )
 * const ask = (count: number) => LM.generate({ messages: Array.from({ length: count }, () => Message.user("hello")) })
 * const models = Effect.map(Effect.all([ask(1), ask(2)]), (all) => all.map((completion) => completion.model))
 * await Effect.runPromise(Effect.provide(models, Live)) // => ["small", "large"]
 * ```
 *
 * @category layers
 */
export const layer = <const L extends Layers>(
  layers: L,
  choose: Choose<keyof L & string>
): Layer.Layer<LM, Layer.Error<L[keyof L]>, Layer.Services<L[keyof L]>> =>
  Layer.effect(LM, Effect.map(buildAll(layers), (models) => route<keyof L & string>(models, choose)))

/**
 * Chooses the model that is likely to cost the least: by its price, the tokens of the prompt, and as many for the
 * answer as it may take. A model no table names is only chosen when there is no other.
 *
 * ```ts
 * import { LM, Message } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect } from "effect"
 *
 * // One is cheap to read to, the other to let write.
 * const prices = { "test/reader": { input: 1, output: 20 }, "test/writer": { input: 5, output: 5 } }
 * const models = { reader: TestLM.layer(() => "ok", { model: "reader" }), writer: TestLM.layer(() => "ok", { model: "writer" }) }
 * const ask = (text: string) => Effect.map(LM.generate({ messages: [Message.user(text)] }), (answer) => answer.model)
 * const answers = Effect.all([ask("Write a poem."), ask("Is this spam? ".repeat(10_000))])
 * await Effect.runPromise(Effect.provide(answers, LM.route(models, LM.cheapest(prices)))) // => ["writer", "reader"]
 * ```
 *
 * @category combinators
 */
export const cheapest =
  (...tables: ReadonlyArray<Price.Table>) =>
  <Name extends string>(request: Request, models: { readonly [K in Name]: Service }): Effect.Effect<Name> =>
    Effect.withFiber((fiber) => {
      const inputTokens = Tokens.ofPrompt(fiber, request)
      const cost = (lm: Service): number => {
        for (const table of tables) {
          const price = Price.find(table, lm.provider, lm.model)
          if (price !== undefined) {
            return Price.cost(price, { inputTokens, outputTokens: Tokens.ofAnswer(lm, request) }) ?? Infinity
          }
        }
        return Infinity
      }
      const names = Object.keys(models) as Array<Name>
      return Effect.succeed(names.reduce((best, name) => cost(models[name]) < cost(models[best]) ? name : best))
    })
