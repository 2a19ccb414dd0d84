/**
 * Embeddings from OpenAI, and from the many servers that have its `/embeddings`: vLLM, LM Studio, llama.cpp,
 * Mistral, Together and others.
 *
 * Rules: OpenAI, "Create embeddings".
 */
import * as Embedder from "@effect-dspy/core/Embedder"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as EmbeddingEndpoint from "./EmbeddingEndpoint.ts"

/**
 * - `apiKey`: default `OPENAI_API_KEY`; it must be set unless `baseUrl` is
 * - `baseUrl`: up to and without `/embeddings`; default `OPENAI_BASE_URL`, or OpenAI's public endpoint
 * - `provider`: who is named in errors, default `openai`
 * - `encoding`: `base64` is a third of the bytes and the default; a server that refuses it takes `float`
 * - `queryPrefix`, `documentPrefix`: put before texts, for models that were trained with such words
 *
 * @category models
 */
export interface Options extends EmbeddingEndpoint.Options {
  readonly baseUrl?: string
  readonly provider?: string
  readonly encoding?: "base64" | "float"
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
      const address = options.baseUrl ?? Option.getOrUndefined(yield* Config.option(Config.String("OPENAI_BASE_URL")))
      const key = Config.Redacted("OPENAI_API_KEY")
      const apiKey = options.apiKey ??
        (address === undefined ? yield* key : Option.getOrUndefined(yield* Config.option(key)))
      return yield* EmbeddingEndpoint.make({
        ...options,
        provider: options.provider ?? "openai",
        baseUrl: address ?? "https://api.openai.com/v1",
        apiKey,
        protocol: protocol(options)
      })
    })
  )

/**
 * A layer over `fetch`.
 *
 * ```ts no-run
 * import { Embedder } from "@effect-dspy/core"
 * import { OpenAiEmbeddings } from "@effect-dspy/providers"
 *
 * const Live = OpenAiEmbeddings.layer({ model: "text-embedding-3-small", dimensions: 512 }).pipe(Embedder.retry())
 * ```
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Embedder.Embedder, Config.ConfigError> =>
  Layer.provide(layerHttp(options), FetchHttpClient.layer)

const protocol = (options: Options): EmbeddingEndpoint.Protocol => {
  const { dimensions, documentPrefix = "", encoding = "base64", model, queryPrefix = "" } = options
  return {
    path: "/embeddings",
    authorize: (key) => ({ authorization: `Bearer ${key}` }),
    encode: (texts, purpose) => {
      const prefix = purpose === "query" ? queryPrefix : documentPrefix
      return {
        model,
        input: prefix === "" ? texts : texts.map((text) => prefix + text),
        encoding_format: encoding,
        dimensions
      }
    },
    decode: (json) => {
      const body = decodeBody(json)
      if (Result.isFailure(body)) return undefined
      const { data, model: answeredBy, usage } = body.success
      const vectors: Array<Float32Array> = []
      // Nobody promises their order: the index says which text a vector belongs to.
      for (const [position, { embedding, index }] of data.entries()) {
        const vector = typeof embedding === "string" ? fromBase64(embedding) : Float32Array.from(embedding)
        if (vector === undefined) return undefined
        vectors[index ?? position] = vector
      }
      if (Object.keys(vectors).length !== data.length) return undefined
      const tokens = usage?.prompt_tokens ?? usage?.total_tokens
      return {
        vectors,
        ...(typeof answeredBy === "string" ? { model: answeredBy } : undefined),
        usage: typeof tokens === "number" ? { inputTokens: tokens } : {}
      }
    }
  }
}

const optional = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

const decodeBody = Schema.decodeUnknownResult(Schema.Struct({
  model: optional(Schema.Unknown),
  data: Schema.Array(Schema.Struct({
    index: optional(Schema.Natural),
    embedding: Schema.Union([Schema.String, EmbeddingEndpoint.Numbers])
  })),
  usage: optional(Schema.Struct({ prompt_tokens: optional(Schema.Unknown), total_tokens: optional(Schema.Unknown) }))
}))

// 32-bit floats, little-endian, one after the other.
const fromBase64 = (text: string): Float32Array | undefined => {
  const decoded = Base64.decode(text)
  if (Result.isFailure(decoded) || decoded.success.byteLength % 4 !== 0) return undefined
  const { buffer, byteLength, byteOffset } = decoded.success
  const view = new DataView(buffer, byteOffset, byteLength)
  return Float32Array.from({ length: byteLength / 4 }, (_, index) => view.getFloat32(index * 4, true))
}
