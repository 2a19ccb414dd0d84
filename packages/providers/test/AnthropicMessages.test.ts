import { LM, Message, Predict, type Request, Signature } from "@effect-dspy/core"
import { Anthropic, AnthropicMessages, Quirks } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Effect, Exit, Layer, Redacted, Result, Schema } from "effect"
import { inspect } from "node:util"
import * as anthropic from "./fixtures/anthropic.ts"
import { check, events, sse, streamed } from "./fixtures/fixture.ts"
import { request as generated } from "./requests.ts"
import { serve, type Server } from "./server.ts"
import { specsAt } from "./shared.ts"
import { isRecord, type Keys, specification, strangers } from "./specification.ts"

const key = "sk-ant-very-secret"

const live = (server: Server, more: Partial<Anthropic.Options> = {}) =>
  Anthropic.layer({ model: "claude-sonnet-4-5", apiKey: Redacted.make(key), baseUrl: server.url, ...more })

describe("Anthropic's answers", () => {
  for (const [name, fixture] of Object.entries(anthropic.answers)) {
    it.live(name, () => check(name, fixture, live))
  }
})

describe("Anthropic's streams", () => {
  for (const [name, fixture] of Object.entries(anthropic.streams)) {
    it.live(name, () => check(name, { ...fixture, stream: true }, live))
  }

  it.live("cut at any byte say the same", () =>
    Effect.gen(function*() {
      const bytes = new TextEncoder().encode(sse(anthropic.hello).replaceAll("\n", "\r\n"))
      const cuts = Array.from({ length: bytes.byteLength - 1 }, (_, index) => index + 1)
      const server = yield* serve((_, index) => events([], { body: bytes, cutAt: cuts[index] ?? 1 }))
      const found = yield* Effect.forEach(cuts, () => streamed, { concurrency: 4 }).pipe(Effect.provide(live(server)))
      assert.deepStrictEqual([...new Set(found.map(({ text }) => text))], ["Grüß dich 🌊"])
    }), 30_000)
})

describe("Anthropic's errors", () => {
  for (const [name, fixture] of Object.entries(anthropic.errors)) {
    it.live(name, () => check(name, fixture, live))
    it.live(`${name}, to a stream`, () => check(name, { ...fixture, stream: true }, live))
  }

  it.live("show neither key nor prompt nor the endpoint's words", () =>
    Effect.gen(function*() {
      const prompt = "the patient's name is Quentin"
      const asked = LM.generate({ messages: [Message.user(prompt)] })
      const echo = { type: "error", error: { type: "invalid_request_error", message: `${prompt} ${key}` } }
      for (const status of [200, 400, 401, 429, 500, 529]) {
        const server = yield* serve([{ status, body: echo }])
        const exit = yield* Effect.exit(Effect.provide(asked, live(server)))
        if (!Exit.isFailure(exit)) return assert.fail(`${status} succeeded`)
        const error = Cause.squash(exit.cause)
        const shown = inspect(exit, { depth: null, showHidden: true }) + JSON.stringify(error) +
          Cause.pretty(exit.cause)
        for (const secret of [key, "Quentin"]) assert.notInclude(shown, secret, `${status}`)
      }
    }))
})

const request = (more: Partial<LM.Request> = {}): LM.Request => ({
  messages: [Message.system("Be brief."), Message.user("hello")],
  output: { _tag: "Text" },
  settings: {},
  ...more
})

const json: LM.Request["output"] = {
  _tag: "Json",
  name: "Rate",
  schema: {
    type: "object",
    properties: { stars: { type: "integer" } },
    required: ["stars"],
    additionalProperties: false
  },
  instruction: "Reply with JSON."
}

const protocol = (model: string, more: Partial<AnthropicMessages.Dialect> = {}) =>
  AnthropicMessages.make({
    provider: "anthropic",
    model,
    capabilities: { ...AnthropicMessages.capabilities, ...Quirks.of(model) },
    maxTokens: 8192,
    ...more
  })

/** The body of a request to a model, read back. */
const body = (
  asked: LM.Request,
  model = "claude-sonnet-4-5",
  more: Partial<AnthropicMessages.Dialect> = {},
  streaming = false
) => {
  const encoded = Result.getOrThrow(protocol(model, more).encode(asked, streaming))
  return { ...encoded, json: JSON.parse(encoded.body) as { readonly [key: string]: unknown } }
}

