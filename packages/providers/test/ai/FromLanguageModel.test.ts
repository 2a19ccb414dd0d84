/** A provider that is written for `effect/ai`, under our predictors. */
import { LM, type LMErrorReason, Message, Predict, Signature, Usage } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { AiBridge } from "@effect-dspy/providers/ai"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, Layer, Schema, Stream } from "effect"
import { AiError, LanguageModel, Model, OpenAiStructuredOutput, type Response } from "effect/ai"

const usage = {
  inputTokens: { total: 10, uncached: 6, cacheRead: 4, cacheWrite: undefined },
  outputTokens: { total: 3, text: 1, reasoning: 2 }
}

const finish = (reason: Response.FinishReason = "stop"): Response.FinishPartEncoded => ({
  type: "finish",
  reason,
  usage,
  response: undefined
})

const said = (text: string): Array<Response.PartEncoded> => [{ type: "text", text }, finish()]

/** A `LanguageModel` that answers by script, and the options it was called with. */
const language = (
  answer: (options: LanguageModel.ProviderOptions, index: number) =>
    | ReadonlyArray<Response.PartEncoded>
    | AiError.AiErrorReason,
  more: {
    readonly stream?: ReadonlyArray<Response.StreamPartEncoded>
    readonly codecTransformer?: typeof OpenAiStructuredOutput.toCodecOpenAI
  } = {}
) => {
  const calls: Array<LanguageModel.ProviderOptions> = []
  const { stream = [], ...rest } = more
  const service = LanguageModel.make({
    ...rest,
    generateText: (options) =>
      Effect.suspend(() => {
        const given = answer(options, calls.push(options) - 1)
        return "_tag" in given
          ? Effect.fail(AiError.make({ module: "Stub", method: "generateText", reason: given }))
          : Effect.succeed([...given])
      }),
    streamText: (options) => {
      calls.push(options)
      return Stream.fromIterable(stream)
    }
  })
  return { calls, layer: Layer.effect(LanguageModel.LanguageModel, service) }
}

const over = (stub: { readonly layer: Layer.Layer<LanguageModel.LanguageModel> }, options?: AiBridge.Options) =>
  Layer.provide(AiBridge.fromLanguageModel(options), stub.layer)

const ask = LM.generate({ messages: [Message.user("hi")] })

const Mood = Signature.make("Mood", {
  input: { text: Schema.String },
  output: { label: Schema.Literals(["pos", "neg"]), score: Schema.Finite }
})

const mood = Predict.make(Mood)({ text: "Lovely." })

describe("a predictor", () => {
  it.effect("asks for an object by its schema, and reads it", () =>
    Effect.gen(function*() {
      const stub = language(() => said("{\"label\":\"pos\",\"score\":0.5}"))
      const [output, spent] = yield* Usage.track(Effect.provide(mood, over(stub)))
      assert.deepStrictEqual(output, { label: "pos", score: 0.5 })
      assert.deepStrictEqual(spent, {
        calls: 1,
        inputTokens: 10,
        cachedTokens: 4,
        outputTokens: 3,
        reasoningTokens: 2
      })
      const format = stub.calls[0]?.responseFormat
      if (format?.type !== "json") return assert.fail("no object was asked for")
      assert.strictEqual(format.objectName, "Mood")
      const { jsonSchema } = LanguageModel.defaultCodecTransformer(format.schema)
      assert.deepStrictEqual(jsonSchema["required"], ["label", "score"])
    }))

  it.effect("reads an object whose provider asks for another shape", () =>
    Effect.gen(function*() {
      const tags = Predict.make(Signature.make("Tags", {
        input: { text: Schema.String },
        output: { counts: Schema.Record(Schema.String, Schema.Int), note: Schema.optionalKey(Schema.String) }
      }))
      const stub = language(() => said("{\"counts\":[{\"0\":\"a\",\"1\":2}],\"note\":null}"), {
        codecTransformer: OpenAiStructuredOutput.toCodecOpenAI
      })
      assert.deepStrictEqual(yield* Effect.provide(tags({ text: "aa" }), over(stub)), { counts: { a: 2 } })
    }))

  it.effect("rescues an object that did not fit, with one call", () =>
    Effect.gen(function*() {
      const stub = language(() => said("Here you are:\n```json\n{\"label\":\"neg\",\"score\":1}\n```"))
      const [output, spent] = yield* Usage.track(Effect.provide(mood, over(stub)))
      assert.deepStrictEqual(output, { label: "neg", score: 1 })
      assert.strictEqual(spent.calls, 1)
    }))

  it.effect("asks again with findings where an object cannot be read", () =>
    Effect.gen(function*() {
      const stub = language((_, index) =>
        said(index === 0 ? "{\"label\":\"good\"}" : "{\"label\":\"pos\",\"score\":1}")
      )
      assert.deepStrictEqual(yield* Effect.provide(mood, over(stub)), { label: "pos", score: 1 })
      assert.deepStrictEqual(stub.calls[1]?.prompt.content.map(({ role }) => role), [
        "system",
        "user",
        "assistant",
        "user"
      ])
    }))

  it.effect("asks in words a model that does not take the schema, and says so", () =>
    Effect.gen(function*() {
      const stub = language(({ responseFormat }) =>
        responseFormat.type === "json"
          ? new AiError.UnsupportedSchemaError({ description: "no records" })
          : said("{\"label\":\"pos\",\"score\":1}")
      )
      const adjustments: Array<unknown> = []
      const [output, spent] = yield* mood.pipe(
        LM.around((request, _, next) =>
          Effect.tap(next(request), (completion) => Effect.sync(() => adjustments.push(completion.adjustments)))
        ),
        Usage.track,
        Effect.provide(over(stub))
      )
      assert.deepStrictEqual(output, { label: "pos", score: 1 })
      assert.strictEqual(spent.calls, 2)
      assert.deepStrictEqual(adjustments, [[{ feature: "output", action: "asked for in words" }]])
      const last = stub.calls[1]?.prompt.content.at(-1)
      assert.include(JSON.stringify(last), "Reply with one JSON object")
      // For this call only: the next one tries the schema again.
      yield* Effect.provide(mood, over(stub))
      assert.strictEqual(stub.calls[2]?.responseFormat.type, "json")
    }))
})

