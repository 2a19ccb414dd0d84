/**
 * A model behind any endpoint that speaks OpenAI's Chat Completions.
 *
 * Ollama, vLLM, LM Studio, llama.cpp, OpenRouter and most vendors offer one. The endpoint's abilities are
 * data, not code: how it can be held to a JSON schema, what it calls the token limit.
 */
import { LM } from "@effect-dspy/core/LM"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Capabilities from "./Capabilities.ts"
import * as ChatCompletions from "./ChatCompletions.ts"
import * as Endpoint from "./Endpoint.ts"
import * as Quirks from "./Quirks.ts"

/**
 * - `baseUrl`: up to and without `/chat/completions`; default `OPENAI_BASE_URL`
 * - `apiKey`: default `OPENAI_API_KEY`, and none when that is not set
 * - `capabilities`: what the endpoint and its model can do, over `ChatCompletions.capabilities` and `Quirks`
 * - `maxTokensField`, `streamUsage`, `reasoningBack`: see `ChatCompletions.Dialect`
 * - `headers`: sent with every request
 * - `settings`: defaults of this layer, under everything nearer
 *
 * @category models
 */
export interface Options {
  readonly model: string
  readonly provider?: string
  readonly baseUrl?: string
  readonly apiKey?: Endpoint.ApiKey
  readonly capabilities?: Partial<Capabilities.Capabilities>
  readonly maxTokensField?: ChatCompletions.Dialect["maxTokensField"]
  readonly streamUsage?: boolean
  readonly reasoningBack?: ChatCompletions.Dialect["reasoningBack"]
  readonly headers?: { readonly [name: string]: string }
  readonly settings?: LM.Settings
}

/**
 * Builds the LM over the HTTP client in scope.
 *
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<LM.Service, Config.ConfigError, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const baseUrl = options.baseUrl ?? (yield* Config.String("OPENAI_BASE_URL"))
    const apiKey = options.apiKey ?? Option.getOrUndefined(yield* Config.option(Config.Redacted("OPENAI_API_KEY")))
    const provider = options.provider ?? "compatible"
    const { headers, model, settings } = options
    const capabilities = { ...ChatCompletions.capabilities, ...Quirks.of(model), ...options.capabilities }
    const protocol = ChatCompletions.make({
      provider,
      model,
      capabilities,
      maxTokensField: options.maxTokensField ?? "max_tokens",
      streamUsage: options.streamUsage ?? true,
      reasoningBack: options.reasoningBack
    })
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
 * import { OpenAiCompatible } from "@effect-dspy/providers"
 *
 * const Live = OpenAiCompatible.layer({ model: "llama3.2", baseUrl: "http://localhost:11434/v1" }).pipe(
 *   LM.resilient({ timeout: "1 minute" })
 * )
 * ```
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<LM, Config.ConfigError> =>
  Layer.provide(layerHttp(options), FetchHttpClient.layer)
