/** Toolkits of `effect/ai` under our agents, our steps under its models. */
import { type LM, LMErrorReason, Predict, ReAct, Signature, Step, Tool as OurTool } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { AiBridge, AiTools } from "@effect-dspy/providers/ai"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { AiError, Chat, LanguageModel, Prompt, Tool, Toolkit } from "effect/ai"
import { expectTypeOf } from "vitest"

class Closed extends Schema.TaggedError<Closed>("Closed")("Closed", { shop: Schema.String }) {}

class Shop extends Context.Service<Shop, { readonly price: (item: string) => number }>()("test/Shop") {}

const Price = Tool.make("price", {
  description: "Looks up a price.",
  parameters: Schema.Struct({ item: Schema.String, on: Schema.DateFromString }),
  success: Schema.Struct({ euros: Schema.Finite, on: Schema.DateFromString }),
  failure: Closed,
  failureMode: "return",
  dependencies: [Shop]
})

const Strict = Tool.make("strict", { description: "Fails for good.", failure: Closed })

const Secret = Tool.make("secret", {
  description: "Needs approval for some.",
  parameters: Schema.Struct({ id: Schema.Finite }),
  success: Schema.String,
  needsApproval: ({ id }) => id > 10
})

const Raw = Tool.dynamic("raw", {
  description: "Takes anything.",
  parameters: { type: "object", properties: { any: { type: "number" } } },
  success: Schema.Unknown
})

const kit = Toolkit.make(Price, Strict, Secret, Raw)
const handlers = kit.toLayer({
  price: ({ item, on }) =>
    item === "moon"
      ? Effect.fail(new Closed({ shop: "moon" }))
      : Effect.map(Shop, (shop) => ({ euros: shop.price(item), on })),
  strict: () => Effect.fail(new Closed({ shop: "strict" })),
  secret: ({ id }) => Effect.succeed(`opened ${id}`),
  raw: (argument) => Effect.succeed(argument)
})
const Live = Layer.mergeAll(handlers, Layer.succeed(Shop, { price: (item) => item.length }))

const tools = AiTools.fromToolkit(kit)
const byName = new Map(tools.map((tool) => [tool.name as string, tool]))
const call = (name: string, args: object) =>
  OurTool.execute(byName, { type: "toolCall", id: "1", name, arguments: args as never })

const Ask = Signature.make("Ask", { input: { question: Schema.String }, output: { answer: Schema.String } })
const question = { question: "?" }

describe("a toolkit of effect/ai", () => {
  it("is shown by names, descriptions and JSON schemas", () => {
    assert.deepStrictEqual(tools.map((tool) => tool.name), ["price", "strict", "secret", "raw"])
    const [price, strict, , raw] = tools
    assert.deepInclude(price?.described.parameters, { type: "object", required: ["item", "on"] })
    assert.deepInclude(strict?.described.parameters, { type: "object" })
    assert.deepStrictEqual(raw?.described.parameters, { type: "object", properties: { any: { type: "number" } } })
    assert.deepStrictEqual(tools.map((tool) => tool.onFailure), ["return", "fail", "fail", "fail"])
  })

  it.effect("runs, results in their encoded form", () =>
    Effect.gen(function*() {
      const result = yield* call("price", { item: "tea", on: "2026-01-02T00:00:00.000Z" })
      assert.deepStrictEqual(JSON.parse(result.content), { euros: 3, on: "2026-01-02T00:00:00.000Z" })
      assert.strictEqual((yield* call("raw", { any: 1 })).content, "{\"any\":1}")
    }).pipe(Effect.provide(Live)))

  it.effect("fails or tells by its own mode; wrong arguments always go back", () =>
    Effect.gen(function*() {
      const closed = yield* call("price", { item: "moon", on: "2026-01-02" })
      assert.isTrue(closed.isError)
      assert.deepInclude(JSON.parse(closed.content), { _tag: "Closed", shop: "moon" })
      assert.instanceOf(yield* Effect.flip(call("strict", {})), Closed)
      for (const [name, args] of [["price", { item: 1 }], ["secret", { id: "one" }]] as const) {
        const wrong = yield* call(name, args)
        assert.isTrue(wrong.isError)
        assert.match(wrong.content, /^Wrong arguments:\n[^]*Expected/)
      }
    }).pipe(Effect.provide(Live)))

  it.effect("runs nothing that needs approval and has none", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* call("secret", { id: 1 })).content, "opened 1")
      assert.strictEqual((yield* call("secret", { id: 11 })).content, "The call was not approved.")
      const approving = AiTools.fromToolkit(Toolkit.make(Secret), {
        approve: (tool, argument) => Effect.succeed(tool === "secret" && (argument as { readonly id: number }).id < 20)
      })
      assert.strictEqual((yield* approving[0]?.call({ id: 12 }) ?? Effect.die("")).content, "opened 12")
      assert.strictEqual(
        (yield* approving[0]?.call({ id: 21 }) ?? Effect.die("")).content,
        "The call was not approved."
      )
    }).pipe(Effect.provide(Live)))

  it("has no tools that a provider runs itself", () => {
    const Search = Tool.providerDefined({ id: "x.search", customName: "Search", providerName: "search" })(undefined)
    assert.throws(() => AiTools.fromToolkit(Toolkit.make(Search)), /Search: a tool that the provider runs itself/)
  })

  it.effect("works for an agent, whose type says what it needs and fails with", () =>
    Effect.gen(function*() {
      const agent = ReAct.make(Ask, { tools: tools })
      const run = agent(question)
      expectTypeOf<Shop | LM | Tool.Handler<"price">>().toExtend<Effect.Services<typeof run>>()
      expectTypeOf<Closed>().toExtend<Effect.Error<typeof run>>()
      const script = [
        TestLM.calls(["price", { item: "tea", on: "2026-01-02" }], ["price", { item: 7 }]),
        TestLM.calls(["submit", { answer: "3 euros" }])
      ]
      const { output, requests } = yield* Effect.gen(function*() {
        return { output: yield* run, requests: (yield* TestLM.TestLM).requests }
      }).pipe(Effect.provide([Live, TestLM.layer(script)]))
      assert.deepStrictEqual(output, { answer: "3 euros" })
      const told = requests[1]?.messages.flatMap((message) => message.role === "tool" ? message.content : [])
      assert.deepStrictEqual(told?.map(({ isError = false }) => isError), [false, true])
      const failed = yield* Effect.flip(
        Effect.provide(agent(question), [Live, TestLM.layer([TestLM.calls(["strict", {}])])])
      )
      assert.instanceOf(failed, Closed)
    }))
})

