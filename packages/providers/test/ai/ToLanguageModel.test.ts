/** An LM under code that is written for `effect/ai`. */
import { LM, LMError, LMErrorReason, Message } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { AiBridge } from "@effect-dspy/providers/ai"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Fiber, Layer, Redacted, Ref, Schema, Stream } from "effect"
import { Chat, LanguageModel, Prompt, Tool, Toolkit } from "effect/ai"
import { TestClock } from "effect/testing"

const live = (
  script: TestLM.Script,
  more?: (layer: Layer.Layer<LM | TestLM.TestLM>) => Layer.Layer<LM | TestLM.TestLM>
) => {
  const lm = TestLM.layer(script)
  return AiBridge.toLanguageModel.pipe(Layer.provideMerge(more === undefined ? lm : more(lm)))
}

const requests = Effect.map(TestLM.TestLM, (recorder) => recorder.requests)

const Weather = Tool.make("weather", {
  description: "The weather of a city.",
  parameters: Schema.Struct({ city: Schema.String }),
  success: Schema.Struct({ degrees: Schema.Finite })
})

const Tools = Toolkit.make(Weather)

const handlers = Tools.toLayer({ weather: ({ city }) => Effect.succeed({ degrees: city.length }) })

describe("an answer", () => {
  it.effect("comes with its reasoning, its usage and why it ended", () =>
    Effect.gen(function*() {
      const answer = TestLM.completion({
        id: "answer-1",
        content: [
          { type: "reasoning", text: "thinking", metadata: { anthropic: { signature: "s" } } },
          { type: "text", text: "Hello." }
        ],
        finishReason: "length",
        usage: {
          calls: 1,
          inputTokens: 10,
          cachedTokens: 4,
          cacheWriteTokens: 1,
          outputTokens: 7,
          reasoningTokens: 5
        }
      })
      const response = yield* Effect.provide(LanguageModel.generateText({ prompt: "hi" }), live([answer]))
      assert.strictEqual(response.text, "Hello.")
      assert.strictEqual(response.reasoningText, "thinking")
      assert.strictEqual(response.finishReason, "length")
      assert.deepInclude(response.usage.inputTokens, { total: 10, uncached: 5, cacheRead: 4, cacheWrite: 1 })
      assert.deepInclude(response.usage.outputTokens, { total: 7, text: 2, reasoning: 5 })
      const about = response.content.find((part) => part.type === "response-metadata")
      assert.deepInclude(about, { id: "answer-1", modelId: "scripted" })
      const thought = response.content.find((part) => part.type === "reasoning")
      assert.deepStrictEqual(thought?.metadata, { anthropic: { signature: "s" } })
    }))

  it.effect("leaves unknown what nobody reported", () =>
    Effect.gen(function*() {
      const answer = TestLM.completion({ content: [{ type: "text", text: "x" }], usage: { calls: 1 } })
      const { usage } = yield* Effect.provide(LanguageModel.generateText({ prompt: "hi" }), live([answer]))
      assert.isUndefined(usage.inputTokens.total)
      assert.isUndefined(usage.inputTokens.uncached)
      assert.isUndefined(usage.outputTokens.total)
    }))

  it.effect("to a wished object is held to its schema, and read by it", () =>
    Effect.gen(function*() {
      const schema = Schema.Struct({ city: Schema.String, at: Schema.optionalKey(Schema.DateFromString) })
      const program = Effect.gen(function*() {
        const call = LanguageModel.generateObject({ prompt: "where?", schema, objectName: "Place" })
        const first = yield* call
        yield* call
        return [first.value, yield* requests] as const
      })
      const [value, sent] = yield* Effect.provide(
        program,
        live(["{\"city\":\"Bern\",\"at\":\"2026-01-02T00:00:00.000Z\"}", "{\"city\":\"Basel\"}"])
      )
      assert.deepStrictEqual(value, { city: "Bern", at: new Date("2026-01-02T00:00:00.000Z") })
      const [one, two] = sent.map((request) => request.output)
      if (one?._tag !== "Json" || two?._tag !== "Json") return assert.fail("no JSON was asked for")
      assert.strictEqual(one.name, "Place")
      assert.deepStrictEqual(Object.keys(one.schema["properties"] as object), ["city", "at"])
      assert.include(one.instruction, "\"city\"")
      assert.strictEqual(one.schema, two.schema)
    }))

  it.effect("that fits no schema fails as effect's own do", () =>
    Effect.gen(function*() {
      const schema = Schema.Struct({ city: Schema.String })
      const error = yield* Effect.flip(
        Effect.provide(LanguageModel.generateObject({ prompt: "where?", schema }), live(["no idea"]))
      )
      assert.strictEqual(error.reason._tag, "StructuredOutputError")
    }))
})