const tools: ReadonlyArray<Request.Tool> = [
  { name: "add", description: "Adds.", parameters: { type: "object", properties: { a: { type: "number" } } } },
  { name: "now", description: "", parameters: { type: "object", properties: {} } }
]

describe("a request", () => {
  it("holds model, limit and turns, with the system apart", () => {
    assert.deepStrictEqual(body(request()).json, {
      model: "claude-sonnet-4-5",
      max_tokens: 8192,
      system: [{ type: "text", text: "Be brief." }],
      messages: [{ role: "user", content: [{ type: "text", text: "hello" }] }]
    })
    assert.isTrue(body(request(), "claude-sonnet-4-5", {}, true).json.stream)
  })

  it("of the system alone is asked as the user's", () => {
    const { json } = body(request({ messages: [Message.system("One."), Message.system("Two.")] }))
    assert.deepStrictEqual([json.system, json.messages], [
      [{ type: "text", text: "One." }],
      [{ role: "user", content: [{ type: "text", text: "Two." }] }]
    ])
  })

  it("has turns that follow one another, none of them empty", () => {
    const { adjustments, json } = body(request({
      messages: [
        Message.system("  "),
        Message.user("one"),
        Message.user(""),
        Message.assistant(" \n"),
        Message.system("late"),
        Message.assistant("two"),
        Message.user("three")
      ]
    }))
    assert.notProperty(json, "system")
    assert.deepStrictEqual(json.messages, [
      { role: "user", content: [{ type: "text", text: "one" }, { type: "text", text: "late" }] },
      { role: "assistant", content: [{ type: "text", text: "two" }] },
      { role: "user", content: [{ type: "text", text: "three" }] }
    ])
    assert.deepStrictEqual(adjustments, [{ feature: "messages", action: "system turn as the user's" }])
  })

  it("carries settings under their names, and says what it can't", () => {
    const settings = { temperature: 1.5, maxTokens: 64, stop: ["END", "\n\n"], seed: 7 }
    const { adjustments, json } = body(request({ settings }))
    assert.deepInclude(json, { temperature: 1, max_tokens: 64, stop_sequences: ["END"] })
    assert.deepStrictEqual(adjustments, [
      { feature: "temperature", action: "1" },
      { feature: "seed", action: "dropped" },
      { feature: "stop", action: "white space dropped" }
    ])
    const strict = { capabilities: { ...AnthropicMessages.capabilities, onUnsupported: "fail" } } as const
    for (const one of [{ seed: 1 }, { stop: [" "] }, { temperature: 2 }]) {
      const failed = protocol("claude-sonnet-4-5", strict).encode(request({ settings: one }), false)
      assert.strictEqual(Result.getOrThrow(Result.flip(failed))._tag, "Unsupported")
    }
  })

  it("carries images and documents, from wherever the endpoint takes them", () => {
    const base64 = { _tag: "Base64", data: "aGk=" } as const
    const url = { _tag: "Url", url: "https://a.example/x" } as const
    const parts = [
      { type: "image", mediaType: "image/png", source: base64 },
      { type: "image", mediaType: "image/x", source: url },
      { type: "file", mediaType: "application/pdf", source: base64, name: "a.pdf" },
      { type: "file", mediaType: "application/pdf", source: url },
      { type: "file", mediaType: "text/csv", source: base64 }
    ] as const
    const { json, ...rest } = body(request({ messages: [Message.user(parts)] }))
    assert.notProperty(rest, "headers")
    assert.deepStrictEqual(json.messages, [{
      role: "user",
      content: [
        { type: "image", source: { type: "base64", media_type: "image/png", data: "aGk=" } },
        { type: "image", source: { type: "url", url: "https://a.example/x" } },
        {
          type: "document",
          source: { type: "base64", media_type: "application/pdf", data: "aGk=" },
          title: "a.pdf"
        },
        { type: "document", source: { type: "url", url: "https://a.example/x" } },
        { type: "document", source: { type: "text", media_type: "text/plain", data: "hi" } }
      ]
    }])
  })

  it("names uploaded files, with the header they need", () => {
    const uploaded = { type: "file", mediaType: "application/pdf", source: { _tag: "Uploaded", id: "file_1" } } as const
    const { headers, json } = body(request({ messages: [Message.user([uploaded])] }))
    assert.deepStrictEqual(headers, { "anthropic-beta": "files-api-2025-04-14" })
    assert.deepStrictEqual(json.messages, [{
      role: "user",
      content: [{ type: "document", source: { type: "file", file_id: "file_1" } }]
    }])
  })

  it("with media the endpoint can't take fails before it is sent", () => {
    const failure = (part: Message.Media) => {
      const encoded = protocol("claude-sonnet-4-5").encode(request({ messages: [Message.user([part])] }), false)
      return Result.getOrThrow(Result.flip(encoded)).message
    }
    const data = { _tag: "Base64", data: "aGk=" } as const
    const url = { _tag: "Url", url: "https://a.example/x" } as const
    assert.strictEqual(
      failure({ type: "audio", mediaType: "audio/wav", source: data }),
      "audio input is not supported"
    )
    assert.strictEqual(
      failure({ type: "image", mediaType: "image/bmp", source: data }),
      "image input of type image/bmp as Base64 is not supported"
    )
    assert.strictEqual(
      failure({ type: "file", mediaType: "text/plain", source: url }),
      "file input of type text/plain as Url is not supported"
    )
  })

  it("marks the end of what stays the same, where the layer asks for it", () => {
    const messages = [Message.system("Be brief."), Message.user("demo"), Message.assistant("answer"), Message.user("q")]
    const marks = (stable: number, promptCache?: "5m" | "1h") =>
      body(request({ messages, stable }), "claude-sonnet-4-5", { promptCache }).body.split("cache_control").length - 1
    assert.deepStrictEqual([marks(3), marks(0, "5m"), marks(1, "5m"), marks(3, "1h")], [0, 0, 1, 1])
    const { json } = body(request({ messages, stable: 3 }), "claude-sonnet-4-5", { promptCache: "1h" })
    assert.deepStrictEqual((json.messages as ReadonlyArray<unknown>)[1], {
      role: "assistant",
      content: [{ type: "text", text: "answer", cache_control: { type: "ephemeral", ttl: "1h" } }]
    })
    const system = body(request({ messages, stable: 1 }), "claude-sonnet-4-5", { promptCache: "5m" }).json.system
    assert.deepStrictEqual(system, [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }])
  })
})

