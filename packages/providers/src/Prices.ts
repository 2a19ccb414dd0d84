/**
 * List prices of vendors, in US dollars for a million tokens, for `LM.price`.
 *
 * Each row says when it was compared with its vendor's page. Prices change, some within weeks of a release: give your
 * own table before this one where a figure matters, or after a look at its date. Batch, priority and regional rates are
 * not in it, nor prices that depend on the hour (DeepSeek's), nor those of models that only resell others.
 */
import type * as Price from "@effect-dspy/core/Price"

const from = (provider: string, source: string, checked: string, prices: Price.Table): Price.Table =>
  Object.fromEntries(
    Object.entries(prices).map(([model, price]) => [`${provider}/${model}`, { ...price, source, checked }])
  )

const openai = "https://developers.openai.com/api/docs/pricing"
const anthropic = "https://platform.claude.com/docs/en/about-claude/pricing"
const gemini = "https://ai.google.dev/gemini-api/docs/pricing"

/**
 * OpenAI, Anthropic, Gemini and Mistral.
 *
 * ```ts no-run
 * import { LM } from "@effect-dspy/core"
 * import { OpenAi, Prices } from "@effect-dspy/providers"
 *
 * // A negotiated price goes before the list.
 * const Live = OpenAi.layer({ model: "gpt-5-mini" }).pipe(
 *   LM.price({ "openai/gpt-5-mini": { input: 0.2, output: 1.6, checked: "2026-11-25" } }, Prices.table)
 * )
 * ```
 *
 * @category constants
 */
export const table: Price.Table = {
  ...from("openai", openai, "2026-09-13", {
    "gpt-6-astra": {
      input: 10,
      output: 50,
      cached: 1,
      cacheWrite: 12.5,
      above: { inputTokens: 272_000, input: 20, output: 75, cached: 2, cacheWrite: 25 }
    },
    "gpt-5.6-sol": {
      input: 4,
      output: 20,
      cached: 0.4,
      cacheWrite: 5,
      above: { inputTokens: 272_000, input: 8, output: 30, cached: 0.8, cacheWrite: 10 }
    }
  }),
  ...from("openai", openai, "2026-05-04", {
    "gpt-5.5": {
      input: 5,
      output: 30,
      cached: 0.5,
      above: { inputTokens: 272_000, input: 10, output: 45, cached: 1 }
    },
    "gpt-5.4": {
      input: 2.5,
      output: 15,
      cached: 0.25,
      above: { inputTokens: 272_000, input: 5, output: 22.5, cached: 0.5 }
    },
    "gpt-5.4-mini": { input: 0.75, output: 4.5, cached: 0.075 },
    "gpt-5.4-nano": { input: 0.2, output: 1.25, cached: 0.02 }
  }),
  ...from("openai", openai, "2026-03-21", {
    "gpt-5.2": { input: 1.75, output: 14, cached: 0.175 },
    "gpt-5.1": { input: 1.25, output: 10, cached: 0.125 },
    "gpt-5": { input: 1.25, output: 10, cached: 0.125 },
    "gpt-5-mini": { input: 0.25, output: 2, cached: 0.025 },
    "gpt-5-nano": { input: 0.05, output: 0.4, cached: 0.005 },
    "gpt-4.1": { input: 2, output: 8, cached: 0.5 },
    "gpt-4.1-mini": { input: 0.4, output: 1.6, cached: 0.1 },
    "gpt-4.1-nano": { input: 0.1, output: 0.4, cached: 0.025 },
    "gpt-4o": { input: 2.5, output: 10, cached: 1.25 },
    "gpt-4o-mini": { input: 0.15, output: 0.6, cached: 0.075 },
    o3: { input: 2, output: 8, cached: 0.5 },
    "o4-mini": { input: 1.1, output: 4.4, cached: 0.275 }
  }),
  ...from("anthropic", anthropic, "2026-10-10", {
    "claude-fable-5-1": { input: 10, output: 50, cached: 0.25, cacheWrite: 12.5 },
    "claude-fable-5": { input: 10, output: 50, cached: 1, cacheWrite: 12.5 },
    "claude-opus-5-5": { input: 4, output: 20, cached: 0.2, cacheWrite: 5 },
    "claude-opus-5": { input: 5, output: 25, cached: 0.5, cacheWrite: 6.25 },
    "claude-opus-4-8": { input: 5, output: 25, cached: 0.5, cacheWrite: 6.25 },
    "claude-opus-4-7": { input: 5, output: 25, cached: 0.5, cacheWrite: 6.25 },
    "claude-opus-4-6": { input: 5, output: 25, cached: 0.5, cacheWrite: 6.25 },
    "claude-opus-4-5": { input: 5, output: 25, cached: 0.5, cacheWrite: 6.25 },
    "claude-opus-4-1": { input: 15, output: 75, cached: 1.5, cacheWrite: 18.75 },
    "claude-sonnet-5-5": { input: 2, output: 10, cached: 0.1, cacheWrite: 2.5 },
    "claude-sonnet-5": { input: 2, output: 10, cached: 0.2, cacheWrite: 2.5 },
    "claude-sonnet-4-6": { input: 3, output: 15, cached: 0.3, cacheWrite: 3.75 },
    "claude-sonnet-4-5": { input: 3, output: 15, cached: 0.3, cacheWrite: 3.75 },
    "claude-haiku-5-5": {
      input: 0.1,
      output: 0.5,
      cached: 0.01,
      cacheWrite: 0.125,
      above: { inputTokens: 100_000, input: 0.5, output: 2.5, cached: 0.05, cacheWrite: 0.625 }
    },
    "claude-haiku-4-5": { input: 1, output: 5, cached: 0.1, cacheWrite: 1.25 }
  }),
  ...from("gemini", gemini, "2026-10-07", {
    // Half of what it costs from 2027 on.
    "gemini-3.8-flash": { input: 0.75, output: 3.75, cached: 0.075 },
    "gemini-3.5-flash": { input: 1.5, output: 9, cached: 0.15 },
    "gemini-3.1-pro-preview": {
      input: 2,
      output: 12,
      cached: 0.2,
      above: { inputTokens: 200_000, input: 4, output: 18, cached: 0.4 }
    },
    "gemini-2.5-pro": {
      input: 1.25,
      output: 10,
      cached: 0.125,
      above: { inputTokens: 200_000, input: 2.5, output: 15, cached: 0.25 }
    },
    "gemini-2.5-flash": { input: 0.3, output: 2.5, cached: 0.03 },
    "gemini-2.5-flash-lite": { input: 0.1, output: 0.4, cached: 0.01 }
  }),
  ...from("mistral", "https://mistral.ai/pricing", "2025-12-02", {
    "mistral-large-2512": { input: 0.5, output: 1.5 }
  })
}
