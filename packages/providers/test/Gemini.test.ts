import { LM, Message, Predict, Signature } from "@effect-dspy/core"
import * as Completion from "@effect-dspy/core/Completion"
import { type Capabilities, Gemini } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Schema, Stream } from "effect"
import { said } from "./exchange.ts"
import { body, error, events, options, piece, thought, time, weather } from "./gemini.ts"
import { type Answer, serve } from "./server.ts"

const usage = { inputTokens: 8, outputTokens: 4 }

/** Serves one answer and gives the request that asked for it, and what was made of it. */
const sent = (
  request: Partial<LM.Request>,
  more: Partial<Gemini.Options> = {},
  answers: ReadonlyArray<Answer> = [{ body: body([{ text: "ok" }]) }]
) =>
  Effect.gen(function*() {
    const server = yield* serve(answers)
    const completion = yield* LM.generate({ messages: [Message.user("hello")], ...request }).pipe(
      Effect.provide(Gemini.layer(options(server, more)))
    )
    const [first] = server.requests
    if (first === undefined) throw new Error("nothing was sent")
    return { completion, first, requests: server.requests }
  })

const json: LM.Request["output"] = {
  _tag: "Json",
  name: "Answer",
  schema: { type: "object", properties: { n: { type: "number" } }, required: ["n"], additionalProperties: false },
  instruction: "Reply with JSON."
}

const tool = {
  name: "weather",
  description: "Tells it.",
  parameters: { type: "object", properties: { city: { type: "string" } } }
}