describe("a request", () => {
  it.effect("has the whole conversation, files and all", () =>
    Effect.gen(function*() {
      const prompt = Prompt.make([
        { role: "system", content: "Be brief." },
        {
          role: "user",
          content: [
            { type: "text", text: "What is this?" },
            { type: "file", mediaType: "image/png", fileName: "a.png", data: new Uint8Array([1, 2, 3]) },
            { type: "file", mediaType: "application/pdf", data: new URL("https://example.com/a.pdf") },
            { type: "file", mediaType: "audio/wav", data: "data:audio/wav;base64,AQID" }
          ]
        },
        {
          role: "assistant",
          content: [
            { type: "reasoning", text: "hm", options: { anthropic: { signature: "s" } } },
            { type: "tool-call", id: "1", name: "weather", params: { city: "Bern" } }
          ]
        },
        {
          role: "tool",
          content: [{ type: "tool-result", id: "1", name: "weather", isFailure: true, result: { degrees: 4 } }]
        }
      ])
      const [sent] = yield* Effect.provide(
        Effect.andThen(LanguageModel.generateText({ prompt }), requests),
        live(["ok"])
      )
      assert.deepStrictEqual(sent?.messages, [
        Message.system("Be brief."),
        Message.user([
          { type: "text", text: "What is this?" },
          { type: "image", mediaType: "image/png", name: "a.png", source: { _tag: "Base64", data: "AQID" } },
          { type: "file", mediaType: "application/pdf", source: { _tag: "Url", url: "https://example.com/a.pdf" } },
          { type: "audio", mediaType: "audio/wav", source: { _tag: "Base64", data: "AQID" } }
        ]),
        Message.assistant([
          { type: "reasoning", text: "hm", metadata: { anthropic: { signature: "s" } } },
          { type: "toolCall", id: "1", name: "weather", arguments: { city: "Bern" } }
        ]),
        Message.tool([{ type: "toolResult", id: "1", name: "weather", content: "{\"degrees\":4}", isError: true }])
      ])
    }))

  it.effect("has the settings around the caller, and passes its middleware and decorators", () =>
    Effect.gen(function*() {
      const seen: Array<number | undefined> = []
      const program = LanguageModel.generateText({ prompt: "hi" }).pipe(
        LM.around((request, _, next) => {
          seen.push(request.settings.temperature)
          return next(request)
        }),
        LM.withSettings({ temperature: 0.5, attempts: 2 })
      )
      const layer = live([new LMErrorReason.Overloaded({}), "ok"], LM.retry())
      const fiber = yield* Effect.forkChild(Effect.provide(program, layer))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(fiber)).text, "ok")
      assert.deepStrictEqual(seen, [0.5])
    }))

  it.effect("that an LM has no words for is refused before it is sent", () =>
    Effect.gen(function*() {
      const prompt = Prompt.make([{
        role: "assistant",
        content: [{ type: "tool-call", id: "1", name: "search", params: {}, providerExecuted: true }]
      }])
      const [error, sent] = yield* Effect.provide(
        Effect.all([Effect.flip(LanguageModel.generateText({ prompt })), requests], { concurrency: 1 }),
        live(["ok"])
      )
      assert.strictEqual(error.reason._tag, "InvalidRequestError")
      assert.include(error.message, "a tool that the provider runs itself is not supported")
      assert.lengthOf(sent, 0)
    }))
})

