/**
 * Embeddings from Google's Gemini API.
 *
 * Its models place questions and texts differently, so the purpose of a text is sent along. Rules: Gemini API,
 * "models.batchEmbedContents".
 */
import * as Embedder from "@effect-dspy/core/Embedder"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as EmbeddingEndpoint from "./EmbeddingEndpoint.ts"

/**
 * - `apiKey`: default `GEMINI_API_KEY`, then `GOOGLE_API_KEY`; one of them must be set then
 * - `baseUrl`: default `GEMINI_BASE_URL`, or Google's public endpoint
 *
 * @category models
 */
export interface Options extends EmbeddingEndpoint.Options {
  readonly baseUrl?: string
}

/**
 * A layer over any HTTP client.
 *
 * @category layers
 */
export const layerHttp = (
  options: Options
): Layer.Layer<Embedder.Embedder, Config.ConfigError, HttpClient.HttpClient> =>
  Layer.effect(
    Embedder.Embedder,
    Effect.gen(function*() {
      const apiKey = options.apiKey ??
        (yield* Config.orElse(Config.Redacted("GEMINI_API_KEY"), () => Config.Redacted("GOOGLE_API_KEY")))
      const baseUrl = options.baseUrl ?? (yield* Config.withDefault(
        Config.String("GEMINI_BASE_URL"),
        "https://generativelanguage.googleapis.com/v1beta"
      ))
      return yield* EmbeddingEndpoint.make({
        ...options,
        provider: "gemini",
        apiKey,
        baseUrl,
        protocol: protocol(options)
      })
    })
  )

/**
 * A layer over `fetch`.
 *
 * ```ts no-run
 * import { Embedder } from "@effect-dspy/core"
 * import { GeminiEmbeddings } from "@effect-dspy/providers"
 *
 * const Live = GeminiEmbeddings.layer({ model: "gemini-embedding-001", dimensions: 768 }).pipe(Embedder.retry())
 * ```
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Embedder.Embedder, Config.ConfigError> =>
  Layer.provide(layerHttp(options), FetchHttpClient.layer)

const tasks = { query: "RETRIEVAL_QUERY", document: "RETRIEVAL_DOCUMENT" } as const

const protocol = (options: Options): EmbeddingEndpoint.Protocol => {
  const name = options.model.replace(/^models\//, "")
  const model = `models/${name}`
  return {
    path: `/models/${encodeURIComponent(name)}:batchEmbedContents`,
    authorize: (key) => ({ "x-goog-api-key": key }),
    encode: (texts, purpose) => ({
      requests: texts.map((text) => ({
        model,
        content: { parts: [{ text }] },
        taskType: tasks[purpose],
        outputDimensionality: options.dimensions
      }))
    }),
    decode: (json) => {
      const body = decodeBody(json)
      if (Result.isFailure(body)) return undefined
      const tokens = body.success.usageMetadata?.promptTokenCount
      return {
        vectors: body.success.embeddings.map(({ values }) => Float32Array.from(values)),
        usage: typeof tokens === "number" ? { inputTokens: tokens } : {}
      }
    }
  }
}

const decodeBody = Schema.decodeUnknownResult(Schema.Struct({
  embeddings: Schema.Array(Schema.Struct({ values: EmbeddingEndpoint.Numbers })),
  usageMetadata: Schema.optionalKey(Schema.Struct({ promptTokenCount: Schema.optionalKey(Schema.Unknown) }))
}))
