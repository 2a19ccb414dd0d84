import { Embedder, type Event, Events, type LMError, Usage } from "@effect-dspy/core"
import { GeminiEmbeddings, OllamaEmbeddings, OpenAiEmbeddings } from "@effect-dspy/providers"
import { OfflineEmbeddings } from "@effect-dspy/providers/offline"
import { assert, describe, it } from "@effect/vitest"
import { type Config, ConfigProvider, Duration, Effect, Fiber, Layer, Redacted, Tracer } from "effect"
import type * as HttpClient from "effect/http/HttpClient"
import { clients } from "./clients.ts"
import { type Answer, type Seen, serve, type Server, until } from "./server.ts"

/** A text's vector, as the servers below make it up: exact in 32 bits, so that it comes back as it is. */
const vector = (text: string): ReadonlyArray<number> => [text.length, text.charCodeAt(0) || 0, 0.5]

const base64 = (values: ReadonlyArray<number>) => Buffer.from(Float32Array.from(values).buffer).toString("base64")

const strings = (value: unknown) => value as ReadonlyArray<string>

interface Vendor {
  readonly name: string
  readonly path: string
  readonly layer: (
    server: Server,
    more?: { readonly batching?: Embedder.Batching; readonly dimensions?: number }
  ) => Layer.Layer<Embedder.Embedder, Config.ConfigError, HttpClient.HttpClient>
  readonly texts: (request: Seen) => ReadonlyArray<string>
  readonly answer: (vectors: ReadonlyArray<ReadonlyArray<unknown>>, tokens: number) => object
}

// It ends as a key from a file does.
const key = Redacted.make("sk-very-secret\n")

const vendors: ReadonlyArray<Vendor> = [
  {
    name: "OpenAI",
    path: "/v1/embeddings",
    layer: (server, more) =>
      OpenAiEmbeddings.layerHttp({ model: "m", apiKey: key, baseUrl: server.url, encoding: "float", ...more }),
    texts: ({ json }) => strings(json.input),
    answer: (vectors, tokens) => ({
      object: "list",
      data: vectors.map((embedding, index) => ({ object: "embedding", index, embedding })),
      model: "m-0925",
      usage: { prompt_tokens: tokens, total_tokens: tokens }
    })
  },
  {
    name: "Gemini",
    path: "/v1/models/m:batchEmbedContents",
    layer: (server, more) => GeminiEmbeddings.layerHttp({ model: "m", apiKey: key, baseUrl: server.url, ...more }),
    texts: ({ json }) =>
      (json.requests as ReadonlyArray<{ content: { parts: ReadonlyArray<{ text: string }> } }>)
        .map(({ content }) => content.parts[0]?.text ?? ""),
    answer: (vectors, tokens) => ({
      embeddings: vectors.map((values) => ({ values })),
      usageMetadata: { promptTokenCount: tokens }
    })
  },
  {
    name: "Ollama",
    path: "/v1/api/embed",
    layer: (server, more) => OllamaEmbeddings.layerHttp({ model: "m", apiKey: key, baseUrl: server.url, ...more }),
    texts: ({ json }) => strings(json.input),
    answer: (embeddings, tokens) => ({ model: "m-0925", embeddings, total_duration: 1, prompt_eval_count: tokens })
  }
]

/** Answers whatever it is asked for. */
const good = (vendor: Vendor) => (request: Seen): Answer => {
  const texts = vendor.texts(request)
  return { body: vendor.answer(texts.map(vector), texts.length * 7) }
}

const texts = (count: number) => Array.from({ length: count }, (_, index) => `text ${index}`)

const many = Embedder.embedMany(texts(250))

/** The reason a program fails for. */
const reason = <A, R>(program: Effect.Effect<A, LMError.LMError, R>) =>
  Effect.map(Effect.flip(program), (failure) => failure.reason)

