import { LM, Predict, Signature, Usage } from "@effect-dspy/core"
import { OpenAiCompatible } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Redacted, Schedule, Schema, Tracer } from "effect"
import { answer, ask, options, reply, serve, type Server } from "./server.ts"

const immediately = Schedule.spaced("1 millis")

const layer = (server: Server, more: Partial<OpenAiCompatible.Options> = {}) =>
  OpenAiCompatible.layer(options(server, more))

const good = reply("{\"answer\":\"Paris\"}")

const question = answer({ question: "What is the capital of France?" })

/** Serves one good answer and gives the request that asked for it. */
const sent = <E>(program: Effect.Effect<unknown, E, LM>, more: Partial<OpenAiCompatible.Options> = {}) =>
  Effect.gen(function*() {
    const server = yield* serve([good])
    yield* Effect.provide(program, layer(server, more))
    const [request] = server.requests
    if (request === undefined) throw new Error("nothing was sent")
    return request
  })

/** A layer's environment, instead of the process's. */
const environment = (variables: { readonly [name: string]: string }) =>
  ConfigProvider.layer(ConfigProvider.fromUnknown(variables))

const strictAnswer = {
  type: "json_schema",
  json_schema: {
    name: "Answer",
    strict: true,
    schema: {
      type: "object",
      properties: { answer: { type: "string", description: "in one word" } },
      required: ["answer"],
      additionalProperties: false
    }
  }
}

const contents = (
  json: { readonly [key: string]: unknown }
) => (json.messages as ReadonlyArray<{ readonly role: string; readonly content: string }>)