describe("an answer", () => {
  it.effect("is named by its provider and model", () =>
    Effect.gen(function*() {
      const named = Layer.provide(
        AiBridge.fromLanguageModel(),
        Model.make("acme", "acme-1", language(() => said("hello")).layer)
      )
      const completion = yield* Effect.provide(ask, named)
      assert.deepInclude(completion, { provider: "acme", model: "acme-1", finishReason: "stop" })
      const plain = yield* Effect.provide(ask, over(language(() => said("x")), { provider: "p", model: "m" }))
      assert.deepInclude(plain, { provider: "p", model: "m" })
    }))

  it.effect("keeps reasoning, tool calls and what goes back with them", () =>
    Effect.gen(function*() {
      const stub = language(() => [
        { type: "reasoning", text: "hm", metadata: { anthropic: { signature: "s" }, other: null } },
        { type: "tool-call", id: "1", name: "weather", params: { city: "Bern" } },
        { type: "tool-call", id: "2", name: "undeclared", params: { any: [1] } },
        { type: "response-metadata", id: "r-1", modelId: "m-2026" },
        finish("tool-calls")
      ])
      const completion = yield* Effect.provide(
        LM.generate({
          messages: [
            Message.user("hi"),
            Message.assistant([{ type: "toolCall", id: "0", name: "weather", arguments: {} }]),
            Message.tool([{ type: "toolResult", id: "0", name: "weather", content: "no city", isError: true }])
          ],
          tools: [{ name: "weather", description: "The weather.", parameters: { type: "object", properties: {} } }],
          toolChoice: { tool: "weather" }
        }),
        over(stub)
      )
      assert.deepStrictEqual(completion.content, [
        { type: "reasoning", text: "hm", metadata: { anthropic: { signature: "s" } } },
        { type: "toolCall", id: "1", name: "weather", arguments: { city: "Bern" } },
        { type: "toolCall", id: "2", name: "undeclared", arguments: { any: [1] } }
      ])
      assert.deepInclude(completion, { finishReason: "toolCalls", id: "r-1", model: "m-2026" })
      const [call] = stub.calls
      assert.deepStrictEqual(call?.toolChoice, { tool: "weather" })
      assert.deepStrictEqual(call?.tools.map(({ name }) => name), ["weather"])
      const result = call?.prompt.content.at(-1)
      assert.deepInclude(result?.role === "tool" ? result.content[0] : undefined, {
        id: "0",
        name: "weather",
        isFailure: true,
        result: "no city"
      })
    }))

  it.effect("that a filter cut off is a refusal", () =>
    Effect.gen(function*() {
      const stub = language(() => [{ type: "text", text: "I" }, finish("content-filter")])
      assert.strictEqual((yield* Effect.flip(Effect.provide(ask, over(stub)))).reason._tag, "Refused")
    }))

  it.effect("says which settings were dropped, unless they are handed on", () =>
    Effect.gen(function*() {
      const settings = { temperature: 0.5, maxTokens: 7 }
      const dropped = yield* Effect.provide(LM.withSettings(settings)(ask), over(language(() => said("x"))))
      assert.deepStrictEqual(dropped.adjustments, [
        { feature: "temperature", action: "dropped" },
        { feature: "maxTokens", action: "dropped" }
      ])
      // What a provider package does: a reference that its hook reads.
      const Config = Context.Reference<LM.Settings>("test/Config", { defaultValue: () => ({}) })
      const seen: Array<unknown> = []
      const service = LanguageModel.make({
        generateText: () =>
          Effect.map(Config, (config) => {
            seen.push(config)
            return said("x")
          }),
        streamText: () => Stream.empty
      })
      const configured = AiBridge.fromLanguageModel({ configure: (wished) => Effect.provideService(Config, wished) })
      const answer = yield* Effect.provide(
        LM.withSettings(settings)(ask),
        Layer.provide(configured, Layer.effect(LanguageModel.LanguageModel, service))
      )
      assert.deepStrictEqual(seen, [settings])
      assert.isUndefined(answer.adjustments)
    }))
})

