/**
 * Embeddings from an Ollama server, by its own API.
 *
 * A text that is too long for the model is an error: by default the server would cut it off without a word.
 * Rules: Ollama, "Generate embeddings".
 */
import * as Embedder from "@effect-dspy/core/Embedder"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as EmbeddingEndpoint from "./EmbeddingEndpoint.ts"
import * as OllamaHost from "./OllamaHost.ts"

/**
 * - `apiKey`: default none
 * - `baseUrl`: default `OLLAMA_HOST`, or `http://127.0.0.1:11434`
 * - `queryPrefix`, `documentPrefix`: put before texts, for models that were trained with such words
 *   (`search_query: ` and `search_document: ` for nomic-embed-text)
 *
 * @category models
 */
export interface Options extends EmbeddingEndpoint.Options {
  readonly baseUrl?: string
  readonly queryPrefix?: string
  readonly documentPrefix?: string
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
      const baseUrl = options.baseUrl ?? (yield* OllamaHost.config)
      return yield* EmbeddingEndpoint.make({ ...options, provider: "ollama", baseUrl, protocol: protocol(options) })
    })
  )

/**
 * A layer over `fetch`.
 *
 * ```ts no-run
 * import { Embedder } from "@effect-dspy/core"
 * import { OllamaEmbeddings } from "@effect-dspy/providers"
 *
 * const Live = OllamaEmbeddings.layer({ model: "nomic-embed-text", queryPrefix: "search_query: " }).pipe(Embedder.retry())
 * ```
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Embedder.Embedder, Config.ConfigError> =>
  Layer.provide(layerHttp(options), FetchHttpClient.layer)

const protocol = (options: Options): EmbeddingEndpoint.Protocol => {
  const { dimensions, documentPrefix = "", model, queryPrefix = "" } = options
  return {
    path: "/api/embed",
    authorize: (key) => ({ authorization: `Bearer ${key}` }),
    encode: (texts, purpose) => {
      const prefix = purpose === "query" ? queryPrefix : documentPrefix
      return {
        model,
        input: prefix === "" ? texts : texts.map((text) => prefix + text),
        truncate: false,
        dimensions
      }
    },
    decode: (json) => {
      const body = decodeBody(json)
      if (Result.isFailure(body)) return undefined
      const { model, prompt_eval_count: tokens } = body.success
      return {
        ...(typeof model === "string" ? { model } : undefined),
        vectors: body.success.embeddings.map((values) => Float32Array.from(values)),
        usage: typeof tokens === "number" ? { inputTokens: tokens } : {}
      }
    }
  }
}

const decodeBody = Schema.decodeUnknownResult(Schema.Struct({
  model: Schema.optionalKey(Schema.Unknown),
  embeddings: Schema.Array(EmbeddingEndpoint.Numbers),
  prompt_eval_count: Schema.optionalKey(Schema.Unknown)
}))