describe("under Chat", () => {
  it.effect("tools are called, and their results go back", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const chat = yield* Chat.empty
        const turn = (prompt: Prompt.RawInput, toolChoice: "auto" | { readonly tool: "weather" }) =>
          chat.generateText({ prompt, toolkit: Tools, toolChoice })
        let response = yield* turn("How warm is it in Bern?", "auto")
        while (response.toolCalls.length > 0) response = yield* turn(Prompt.empty, { tool: "weather" })
        return [response.text, yield* requests] as const
      })
      const script = [TestLM.calls(["weather", { city: "Bern" }], ["weather", { city: "Basel" }]), "4 and 5 degrees."]
      const [text, sent] = yield* Effect.provide(program, Layer.merge(live(script), handlers))
      assert.strictEqual(text, "4 and 5 degrees.")
      const [first, second] = sent
      assert.deepStrictEqual(first?.tools?.map(({ description, name }) => [name, description]), [
        ["weather", "The weather of a city."]
      ])
      assert.deepStrictEqual(first?.tools?.[0]?.parameters["required"], ["city"])
      assert.strictEqual(first?.toolChoice, "auto")
      assert.deepStrictEqual(second?.toolChoice, { tool: "weather" })
      assert.strictEqual(first?.tools?.[0], second?.tools?.[0])
      assert.deepStrictEqual(second?.messages.map(({ role }) => role), ["user", "assistant", "tool"])
      const [, assistant, tool] = second?.messages ?? []
      const calls = Array.isArray(assistant?.content) ? assistant.content : []
      assert.sameDeepMembers(
        tool?.role === "tool" ? tool.content.map(({ content, name }) => [name, content]) : [],
        [["weather", "{\"degrees\":4}"], ["weather", "{\"degrees\":5}"]]
      )
      assert.deepStrictEqual(
        calls.map((part) => part.type === "toolCall" ? part.arguments : part.type),
        [{ city: "Bern" }, { city: "Basel" }]
      )
    }))

  it.effect("a streamed answer is heard as it comes, and remembered whole", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const program = Effect.gen(function*() {
        const chat = yield* Chat.empty
        yield* Stream.runForEach(
          chat.streamText({ prompt: "hi" }),
          (part) => Effect.sync(() => part.type === "text-delta" && heard.push(part.delta))
        )
        yield* chat.generateText({ prompt: "again" })
        return [yield* Ref.get(chat.history), yield* requests] as const
      })
      const [history, sent] = yield* Effect.provide(program, live([TestLM.streamed(["Hel", "lo."]), "yes"]))
      assert.deepStrictEqual(heard, ["Hel", "lo."])
      assert.deepStrictEqual(sent[1]?.messages, [
        Message.user("hi"),
        Message.assistant("Hello."),
        Message.user("again")
      ])
      assert.lengthOf(history.content, 4)
    }))
})

describe("a stream", () => {
  const parts = <E, R>(stream: Stream.Stream<{ readonly type: string }, E, R>) =>
    Effect.map(Stream.runCollect(stream), (all) => all.map(({ type }) => type))

  it.effect("has a beginning and an end for everything, and what goes back with it at the end", () =>
    Effect.gen(function*() {
      const answer = TestLM.completion({
        content: [
          { type: "reasoning", text: "hm", metadata: { anthropic: { signature: "s" } } },
          { type: "text", text: "Look: " },
          { type: "toolCall", id: "7", name: "weather", arguments: { city: "Bern" }, metadata: { gemini: { t: 1 } } },
          { type: "text", text: "done" }
        ],
        finishReason: "toolCalls",
        usage: { calls: 1, inputTokens: 3 }
      })
      const all = yield* Stream.runCollect(
        LanguageModel.streamText({ prompt: "hi", toolkit: Tools, disableToolCallResolution: true })
      ).pipe(Effect.provide(Layer.merge(live([answer]), handlers)))
      assert.deepStrictEqual(all.map(({ type }) => type), [
        "reasoning-start",
        "reasoning-delta",
        "text-start",
        "text-delta",
        "tool-call",
        "text-start",
        "text-delta",
        "reasoning-end",
        "text-end",
        "text-end",
        "response-metadata",
        "finish"
      ])
      const end = all.find((part) => part.type === "reasoning-end")
      assert.deepStrictEqual(end?.metadata, { anthropic: { signature: "s" } })
      const call = all.find((part) => part.type === "tool-call")
      assert.deepStrictEqual(call?.metadata, { gemini: { t: 1 } })
      const finish = all.find((part) => part.type === "finish")
      assert.strictEqual(finish?.reason, "tool-calls")
      assert.strictEqual(finish?.usage.inputTokens.total, 3)
    }))

  it.effect("that begins again after it was heard fails, and is worth a retry", () =>
    Effect.gen(function*() {
      const cut = TestLM.streamed(["x"], { reply: new LMErrorReason.StreamCut() })
      const layer = live([cut, TestLM.streamed(["o", "k"])], LM.retry())
      const fiber = yield* Effect.forkChild(
        Effect.flip(parts(LanguageModel.streamText({ prompt: "hi" }))).pipe(Effect.provide(layer))
      )
      yield* TestClock.adjust("1 minute")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error.reason._tag, "InternalProviderError")
      assert.isTrue(error.isRetryable)
    }))

  it.effect("that is left early interrupts the call", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const heard = yield* Stream.runCollect(Stream.take(LanguageModel.streamText({ prompt: "hi" }), 2))
        const recorder = yield* TestLM.TestLM
        return [heard.length, recorder.interrupted, recorder.inFlight]
      })
      const endless = TestLM.streamed(["a"], { reply: TestLM.never })
      assert.deepStrictEqual(yield* Effect.provide(program, live([endless])), [2, 1, 0])
    }))
})

