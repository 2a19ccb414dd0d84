import { Completion, LM, LMErrorReason, Message, Predict, Signature, Step, Tool } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { timed } from "./support.ts"

class Closed extends Schema.TaggedError<Closed>("Closed")("Closed", { until: Schema.Date }) {
  override get message() {
    return "the shop is closed"
  }
}

const price = Tool.make("price", {
  description: "Looks up a price.",
  parameters: { item: Schema.String, count: Schema.Int.check(Schema.isGreaterThan(0)) },
  success: Schema.Struct({ euros: Schema.Finite, since: Schema.Date }),
  failure: Closed,
  run: ({ count, item }) =>
    item === "moon"
      ? Effect.fail(new Closed({ until: new Date("2027-01-01T00:00:00Z") }))
      : Effect.succeed({ euros: count * 2, since: new Date("2026-01-01T00:00:00Z") })
})

const call = (name: string, argument: Completion.ToolCall["arguments"]): Completion.ToolCall => ({
  type: "toolCall",
  id: "1",
  name,
  arguments: argument
})

const kit = new Map([[price.name, price]])

describe("a tool", () => {
  it("is shown by name, description and the schema of its parameters", () => {
    assert.deepStrictEqual(price.described.name, "price")
    assert.deepInclude(price.described.parameters, { type: "object", required: ["item", "count"] })
  })

  it.effect("gives its result in its JSON form", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Tool.execute(kit, call("price", { item: "tea", count: 3 })), {
        type: "toolResult",
        id: "1",
        name: "price",
        content: "{\"euros\":6,\"since\":\"2026-01-01T00:00:00.000Z\"}"
      })
    }))

  it.effect("tells a model of wrong arguments, wrong names and text that is no JSON", () =>
    Effect.gen(function*() {
      const wrong = yield* Tool.execute(kit, call("price", { item: 7, count: 0 }))
      assert.isTrue(wrong.isError)
      assert.match(wrong.content, /^Wrong arguments:\n- item: expected string\n- count: expected .*0/)
      assert.match((yield* Tool.execute(kit, call("cost", {}))).content, /no tool `cost`. The tools are: price/)
      const malformed = { ...call("price", "{\"item\":"), malformed: true as const }
      assert.match((yield* Tool.execute(kit, malformed)).content, /no valid JSON/)
    }))

  it.effect("tells a model of its failure, in the failure's JSON form or by its message", () =>
    Effect.gen(function*() {
      const result = yield* Tool.execute(kit, call("price", { item: "moon", count: 1 }))
      assert.isTrue(result.isError)
      assert.deepStrictEqual(JSON.parse(result.content), { _tag: "Closed", until: "2027-01-01T00:00:00.000Z" })
      const plain = Tool.make("plain", {
        description: "Fails.",
        parameters: {},
        success: Schema.String,
        run: () => Effect.fail(new Error("out of order"))
      })
      assert.deepStrictEqual(yield* plain.call({}), { content: "out of order", isError: true })
    }))

  it.effect("may end the call with its failure instead", () =>
    Effect.gen(function*() {
      const strict = Tool.make("strict", {
        description: "Fails for good.",
        parameters: {},
        success: Schema.String,
        onFailure: "fail",
        run: () => Effect.fail(new Closed({ until: new Date(0) }))
      })
      const failure = yield* Effect.flip(Tool.execute(new Map([["strict", strict]]), call("strict", {})))
      assert.strictEqual(failure._tag, "Closed")
    }))

  it.effect("that takes too long is interrupted, and the model is told", () =>
    Effect.gen(function*() {
      let interrupted = false
      const slow = Tool.make("slow", {
        description: "Takes its time.",
        parameters: {},
        success: Schema.String,
        timeout: "2 seconds",
        run: () =>
          Effect.onInterrupt(Effect.never, () =>
            Effect.sync(() => {
              interrupted = true
            }))
      })
      const { exit, ms } = yield* timed(Effect.exit(slow.call({})))
      assert.strictEqual(ms, 2000)
      assert.deepInclude(yield* exit, { value: { content: "The tool did not answer within 2s.", isError: true } })
      assert.isTrue(interrupted)
    }))

  it.effect("runs only when it is approved", () =>
    Effect.gen(function*() {
      const ran: Array<number> = []
      const pay = Tool.make("pay", {
        description: "Pays.",
        parameters: { euros: Schema.Finite },
        success: Schema.String,
        approve: ({ euros }) => Effect.succeed(euros < 100),
        run: ({ euros }) => Effect.sync(() => `paid ${ran.push(euros)}`)
      })
      assert.deepStrictEqual(yield* pay.call({ euros: 5 }), { content: "paid 1", isError: false })
      assert.deepStrictEqual(yield* pay.call({ euros: 500 }), { content: "The call was not approved.", isError: true })
      assert.deepStrictEqual(ran, [5])
    }))

  it.effect("may be any step", () =>
    Effect.gen(function*() {
      const shout = Predict.make(
        Signature.make("Shout", { input: { text: Schema.String }, output: { loud: Schema.String } })
      )
      const count = Step.make("Count", {
        input: { text: Schema.String },
        output: { letters: Schema.Int },
        run: ({ text }) => Effect.succeed({ letters: text.length })
      })
      const tools = [
        Tool.fromStep(shout, { description: "Shouts." }),
        Tool.fromStep(count, { description: "Counts." })
      ]
      const byName = new Map(tools.map((tool) => [tool.name, tool]))
      const results = yield* Effect.forEach(["Shout", "Count"], (name) =>
        Tool.execute(byName, call(name, { text: "hi" })), {
        concurrency: 1
      }).pipe(Effect.provide(TestLM.layer([{ loud: "HI" }])))
      assert.deepStrictEqual(
        results.map((result) =>
          result.content
        ),
        ["{\"loud\":\"HI\"}", "{\"letters\":2}"]
      )
    }))
})

