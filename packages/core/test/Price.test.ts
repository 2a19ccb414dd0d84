import { LM, LMErrorReason, Message, Price, Usage } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import { mood, timed } from "./support.ts"

const million = 1_000_000
const ask = LM.generate({ messages: [Message.user("hello")] })
const usage = { calls: 1, inputTokens: 1000, outputTokens: 100 }

describe("Price.find", () => {
  const table: Price.Table = {
    "openai/gpt-5": { input: 1, output: 1 },
    "openai/gpt-5-mini": { input: 2, output: 2 },
    "anthropic/claude-opus-4": { input: 3, output: 3 },
    "bedrock/anthropic.claude-haiku-4-5": { input: 4, output: 4 }
  }
  const input = (provider: string, model: string) => Price.find(table, provider, model)?.input

  it("knows releases of a model", () => {
    assert.strictEqual(input("openai", "gpt-5"), 1)
    assert.strictEqual(input("openai", "gpt-5-2025-08-07"), 1)
    assert.strictEqual(input("openai", "gpt-5-mini-2025-08-07"), 2)
    assert.strictEqual(input("openai", "gpt-5-mini-latest"), 2)
    assert.strictEqual(input("openai", "gpt-5-0613"), 1)
    assert.strictEqual(input("anthropic", "claude-opus-4-20250514"), 3)
    assert.strictEqual(input("anthropic", "claude-opus-4@20250514"), 3)
    assert.strictEqual(input("bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0"), 4)
  })

  it("takes no model for another", () => {
    for (const model of ["gpt-5-nano", "gpt-5.1", "gpt-5-micro-2025-08-07", "gpt", "GPT-5", "gpt-5-", "toString"]) {
      assert.isUndefined(input("openai", model), model)
    }
    assert.isUndefined(input("anthropic", "claude-opus-4-5"))
    assert.isUndefined(input("azure", "gpt-5"))
  })
})

describe("Price.cost", () => {
  const price: Price.Price = { input: 10, output: 100, cached: 1, cacheWrite: 12 }

  it("counts cached input and cache writes at their own rates, as parts of the input", () => {
    assert.strictEqual(Price.cost(price, { inputTokens: million, outputTokens: 0 }), 10)
    assert.strictEqual(Price.cost(price, { inputTokens: 0, outputTokens: million }), 100)
    assert.strictEqual(
      Price.cost(price, {
        inputTokens: 3 * million,
        cachedTokens: million,
        cacheWriteTokens: million,
        outputTokens: million,
        reasoningTokens: million
      }),
      10 + 1 + 12 + 100
    )
    assert.strictEqual(
      Price.cost({ input: 10, output: 0 }, { inputTokens: million, cachedTokens: million, outputTokens: 0 }),
      10
    )
  })

  it("takes the rates of long prompts for the whole request, from the first token above", () => {
    const tiered: Price.Price = { ...price, above: { inputTokens: 200_000, input: 20, output: 150 } }
    assert.strictEqual(Price.cost(tiered, { inputTokens: 200_000, outputTokens: 0 }), 2)
    assert.strictEqual(Price.cost(tiered, { inputTokens: 300_000, outputTokens: million }), 6 + 150)
  })

  it("is unknown where the tokens are", () => {
    assert.isUndefined(Price.cost(price, { outputTokens: 1 }))
    assert.isUndefined(Price.cost(price, { inputTokens: 1 }))
  })
})

describe("LM.price", () => {
  const spent = (reply: TestLM.Reply, ...tables: ReadonlyArray<Price.Table>) =>
    Effect.map(
      Usage.track(ask).pipe(Effect.provide(TestLM.layer([reply]).pipe(LM.price(...tables)))),
      ([completion, tracked]) => [completion.usage.costUsd, tracked.costUsd] as const
    )

  it.effect("tells whoever reads the answer, and whoever tracks usage", () =>
    Effect.gen(function*() {
      const reply = TestLM.completion({ usage })
      assert.deepStrictEqual(yield* spent(reply, { "test/scripted": { input: 2, output: 10 } }), [0.003, 0.003])
    }))

  it.effect("the first table that names the model counts", () =>
    Effect.gen(function*() {
      const own = { "test/scripted": { input: 1, output: 1 } }
      const list = { "test/scripted": { input: 9, output: 9 } }
      assert.deepStrictEqual(yield* spent(TestLM.completion({ usage }), {}, own, list), [0.0011, 0.0011])
    }))

  it.effect("an unknown model has no cost, and neither has an answer without figures", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* spent(TestLM.completion({ usage }), { "test/other": { input: 1, output: 1 } }), [
        undefined,
        undefined
      ])
      assert.deepStrictEqual(yield* spent("ok", { "test/scripted": { input: 1, output: 1 } }), [undefined, undefined])
    }))

  it.effect("an endpoint that tells the cost is believed, and counted once", () =>
    Effect.gen(function*() {
      const reply = TestLM.completion({ usage: { ...usage, costUsd: 7 } })
      assert.deepStrictEqual(yield* spent(reply, { "test/scripted": { input: 1, output: 1 } }), [7, 7])
    }))

  it.effect("goes by the model that answered, and by the one that was asked where that has another name", () =>
    Effect.gen(function*() {
      const tables = { "test/scripted": { input: 1, output: 1 }, "test/bigger": { input: 2, output: 2 } }
      assert.strictEqual((yield* spent(TestLM.completion({ usage, model: "bigger-2026-01-01" }), tables))[0], 0.0022)
      assert.strictEqual((yield* spent(TestLM.completion({ usage, model: "deployment-7" }), tables))[0], 0.0011)
    }))

  it.effect("failed requests cost what is known of them, kept answers cost nothing", () =>
    Effect.gen(function*() {
      const { lm } = TestLM.make([
        new LMErrorReason.Overloaded({}),
        TestLM.completion({ usage, content: [{ type: "text", text: "{\"label\":\"pos\",\"score\":1}" }] })
      ])
      const Live = Layer.succeed(LM, lm).pipe(
        LM.price({ "test/scripted": { input: 1, output: 1 } }),
        LM.retry({ schedule: Schedule.spaced(0) }),
        LM.cache()
      )
      const call = Usage.track(mood({ text: "hi" }))
      const { exit } = yield* timed(Effect.provide(Effect.all([call, call]), Live))
      const [[, first], [, second]] = yield* exit
      assert.deepStrictEqual(first, { calls: 2, inputTokens: 1000, outputTokens: 100, costUsd: 0.0011 })
      assert.deepStrictEqual(second, { calls: 0 })
    }))
})