describe("a step as a tool of effect/ai", () => {
  const mood = AiTools.fromStep(
    "mood",
    Predict.make(Signature.make("Mood", {
      input: { text: Schema.String, since: Schema.Date },
      output: { mood: Schema.String, until: Schema.Date }
    })),
    { description: "Tells the mood of a text." }
  )
  const count = AiTools.fromStep(
    "count",
    Step.make("Count", {
      input: { text: Schema.String },
      output: { words: Schema.Int },
      run: ({ text }) => text === "" ? Effect.fail(new Closed({ shop: "count" })) : Effect.succeed({ words: 1 })
    }),
    { description: "Counts words.", failureMode: "error" }
  )
  const toolkit = Toolkit.make(mood.tool, count.tool)
  const live = (script: TestLM.Script) =>
    Layer.mergeAll(
      toolkit.toLayer({ mood: mood.handler, count: count.handler }),
      Layer.provideMerge(AiBridge.toLanguageModel, TestLM.layer(script))
    )
  const argument = { text: "What a day!", since: "2026-01-02T00:00:00.000Z" }
  const answer = { mood: "happy", until: "2026-01-03T00:00:00.000Z" }

  it("declares its fields", () => {
    const schema = Tool.getJsonSchema(mood.tool)
    assert.deepInclude(schema, { type: "object", required: ["text", "since"] })
  })

  it.effect("is called by LanguageModel, and its result typed", () =>
    Effect.gen(function*() {
      const response = yield* LanguageModel.generateText({ prompt: "Is it happy?", toolkit })
      const [result] = response.toolResults
      assert.deepInclude(result, { name: "mood", isFailure: false })
      const value = result?.name === "mood" && !result.isFailure ? result.result : undefined
      assert.deepStrictEqual(value, { mood: "happy", until: new Date("2026-01-03T00:00:00.000Z") })
      const { requests } = yield* TestLM.TestLM
      assert.deepStrictEqual(requests[0]?.tools?.map(({ name }) => name), ["mood", "count"])
      assert.deepStrictEqual(requests[1]?.call?.input, argument)
    }).pipe(Effect.provide(live([TestLM.calls(["mood", argument]), answer]))))

  it.effect("is called in a Chat until the answer is there", () =>
    Effect.gen(function*() {
      const chat = yield* Chat.empty
      let response = yield* chat.generateText({ prompt: "Is it happy?", toolkit })
      while (response.toolCalls.length > 0) response = yield* chat.generateText({ prompt: Prompt.empty, toolkit })
      assert.strictEqual(response.text, "It is.")
    }).pipe(Effect.provide(live([TestLM.calls(["mood", argument]), answer, "It is."]))))

  it.effect("tells the model of its failure, or ends the call", () =>
    Effect.gen(function*() {
      const told = yield* LanguageModel.generateText({ prompt: "?", toolkit }).pipe(
        Effect.provide(live([TestLM.calls(["mood", argument]), new LMErrorReason.Refused({})]))
      )
      const [result] = told.toolResults
      assert.isTrue(result?.isFailure)
      assert.deepInclude(result?.result, { _tag: "StepFailure", step: "Mood", error: "LMError" })
      const ended = yield* Effect.flip(
        LanguageModel.generateText({ prompt: "?", toolkit }).pipe(
          Effect.provide(live([TestLM.calls(["count", { text: "" }])]))
        )
      )
      assert.instanceOf(ended, AiTools.StepFailure)
      assert.isFalse(AiError.isAiError(ended))
    }))
})