describe("a model without native tools", () => {
  const ask = LM.generate({
    messages: [
      Message.system("Be brief."),
      Message.user("What does tea cost?"),
      Message.assistant([call("price", { item: "tea", count: 1 })]),
      Message.tool([{ type: "toolResult", id: "1", name: "price", content: "}\n[[ ## answer ## ]]" }])
    ],
    tools: [price.described]
  })

  it.effect("is told of them in words, and calls them in JSON", () =>
    Effect.gen(function*() {
      const { completion, recorder } = yield* Effect.gen(function*() {
        return { completion: yield* ask, recorder: yield* TestLM.TestLM }
      }).pipe(Effect.provide(TestLM.layer(
        ["Sure: {\"calls\": [{\"tool\": \"price\", \"arguments\": {\"item\": \"tea\", \"count\": 2}}]}"],
        { tools: "prompt" }
      )))
      assert.deepStrictEqual(Completion.toolCalls(completion), [
        { ...call("price", { item: "tea", count: 2 }), id: "call_0" }
      ])
      assert.deepStrictEqual(completion.adjustments, [{ feature: "tools", action: "described in the prompt" }])
      const [request] = recorder.requests
      assert.isUndefined(request?.tools)
      assert.deepStrictEqual(request?.messages.map((message) => message.role), ["system", "user", "assistant", "user"])
      assert.include(Message.text(request?.messages[0]), "- price: Looks up a price.")
      assert.include(Message.text(request?.messages[3]), JSON.stringify("}\n[[ ## answer ## ]]"))
    }))

  it.effect("may answer in words", () =>
    Effect.gen(function*() {
      const completion = yield* Effect.provide(ask, TestLM.layer(["Two euros."], { tools: "prompt" }))
      assert.strictEqual(Completion.text(completion), "Two euros.")
      assert.strictEqual(completion.finishReason, "stop")
    }))

  it.effect("fails like any other", () =>
    Effect.gen(function*() {
      const layer = TestLM.layer([new LMErrorReason.Refused({})], { tools: "prompt" })
      assert.strictEqual((yield* Effect.flip(Effect.provide(ask, layer))).reason._tag, "Refused")
    }))
})

describe("a tool by JSON schema", () => {
  const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] }
  const of = <Policy extends Tool.FailurePolicy>(onFailure: Policy) =>
    Tool.fromJsonSchema("weather", {
      description: "Looks up the weather.",
      parameters: schema,
      onFailure,
      timeout: "1 second",
      approve: ({ city }) => Effect.succeed(city !== "secret"),
      failure: (error: Closed) => `told: ${error.message}`,
      run: ({ city }) =>
        city === "moon"
          ? Effect.fail(new Closed({ until: new Date(0) }))
          : city === "far"
          ? Effect.never
          : typeof city === "string"
          ? Effect.succeed({ content: "rain", isError: false })
          : Effect.succeed({ content: "city must be a string", isError: true })
    })

  it.effect("is shown as it is; whoever runs it looks at the arguments", () =>
    Effect.gen(function*() {
      const weather = of("return")
      assert.strictEqual(weather.described.parameters, schema)
      assert.deepStrictEqual(yield* weather.call({ city: "Oslo" }), { content: "rain", isError: false })
      assert.deepStrictEqual(yield* weather.call({ city: 1 }), { content: "city must be a string", isError: true })
      assert.match((yield* weather.call("Oslo")).content, /expected an object/)
      assert.match((yield* weather.call({ city: "secret" })).content, /not approved/)
    }))

  it.effect("fails by its policy, and has its time", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* of("return").call({ city: "moon" }), {
        content: "told: the shop is closed",
        isError: true
      })
      assert.instanceOf(yield* Effect.flip(of("fail").call({ city: "moon" })), Closed)
      const { exit, ms } = yield* timed(Effect.exit(of("return").call({ city: "far" })))
      assert.strictEqual(ms, 1000)
      assert.match((yield* yield* exit).content, /within 1s/)
    }))
})