describe("reasoning", () => {
  const thinking = (model: string, settings: LM.Settings, more: Partial<AnthropicMessages.Dialect> = {}) => {
    const { adjustments, json } = body(request({ settings }), model, more)
    return [json.thinking, json.output_config, json.max_tokens, adjustments.map(({ feature }) => feature)]
  }

  it("is asked for by effort where the model knows it, with tokens on top of the answer's", () => {
    assert.deepStrictEqual(thinking("claude-opus-4-8", { reasoningEffort: "low" }), [
      { type: "adaptive" },
      { effort: "low" },
      8192 + 2048,
      []
    ])
    assert.deepStrictEqual(
      thinking("claude-opus-4-8", { reasoningEffort: "minimal", temperature: 0.3, maxTokens: 900 }),
      [{ type: "adaptive" }, { effort: "low" }, 900, ["reasoningEffort", "temperature"]]
    )
  })

  it("is asked for by a budget elsewhere, which leaves room for the answer", () => {
    const enabled = (budget_tokens: number) => ({ type: "enabled", budget_tokens })
    assert.deepStrictEqual(thinking("claude-sonnet-4-5", { reasoningEffort: "high" }), [
      enabled(16_384),
      undefined,
      8192 + 16_384,
      []
    ])
    assert.deepStrictEqual(thinking("claude-sonnet-4-5", { reasoningEffort: "high", maxTokens: 4000, topP: 0.5 }), [
      enabled(2000),
      undefined,
      4000,
      ["topP"]
    ])
    assert.deepStrictEqual(thinking("claude-sonnet-4-5", { reasoningEffort: "low", maxTokens: 2000 }), [
      undefined,
      undefined,
      2000,
      ["reasoningEffort"]
    ])
  })

  it("is neither asked for nor turned off where there is none", () => {
    assert.deepStrictEqual(thinking("claude-3-5-haiku", { reasoningEffort: "high" }), [
      undefined,
      undefined,
      8192,
      ["reasoningEffort"]
    ])
    assert.deepStrictEqual(thinking("claude-sonnet-4-5", { reasoningEffort: "none" }).slice(0, 2), [
      undefined,
      undefined
    ])
    const always = { ...AnthropicMessages.capabilities, reasoning: "default" } as const
    assert.deepStrictEqual(
      thinking("claude-sonnet-4-5", { reasoningEffort: "none" }, { capabilities: always })[0],
      { type: "disabled" }
    )
  })

  it("is told in words where the layer asks for them", () => {
    assert.deepStrictEqual(thinking("claude-opus-4-8", { reasoningEffort: "low" }, { reasoningText: true })[0], {
      type: "adaptive",
      display: "summarized"
    })
  })

  it("goes back to who thought it, and to nobody else", () => {
    const echo = Message.assistant([
      { type: "reasoning", text: "Hm.", metadata: { anthropic: { signature: "sig" } } },
      { type: "reasoning", text: "", metadata: { anthropic: { redacted: "x" } } },
      { type: "reasoning", text: "Elsewhere.", metadata: { openai: { id: "rs_1" } } },
      { type: "reasoning", text: "Unsealed." },
      { type: "text", text: "4" }
    ])
    const messages = [Message.user("2+2?"), echo, Message.user("Sure?")]
    const said = (provider: string) => {
      const { json } = body(request({ messages }), "claude-sonnet-4-5", { provider })
      return (json.messages as ReadonlyArray<{ readonly content: unknown }>)[1]?.content
    }
    assert.deepStrictEqual(said("anthropic"), [
      { type: "thinking", thinking: "Hm.", signature: "sig" },
      { type: "redacted_thinking", data: "x" },
      { type: "text", text: "4" }
    ])
    assert.deepStrictEqual(said("other"), [{ type: "text", text: "4" }])
  })
})

