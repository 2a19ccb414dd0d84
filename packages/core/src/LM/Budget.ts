/**
 * A limit on what calls may cost altogether: requests, tokens, money.
 *
 * The life of a request under a budget:
 * 1. Its cost is estimated (see `Tokens`) and reserved. If that does not fit into what is left, it fails with
 *    `BudgetExceeded`, and nothing is sent.
 * 2. It is sent. Everything that is sent for it counts, as `LM.make` counts it.
 * 3. Its answer settles the account with the real usage. An answer that does not say what it took is taken for its
 *    estimate. A failed request counts as a call; what was interrupted may have been billed, so its reservation stays
 *    spent.
 *
 * Requests that run side by side each hold a reservation, so they can't overspend together; they are refused while
 * what others have reserved might still come back.
 *
 * It goes innermost, right around `price`: every attempt, re-ask and hedge passes here, a kept answer does not, and a
 * call that waits for a permit has nothing reserved.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Completion } from "../Completion.ts"
import * as LMError from "../LMError.ts"
import { BudgetExceeded, Unsupported } from "../LMErrorReason.ts"
import * as Prices from "../Price.ts"
import * as Usage from "../Usage.ts"
import type { Decorator } from "./Decorator.ts"
import { wrap } from "./Make.ts"
import { price } from "./Price.ts"
import type { Request } from "./Request.ts"
import type { Service } from "./Tag.ts"
import * as Tokens from "./Tokens.ts"

/**
 * An amount of what calls cost: requests, tokens in and out together, US dollars.
 *
 * @category models
 */
export interface Amount {
  readonly calls: number
  readonly tokens: number
  readonly usd: number
}

/**
 * What may be spent; what is absent has no limit.
 *
 * - `prices`: for `usd`; a model none of them names can't be held to a limit in money, and is refused as `Unsupported`
 *
 * @category models
 */
export interface Limits extends Partial<Amount> {
  readonly prices?: ReadonlyArray<Prices.Table>
}

/**
 * A budget that is being spent. One may stand around several models.
 *
 * @category models
 */
export interface Budget {
  readonly limits: Limits
  spent: Amount
  reserved: Amount
}

const units = { calls: "calls", tokens: "tokens", usd: "USD" } satisfies { readonly [K in keyof Amount]: string }
const kinds = ["calls", "tokens", "usd"] as const satisfies ReadonlyArray<keyof Amount>
const nothing: Amount = { calls: 0, tokens: 0, usd: 0 }

const plus = (a: Amount, b: Amount, sign: 1 | -1 = 1): Amount => ({
  calls: a.calls + sign * b.calls,
  tokens: a.tokens + sign * b.tokens,
  usd: a.usd + sign * b.usd
})

/**
 * Opens a budget, to share it between layers and to ask what is left.
 *
 * ```ts
 * import { Budget, LM } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const budget = yield* Budget.make({ calls: 2 })
 *   const Live = TestLM.layer(() => "ok").pipe(LM.budget(budget))
 *   const ask = LM.generate({ messages: [] })
 *   const error = yield* Effect.flip(Effect.all([ask, ask, ask], { concurrency: 1 })).pipe(Effect.provide(Live))
 *   return { error: error.message, left: yield* Budget.left(budget) }
 * })
 * await Effect.runPromise(program) // => { error: "test/scripted: the budget of 2 calls is spent (2); nothing was sent", left: { calls: 0 } }
 * ```
 *
 * @category constructors
 */
export const make = (limits: Limits): Effect.Effect<Budget> =>
  Effect.sync(() => ({ limits, spent: nothing, reserved: nothing }))

/**
 * What may still be spent, without what is reserved: only the kinds that are limited, and less than 0 where an answer
 * took more than was estimated.
 *
 * @category getters
 */
export const left = (budget: Budget): Effect.Effect<Partial<Amount>> =>
  Effect.sync(() => {
    const amount: { -readonly [K in keyof Amount]?: number } = {}
    for (const kind of kinds) {
      const limit = budget.limits[kind]
      if (limit !== undefined) amount[kind] = limit - budget.spent[kind] - budget.reserved[kind]
    }
    return amount
  })

