import { LM, Message } from "@effect-dspy/core"
import { OpenAiCompatible, Profile, Profiles, Provider } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Redacted } from "effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import { reply, says, serve } from "./server.ts"

interface Sent {
  readonly url: string
  readonly headers: { readonly [name: string]: string | undefined }
  readonly body: { readonly [key: string]: unknown }
}

/** Every variable an endpoint may be told by, so that only what is asked for can be missing. */
const everything = {
  OPENAI_API_KEY: "k-openai",
  OPENAI_BASE_URL: "https://compatible.example/v1",
  OPENROUTER_API_KEY: "k-openrouter",
  GROQ_API_KEY: "k-groq",
  DEEPSEEK_API_KEY: "k-deepseek",
  MISTRAL_API_KEY: "k-mistral",
  TOGETHER_API_KEY: "k-together",
  FIREWORKS_API_KEY: "k-fireworks",
  XAI_API_KEY: "k-xai",
  AZURE_OPENAI_API_KEY: "k-azure",
  AZURE_OPENAI_ENDPOINT: "https://mine.openai.azure.com/",
  CEREBRAS_API_KEY: "k-cerebras",
  HF_TOKEN: "k-hf",
  GOOGLE_CLOUD_PROJECT: "p1",
  GOOGLE_CLOUD_LOCATION: "europe-west1",
  VERTEX_ACCESS_TOKEN: "k-vertex",
  AWS_REGION: "eu-central-1",
  AWS_BEARER_TOKEN_BEDROCK: "k-bedrock"
}

const environment = (variables: { readonly [name: string]: string }) =>
  ConfigProvider.layer(ConfigProvider.fromUnknown(variables))

/** What would be sent, without a socket: these endpoints are real. */
const sent = (
  text: string,
  variables: { readonly [name: string]: string },
  options: Provider.Options = {},
  request: Partial<LM.Request> = {}
) =>
  Effect.gen(function*() {
    const found: Array<Sent> = []
    const client = HttpClient.make((asked, url) =>
      Effect.sync(() => {
        const body = asked.body._tag === "Uint8Array" ? new TextDecoder().decode(asked.body.body) : "{}"
        found.push({ url: url.toString(), headers: asked.headers, body: JSON.parse(body) as Sent["body"] })
        return HttpClientResponse.fromWeb(asked, Response.json(says("ok")))
      })
    )
    const live = Provider.fromStringHttp(text, options).pipe(
      Layer.provide(Layer.succeed(HttpClient.HttpClient, client)),
      Layer.provide(environment(variables))
    )
    const completion = yield* Effect.provide(LM.generate({ messages: [Message.user("hello")], ...request }), live)
    const [first] = found
    if (first === undefined) throw new Error("nothing was sent")
    return { ...first, completion }
  })

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