describe("tools", () => {
  it("are offered with their schemas, and chosen as wished", () => {
    const choice = (toolChoice?: Request.ToolChoice) =>
      body(request({ tools, ...(toolChoice === undefined ? undefined : { toolChoice }) })).json.tool_choice
    const { json } = body(request({ tools }))
    assert.deepStrictEqual(json.tools, [
      {
        name: "add",
        description: "Adds.",
        input_schema: { type: "object", properties: { a: { type: "number" } }, additionalProperties: false },
        strict: true
      },
      { name: "now", input_schema: { type: "object", properties: {}, additionalProperties: false }, strict: true }
    ])
    assert.deepStrictEqual([choice(), choice("auto"), choice("required"), choice("none"), choice({ tool: "add" })], [
      undefined,
      { type: "auto" },
      { type: "any" },
      { type: "none" },
      { type: "tool", name: "add" }
    ])
  })

  const calls = Message.assistant([
    { type: "toolCall", id: "call 1", name: "add", arguments: { a: 1 } },
    { type: "toolCall", id: "b", name: "now", arguments: "{\"a\":", malformed: true }
  ])
  const results = Message.tool([
    { type: "toolResult", id: "call 1", name: "add", content: "2" },
    { type: "toolResult", id: "b", name: "now", content: "", isError: true }
  ])

  it("have all results of a turn in one, with what the user adds", () => {
    const { json } = body(request({ messages: [Message.user("q"), calls, results, Message.user("go on")], tools }))
    assert.deepStrictEqual((json.messages as ReadonlyArray<unknown>).slice(1), [
      {
        role: "assistant",
        content: [
          { type: "tool_use", id: "call_1", name: "add", input: { a: 1 } },
          { type: "tool_use", id: "b", name: "now", input: { arguments: "{\"a\":" } }
        ]
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "call_1", content: "2" },
          { type: "tool_result", tool_use_id: "b", is_error: true },
          { type: "text", text: "go on" }
        ]
      }
    ])
  })

  it("that were called without thoughts are answered without, where the model counts them", () => {
    const asked = request({
      messages: [Message.user("q"), calls, results],
      tools,
      settings: { reasoningEffort: "low" }
    })
    const counting = body(asked)
    assert.notProperty(counting.json, "thinking")
    assert.deepInclude(counting.adjustments, { feature: "reasoningEffort", action: "dropped" })
    assert.property(body(asked, "claude-opus-4-8").json, "thinking")
    const thought = Message.assistant([
      { type: "reasoning", text: "Hm.", metadata: { anthropic: { signature: "sig" } } },
      { type: "toolCall", id: "b", name: "now", arguments: {} }
    ])
    assert.property(body({ ...asked, messages: [Message.user("q"), thought, results] }).json, "thinking")
  })
})