for (const [clientName, client] of clients) {
  for (const vendor of vendors) {
    describe(`${vendor.name} over ${clientName}`, () => {
      const against = <A, E>(
        script: ReadonlyArray<Answer> | ((request: Seen, index: number) => Answer),
        program: (server: Server) => Effect.Effect<A, E, Embedder.Embedder>,
        more?: Parameters<Vendor["layer"]>[1]
      ) =>
        Effect.gen(function*() {
          const server = yield* serve(script)
          const live = Layer.provide(vendor.layer(server, more), client)
          return { result: yield* Effect.provide(program(server), live), server }
        })

      it.live("250 texts are three requests; vectors and tokens come back", () =>
        Effect.gen(function*() {
          const { result, server } = yield* against(good(vendor), () => Usage.track(many))
          const [vectors, usage] = result
          assert.deepStrictEqual(vectors.map((one) => Array.from(one)), texts(250).map(vector))
          assert.deepStrictEqual(usage, { calls: 3, inputTokens: 250 * 7 })
          assert.deepStrictEqual(server.requests.map(({ path }) => path), Array.from({ length: 3 }, () => vendor.path))
          assert.sameMembers(server.requests.map((request) => vendor.texts(request).length), [100, 100, 50])
        }))

      it.live("requests are told of, with the name the endpoint has for the model, and where they went", () =>
        Effect.gen(function*() {
          const seen: Array<Event> = []
          const spans: Array<Tracer.NativeSpan> = []
          const tracer = Tracer.make({
            span: (options) => {
              const span = new Tracer.NativeSpan(options)
              spans.push(span)
              return span
            }
          })
          const { server } = yield* against(good(vendor), () =>
            Embedder.embed("a secret text").pipe(
              Events.observe((event) => seen.push(event)),
              Effect.provideService(Tracer.Tracer, tracer)
            ))
          const answeredBy = vendor.name === "Gemini" ? undefined : "m-0925"
          assert.deepInclude(seen[0], { _tag: "AttemptStarted", operation: "embeddings", texts: 1, model: "m" })
          assert.deepInclude(seen[1], { _tag: "AttemptEnded", usage: { calls: 1, inputTokens: 7 } })
          assert.strictEqual(seen[1]?._tag === "AttemptEnded" ? seen[1].answeredBy : "", answeredBy)
          const { hostname, port } = new URL(server.url)
          assert.deepInclude(Object.fromEntries(spans[0]?.attributes ?? []), {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.embeddings.dimension.count": 3,
            "server.address": hostname,
            "server.port": Number(port)
          })
          assert.strictEqual(spans[0]?.attributes.get("gen_ai.response.model"), answeredBy)
          assert.notMatch(JSON.stringify([seen, spans.map((span) => [...span.attributes])]), /secret/)
        }))

      it.live("calls of unrelated fibers travel in one request", () =>
        Effect.gen(function*() {
          const calls = Effect.forEach(texts(40), (text) => Embedder.embed(text), { concurrency: "unbounded" })
          const { result, server } = yield* against(good(vendor), () => calls)
          assert.deepStrictEqual(result.map((one) => Array.from(one)), texts(40).map(vector))
          assert.strictEqual(server.started, 1)
        }))

      it.live("errors are typed, and say nothing of keys and texts", () =>
        Effect.gen(function*() {
          const failing = (answer: Answer) =>
            Effect.map(against([answer], () => reason(Embedder.embed("a secret text"))), ({ result }) => result)
          const limited = yield* failing({
            status: 429,
            headers: { "retry-after": "7" },
            body: { error: { message: "slow down" } }
          })
          assert.strictEqual(limited._tag, "RateLimited")
          assert.strictEqual(Duration.toSeconds(limited.retryAfter ?? Duration.zero), 7)
          const expected: ReadonlyArray<readonly [Answer, string]> = [
            [{ status: 401, body: { error: { message: "sk-very-secret is wrong" } } }, "Authentication"],
            [{ status: 404, body: { error: "model \"m\" not found" } }, "ModelNotFound"],
            [{ status: 400, body: { error: "the input length exceeds the context length" } }, "ContextTooLong"],
            [{ status: 500, body: { error: "the input length exceeds the context length" } }, "ContextTooLong"],
            [{ status: 500, body: { error: "oops" } }, "ServerError"],
            [{ status: 200, body: { error: { message: "too busy", code: 503 } } }, "Overloaded"],
            [{ status: 200, body: "<html>" }, "InvalidResponse"],
            [{ status: 200, body: { unrelated: true } }, "InvalidResponse"],
            [{ cut: "before" }, "Network"],
            [{ body: vendor.answer([vector("a secret text")], 1), cut: "inside" }, "StreamCut"]
          ]
          for (const [answer, tag] of expected) {
            const found = yield* failing(answer)
            assert.strictEqual(found._tag, tag)
            assert.notMatch(`${found.message} ${JSON.stringify(found)} ${found.stack}`, /secret/)
          }
        }))

      it.live("garbage is no number", () =>
        Effect.gen(function*() {
          const broken: ReadonlyArray<ReadonlyArray<ReadonlyArray<unknown>>> = [
            [[1, null, 3]],
            [["1", "2"]],
            [[1, [2]]],
            [[]],
            [],
            [[1, 2], [3, 4]]
          ]
          for (const vectors of broken) {
            const { result } = yield* against(
              [{ body: vendor.answer(vectors, 1) }],
              () => reason(Embedder.embed("one text"))
            )
            assert.strictEqual(result._tag, "InvalidResponse", JSON.stringify(vectors))
          }
        }))

      it.live("a text that is refused fails its own caller only", () =>
        Effect.gen(function*() {
          const { result, server } = yield* against(
            (request) =>
              vendor.texts(request).includes("text 3")
                ? { status: 400, body: { error: { message: "input is too long" } } }
                : good(vendor)(request),
            () => Effect.forEach(texts(8), (text) => Effect.result(Embedder.embed(text)), { concurrency: "unbounded" })
          )
          assert.deepStrictEqual(
            result.map((one) => one._tag),
            texts(8).map((text) => text === "text 3" ? "Failure" : "Success")
          )
          assert.strictEqual(server.started, 7)
        }))

      it.live("an interrupted caller closes the socket", () =>
        Effect.gen(function*() {
          const { server } = yield* against([{ delay: Infinity }], (serving) =>
            Effect.gen(function*() {
              const call = yield* Effect.forkChild(Embedder.embed("one"))
              yield* until(() => serving.started === 1)
              yield* Fiber.interrupt(call)
              yield* until(() => serving.closed === 1)
            }))
          assert.deepStrictEqual([server.started, server.closed, server.inFlight], [1, 1, 0])
        }))

      it.live("is asked for shorter vectors where they are wanted, and held to them", () =>
        Effect.gen(function*() {
          const { server } = yield* against(good(vendor), () => Embedder.embed("a"), { dimensions: 3 })
          assert.match(server.requests[0]?.text ?? "", /"(dimensions|outputDimensionality)":3/)
          const { result } = yield* against(good(vendor), () => reason(Embedder.embed("a")), { dimensions: 2 })
          assert.strictEqual(result._tag, "InvalidResponse")
        }))
    })
  }
}