describe("the request", () => {
  it.live("holds the model, the messages and the schema, and nothing else", () =>
    Effect.gen(function*() {
      const request = yield* sent(question)
      assert.strictEqual(request.method, "POST")
      assert.strictEqual(request.path, "/v1/chat/completions")
      assert.strictEqual(request.headers["content-type"], "application/json")
      assert.hasAllKeys(request.json, ["model", "messages", "response_format"])
      assert.strictEqual(request.json.model, "test-model")
      assert.deepStrictEqual(request.json.response_format, strictAnswer)
      const messages = contents(request.json)
      assert.deepStrictEqual(messages.map((message) => message.role), ["system", "user"])
      assert.match(messages[0]?.content ?? "", /^Answer the question\./)
      assert.strictEqual(messages[1]?.content, "[[ ## question ## ]]\nWhat is the capital of France?")
    }))

  it.live("asks for JSON of any shape, and says in words which, where schemas are not known", () =>
    Effect.gen(function*() {
      const { json } = yield* sent(question, { capabilities: { structuredOutput: ["json"] } })
      assert.deepStrictEqual(json.response_format, { type: "json_object" })
      const [, user] = contents(json)
      assert.match(user?.content ?? "", /capital of France\?\n\nReply with one JSON object.*\n\{"type":"object"/s)
    }))

  it.live("only asks in words where nothing else is known", () =>
    Effect.gen(function*() {
      const { json } = yield* sent(question, { capabilities: { structuredOutput: ["prompt"] } })
      assert.hasAllKeys(json, ["model", "messages"])
      const messages = contents(json)
      assert.notInclude(messages[0]?.content, "\"type\":\"object\"")
      assert.include(messages[1]?.content, "\"description\":\"in one word\"")
    }))

  it.live("without a signature asks for plain text", () =>
    Effect.gen(function*() {
      for (const mode of ["native", "tool", "json", "prompt"] as const) {
        const { json } = yield* sent(ask, { capabilities: { structuredOutput: [mode] } })
        assert.deepStrictEqual(json, { model: "test-model", messages: [{ role: "user", content: "hello" }] })
      }
    }))

  it.live("carries every setting under the endpoint's name, and none that was not set", () =>
    Effect.gen(function*() {
      const settings = {
        temperature: 0,
        topP: 0.9,
        maxTokens: 64,
        retryMaxTokens: 128,
        stop: ["\n\n", "END"],
        seed: 7,
        reasoningEffort: "low",
        rollout: 3,
        attempts: 2,
        timeout: "1 minute"
      } as const
      const { json } = yield* sent(LM.withSettings(settings)(ask))
      assert.deepStrictEqual(json, {
        model: "test-model",
        messages: [{ role: "user", content: "hello" }],
        temperature: 0,
        top_p: 0.9,
        max_tokens: 64,
        stop: ["\n\n", "END"],
        seed: 7,
        reasoning_effort: "low"
      })
    }))

  it.live("names the token limit as the endpoint does", () =>
    Effect.gen(function*() {
      const limited = LM.withSettings({ maxTokens: 64 })(ask)
      const { json } = yield* sent(limited, { maxTokensField: "max_completion_tokens" })
      assert.hasAllKeys(json, ["model", "messages", "max_completion_tokens"])
      assert.strictEqual(json.max_completion_tokens, 64)
    }))

  it.live("takes the layer's settings where nobody nearer says otherwise", () =>
    Effect.gen(function*() {
      const near = LM.withSettings({ temperature: 0.5 })(ask)
      const { json } = yield* sent(near, { settings: { temperature: 1, seed: 1 } })
      assert.deepInclude(json, { temperature: 0.5, seed: 1 })
    }))

  it.live("makes a name the endpoint takes of any signature's name", () =>
    Effect.gen(function*() {
      const output = { answer: Schema.String }
      for (const name of ["Übersetze den Text!", "a".repeat(100), "Rate.v2/final"]) {
        const { json } = yield* sent(Predict.make(Signature.make(name, { input: {}, output }))({}))
        const format = json.response_format as typeof strictAnswer
        assert.match(format.json_schema.name, /^[A-Za-z0-9_-]{1,64}$/)
      }
    }))

  it.live("goes to the same place with and without a slash at the end of the base URL", () =>
    Effect.gen(function*() {
      const server = yield* serve([good, good, good])
      for (const baseUrl of [server.url, `${server.url}/`, `${server.url}//`]) {
        yield* Effect.provide(ask, layer(server, { baseUrl }))
      }
      assert.deepStrictEqual(server.requests.map((request) => request.path), Array(3).fill("/v1/chat/completions"))
    }))
})

describe("headers", () => {
  it.live("carry the key and what was added", () =>
    Effect.gen(function*() {
      const { headers } = yield* sent(ask, { headers: { "http-referer": "https://example.org", "X-Title": "Tests" } })
      assert.strictEqual(headers.authorization, "Bearer sk-very-secret")
      assert.strictEqual(headers["http-referer"], "https://example.org")
      assert.strictEqual(headers["x-title"], "Tests")
    }))

  it.live("that were added go before ours", () =>
    Effect.gen(function*() {
      const { headers } = yield* sent(ask, { headers: { Authorization: "Basic abc" } })
      assert.strictEqual(headers.authorization, "Basic abc")
    }))

  it.live("have no key where there is none", () =>
    Effect.gen(function*() {
      const server = yield* serve([good])
      const keyless = OpenAiCompatible.layer({ model: "llama", baseUrl: server.url })
      yield* Effect.provide(ask, Layer.provide(keyless, environment({})))
      assert.notProperty(server.requests[0]?.headers, "authorization")
    }))

  it.live("tell the endpoint nothing of our traces, and no HTTP spans are made", () =>
    Effect.gen(function*() {
      const names: Array<string> = []
      const tracer = Tracer.make({
        span: (spanOptions) => {
          names.push(spanOptions.name)
          return new Tracer.NativeSpan(spanOptions)
        }
      })
      const traced = question.pipe(Effect.withSpan("outer"), Effect.provideService(Tracer.Tracer, tracer))
      const { headers } = yield* sent(traced)
      for (const name of ["traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid"]) {
        assert.notProperty(headers, name)
      }
      assert.deepStrictEqual(names, ["outer", "chat test-model"])
    }))

  it.live("have a key that is read anew before every attempt", () =>
    Effect.gen(function*() {
      const server = yield* serve([{ status: 503 }, { status: 503 }, good])
      let read = 0
      const apiKey = Effect.sync(() => Redacted.make(`key-${++read}`))
      yield* Effect.provide(ask, layer(server, { apiKey }).pipe(LM.retry({ schedule: immediately })))
      const keys = server.requests.map((request) => request.headers.authorization)
      assert.deepStrictEqual(keys, ["Bearer key-1", "Bearer key-2", "Bearer key-3"])
    }))

  it.live("a key that can't be had fails the call as it says, and nothing is sent", () =>
    Effect.gen(function*() {
      const server = yield* serve([good])
      const denied = yield* Effect.provide(
        Effect.flip(LM.generate({ messages: [] })),
        layer(yield* serve([{ status: 401 }]))
      )
      assert.strictEqual(denied.reason._tag, "Authentication")
      const error = yield* Effect.flip(Effect.provide(ask, layer(server, { apiKey: Effect.fail(denied) })))
      assert.strictEqual(error, denied)
      assert.strictEqual(server.started, 0)
    }))
})

describe("configuration", () => {
  it.live("base URL and key come from the environment when they are not given", () =>
    Effect.gen(function*() {
      const server = yield* serve([good])
      const variables = environment({ OPENAI_BASE_URL: server.url, OPENAI_API_KEY: "sk-env" })
      yield* Effect.provide(ask, Layer.provide(OpenAiCompatible.layer({ model: "m" }), variables))
      assert.deepStrictEqual(server.requests.map((request) => request.headers.authorization), ["Bearer sk-env"])
    }))

  it.live("options go before the environment", () =>
    Effect.gen(function*() {
      const server = yield* serve([good])
      const variables = environment({ OPENAI_BASE_URL: "http://127.0.0.1:1/", OPENAI_API_KEY: "sk-env" })
      yield* Effect.provide(ask, Layer.provide(layer(server), variables))
      assert.strictEqual(server.requests[0]?.headers.authorization, "Bearer sk-very-secret")
    }))

  it.live("what is missing fails the layer by its name, before anything is sent", () =>
    Effect.gen(function*() {
      const missing = Layer.provide(OpenAiCompatible.layer({ model: "m" }), environment({}))
      const url = yield* Effect.flip(Effect.scoped(Layer.build(missing)))
      assert.strictEqual(url._tag, "ConfigError")
      assert.include(String(url), "OPENAI_BASE_URL")
    }))
})

describe("a logical call over the wire", () => {
  it.live("gives the output and what it cost", () =>
    Effect.gen(function*() {
      const server = yield* serve([
        reply("{\"answer\":\"Paris\"}", { usage: { prompt_tokens: 20, completion_tokens: 5 } })
      ])
      const [output, usage] = yield* question.pipe(Usage.track, Effect.provide(layer(server)))
      assert.deepStrictEqual(output, { answer: "Paris" })
      assert.deepStrictEqual(usage, { calls: 1, inputTokens: 20, outputTokens: 5 })
    }))

  it.live("answers that cannot be used are asked for again, with what was wrong, in one budget", () =>
    Effect.gen(function*() {
      const server = yield* serve([{ status: 503, body: "busy" }, reply("{\"answer\":7}"), reply(null), good])
      const call = question.pipe(Effect.provide(layer(server).pipe(LM.retry({ schedule: immediately }))))
      const error = yield* Effect.flip(call)
      assert.strictEqual(error._tag, "OutputError")
      assert.strictEqual(server.started, 3)
      const [, second, third] = server.requests
      assert.deepStrictEqual(contents(second?.json ?? {}).map((message) => message.role), ["system", "user"])
      const again = contents(third?.json ?? {})
      assert.deepStrictEqual(again.map((message) => message.role), ["system", "user", "assistant", "user"])
      assert.strictEqual(again[2]?.content, "{\"answer\":7}")
      assert.include(again[3]?.content, "answer: expected string")
    }))
})