describe("a wished form", () => {
  it("is a schema where the model knows it", () => {
    const { json: sent, mode } = body(request({ output: json }))
    assert.deepStrictEqual(sent.output_config, {
      format: { type: "json_schema", schema: json._tag === "Json" ? json.schema : {} }
    })
    assert.strictEqual(mode, "native")
  })

  it("is the only tool elsewhere, called once", () => {
    const { json: sent, mode } = body(request({ output: json }), "claude-3-5-haiku")
    assert.strictEqual(mode, "tool")
    assert.deepStrictEqual(sent.tool_choice, { type: "tool", name: "give_output", disable_parallel_tool_use: true })
    assert.notProperty(sent, "output_config")
  })

  it("is asked for in words where a tool can't be forced", () => {
    const thinking = body(request({ output: json, settings: { reasoningEffort: "low" } }), "claude-sonnet-4-0")
    assert.strictEqual(thinking.mode, "prompt")
    assert.notProperty(thinking.json, "tools")
    assert.include(thinking.body, "Reply with JSON.")
    const { mode } = body(request({ output: { ...json, mode: "tool" } as LM.Request["output"] }), "claude-fable-5")
    assert.strictEqual(mode, "prompt")
  })

  it.live("goes to the next mode where the endpoint refuses it, for this call only", () =>
    Effect.gen(function*() {
      const rate = Predict.make(Signature.make("Rate", {
        input: { text: Schema.String },
        output: { stars: Schema.Int }
      }))
      const refused = {
        status: 400,
        body: { type: "error", error: { type: "invalid_request_error", message: "compiled grammar is too large" } }
      }
      const call = { type: "tool_use", id: "toolu_1", name: "give_output", input: { stars: 4 } }
      const answered = { body: { content: [{ type: "text", text: "Gladly." }, call], stop_reason: "tool_use" } }
      const server = yield* serve([refused, answered])
      assert.deepStrictEqual(yield* Effect.provide(rate({ text: "good" }), live(server)), { stars: 4 })
      assert.deepStrictEqual(server.requests.map(({ json: sent }) => Object.keys(sent).includes("output_config")), [
        true,
        false
      ])
    }))
})

describe("the layer", () => {
  const environment = (variables: { readonly [name: string]: string }) =>
    ConfigProvider.layer(ConfigProvider.fromUnknown(variables))
  const hello = { body: { content: [{ type: "text", text: "Hi" }], stop_reason: "end_turn" } }

  it.live("takes key and base URL from the environment, with and without the version", () =>
    Effect.gen(function*() {
      const server = yield* serve([hello, hello])
      for (const url of [server.url, server.url.replace("/v1", "")]) {
        const variables = environment({ ANTHROPIC_API_KEY: "sk-env", ANTHROPIC_BASE_URL: url })
        yield* Effect.provide(
          LM.generate({ messages: [Message.user("hi")] }),
          Layer.provide(Anthropic.layer({ model: "claude-sonnet-4-5", headers: { "x-team": "a" } }), variables)
        )
      }
      assert.deepStrictEqual(server.requests.map(({ path }) => path), ["/v1/messages", "/v1/messages"])
      assert.deepInclude(server.requests[0]?.headers, {
        "x-api-key": "sk-env",
        "anthropic-version": "2023-06-01",
        "x-team": "a"
      })
    }))

  it.live("without a key fails by the name of what is missing", () =>
    Effect.gen(function*() {
      const missing = Layer.build(Layer.provide(Anthropic.layer({ model: "claude-x" }), environment({})))
      assert.include(String(yield* Effect.flip(Effect.scoped(missing))), "ANTHROPIC_API_KEY")
    }))

  it.live("sends what an upload needs, unless a header says otherwise", () =>
    Effect.gen(function*() {
      const uploaded = { type: "image", mediaType: "image/png", source: { _tag: "Uploaded", id: "f" } } as const
      const asked = LM.generate({ messages: [Message.user([uploaded])] })
      const server = yield* serve([hello, hello])
      yield* Effect.provide(asked, live(server))
      yield* Effect.provide(asked, live(server, { headers: { "anthropic-beta": "mine" } }))
      assert.deepStrictEqual(server.requests.map(({ headers }) => headers["anthropic-beta"]), [
        "files-api-2025-04-14",
        "mine"
      ])
    }))
})

const cacheControl: Keys = { type: "any", ttl: "any" }

const source: Keys = {
  by: "type",
  of: {
    base64: { type: "any", media_type: "any", data: "any" },
    text: { type: "any", media_type: "any", data: "any" },
    url: { type: "any", url: "any" },
    file: { type: "any", file_id: "any" }
  }
}