describe("Gemini requests", () => {
  it.live("go to the model's own path, with the key in a header", () =>
    Effect.gen(function*() {
      const { first } = yield* sent({})
      assert.strictEqual(first.path, "/v1/models/gemini-2.5-flash:generateContent")
      assert.strictEqual(first.headers["x-goog-api-key"], "very-secret")
      assert.deepStrictEqual(first.json, { contents: [{ role: "user", parts: [{ text: "hello" }] }] })
      const tuned = yield* sent({}, { model: "tunedModels/mine", auth: "bearer" })
      assert.strictEqual(tuned.first.path, "/v1/tunedModels/mine:generateContent")
      assert.strictEqual(tuned.first.headers.authorization, "Bearer very-secret")
      assert.notProperty(tuned.first.headers, "x-goog-api-key")
    }))

  it.live("for a stream ask for events", () =>
    Effect.gen(function*() {
      const server = yield* serve([events([piece([{ text: "x" }], "STOP")])])
      yield* LM.stream({ messages: [Message.user("hello")] }).pipe(
        Stream.runDrain,
        Effect.provide(Gemini.layer(options(server)))
      )
      assert.strictEqual(server.requests[0]?.path, "/v1/models/gemini-2.5-flash:streamGenerateContent?alt=sse")
    }))

  it.live("carry every setting under Google's names", () =>
    Effect.gen(function*() {
      const settings = {
        temperature: 0,
        topP: 0.9,
        maxTokens: 64,
        stop: ["END"],
        seed: 7,
        reasoningEffort: "low"
      } as const
      const { first } = yield* sent({ settings })
      assert.deepStrictEqual(first.json.generationConfig, {
        temperature: 0,
        topP: 0.9,
        maxOutputTokens: 64,
        stopSequences: ["END"],
        seed: 7,
        thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 }
      })
    }))

  it.live("say how hard to think as the model understands it, and what became of it", () =>
    Effect.gen(function*() {
      const thinking = (model: string, reasoningEffort: Capabilities.Effort) =>
        Effect.map(sent({ settings: { reasoningEffort } }, { model }), ({ completion, first }) => [
          (first.json.generationConfig as { readonly thinkingConfig?: unknown } | undefined)?.thinkingConfig,
          completion.adjustments
        ])
      const off = { includeThoughts: false, thinkingBudget: 0 }
      assert.deepStrictEqual(yield* thinking("gemini-2.5-flash", "none"), [off, undefined])
      assert.deepStrictEqual(yield* thinking("gemini-2.5-pro", "none"), [
        { includeThoughts: true, thinkingBudget: 512 },
        [{ feature: "reasoningEffort", action: "minimal" }]
      ])
      assert.deepStrictEqual(yield* thinking("gemini-3-flash-preview", "medium"), [
        { includeThoughts: true, thinkingLevel: "MEDIUM" },
        undefined
      ])
      assert.deepStrictEqual(yield* thinking("gemini-3-pro-preview", "minimal"), [
        { includeThoughts: true, thinkingLevel: "LOW" },
        [{ feature: "reasoningEffort", action: "low" }]
      ])
      assert.deepStrictEqual(yield* thinking("gemini-2.0-flash", "high"), [
        undefined,
        [{ feature: "reasoningEffort", action: "dropped" }]
      ])
    }))

  it.live("put system turns apart, and media where Google looks for them", () =>
    Effect.gen(function*() {
      const media = (source: Message.Media["source"]): Message.Media => ({
        type: "image",
        mediaType: "image/png",
        source
      })
      const { first } = yield* sent({
        messages: [
          Message.system("Be brief."),
          Message.user([
            { type: "text", text: "Compare." },
            media({ _tag: "Base64", data: "aGk=" }),
            media({ _tag: "Url", url: "https://example.org/a.png" }),
            media({ _tag: "Uploaded", id: "https://generativelanguage.googleapis.com/v1beta/files/x" })
          ]),
          Message.assistant("Same."),
          Message.assistant(""),
          Message.user("Sure?")
        ]
      })
      assert.deepStrictEqual(first.json, {
        systemInstruction: { parts: [{ text: "Be brief." }] },
        contents: [
          {
            role: "user",
            parts: [
              { text: "Compare." },
              { inlineData: { mimeType: "image/png", data: "aGk=" } },
              { fileData: { mimeType: "image/png", fileUri: "https://example.org/a.png" } },
              {
                fileData: { mimeType: "image/png", fileUri: "https://generativelanguage.googleapis.com/v1beta/files/x" }
              }
            ]
          },
          { role: "model", parts: [{ text: "Same." }] },
          { role: "user", parts: [{ text: "Sure?" }] }
        ]
      })
    }))

  it.live("hold the model to a schema", () =>
    Effect.gen(function*() {
      const { completion, first } = yield* sent({ output: json })
      assert.deepStrictEqual(first.json.generationConfig, {
        responseMimeType: "application/json",
        responseJsonSchema: json._tag === "Json" ? json.schema : undefined
      })
      assert.notProperty(completion, "adjustments")
    }))

  it.live("beside tools take another way where the model knows only one of both, and say so", () =>
    Effect.gen(function*() {
      const answers = [{ body: body([{ functionCall: { name: "give_output", args: { n: 1 } } }]) }]
      const older = yield* sent({ output: json, tools: [tool] }, {}, answers)
      assert.notProperty(older.first.json, "generationConfig")
      assert.deepStrictEqual(older.first.json.toolConfig, { functionCallingConfig: { mode: "ANY" } })
      assert.deepStrictEqual(older.completion.adjustments, [{ feature: "output", action: "tool" }])
      assert.deepStrictEqual(said(older.completion), {
        text: "{\"n\":1}",
        finish: "stop",
        usage,
        model: "gemini-2.5-flash"
      })
      const newer = yield* sent({ output: json, tools: [tool] }, { model: "gemini-3-flash-preview" })
      assert.hasAllKeys(newer.first.json, ["contents", "tools", "generationConfig"])
    }))

  it.live("fall to a looser form where the endpoint refuses one, for this call", () =>
    Effect.gen(function*() {
      const refusal = error(
        400,
        "INVALID_ARGUMENT",
        "The specified schema produces a constraint that has too many states for serving."
      )
      const { completion, requests } = yield* sent({ output: json }, {}, [
        { status: 400, body: refusal },
        { body: body([{ functionCall: { name: "give_output", args: { n: 2 } } }]) }
      ])
      assert.strictEqual(requests.length, 2)
      assert.deepStrictEqual(requests[1]?.json.toolConfig, {
        functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["give_output"] }
      })
      assert.strictEqual(Completion.text(completion), "{\"n\":2}")
    }))

  it.live("say which tools there are and which must be called", () =>
    Effect.gen(function*() {
      const declared = [{
        functionDeclarations: [{
          name: "weather",
          description: "Tells it.",
          parametersJsonSchema: { ...tool.parameters, additionalProperties: false }
        }]
      }]
      const modes = {
        auto: { mode: "AUTO" },
        required: { mode: "ANY" },
        none: { mode: "NONE" }
      }
      for (const [toolChoice, functionCallingConfig] of Object.entries(modes)) {
        const { first } = yield* sent({ tools: [tool], toolChoice: toolChoice as "auto" })
        assert.deepStrictEqual(first.json.tools, declared)
        assert.deepStrictEqual(first.json.toolConfig, { functionCallingConfig })
      }
      const named = yield* sent({ tools: [tool], toolChoice: { tool: "weather" } })
      assert.deepStrictEqual(named.first.json.toolConfig, {
        functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["weather"] }
      })
      assert.notProperty((yield* sent({ tools: [tool] })).first.json, "toolConfig")
    }))

  it.live("give back what Google wants back, and nothing that is another's", () =>
    Effect.gen(function*() {
      const { completion } = yield* sent({}, {}, [{ body: body([thought, weather, time]) }])
      const calls = Completion.toolCalls(completion)
      const results = calls.map((
        { id, name },
        index
      ) => ({ type: "toolResult", id, name, content: "ok", ...(index === 1 ? { isError: true } : {}) } as const))
      const { first } = yield* sent({
        messages: [Message.user("hello"), Message.assistant(completion.content), Message.tool(results)]
      })
      const [one, two] = calls.map(({ id }) => id)
      assert.notStrictEqual(one, two)
      assert.deepStrictEqual((first.json.contents as ReadonlyArray<unknown>).slice(1), [
        {
          role: "model",
          parts: [
            { functionCall: { id: one, name: "weather", args: { city: "Oslo" } }, thoughtSignature: "c2lnbg==" },
            { functionCall: { id: two, name: "time", args: {} } }
          ]
        },
        {
          role: "user",
          parts: [
            { functionResponse: { id: one, name: "weather", response: { output: "ok" } } },
            { functionResponse: { id: two, name: "time", response: { error: "ok" } } }
          ]
        }
      ])
    }))

  it.live("sign calls of other models with the placeholder where signatures are demanded", () =>
    Effect.gen(function*() {
      const call = (
        id: string
      ) => ({ type: "toolCall", id, name: "time", arguments: {}, metadata: { anthropic: { x: 1 } } } as const)
      const messages = [Message.user("hello"), Message.assistant([call("a"), call("b")])]
      const signatures = (model: string) =>
        Effect.map(
          sent({ messages }, { model }),
          ({ first }) =>
            (first.json.contents as ReadonlyArray<
              { readonly parts: ReadonlyArray<{ readonly thoughtSignature?: string }> }
            >)[1]
              ?.parts.map(({ thoughtSignature }) => thoughtSignature)
        )
      assert.deepStrictEqual(yield* signatures("gemini-2.5-flash"), [undefined, undefined])
      const [first, second] = (yield* signatures("gemini-3-flash-preview")) ?? []
      assert.strictEqual(atob(first ?? ""), "context_engineering_is_the_way_to_go")
      assert.isUndefined(second)
    }))

  it.live("that force a tool have its arguments read as the answer, in a stream too", () =>
    Effect.gen(function*() {
      const rate = Predict.make(
        Signature.make("Rate", { input: { text: Schema.String }, output: { stars: Schema.Int } })
      )
      const call = { functionCall: { name: "give_output", args: { stars: 4 } } }
      const server = yield* serve([{ body: body([call]) }, events([piece([call], "STOP")])])
      const live = Gemini.layer(options(server, { capabilities: { structuredOutput: ["tool"] } }))
      assert.deepStrictEqual(yield* Effect.provide(rate({ text: "good" }), live), { stars: 4 })
      const parts = yield* LM.stream({ messages: [Message.user("good")], output: json }).pipe(
        Stream.runCollect,
        Effect.provide(live)
      )
      assert.deepStrictEqual(parts.slice(0, -1), [{ type: "text", text: "{\"stars\":4}" }])
    }))
})

describe("Gemini configuration", () => {
  const environment = (variables: { readonly [name: string]: string }) =>
    ConfigProvider.layer(ConfigProvider.fromUnknown(variables))

  it.live("takes key and base URL from the environment, and needs a key", () =>
    Effect.gen(function*() {
      const server = yield* serve([{ body: body([{ text: "x" }]) }, { body: body([{ text: "x" }]) }])
      const ask = (variables: { readonly [name: string]: string }) =>
        LM.generate({ messages: [Message.user("hello")] }).pipe(
          Effect.provide(Layer.provide(Gemini.layer({ model: "gemini-2.5-flash" }), environment(variables)))
        )
      yield* ask({ GEMINI_BASE_URL: server.url, GEMINI_API_KEY: "first", GOOGLE_API_KEY: "second" })
      yield* ask({ GEMINI_BASE_URL: server.url, GOOGLE_API_KEY: "second" })
      assert.deepStrictEqual(server.requests.map(({ headers }) => headers["x-goog-api-key"]), ["first", "second"])
      assert.strictEqual((yield* Effect.flip(ask({})))._tag, "ConfigError")
    }))
})
