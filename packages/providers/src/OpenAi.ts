/**
 * OpenAI's own endpoint, by its Responses API.
 */
import { LM } from "@effect-dspy/core/LM"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import type * as Capabilities from "./Capabilities.ts"
import * as Endpoint from "./Endpoint.ts"
import * as Quirks from "./Quirks.ts"
import * as Responses from "./Responses.ts"

/**
 * - `apiKey`: default `OPENAI_API_KEY`, which must be set then
 * - `baseUrl`: up to and without `/responses`; default `OPENAI_BASE_URL`, or OpenAI's public endpoint. Servers that
 *   speak Chat Completions only are asked by `OpenAiCompatible`
 * - `capabilities`: what the model can do, over what its name tells
 * - `store`: whether OpenAI keeps the answers, default not
 * - `promptCacheKey`: brings requests with the same beginning to the same cache
 * - `reasoningText`: asks for a summary of the model's reasoning
 * - `headers`: sent with every request
 * - `settings`: defaults of this layer, under everything nearer
 *
 * @category models
 */
export interface Options {
  readonly model: string
  readonly provider?: string
  readonly apiKey?: Endpoint.ApiKey
  readonly baseUrl?: string
  readonly capabilities?: Partial<Capabilities.Capabilities>
  readonly store?: boolean
  readonly promptCacheKey?: string
  readonly reasoningText?: boolean
  readonly headers?: { readonly [name: string]: string }
  readonly settings?: LM.Settings
}

/**
 * Builds the LM over the HTTP client in scope.
 *
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<LM.Service, Config.ConfigError, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const { headers, model, promptCacheKey, provider = "openai", reasoningText, settings, store = false } = options
    const apiKey = options.apiKey ?? (yield* Config.Redacted("OPENAI_API_KEY"))
    const baseUrl = options.baseUrl ??
      (yield* Config.withDefault(Config.String("OPENAI_BASE_URL"), "https://api.openai.com/v1"))
    const capabilities = { ...Responses.capabilities, ...Quirks.of(model), ...options.capabilities }
    const protocol = Responses.make({ provider, model, capabilities, store, promptCacheKey, reasoningText })
    return yield* Endpoint.make({ provider, model, baseUrl, protocol, capabilities, apiKey, headers, settings })
  })

/**
 * A layer over any HTTP client.
 *
 * @category layers
 */
export const layerHttp = (options: Options): Layer.Layer<LM, Config.ConfigError, HttpClient.HttpClient> =>
  Layer.effect(LM, make(options))

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
