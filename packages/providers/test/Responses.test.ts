import { LM, Message, Predict, type Request, Signature } from "@effect-dspy/core"
import { OpenAi, OpenAiSchema, Quirks, Responses } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Effect, Exit, Layer, Redacted, Result, Schema } from "effect"
import { inspect } from "node:util"
import { check, events, sse, streamed } from "./fixtures/fixture.ts"
import * as responses from "./fixtures/responses.ts"
import { request as generated } from "./requests.ts"
import { serve, type Server } from "./server.ts"
import { specsAt } from "./shared.ts"
import { type Keys, specification, strangers } from "./specification.ts"

const key = "sk-very-secret"

const live = (server: Server, more: Partial<OpenAi.Options> = {}) =>
  OpenAi.layer({ model: "gpt-5-mini", apiKey: Redacted.make(key), baseUrl: server.url, ...more })

describe("answers of Responses", () => {
  for (const [name, fixture] of Object.entries(responses.answers)) {
    it.live(name, () => check(name, fixture, live))
  }
})

describe("streams of Responses", () => {
  for (const [name, fixture] of Object.entries(responses.streams)) {
    it.live(name, () => check(name, { ...fixture, stream: true }, live))
  }

  it.live("cut at any byte say the same", () =>
    Effect.gen(function*() {
      const bytes = new TextEncoder().encode(sse(responses.hello).replaceAll("\n", "\r\n"))
      const cuts = Array.from({ length: bytes.byteLength - 1 }, (_, index) => index + 1)
      const server = yield* serve((_, index) => events([], { body: bytes, cutAt: cuts[index] ?? 1 }))
      const found = yield* Effect.forEach(cuts, () => streamed, { concurrency: 4 }).pipe(Effect.provide(live(server)))
      assert.deepStrictEqual([...new Set(found.map(({ text }) => text))], ["Grüß dich 🌊"])
    }), 60_000)
})