/** Runs a program over `fetch` with a layer that is made for the server, in an environment of its own. */
const overFetch = <A, E>(
  script: (request: Seen) => Answer,
  live: (server: Server) => Layer.Layer<Embedder.Embedder, Config.ConfigError>,
  program: Effect.Effect<A, E, Embedder.Embedder>,
  environment: (server: Server) => { readonly [name: string]: string } = () => ({})
) =>
  Effect.gen(function*() {
    const server = yield* serve(script)
    const variables = ConfigProvider.layer(ConfigProvider.fromUnknown(environment(server)))
    const result = yield* Effect.provide(program, Layer.provide(live(server), variables))
    return { result, server, request: server.requests[0] }
  })

const [openai, gemini, ollama] = vendors.map((vendor) => good(vendor)) as [
  (request: Seen) => Answer,
  (request: Seen) => Answer,
  (request: Seen) => Answer
]

describe("the request", () => {
  it.live("to OpenAI asks for base64, and takes either form and any order", () =>
    Effect.gen(function*() {
      const answer = () => ({
        body: {
          data: [
            { index: 2, embedding: base64(vector("c")) },
            { index: 0, embedding: base64(vector("a")) },
            { index: 1, embedding: vector("b") }
          ],
          usage: { total_tokens: 5 }
        }
      })
      const { request, result } = yield* overFetch(
        answer,
        (server) => OpenAiEmbeddings.layer({ model: "m", apiKey: key, baseUrl: server.url }),
        Usage.track(Embedder.embedMany(["a", "b", "c"]))
      )
      assert.deepStrictEqual(request?.json, { model: "m", input: ["a", "b", "c"], encoding_format: "base64" })
      assert.strictEqual(request?.headers.authorization, "Bearer sk-very-secret")
      assert.deepStrictEqual(result[0].map((one) => Array.from(one)), ["a", "b", "c"].map(vector))
      assert.deepStrictEqual(result[1], { calls: 1, inputTokens: 5 })
    }))

  it.live("answers that leave a text out, or give one twice, are none", () =>
    Effect.gen(function*() {
      for (const indices of [[0, 0], [1, 2], [0, 5]]) {
        const { result } = yield* overFetch(
          () => ({ body: { data: indices.map((index) => ({ index, embedding: [1, 2] })) } }),
          (server) => OpenAiEmbeddings.layer({ model: "m", apiKey: key, baseUrl: server.url }),
          reason(Embedder.embedMany(["a", "b"]))
        )
        assert.strictEqual(result._tag, "InvalidResponse", String(indices))
      }
      for (const embedding of ["not base64!", "AAAA"]) {
        const { result } = yield* overFetch(
          () => ({ body: { data: [{ embedding }] } }),
          (server) => OpenAiEmbeddings.layer({ model: "m", apiKey: key, baseUrl: server.url }),
          reason(Embedder.embed("a"))
        )
        assert.strictEqual(result._tag, "InvalidResponse", embedding)
      }
    }))

  it.live("to Gemini says what each text is for", () =>
    Effect.gen(function*() {
      const { request } = yield* overFetch(
        gemini,
        (server) => GeminiEmbeddings.layer({ model: "models/m", apiKey: key, baseUrl: server.url }),
        Embedder.embed("a", { purpose: "query" })
      )
      assert.strictEqual(request?.path, "/v1/models/m:batchEmbedContents")
      assert.strictEqual(request?.headers["x-goog-api-key"], "sk-very-secret")
      assert.deepStrictEqual(request?.json, {
        requests: [{ model: "models/m", content: { parts: [{ text: "a" }] }, taskType: "RETRIEVAL_QUERY" }]
      })
    }))

  it.live("to Ollama forbids cutting texts off, and puts the model's words before them", () =>
    Effect.gen(function*() {
      const live = (server: Server) =>
        OllamaEmbeddings.layer({ model: "m", baseUrl: server.url, queryPrefix: "q: ", documentPrefix: "d: " })
      const query = yield* overFetch(ollama, live, Embedder.embed("a", { purpose: "query" }))
      assert.deepStrictEqual(query.request?.json, { model: "m", input: ["q: a"], truncate: false })
      assert.isUndefined(query.request?.headers.authorization)
      const document = yield* overFetch(ollama, live, Embedder.embed("a"))
      assert.deepStrictEqual(document.request?.json.input, ["d: a"])
    }))

  it.live("goes where the environment says", () =>
    Effect.gen(function*() {
      const compatible = yield* overFetch(
        openai,
        () => OpenAiEmbeddings.layer({ model: "m", encoding: "float" }),
        Embedder.embed("a"),
        (server) => ({ OPENAI_BASE_URL: server.url })
      )
      assert.isUndefined(compatible.request?.headers.authorization)
      const google = yield* overFetch(
        gemini,
        () => GeminiEmbeddings.layer({ model: "m" }),
        Embedder.embed("a"),
        (server) => ({ GEMINI_BASE_URL: server.url, GOOGLE_API_KEY: "from-google" })
      )
      assert.strictEqual(google.request?.headers["x-goog-api-key"], "from-google")
      for (const host of ["127.0.0.1", "0.0.0.0", "", "http://127.0.0.1"]) {
        const local = yield* overFetch(
          ollama,
          () => OllamaEmbeddings.layer({ model: "m" }),
          Embedder.embed("a"),
          (server) => ({ OLLAMA_HOST: `${host}:${new URL(server.url).port}` })
        )
        assert.strictEqual(local.request?.path, "/api/embed", host)
      }
    }))

  it.live("is not sent without the key it needs", () =>
    Effect.gen(function*() {
      const missing = (live: Layer.Layer<Embedder.Embedder, Config.ConfigError>) =>
        Effect.flip(
          Effect.provide(
            Embedder.embed("a"),
            Layer.provide(live, ConfigProvider.layer(ConfigProvider.fromUnknown({})))
          )
        )
      assert.strictEqual((yield* missing(OpenAiEmbeddings.layer({ model: "m" })))._tag, "ConfigError")
      assert.strictEqual((yield* missing(GeminiEmbeddings.layer({ model: "m" })))._tag, "ConfigError")
    }))

  it.live("reads a key that is an effect before every request", () =>
    Effect.gen(function*() {
      let reads = 0
      const renewed = Effect.sync(() => Redacted.make(`token-${++reads}`))
      const { server } = yield* overFetch(
        openai,
        (serving) =>
          OpenAiEmbeddings.layer({ model: "m", apiKey: renewed, baseUrl: serving.url, batching: { size: 1 } }),
        Embedder.embedMany(["a", "b"])
      )
      assert.sameMembers(server.requests.map(({ headers }) => headers.authorization), [
        "Bearer token-1",
        "Bearer token-2"
      ])
    }))
})

describe("offline", () => {
  const cosine = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0)
  const embed = (text: string) => Effect.provide(Embedder.embed(text), OfflineEmbeddings.layer())

  it.effect("has the same unit vector for the same text, on a virtual clock too", () =>
    Effect.gen(function*() {
      const one = yield* embed("The sea rises and falls twice a day.")
      const two = yield* embed("The sea rises and falls twice a day.")
      assert.deepStrictEqual(one, two)
      assert.lengthOf(one, 1024)
      assert.approximately(Math.hypot(...one), 1, 1e-6)
      const nothing = yield* embed("")
      assert.isTrue(nothing.every((value) => value === 0))
    }))

  it.effect("finds texts that share words alike, and others not", () =>
    Effect.gen(function*() {
      const tides = yield* embed("Why does the tide rise and fall?")
      const sea = yield* embed("Tides: the sea rises and falls twice a day, pulled by the moon.")
      const bread = yield* embed("Knead flour, water and salt, and let the dough rest over night.")
      assert.isAbove(cosine(tides, sea), 0.15)
      assert.isBelow(Math.abs(cosine(tides, bread)), 0.1)
      assert.isAbove(cosine(tides, sea), 2 * cosine(tides, bread))
    }))
})
