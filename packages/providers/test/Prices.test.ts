import { Price } from "@effect-dspy/core"
import { Prices } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"

describe("Prices.table", () => {
  it("names a source and a day for every price", () => {
    for (const [model, { checked, source }] of Object.entries(Prices.table)) {
      assert.match(source ?? "", /^https:\/\//, model)
      assert.match(checked ?? "", /^\d{4}-\d{2}-\d{2}$/, model)
      assert.match(model, /^[a-z]+\/[a-z0-9.-]+$/)
    }
  })

  it("holds prices that make sense: cached below input below output, long prompts dearer", () => {
    for (const [model, price] of Object.entries(Prices.table)) {
      for (const rates of price.above === undefined ? [price] : [price, price.above]) {
        assert.isAbove(rates.input, 0, model)
        assert.isAbove(rates.output, rates.input, model)
        assert.isBelow(rates.cached ?? 0, rates.input, model)
        assert.isAtLeast(rates.cacheWrite ?? rates.input, rates.input, model)
      }
      if (price.above !== undefined) assert.isAbove(price.above.input, price.input, model)
    }
  })

  it("finds releases of its models", () => {
    for (
      const [provider, model] of [
        ["openai", "gpt-5-mini-2025-08-07"],
        ["anthropic", "claude-sonnet-4-5-20250929"],
        ["gemini", "gemini-2.5-flash"]
      ] as const
    ) assert.isDefined(Price.find(Prices.table, provider, model), model)
    assert.isUndefined(Price.find(Prices.table, "openai", "gpt-5-giga"))
  })
})