it.effect("an interrupted call is interrupted below", () =>
  Effect.gen(function*() {
    const program = Effect.gen(function*() {
      const recorder = yield* TestLM.TestLM
      const fiber = yield* Effect.forkChild(LanguageModel.generateText({ prompt: "hi" }))
      yield* Effect.yieldNow
      assert.strictEqual(recorder.inFlight, 1)
      yield* Fiber.interrupt(fiber)
      return recorder.interrupted
    })
    assert.strictEqual(yield* Effect.provide(program, live([TestLM.never])), 1)
  }))

describe("an error", () => {
  const secret = { detail: Redacted.make("a secret word") }
  const retryAfter = Duration.seconds(7)
  const reasons: ReadonlyArray<readonly [LMErrorReason.Reason, string]> = [
    [new LMErrorReason.RateLimited({ retryAfter, ...secret }), "RateLimitError"],
    [new LMErrorReason.QuotaExhausted(secret), "QuotaExhaustedError"],
    [new LMErrorReason.Authentication(secret), "AuthenticationError"],
    [new LMErrorReason.Permission(secret), "AuthenticationError"],
    [new LMErrorReason.ModelNotFound(secret), "InvalidRequestError"],
    [new LMErrorReason.InvalidRequest({ status: 422, ...secret }), "InvalidRequestError"],
    [new LMErrorReason.ContextTooLong(secret), "InvalidRequestError"],
    [new LMErrorReason.Unsupported({ feature: "a record", field: "counts" }), "UnsupportedSchemaError"],
    [new LMErrorReason.Refused(secret), "ContentPolicyError"],
    [new LMErrorReason.Overloaded({ retryAfter, ...secret }), "InternalProviderError"],
    [new LMErrorReason.ServerError({ status: 500, ...secret }), "InternalProviderError"],
    [new LMErrorReason.Network({ code: "ECONNREFUSED" }), "NetworkError"],
    [new LMErrorReason.Timeout({ kind: "attempt", limit: Duration.seconds(1) }), "InternalProviderError"],
    [new LMErrorReason.Timeout({ kind: "total", limit: Duration.seconds(1) }), "InvalidRequestError"],
    [new LMErrorReason.InvalidResponse({ status: 200, ...secret }), "InternalProviderError"],
    [new LMErrorReason.StreamCut(), "InternalProviderError"],
    [new LMErrorReason.BudgetExceeded({ limit: "calls", spent: 3 }), "QuotaExhaustedError"],
    [new LMErrorReason.CircuitOpen({ retryAfter }), "InternalProviderError"],
    [new LMErrorReason.NoRecording({ nearest: "other" }), "InvalidRequestError"]
  ]
  for (const [reason, tag] of reasons) {
    const name = reason._tag === "Timeout" ? `${reason._tag} (${reason.kind})` : reason._tag
    it.effect(`${name} is ${tag}, and over both bridges what it was`, () =>
      Effect.gen(function*() {
        const layer = live([reason])
        const error = yield* Effect.flip(Effect.provide(LanguageModel.generateText({ prompt: "hi" }), layer))
        assert.strictEqual(error.reason._tag, tag)
        assert.strictEqual(error.isRetryable, reason.isRetryable)
        assert.notMatch(`${JSON.stringify(error)} ${error.message} ${Cause.pretty(Cause.fail(error))}`, /secret/)
        const back = Layer.provide(AiBridge.fromLanguageModel(), live([reason]))
        const returned = yield* Effect.flip(
          Effect.provide(LM.generate({ messages: [Message.user("hi")], settings: { attempts: 1 } }), back)
        )
        assert.strictEqual(returned.reason._tag, reason._tag)
        assert.strictEqual(returned.isRetryable, reason.isRetryable)
        assert.deepStrictEqual(returned.retryAfter, reason.retryAfter)
        assert.instanceOf(returned, LMError.LMError)
      }))
  }
})