describe("a stream", () => {
  const parts = LM.stream({ messages: [Message.user("hi")] })

  it.effect("is heard as it comes, and ends with the whole", () =>
    Effect.gen(function*() {
      const stub = language(() => [], {
        stream: [
          { type: "response-metadata", id: "r-1", modelId: "m-1" },
          { type: "reasoning-start", id: "a" },
          { type: "reasoning-delta", id: "a", delta: "h" },
          { type: "text-start", id: "a" },
          { type: "text-delta", id: "a", delta: "Hel" },
          { type: "reasoning-delta", id: "a", delta: "m" },
          { type: "reasoning-end", id: "a", metadata: { anthropic: { signature: "s" } } },
          { type: "text-delta", id: "a", delta: "lo" },
          { type: "text-end", id: "a" },
          finish()
        ]
      })
      const all = yield* Effect.provide(Stream.runCollect(parts), over(stub))
      assert.deepStrictEqual(all.map((part) => "text" in part ? part.text : part.type), [
        "h",
        "Hel",
        "m",
        "lo",
        "finish"
      ])
      const last = all.at(-1)
      if (last?.type !== "finish") return assert.fail("no end")
      assert.deepStrictEqual(last.completion.content, [
        { type: "reasoning", text: "hm", metadata: { anthropic: { signature: "s" } } },
        { type: "text", text: "Hello" }
      ])
      assert.deepInclude(last.completion, { id: "r-1", model: "m-1", finishReason: "stop" })
      assert.strictEqual(last.completion.usage.inputTokens, 10)
    }))

  it.effect("of tool calls has their arguments as they are written", () =>
    Effect.gen(function*() {
      const stub = language(() => [], {
        stream: [
          { type: "tool-params-start", id: "1", name: "weather" },
          { type: "tool-params-delta", id: "1", delta: "{\"city\":" },
          { type: "tool-params-delta", id: "1", delta: "\"Bern\"}" },
          { type: "tool-params-end", id: "1" },
          { type: "tool-call", id: "1", name: "weather", params: { city: "Bern" } },
          finish("tool-calls")
        ]
      })
      const call = LM.stream({
        messages: [Message.user("hi")],
        tools: [{ name: "weather", description: "", parameters: { type: "object" } }]
      })
      const all = yield* Effect.provide(Stream.runCollect(call), over(stub))
      assert.deepStrictEqual(all.slice(0, -1), [
        { type: "toolInput", id: "1", name: "weather", text: "{\"city\":" },
        { type: "toolInput", id: "1", name: "weather", text: "\"Bern\"}" },
        { type: "toolCall", call: { type: "toolCall", id: "1", name: "weather", arguments: { city: "Bern" } } }
      ])
    }))

  it.effect("that ends without a finish is cut, and one with an error fails", () =>
    Effect.gen(function*() {
      const text: ReadonlyArray<Response.StreamPartEncoded> = [
        { type: "text-start", id: "a" },
        { type: "text-delta", id: "a", delta: "x" }
      ]
      const reason = (stream: ReadonlyArray<Response.StreamPartEncoded>) =>
        Effect.flip(Stream.runDrain(parts)).pipe(
          Effect.provide(over(language(() => [], { stream }))),
          Effect.map((error) => error.reason._tag)
        )
      assert.strictEqual(yield* reason(text), "StreamCut")
      assert.strictEqual(yield* reason([...text, { type: "error", error: "boom" }]), "ServerError")
    }))
})

it.effect("an interrupted call is interrupted below", () =>
  Effect.gen(function*() {
    let interrupted = 0
    const service = LanguageModel.make({
      generateText: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++)),
      streamText: () => Stream.never
    })
    const layer = Layer.effect(LanguageModel.LanguageModel, service)
    const fiber = yield* Effect.forkChild(Effect.provide(ask, over({ layer })))
    yield* Effect.yieldNow
    yield* Fiber.interrupt(fiber)
    assert.strictEqual(interrupted, 1)
  }))