describe("errors of Responses", () => {
  for (const [name, fixture] of Object.entries(responses.errors)) {
    it.live(name, () => check(name, fixture, live))
    it.live(`${name}, to a stream`, () => check(name, { ...fixture, stream: true }, live))
  }

  it.live("show neither key nor prompt nor the endpoint's words", () =>
    Effect.gen(function*() {
      const prompt = "the patient's name is Quentin"
      const asked = LM.generate({ messages: [Message.user(prompt)] })
      const echo = { error: { code: "server_error", message: `${prompt} ${key}` } }
      for (const status of [200, 400, 401, 429, 500, 503]) {
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

const schema = {
  type: "object",
  properties: { stars: { type: "integer" } },
  required: ["stars"],
  additionalProperties: false
} as const

const json = { _tag: "Json", name: "Rate it!", schema, instruction: "Reply with JSON." } as const

const protocol = (model: string, more: Partial<Responses.Dialect> = {}) =>
  Responses.make({
    provider: "openai",
    model,
    capabilities: { ...Responses.capabilities, ...Quirks.of(model) },
    store: false,
    ...more
  })

/** The body of a request to a model, read back. */
const body = (
  asked: LM.Request,
  model = "gpt-4o",
  more: Partial<Responses.Dialect> = {},
  streaming = false
) => {
  const encoded = Result.getOrThrow(protocol(model, more).encode(asked, streaming))
  return { ...encoded, json: JSON.parse(encoded.body) as { readonly [key: string]: unknown } }
}

const tools: ReadonlyArray<Request.Tool> = [
  { name: "add", description: "Adds.", parameters: { type: "object", properties: { a: { type: "number" } } } }
]

describe("a request", () => {
  it("holds model, instructions and turns, and leaves nothing behind", () => {
    assert.deepStrictEqual(body(request()).json, {
      model: "gpt-4o",
      instructions: "Be brief.",
      input: [{ role: "user", content: "hello" }],
      store: false
    })
    assert.deepInclude(body(request(), "gpt-4o", { store: true, promptCacheKey: "team-a" }, true).json, {
      store: true,
      stream: true,
      prompt_cache_key: "team-a"
    })
  })

  it("has the system's first words apart, and later ones in their place", () => {
    const { json: sent } = body(request({
      messages: [Message.system("One."), Message.system("Two."), Message.user("a"), Message.system("Three.")]
    }))
    assert.strictEqual(sent.instructions, "One.\n\nTwo.")
    assert.deepStrictEqual(sent.input, [{ role: "user", content: "a" }, { role: "system", content: "Three." }])
    const alone = body(request({ messages: [Message.system("One.")] })).json
    assert.deepStrictEqual([alone.instructions, alone.input], [undefined, [{ role: "system", content: "One." }]])
  })

  it("carries settings under their names, and says what it can't", () => {
    const settings = { temperature: 0.2, topP: 0.9, maxTokens: 5, stop: ["END"], seed: 7 }
    const { adjustments, json: sent } = body(request({ settings }))
    assert.deepInclude(sent, { temperature: 0.2, top_p: 0.9, max_output_tokens: 16 })
    assert.deepStrictEqual(adjustments, [
      { feature: "maxTokens", action: "16" },
      { feature: "stop", action: "dropped" },
      { feature: "seed", action: "dropped" }
    ])
  })

  it("keeps sampling from models that reason", () => {
    const settings = { temperature: 0.2, reasoningEffort: "low" } as const
    const { adjustments, json: sent } = body(request({ settings }), "gpt-5-mini")
    assert.deepStrictEqual(sent.reasoning, { effort: "low" })
    assert.notProperty(sent, "temperature")
    assert.deepStrictEqual(adjustments, [{ feature: "temperature", action: "dropped" }])
    assert.notProperty(body(request({ settings })).json, "reasoning")
    assert.deepStrictEqual(body(request(), "gpt-5-mini", { reasoningText: true }).json.reasoning, { summary: "auto" })
    assert.notProperty(body(request(), "gpt-4o", { reasoningText: true }).json, "reasoning")
  })

  it("carries images and files, from wherever they are", () => {
    const base64 = { _tag: "Base64", data: "aGk=" } as const
    const url = { _tag: "Url", url: "https://a.example/x" } as const
    const uploaded = { _tag: "Uploaded", id: "file-1" } as const
    const parts = [
      { type: "text", text: "Look." },
      { type: "image", mediaType: "image/png", source: base64 },
      { type: "image", mediaType: "image/png", source: url },
      { type: "image", mediaType: "image/png", source: uploaded },
      { type: "file", mediaType: "application/pdf", source: base64, name: "a.pdf" },
      { type: "file", mediaType: "application/pdf", source: url },
      { type: "file", mediaType: "application/pdf", source: uploaded }
    ] as const
    assert.deepStrictEqual(body(request({ messages: [Message.user(parts)] })).json.input, [{
      role: "user",
      content: [
        { type: "input_text", text: "Look." },
        { type: "input_image", detail: "auto", image_url: "data:image/png;base64,aGk=" },
        { type: "input_image", detail: "auto", image_url: "https://a.example/x" },
        { type: "input_image", detail: "auto", file_id: "file-1" },
        { type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,aGk=" },
        { type: "input_file", file_url: "https://a.example/x" },
        { type: "input_file", file_id: "file-1" }
      ]
    }])
    const sound = { type: "audio", mediaType: "audio/wav", source: base64 } as const
    const failed = protocol("gpt-4o").encode(request({ messages: [Message.user([sound])] }), false)
    assert.strictEqual(Result.getOrThrow(Result.flip(failed)).message, "audio input is not supported")
  })
})

describe("tools", () => {
  it("are offered with their schemas, and chosen as wished", () => {
    const choice = (toolChoice: Request.ToolChoice) => body(request({ tools, toolChoice })).json.tool_choice
    assert.deepStrictEqual(body(request({ tools })).json.tools, [
      {
        type: "function",
        name: "add",
        description: "Adds.",
        parameters: Result.getOrThrow(OpenAiSchema.encode(tools[0]?.parameters ?? {})).schema,
        strict: true
      }
    ])
    assert.deepStrictEqual([choice("auto"), choice("required"), choice("none"), choice({ tool: "add" })], [
      "auto",
      "required",
      "none",
      { type: "function", name: "add" }
    ])
  })

  it("bring along the thoughts that led to them, where the model has some and nobody keeps them", () => {
    const include = (model: string, more: Partial<Responses.Dialect> = {}, own = tools) =>
      body(request({ tools: own }), model, more).json.include
    assert.deepStrictEqual(include("gpt-5-mini"), ["reasoning.encrypted_content"])
    assert.isUndefined(include("gpt-4o"))
    assert.isUndefined(include("gpt-5-mini", { store: true }))
    assert.isUndefined(include("gpt-5-mini", {}, []))
  })

  it("and their results go back as items, with the thoughts before them", () => {
    const echo = Message.assistant([
      { type: "reasoning", text: "Hm.", metadata: { openai: { id: "rs_1", encrypted: "sealed" } } },
      { type: "text", text: "Let me see.", metadata: { openai: { id: "msg_1", phase: "commentary" } } },
      { type: "toolCall", id: "call_1", name: "add", arguments: { a: 1 }, metadata: { openai: { id: "fc_1" } } },
      { type: "toolCall", id: "call_2", name: "add", arguments: "{\"a\":", malformed: true }
    ])
    const results = Message.tool([
      { type: "toolResult", id: "call_1", name: "add", content: "2" },
      { type: "toolResult", id: "call_2", name: "add", content: "no JSON", isError: true }
    ])
    const input = (provider: string) =>
      body(request({ messages: [Message.user("q"), echo, results], tools }), "gpt-5-mini", { provider }).json.input
    const outputs = [
      { type: "function_call_output", call_id: "call_1", output: "2" },
      { type: "function_call_output", call_id: "call_2", output: "no JSON" }
    ]
    assert.deepStrictEqual(input("openai"), [
      { role: "user", content: "q" },
      {
        type: "reasoning",
        id: "rs_1",
        summary: [{ type: "summary_text", text: "Hm." }],
        encrypted_content: "sealed"
      },
      {
        type: "message",
        id: "msg_1",
        role: "assistant",
        status: "completed",
        content: [{ type: "output_text", text: "Let me see.", annotations: [], logprobs: [] }],
        phase: "commentary"
      },
      { type: "function_call", id: "fc_1", call_id: "call_1", name: "add", arguments: "{\"a\":1}" },
      { type: "function_call", call_id: "call_2", name: "add", arguments: "{\"a\":" },
      ...outputs
    ])
    assert.deepStrictEqual(input("xai"), [
      { role: "user", content: "q" },
      { role: "assistant", content: "Let me see." },
      { type: "function_call", call_id: "call_1", name: "add", arguments: "{\"a\":1}" },
      { type: "function_call", call_id: "call_2", name: "add", arguments: "{\"a\":" },
      ...outputs
    ])
  })

  it("thoughts that are neither sealed nor open nor kept stay here", () => {
    const thoughts = Message.assistant([
      { type: "reasoning", text: "Bare.", metadata: { openai: { id: "rs_1" } } },
      { type: "reasoning", text: "Open.", metadata: { openai: { id: "rs_2", kind: "content" } } },
      { type: "text", text: "" }
    ])
    const input = (store: boolean) =>
      body(request({ messages: [thoughts, Message.user("q")] }), "gpt-5-mini", { store }).json.input
    const open = {
      type: "reasoning",
      id: "rs_2",
      summary: [],
      content: [{ type: "reasoning_text", text: "Open." }]
    }
    const asked = { role: "user", content: "q" }
    assert.deepStrictEqual(input(false), [open, asked])
    const kept = { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "Bare." }] }
    assert.deepStrictEqual(input(true), [kept, open, asked])
  })
})

describe("a wished form", () => {
  it("is a schema, said strictly", () => {
    const { json: sent, mode } = body(request({ output: json }))
    assert.deepStrictEqual(sent.text, {
      format: { type: "json_schema", name: "Rate_it_", schema, strict: true }
    })
    assert.strictEqual(mode, "native")
  })

  it("may be a tool that is called once, JSON of any shape, or words", () => {
    const as = (mode: Request.Mode) => body(request({ output: { ...json, mode } }))
    assert.deepInclude(as("tool").json, {
      tool_choice: { type: "function", name: "give_output" },
      parallel_tool_calls: false
    })
    assert.deepStrictEqual(as("json").json.text, { format: { type: "json_object" } })
    assert.include(as("json").body, "Reply with JSON.")
    assert.notProperty(as("prompt").json, "text")
    assert.include(as("prompt").body, "Reply with JSON.")
  })

  it.live("goes to the next mode where the endpoint refuses it, for this call only", () =>
    Effect.gen(function*() {
      const rate = Predict.make(Signature.make("Rate", {
        input: { text: Schema.String },
        output: { stars: Schema.Int }
      }))
      const refused = { status: 400, body: { error: { message: "'text.format' json_schema is not supported" } } }
      const call = { type: "function_call", call_id: "a", name: "give_output", arguments: "{\"stars\":4}" }
      const answered = { body: { status: "completed", output: [call] } }
      const server = yield* serve([refused, answered])
      assert.deepStrictEqual(yield* Effect.provide(rate({ text: "good" }), live(server)), { stars: 4 })
      assert.deepStrictEqual(server.requests.map(({ json: sent }) => sent.text !== undefined), [true, false])
    }))
})

describe("the layer", () => {
  const environment = (variables: { readonly [name: string]: string }) =>
    ConfigProvider.layer(ConfigProvider.fromUnknown(variables))
  const hello = { body: { status: "completed", output: [{ type: "message", content: [{ text: "Hi" }] }] } }
  const asked = LM.generate({ messages: [Message.user("hi")] })

  it.live("takes key and base URL from the environment", () =>
    Effect.gen(function*() {
      const server = yield* serve([hello])
      const variables = environment({ OPENAI_API_KEY: "sk-env", OPENAI_BASE_URL: server.url })
      yield* Effect.provide(
        asked,
        Layer.provide(OpenAi.layer({ model: "gpt-4o", headers: { "openai-project": "a" } }), variables)
      )
      assert.strictEqual(server.requests[0]?.path, "/v1/responses")
      assert.deepInclude(server.requests[0]?.headers, { authorization: "Bearer sk-env", "openai-project": "a" })
    }))

  it.live("without a key fails by the name of what is missing", () =>
    Effect.gen(function*() {
      const missing = Layer.build(Layer.provide(OpenAi.layer({ model: "gpt-4o" }), environment({})))
      assert.include(String(yield* Effect.flip(Effect.scoped(missing))), "OPENAI_API_KEY")
    }))

  it.live("lets the caller know better than the table", () =>
    Effect.gen(function*() {
      const server = yield* serve([hello, hello])
      const cool = LM.withSettings({ temperature: 0 })(asked)
      const { adjustments } = yield* Effect.provide(cool, live(server))
      assert.deepStrictEqual(adjustments, [{ feature: "temperature", action: "dropped" }])
      yield* Effect.provide(cool, live(server, { capabilities: { withoutWhileReasoning: [] } }))
      assert.deepStrictEqual(server.requests.map(({ json: sent }) => sent.temperature), [undefined, 0])
      const strict = live(server, { capabilities: { onUnsupported: "fail" } })
      const failure = yield* Effect.flip(Effect.provide(cool, strict))
      assert.include(String(failure), "the setting temperature is not supported")
      assert.strictEqual(server.started, 2)
    }))
})

const inputParts: Keys = {
  by: "type",
  of: {
    input_text: { type: "any", text: "any" },
    input_image: { type: "any", detail: "any", image_url: "any", file_id: "any" },
    input_file: { type: "any", filename: "any", file_data: "any", file_url: "any", file_id: "any" }
  }
}

const words: Keys = [{ type: "any", text: "any" }]

const items: Keys = {
  by: "type",
  of: {
    undefined: { role: "any", content: [inputParts] },
    message: {
      type: "any",
      id: "any",
      role: "any",
      status: "any",
      phase: "any",
      content: [{ type: "any", text: "any", annotations: "any", logprobs: "any" }]
    },
    reasoning: { type: "any", id: "any", summary: words, content: words, encrypted_content: "any" },
    function_call: { type: "any", id: "any", call_id: "any", name: "any", arguments: "any" },
    function_call_output: { type: "any", call_id: "any", output: "any" }
  }
}

/** Every key this protocol may write. */
const keys: Keys = {
  model: "any",
  instructions: "any",
  input: [items],
  text: { format: { type: "any", name: "any", schema: "any", strict: "any" } },
  tools: [{ type: "any", name: "any", description: "any", parameters: "any", strict: "any" }],
  tool_choice: "any",
  parallel_tool_calls: "any",
  temperature: "any",
  top_p: "any",
  max_output_tokens: "any",
  reasoning: { effort: "any", summary: "any" },
  include: "any",
  prompt_cache_key: "any",
  store: "any",
  stream: "any"
}

const metadata = [
  { openai: { id: "rs_1", encrypted: "sealed" } },
  { openai: { id: "rs_2", kind: "content" } },
  { openai: { id: "msg_1", phase: "commentary" } },
  { anthropic: { signature: "sig" } }
]

const models = ["gpt-4o", "gpt-5-mini", "gpt-5.1", "o3", "gpt-5.6", "unheard-of"]

/** The bodies of many requests, and how many could not be said. */
const many = (count: number) => {
  const found: Array<{ readonly seed: number; readonly body: { readonly [key: string]: unknown } }> = []
  let unsaid = 0
  const protocols = models.map((model, index) =>
    protocol(model, index % 2 === 0 ? { promptCacheKey: "key" } : { store: index === 3, reasoningText: true })
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
  it("has no key of its own", () => {
    const { found, unsaid } = many(1000)
    assert.isAbove(found.length, 600)
    assert.isAbove(unsaid, 20)
    for (const { body: sent, seed } of found) assert.deepStrictEqual(strangers(sent, keys), [], `seed ${seed}`)
  })

  it.skipIf(specsAt === undefined)("passes OpenAI's description", () => {
    const problems = specification("openai-chat-responses.slice.json", "CreateResponse")
    const { found } = many(1000)
    for (const { body: sent, seed } of found) {
      assert.strictEqual(problems(sent), "", `seed ${seed}: ${JSON.stringify(sent)}`)
    }
    const [first] = found
    const wrong: { readonly [what: string]: object } = {
      "a role nobody has": { input: [{ role: "bot", content: "x" }] },
      "a limit too small": { max_output_tokens: 5 },
      "an effort nobody knows": { reasoning: { effort: "heroic" } },
      "a schema without a name": { text: { format: { type: "json_schema", schema: {} } } },
      "a tool without strictness": { tools: [{ type: "function", name: "add", parameters: {} }] },
      "a key of the other protocol": { response_format: { type: "json_object" } }
    }
    for (const [what, change] of Object.entries(wrong)) {
      assert.notStrictEqual(problems({ ...first?.body, ...change }), "", what)
    }
  })
})
