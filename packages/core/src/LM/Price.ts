/**
 * Money, where an endpoint only tells of tokens.
 *
 * It goes innermost, right at the LM: budgets around it see what was spent, whoever tracks usage sees it too, and a
 * kept answer, which never gets here, costs nothing.
 */
import * as Effect from "effect/Effect"
import type { Completion } from "../Completion.ts"
import * as Price from "../Price.ts"
import * as Telling from "../Telling.ts"
import * as Usage from "../Usage.ts"
import * as Attempts from "./Attempts.ts"
import type { Decorator } from "./Decorator.ts"
import { wrap } from "./Make.ts"

/**
 * Fills `Usage.costUsd` of answers from a table. An endpoint that tells the cost itself is believed; a model the table
 * does not name has no cost, which is not the same as none. Of several tables the first that names a model counts, so
 * your own go first.
 *
 * ```ts
 * import { LM, Usage } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect } from "effect"
 *
 * const usage = { calls: 1, inputTokens: 1000, outputTokens: 100 }
 * const Live = TestLM.layer([TestLM.completion({ usage })]).pipe(LM.price({ "test/scripted": { input: 2, output: 10 } }))
 * const [, spent] = await Effect.runPromise(LM.generate({ messages: [] }).pipe(Usage.track, Effect.provide(Live)))
 * spent.costUsd // => 0.003
 * ```
 *
 * @category decorators
 */
export const price = (...tables: ReadonlyArray<Price.Table>): Decorator => (lm) => {
  const find = (completion: Completion): Price.Price | undefined => {
    for (const table of tables) {
      // Endpoints answer with the name of a release, or with one of their own for an alias.
      const found = Price.find(table, completion.provider, completion.model) ??
        Price.find(table, lm.provider, lm.model)
      if (found !== undefined) return found
    }
    return undefined
  }
  return Effect.succeed(
    wrap(lm, (request) =>
      Effect.withFiber((fiber) =>
        Effect.map(lm.generate(request), (completion) => {
          if (completion.replayed === true || completion.usage.costUsd !== undefined) return completion
          const found = find(completion)
          const costUsd = found === undefined ? undefined : Price.cost(found, completion.usage)
          if (costUsd === undefined) return completion
          // `LM.make` has reported the tokens already.
          const spent = { calls: 0, costUsd }
          if (request.attempts !== undefined) Attempts.spend(request.attempts, spent)
          fiber.getRef(Usage.Listener)?.(spent)
          const to = Telling.listener(fiber)
          if (to !== undefined) {
            Telling.tell(to, fiber, { _tag: "Priced", provider: lm.provider, model: lm.model, costUsd })
          }
          return { ...completion, usage: { ...completion.usage, costUsd } }
        })
      ))
  )
}