const blocks: Keys = {
  by: "type",
  of: {
    text: { type: "any", text: "any", cache_control: cacheControl },
    image: { type: "any", source, cache_control: cacheControl },
    document: { type: "any", source, title: "any", cache_control: cacheControl },
    thinking: { type: "any", thinking: "any", signature: "any" },
    redacted_thinking: { type: "any", data: "any" },
    tool_use: { type: "any", id: "any", name: "any", input: "any", cache_control: cacheControl },
    tool_result: { type: "any", tool_use_id: "any", content: "any", is_error: "any", cache_control: cacheControl }
  }
}

/** Every key this protocol may write. */
const keys: Keys = {
  model: "any",
  max_tokens: "any",
  system: [blocks],
  messages: [{ role: "any", content: [blocks] }],
  tools: [{ name: "any", description: "any", input_schema: "any", strict: "any" }],
  tool_choice: { type: "any", name: "any", disable_parallel_tool_use: "any" },
  output_config: { effort: "any", format: { type: "any", schema: "any" } },
  thinking: { type: "any", budget_tokens: "any", display: "any" },
  temperature: "any",
  top_p: "any",
  stop_sequences: "any",
  stream: "any"
}

const metadata = [
  { anthropic: { signature: "sig" } },
  { anthropic: { redacted: "data" } },
  { openai: { id: "rs_1" } }
]

const models = ["claude-3-5-haiku", "claude-sonnet-4-5", "claude-opus-4-8", "claude-fable-5", "unheard-of"]

/** The bodies of many requests, and how many could not be said. */
const many = (count: number) => {
  const found: Array<{ readonly seed: number; readonly body: { readonly [key: string]: unknown } }> = []
  let unsaid = 0
  const protocols = models.map((model, index) =>
    protocol(model, {
      ...(index % 2 === 0 ? { promptCache: "5m" } : { promptCache: "1h", reasoningText: true }),
      capabilities: { ...AnthropicMessages.capabilities, ...Quirks.of(model) }
    })
  )
  for (let seed = 0; seed < count; seed++) {
    const encoded = protocols[seed % protocols.length]?.encode(generated(seed, metadata), seed % 7 === 0)
    if (encoded === undefined || Result.isFailure(encoded)) {
      assert.strictEqual(encoded?.failure._tag, "Unsupported")
      unsaid++
      continue
    }
    found.push({ seed, body: JSON.parse(encoded.success.body) as (typeof found)[number]["body"] })
  }
  return { found, unsaid }
}

describe("every request", () => {
  it("has no key of its own, and turns that follow one another", () => {
    const { found, unsaid } = many(1000)
    assert.isAbove(found.length, 600)
    assert.isAbove(unsaid, 50)
    for (const { body: sent, seed } of found) {
      assert.deepStrictEqual(strangers(sent, keys), [], `seed ${seed}`)
      const turns = sent.messages as ReadonlyArray<{ readonly role: string; readonly content: ReadonlyArray<unknown> }>
      for (const [index, turn] of turns.entries()) {
        assert.notStrictEqual(turn.role, turns[index - 1]?.role, `seed ${seed}`)
        assert.isNotEmpty(turn.content, `seed ${seed}`)
      }
      if (isRecord(sent.thinking) && typeof sent.thinking.budget_tokens === "number") {
        assert.isBelow(sent.thinking.budget_tokens, sent.max_tokens as number, `seed ${seed}`)
        assert.notProperty(sent, "temperature", `seed ${seed}`)
      }
    }
  })

  it.skipIf(specsAt === undefined)("passes Anthropic's description", () => {
    const problems = specification("anthropic-messages.slice.json", "CreateMessageParams")
    const withUploads = specification("anthropic-messages.slice.json", "BetaCreateMessageParams")
    const { found } = many(1000)
    for (const { body: sent, seed } of found) {
      const uploads = JSON.stringify(sent).includes("\"file_id\"")
      assert.strictEqual((uploads ? withUploads : problems)(sent), "", `seed ${seed}: ${JSON.stringify(sent)}`)
    }
    const [first] = found
    const wrong: { readonly [what: string]: object } = {
      "a limit in words": { max_tokens: "many" },
      "a role nobody has": { messages: [{ role: "bot", content: "x" }] },
      "a temperature too high": { temperature: 1.1 },
      "an effort nobody knows": { output_config: { effort: "minimal" } },
      "a key of our own": { maxTokens: 5 },
      "an empty text": { messages: [{ role: "user", content: [{ type: "text", text: "" }] }] },
      "a budget too small": { thinking: { type: "enabled", budget_tokens: 100 } }
    }
    for (const [what, change] of Object.entries(wrong)) {
      assert.notStrictEqual(problems({ ...first?.body, ...change }), "", what)
    }
  })
})