/**
 * Keeps an LM within limits of its own, or within a budget that others share.
 *
 * @category decorators
 */
export const budget = (options: Limits | Budget): Decorator =>
  Effect.fnUntraced(function*(lm) {
    const shared = "limits" in options ? options : yield* make(options)
    const { prices = [], usd } = shared.limits
    const priced = yield* price(...prices)(lm)
    const rates = prices.map((table) => Prices.find(table, lm.provider, lm.model)).find((found) => found !== undefined)
    if (usd !== undefined && rates === undefined) {
      const unpriced = new Unsupported({ feature: "a budget in USD for a model without a price" })
      return wrap(lm, () => Effect.fail(LMError.make(lm.provider, lm.model, unpriced)))
    }
    return wrap(priced, (request) => Effect.withFiber((fiber) => spend(shared, fiber, priced, rates, request)))
  })

const spend = (
  budget: Budget,
  fiber: Fiber.Fiber<unknown, unknown>,
  lm: Service,
  rates: Prices.Price | undefined,
  request: Request
): Effect.Effect<Completion, LMError.LMError> => {
  const estimated = estimate(fiber, lm, rates, request)
  const seen = new Seen()
  let reserved = false
  const listening = Usage.observe(noting(seen))
  // Reserved inside of what settles: no interruption comes in between.
  return Effect.onExit(
    Effect.suspend(() => {
      const exceeded = reserve(budget, lm, estimated)
      if (exceeded !== undefined) return Effect.fail(exceeded)
      reserved = true
      return listening(lm.generate(request))
    }),
    (exit) => {
      if (reserved) {
        budget.reserved = plus(budget.reserved, estimated, -1)
        budget.spent = plus(budget.spent, taken(exit, seen.usage, estimated))
      }
      return Effect.void
    }
  )
}

/** What was reported for one request. */
class Seen {
  usage = Usage.zero
}

// A function of its own, so that the listener in a fiber's context does not hold the request it reports on.
const noting = (seen: Seen) => (usage: Usage.Usage): void => {
  seen.usage = seen.usage === Usage.zero ? usage : Usage.add(seen.usage, usage)
}

const estimate = (
  fiber: Fiber.Fiber<unknown, unknown>,
  lm: Service,
  rates: Prices.Price | undefined,
  request: Request
): Amount => {
  const inputTokens = Tokens.ofPrompt(fiber, request)
  const outputTokens = Tokens.ofAnswer(lm, request)
  const usd = rates === undefined ? 0 : Prices.cost(rates, { inputTokens, outputTokens }) ?? 0
  return { calls: 1, tokens: inputTokens + outputTokens, usd }
}

// Reserves, or says what it does not fit into.
const reserve = (budget: Budget, lm: Service, estimated: Amount): LMError.LMError | undefined => {
  const { limits } = budget
  const reserved = plus(budget.reserved, estimated)
  for (const kind of kinds) {
    const limit = limits[kind]
    const spent = budget.spent[kind]
    if (limit !== undefined && spent + reserved[kind] > limit) {
      const exceeded = new BudgetExceeded({
        limit: `${limit} ${units[kind]}`,
        spent: spent + budget.reserved[kind]
      })
      return LMError.make(lm.provider, lm.model, exceeded)
    }
  }
  budget.reserved = reserved
  return undefined
}

const taken = (exit: Exit.Exit<unknown, unknown>, seen: Usage.Usage, estimated: Amount): Amount => {
  const { calls, costUsd, inputTokens, outputTokens } = seen
  const known = inputTokens !== undefined || outputTokens !== undefined
  const tokens = (inputTokens ?? 0) + (outputTokens ?? 0)
  const usd = costUsd ?? 0
  // A request that was never sent costs nothing, and no endpoint bills for a failure.
  if (calls === 0 || (Exit.isFailure(exit) && !Exit.hasInterrupts(exit))) return { calls, tokens, usd }
  return { calls, tokens: known ? tokens : estimated.tokens, usd: costUsd === undefined ? estimated.usd : usd }
}
