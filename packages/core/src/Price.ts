/**
 * What models cost, as data.
 *
 * A table names models and prices, with the day they were checked and where. core holds none: prices belong to vendors,
 * and `@effect-dspy/providers` has a table of theirs. A model that no table names has no price; it is never taken for
 * free.
 */
import type * as Usage from "./Usage.ts"

/**
 * US dollars for a million tokens.
 *
 * - `cached`: of input that was read from the endpoint's prompt cache, default `input`
 * - `cacheWrite`: of input that was written to it, default `input`
 *
 * @category models
 */
export interface Rates {
  readonly input: number
  readonly output: number
  readonly cached?: number
  readonly cacheWrite?: number
}

/**
 * Rates, and those of prompts longer than so many tokens, where they differ: they hold for the whole request.
 *
 * @category models
 */
export interface Price extends Rates {
  readonly above?: Rates & { readonly inputTokens: number }
}

/**
 * Prices by `provider/model`, with `source` and the day they were `checked`.
 *
 * @category models
 */
export interface Table {
  readonly [model: string]: Price & { readonly source?: string; readonly checked?: string }
}

/** What stands behind a model's name in the name of one of its releases. */
const release = /^[-@:](latest|\d{4}-?\d{2}-?\d{2}|\d{3,4})(-v\d+:\d+)?$/

/**
 * The price of a model, by its own name or the name it is a release of: `gpt-5-mini-2025-08-07` costs what
 * `gpt-5-mini` does, and `gpt-5-micro` has no price because `gpt-5` has one.
 *
 * ```ts
 * import { Price } from "@effect-dspy/core"
 *
 * const table = { "openai/gpt-5-mini": { input: 0.25, output: 2 } }
 * Price.find(table, "openai", "gpt-5-mini-2025-08-07") // => { input: 0.25, output: 2 }
 * Price.find(table, "openai", "gpt-5") // => undefined
 * ```
 *
 * @category getters
 */
export const find = (table: Table, provider: string, model: string): Price | undefined => {
  const name = `${provider}/${model}`
  if (Object.hasOwn(table, name)) return table[name]
  // A release is the model's name and at most two more words.
  for (let end = name.length; (end = lastBreak(name, end)) > provider.length;) {
    const base = name.slice(0, end)
    if (Object.hasOwn(table, base) && release.test(name.slice(end))) return table[base]
  }
  return undefined
}

const lastBreak = (name: string, before: number): number =>
  Math.max(name.lastIndexOf("-", before - 1), name.lastIndexOf("@", before - 1), name.lastIndexOf(":", before - 1))

/**
 * What an answer cost in US dollars; `undefined` where its tokens are not known.
 *
 * ```ts
 * import { Price } from "@effect-dspy/core"
 *
 * Price.cost({ input: 1, output: 10, cached: 0.1 }, { inputTokens: 1_000_000, cachedTokens: 500_000, outputTokens: 100_000 }) // => 1.55
 * ```
 *
 * @category getters
 */
export const cost = (price: Price, usage: Usage.Tokens): number | undefined => {
  const { cacheWriteTokens = 0, cachedTokens = 0, inputTokens, outputTokens } = usage
  if (inputTokens === undefined || outputTokens === undefined) return undefined
  const { above } = price
  const rates = above !== undefined && inputTokens > above.inputTokens ? above : price
  const dollars = (inputTokens - cachedTokens - cacheWriteTokens) * rates.input +
    cachedTokens * (rates.cached ?? rates.input) +
    cacheWriteTokens * (rates.cacheWrite ?? rates.input) +
    outputTokens * rates.output
  return dollars / 1_000_000
}
