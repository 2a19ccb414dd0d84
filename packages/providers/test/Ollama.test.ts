import { LM, Message } from "@effect-dspy/core"
import { Ollama, OllamaHost } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Redacted, Stream } from "effect"
import { serve } from "./server.ts"

const done = { model: "qwen3", message: { role: "assistant", content: "ok" }, done: true, done_reason: "stop" }

/** Serves one answer and gives the request that asked for it, and what was made of it. */
const sent = (request: Partial<LM.Request>, more: Partial<Ollama.Options> = {}) =>
  Effect.gen(function*() {
    const server = yield* serve([{ body: done }])
    const completion = yield* LM.generate({ messages: [Message.user("hello")], ...request }).pipe(
      Effect.provide(Ollama.layer({ model: "qwen3", baseUrl: server.url, ...more }))
    )
    const [first] = server.requests
    if (first === undefined) throw new Error("nothing was sent")
    return { completion, first }
  })

const schema = { type: "object", properties: { n: { type: "number" } }, required: ["n"], additionalProperties: false }

const json = { _tag: "Json", name: "Answer", schema, instruction: "Reply with JSON." } as const

const tool = { name: "weather", description: "Tells it.", parameters: { type: "object", properties: {} } }

const hello = { role: "user", content: "hello" }

describe("Ollama requests", () => {
  it.live("hold the model and the messages, and ask for one piece", () =>
    Effect.gen(function*() {
      const { first } = yield* sent({})
      assert.strictEqual(first.path, "/v1/api/chat")
      assert.notProperty(first.headers, "authorization")
      assert.deepStrictEqual(first.json, { model: "qwen3", messages: [hello], stream: false })
      const keyed = yield* sent({}, { apiKey: Redacted.make("cloud"), keepAlive: "5m", contextLength: 8192 })
      assert.strictEqual(keyed.first.headers.authorization, "Bearer cloud")
      assert.deepInclude(keyed.first.json, { keep_alive: "5m", options: { num_ctx: 8192 } })
    }))

  it.live("ask for a stream where somebody reads along", () =>
    Effect.gen(function*() {
      const server = yield* serve([{ body: `${JSON.stringify(done)}\n` }])
      yield* LM.stream({ messages: [Message.user("hello")] }).pipe(
        Stream.runDrain,
        Effect.provide(Ollama.layer({ model: "qwen3", baseUrl: server.url }))
      )
      assert.strictEqual(server.requests[0]?.json.stream, true)
    }))

  it.live("carry every setting under Ollama's names", () =>
    Effect.gen(function*() {
      const settings = { temperature: 0, topP: 0.9, maxTokens: 64, stop: ["END"], seed: 7 }
      const { first } = yield* sent({ settings })
      assert.deepStrictEqual(first.json.options, {
        temperature: 0,
        top_p: 0.9,
        num_predict: 64,
        stop: ["END"],
        seed: 7
      })
    }))

  it.live("tell a model to think or not, and one that knows degrees how hard", () =>
    Effect.gen(function*() {
      const think = (model: string, reasoningEffort: "none" | "low" | "high") =>
        Effect.map(sent({ settings: { reasoningEffort } }, { model }), ({ completion, first }) => [
          first.json.think,
          completion.adjustments
        ])
      assert.deepStrictEqual(yield* think("qwen3", "none"), [false, undefined])
      assert.deepStrictEqual(yield* think("qwen3", "high"), [true, undefined])
      assert.deepStrictEqual(yield* think("qwen3", "low"), [true, [{ feature: "reasoningEffort", action: "high" }]])
      assert.deepStrictEqual(yield* think("gpt-oss:20b", "low"), ["low", undefined])
      assert.deepStrictEqual(yield* think("gpt-oss:20b", "none"), [
        "low",
        [{ feature: "reasoningEffort", action: "low" }]
      ])
    }))

  it.live("hold the model to a schema, and tell it in words as well", () =>
    Effect.gen(function*() {
      const { completion, first } = yield* sent({ output: json })
      assert.deepStrictEqual(first.json.format, schema)
      assert.deepStrictEqual(first.json.messages, [{ role: "user", content: "hello\n\nReply with JSON." }])
      assert.notProperty(completion, "adjustments")
      const loose = yield* sent({ output: { ...json, mode: "json" } })
      assert.strictEqual(loose.first.json.format, "json")
    }))

  it.live("beside tools only ask in words, because a grammar would leave no room for a call", () =>
    Effect.gen(function*() {
      const { completion, first } = yield* sent({ output: json, tools: [tool] })
      assert.notProperty(first.json, "format")
      const parameters = { ...tool.parameters, additionalProperties: false }
      assert.deepStrictEqual(first.json.tools, [{ type: "function", function: { ...tool, parameters } }])
      assert.deepStrictEqual(completion.adjustments, [{ feature: "output", action: "prompt" }])
    }))

  it.live("can't choose a tool, and say so", () =>
    Effect.gen(function*() {
      const { completion, first } = yield* sent({ tools: [tool], toolChoice: "required" })
      assert.hasAllKeys(first.json, ["model", "messages", "tools", "stream"])
      assert.deepStrictEqual(completion.adjustments, [{ feature: "toolChoice", action: "dropped" }])
      assert.notProperty((yield* sent({ tools: [tool], toolChoice: "none" })).first.json, "tools")
    }))

  it.live("put pictures beside the text, and take no others than bytes", () =>
    Effect.gen(function*() {
      const photo = (source: Message.Media["source"]): Message.Media => ({
        type: "image",
        mediaType: "image/png",
        source
      })
      const text = { type: "text", text: "What is this?" } as const
      const { first } = yield* sent({ messages: [Message.user([text, photo({ _tag: "Base64", data: "aGk=" })])] })
      assert.deepStrictEqual(first.json.messages, [{ role: "user", content: "What is this?", images: ["aGk="] }])
      const error = yield* Effect.flip(
        sent({ messages: [Message.user([photo({ _tag: "Url", url: "https://example.org/a.png" })])] })
      )
      assert.deepInclude("reason" in error ? error.reason : error, {
        _tag: "Unsupported",
        feature: "image input as Url"
      })
    }))

  it.live("give back calls and their results", () =>
    Effect.gen(function*() {
      const { first } = yield* sent({
        messages: [
          Message.system("Be brief."),
          Message.user("hello"),
          Message.assistant([
            { type: "reasoning", text: "Hm." },
            { type: "toolCall", id: "a", name: "weather", arguments: { city: "Oslo" } },
            { type: "toolCall", id: "b", name: "time", arguments: "not JSON", malformed: true }
          ]),
          Message.tool([{ type: "toolResult", id: "a", name: "weather", content: "rain" }])
        ]
      })
      assert.deepStrictEqual((first.json.messages as ReadonlyArray<unknown>).slice(2), [
        {
          role: "assistant",
          content: "",
          thinking: "Hm.",
          tool_calls: [
            { id: "a", function: { name: "weather", arguments: { city: "Oslo" } } },
            { id: "b", function: { name: "time", arguments: { arguments: "not JSON" } } }
          ]
        },
        { role: "tool", content: "rain", tool_name: "weather", tool_call_id: "a" }
      ])
    }))
})