it.effect("both bridges give an LM the same request, and its caller the same answer", () =>
  Effect.gen(function*() {
    const messages = [
      Message.system("Be brief."),
      Message.user([
        { type: "text", text: "Look." },
        { type: "image", mediaType: "image/png", source: { _tag: "Base64", data: "AQID" }, name: "a.png" },
        { type: "file", mediaType: "application/pdf", source: { _tag: "Url", url: "https://example.com/a.pdf" } }
      ]),
      Message.assistant([
        { type: "reasoning", text: "hm", metadata: { anthropic: { signature: "s" } } },
        { type: "toolCall", id: "1", name: "look", arguments: { at: 1 }, metadata: { gemini: { thought: "t" } } }
      ]),
      Message.tool([{ type: "toolResult", id: "1", name: "look", content: "a cat" }]),
      Message.assistant("A cat."),
      Message.user("And?")
    ]
    const tools = [{ name: "look", description: "Looks.", parameters: { type: "object", properties: { at: {} } } }]
    const answer = {
      content: [{ type: "text", text: "A dog.", metadata: { openai: { item: "i" } } }],
      finishReason: "length",
      usage: { calls: 1, inputTokens: 9, cachedTokens: 2, outputTokens: 4, reasoningTokens: 1 },
      id: "a-1"
    } as const
    const program = Effect.gen(function*() {
      const completion = yield* LM.generate({ messages, tools, toolChoice: "required" })
      const { requests } = yield* TestLM.TestLM
      return [completion, requests[0]] as const
    })
    const below = TestLM.layer([TestLM.completion(answer)])
    const live = AiBridge.fromLanguageModel().pipe(
      Layer.provide(AiBridge.toLanguageModel.pipe(Layer.provide(below))),
      Layer.provideMerge(below)
    )
    const [completion, request] = yield* Effect.provide(program, live)
    assert.deepStrictEqual(request?.messages, messages)
    assert.deepStrictEqual(request?.tools, tools)
    assert.strictEqual(request?.toolChoice, "required")
    assert.deepInclude(completion, answer)
  }))

describe("an error", () => {
  const http = (status: number, body: string, headers: { readonly [name: string]: string } = {}) => ({
    http: { response: { status, headers }, body }
  })
  const reasons: ReadonlyArray<readonly [AiError.AiErrorReason, LMErrorReason.Reason["_tag"], boolean]> = [
    [new AiError.RateLimitError({ retryAfter: Duration.seconds(7) }), "RateLimited", true],
    [new AiError.QuotaExhaustedError({}), "QuotaExhausted", false],
    [new AiError.AuthenticationError({ kind: "MissingKey" }), "Authentication", false],
    [new AiError.AuthenticationError({ kind: "InsufficientPermissions" }), "Permission", false],
    [new AiError.ContentPolicyError({ description: "no" }), "Refused", false],
    [new AiError.InvalidRequestError({ description: "wrong" }), "InvalidRequest", false],
    [
      new AiError.InvalidRequestError(http(400, "{\"error\":{\"message\":\"prompt is too long\"}}")),
      "ContextTooLong",
      false
    ],
    [new AiError.InvalidRequestError(http(404, "")), "ModelNotFound", false],
    [new AiError.InternalProviderError({ description: "oops" }), "ServerError", true],
    [new AiError.InternalProviderError({ description: "busy", ...http(529, "") }), "Overloaded", true],
    [
      new AiError.NetworkError({ reason: "TransportError", method: "POST", url: "https://example.com" }),
      "Network",
      true
    ],
    [new AiError.NetworkError({ reason: "InvalidUrlError", method: "POST", url: "x" }), "InvalidRequest", false],
    [new AiError.InvalidResponseError({ description: "HTML" }), "InvalidResponse", false],
    [new AiError.InvalidOutputError({ description: "no parts" }), "InvalidResponse", true],
    [new AiError.UnsupportedSchemaError({ description: "records" }), "Unsupported", false],
    [new AiError.UnknownError({}), "InvalidRequest", false]
  ]
  for (const [given, tag, isRetryable] of reasons) {
    it.effect(`${given._tag} is ${tag}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(
          Effect.provide(ask, over(language(() => given), { provider: "stub", model: "m" }))
        )
        assert.strictEqual(error.reason._tag, tag)
        assert.strictEqual(error.isRetryable, isRetryable)
        assert.match(error.message, /^stub\/m: /)
        if (tag === "RateLimited") assert.deepStrictEqual(error.retryAfter, Duration.seconds(7))
      }))
  }
})