describe("a profile", () => {
  const places: { readonly [name: string]: readonly [url: string, key: { readonly [name: string]: string }] } = {
    "ollama-v1": ["http://127.0.0.1:11434/v1/chat/completions", {}],
    lmstudio: ["http://127.0.0.1:1234/v1/chat/completions", {}],
    vllm: ["http://127.0.0.1:8000/v1/chat/completions", {}],
    llamacpp: ["http://127.0.0.1:8080/v1/chat/completions", {}],
    openrouter: ["https://openrouter.ai/api/v1/chat/completions", bearer("k-openrouter")],
    groq: ["https://api.groq.com/openai/v1/chat/completions", bearer("k-groq")],
    deepseek: ["https://api.deepseek.com/v1/chat/completions", bearer("k-deepseek")],
    mistral: ["https://api.mistral.ai/v1/chat/completions", bearer("k-mistral")],
    together: ["https://api.together.ai/v1/chat/completions", bearer("k-together")],
    fireworks: ["https://api.fireworks.ai/inference/v1/chat/completions", bearer("k-fireworks")],
    xai: ["https://api.x.ai/v1/chat/completions", bearer("k-xai")],
    azure: [
      "https://mine.openai.azure.com/openai/deployments/m%2F1/chat/completions?api-version=2024-10-21",
      { "api-key": "k-azure" }
    ],
    cerebras: ["https://api.cerebras.ai/v1/chat/completions", bearer("k-cerebras")],
    huggingface: ["https://router.huggingface.co/v1/chat/completions", bearer("k-hf")],
    vertex: [
      "https://europe-west1-aiplatform.googleapis.com/v1/projects/p1/locations/europe-west1/endpoints/openapi/chat/completions",
      bearer("k-vertex")
    ],
    bedrock: ["https://bedrock-runtime.eu-central-1.amazonaws.com/openai/v1/chat/completions", bearer("k-bedrock")],
    compatible: ["https://compatible.example/v1/chat/completions", bearer("k-openai")]
  }

  it.effect("says where its endpoint is, and how it wants its key; nobody gets another's", () =>
    Effect.gen(function*() {
      assert.sameMembers(Object.keys(places), Object.keys(Profiles.table))
      for (const [name, [url, keys]] of Object.entries(places)) {
        const found = yield* sent(`${name}/m/1`, everything)
        assert.strictEqual(found.url, url, name)
        assert.strictEqual(found.body.model, "m/1", name)
        const secrets = Object.entries(found.headers).filter(([, value]) => value?.includes("k-") === true)
        assert.deepStrictEqual(Object.fromEntries(secrets), keys, name)
      }
    }))

  it.effect("is moved by its own variable", () =>
    Effect.gen(function*() {
      for (const profile of Object.values(Profiles.table)) {
        const moved = { ...everything, [Profile.baseUrlName(profile)]: "http://moved.example/x/" }
        const { url } = yield* sent(`${profile.name}/m`, moved)
        assert.isTrue(url.startsWith("http://moved.example/x/"), profile.name)
      }
    }))

  it.effect("needs what it needs, and nothing else", () =>
    Effect.gen(function*() {
      for (const profile of Object.values(Profiles.table)) {
        const { [profile.keyName ?? ""]: _, ...rest } = everything as { readonly [name: string]: string }
        const result = yield* Effect.result(sent(`${profile.name}/m`, rest))
        assert.strictEqual(result._tag, profile.needsKey ? "Failure" : "Success", profile.name)
        if (result._tag === "Failure") {
          assert.strictEqual(result.failure._tag, "ConfigError", profile.name)
          assert.include(result.failure.message, profile.keyName ?? "", profile.name)
        }
      }
    }))

  it.effect("was checked on some day", () =>
    Effect.sync(() => {
      for (const { checked, name } of Object.values(Profiles.table)) {
        assert.match(checked.on, /^2026-\d\d-\d\d$/, name)
        assert.include(["recorded", "documented", "untried"], checked.by)
      }
    }))

  it.effect("says what its endpoint takes", () =>
    Effect.gen(function*() {
      const settings = { maxTokens: 5, seed: 7, reasoningEffort: "low" } as const
      const mistral = yield* sent("mistral/m", everything, {}, { settings })
      assert.deepInclude(mistral.body, { max_tokens: 5, random_seed: 7 })
      assert.notProperty(mistral.body, "seed")
      assert.deepStrictEqual(mistral.completion.adjustments, [{ feature: "reasoningEffort", action: "dropped" }])
      const groq = yield* sent("groq/m", everything, {}, { settings })
      assert.deepInclude(groq.body, { max_completion_tokens: 5, seed: 7, reasoning_effort: "low" })
      const output = { _tag: "Json", name: "A", schema: { type: "object" }, instruction: "Reply with JSON." } as const
      const deepseek = yield* sent("deepseek/m", everything, {}, { output })
      assert.deepStrictEqual(deepseek.body.response_format, { type: "json_object" })
      const quiet = yield* sent("deepseek/m", everything, {}, { settings: { temperature: 0, reasoningEffort: "none" } })
      assert.deepInclude(quiet.body, { reasoning_effort: "minimal" })
      assert.deepStrictEqual(quiet.completion.adjustments, [
        { feature: "reasoningEffort", action: "minimal" },
        { feature: "temperature", action: "dropped" }
      ])
      const reasoned = Message.assistant([
        { type: "reasoning", text: "Hm." },
        { type: "toolCall", id: "a", name: "time", arguments: {} }
      ])
      const back = yield* sent("deepseek/m", everything, {}, { messages: [Message.user("hello"), reasoned] })
      assert.deepInclude((back.body.messages as ReadonlyArray<object>)[1], { reasoning_content: "Hm." })
    }))

  it.effect("can be overridden in every value", () =>
    Effect.gen(function*() {
      const found = yield* sent("groq/m", {}, {
        baseUrl: "http://elsewhere.example/v9",
        apiKey: Redacted.make("k-mine"),
        capabilities: { without: ["seed"] },
        settings: { seed: 1, temperature: 0 }
      })
      assert.strictEqual(found.url, "http://elsewhere.example/v9/chat/completions")
      assert.strictEqual(found.headers.authorization, "Bearer k-mine")
      assert.notProperty(found.body, "seed")
      assert.strictEqual(found.body.temperature, 0)
    }))

  it.live("takes options of its protocol, and a key that is renewed", () =>
    Effect.gen(function*() {
      const server = yield* serve([reply("ok"), reply("ok")])
      let token = 0
      const live = OpenAiCompatible.layer({
        profile: Profiles.azure,
        model: "mine",
        baseUrl: server.url,
        keyHeader: "bearer",
        path: "/openai/v1/chat/completions",
        apiKey: Effect.sync(() => Redacted.make(`token-${++token}`))
      })
      const ask = LM.generate({ messages: [Message.user("hello")] })
      yield* Effect.provide(Effect.andThen(ask, ask), live)
      assert.deepStrictEqual(server.requests.map(({ headers, path }) => [path, headers.authorization]), [
        ["/v1/openai/v1/chat/completions", "Bearer token-1"],
        ["/v1/openai/v1/chat/completions", "Bearer token-2"]
      ])
    }))
})

