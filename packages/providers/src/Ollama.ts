/**
 * Models of an Ollama server, by its own API.
 *
 * The server also has a copy of OpenAI's API, which the profile `ollama-v1` speaks. This one can set the length of the
 * context and switch thinking off, but can't be told which tool to call.
 */
import { LM } from "@effect-dspy/core/LM"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import type * as Capabilities from "./Capabilities.ts"
import * as Endpoint from "./Endpoint.ts"
import * as OllamaChat from "./OllamaChat.ts"
import * as OllamaHost from "./OllamaHost.ts"
import * as Quirks from "./Quirks.ts"

/**
 * - `baseUrl`: default `OLLAMA_HOST`, or a server on this machine
 * - `apiKey`: default none; Ollama's cloud wants one
 * - `keepAlive`, `contextLength`: see `OllamaChat.Dialect`
 * - `capabilities`: what the model can do, over what its name says
 *
 * @category models
 */
export interface Options {
  readonly model: string
  readonly provider?: string
  readonly baseUrl?: string
  readonly apiKey?: Endpoint.ApiKey
  readonly keepAlive?: string | number
  readonly contextLength?: number
  readonly capabilities?: Partial<Capabilities.Capabilities>
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
    const baseUrl = options.baseUrl ?? (yield* OllamaHost.config)
    const { apiKey, contextLength, headers, keepAlive, model, provider = "ollama", settings } = options
    const capabilities = { ...OllamaChat.capabilities, ...Quirks.of(model), ...options.capabilities }
    const protocol = OllamaChat.make({ provider, model, capabilities, keepAlive, contextLength })
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
 * import { Ollama } from "@effect-dspy/providers"
 *
 * const Live = Ollama.layer({ model: "qwen3", contextLength: 16_384 }).pipe(LM.resilient({ concurrency: 4 }))
 * ```
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<LM, Config.ConfigError> =>
  Layer.provide(layerHttp(options), FetchHttpClient.layer)
