/**
 * OpenAI's own endpoint, by its Chat Completions.
 */
import type { LM } from "@effect-dspy/core/LM"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import type * as Endpoint from "./Endpoint.ts"
import * as OpenAiCompatible from "./OpenAiCompatible.ts"

/**
 * - `apiKey`: default `OPENAI_API_KEY`, which must be set then
 * - `baseUrl`: default `OPENAI_BASE_URL`, or OpenAI's public endpoint
 *
 * @category models
 */
export interface Options {
  readonly model: string
  readonly apiKey?: Endpoint.ApiKey
  readonly baseUrl?: string
  readonly settings?: LM.Settings
}

/**
 * A layer over any HTTP client.
 *
 * @category layers
 */
export const layerHttp = (options: Options): Layer.Layer<LM, Config.ConfigError, HttpClient.HttpClient> =>
  Layer.unwrap(Effect.gen(function*() {
    const apiKey = options.apiKey ?? (yield* Config.Redacted("OPENAI_API_KEY"))
    const baseUrl = options.baseUrl ??
      (yield* Config.withDefault(Config.String("OPENAI_BASE_URL"), "https://api.openai.com/v1"))
    return OpenAiCompatible.layerHttp({
      ...options,
      provider: "openai",
      apiKey,
      baseUrl,
      maxTokensField: "max_completion_tokens"
    })
  }))

/**
 * A layer over `fetch`.
 *
 * ```ts no-run
 * import { LM } from "@effect-dspy/core"
 * import { OpenAi } from "@effect-dspy/providers"
 *
 * const Live = OpenAi.layer({ model: "gpt-5-mini" }).pipe(LM.resilient())
 * ```
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<LM, Config.ConfigError> =>
  Layer.provide(layerHttp(options), FetchHttpClient.layer)