describe("a model in a string", () => {
  it.effect("may be of a vendor with a protocol of its own", () =>
    Effect.sync(() => {
      for (const name of ["openai", "anthropic", "gemini", "ollama"]) {
        assert.strictEqual(Provider.parse(`${name}/m`)?.name, name)
      }
      assert.strictEqual(Provider.parse("huggingface/org/m:host")?.model, "org/m:host")
    }))

  it.effect("that names nobody fails with the names there are", () =>
    Effect.gen(function*() {
      for (const text of ["", "gpt-5", "nobody/m", "openai/", "/m", "toString/m", "__proto__/m"]) {
        const error = yield* Effect.flip(Effect.provide(LM, Provider.fromString(text)))
        if (error._tag !== "UnknownModel") return assert.fail(error._tag)
        assert.strictEqual(error.model, text)
        assert.includeMembers([...error.known], ["openai", "anthropic", "gemini", "ollama", "groq", "compatible"])
        assert.include(error.message, "expected PROFILE/MODEL")
      }
    }))

  it.live("of Ollama is asked where OLLAMA_HOST says, or OLLAMA_BASE_URL before it", () =>
    Effect.gen(function*() {
      const done = { message: { content: "ok" }, done: true }
      const server = yield* serve([{ body: done }, { body: done }])
      const { host } = new URL(server.url)
      for (const variables of [{ OLLAMA_HOST: host }, { OLLAMA_HOST: "nowhere", OLLAMA_BASE_URL: server.url }]) {
        yield* LM.generate({ messages: [Message.user("hello")] }).pipe(
          Effect.provide(Layer.provide(Provider.fromString("ollama/qwen3"), environment(variables)))
        )
      }
      assert.deepStrictEqual(server.requests.map(({ path }) => path), ["/api/chat", "/v1/api/chat"])
    }))
})