describe("OLLAMA_HOST", () => {
  it("is read as the server's own client reads it", () => {
    const hosts = {
      "": "http://127.0.0.1:11434",
      "0.0.0.0": "http://127.0.0.1:11434",
      "0.0.0.0:8080": "http://127.0.0.1:8080",
      ":8080": "http://127.0.0.1:8080",
      "[::]:8080": "http://127.0.0.1:8080",
      "[fe80::1]": "http://[fe80::1]:11434",
      "box": "http://box:11434",
      "box:1": "http://box:1",
      "http://box": "http://box",
      "https://box/": "https://box",
      "https://box:8443/ollama/": "https://box:8443/ollama",
      "\"box:1\"": "http://box:1"
    }
    for (const [host, url] of Object.entries(hosts)) assert.strictEqual(OllamaHost.toUrl(host), url, host)
  })

  it.live("is where requests go", () =>
    Effect.gen(function*() {
      const server = yield* serve([{ body: done }])
      const { port } = new URL(server.url)
      yield* LM.generate({ messages: [Message.user("hello")] }).pipe(
        Effect.provide(Layer.provide(
          Ollama.layer({ model: "qwen3" }),
          ConfigProvider.layer(ConfigProvider.fromUnknown({ OLLAMA_HOST: `0.0.0.0:${port}` }))
        ))
      )
      assert.strictEqual(server.requests[0]?.path, "/api/chat")
    }))
})
