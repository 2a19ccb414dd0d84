/**
 * Anthropic's own endpoint, by its Messages API.
 */
import { LM } from "@effect-dspy/core/LM"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as AnthropicMessages from "./AnthropicMessages.ts"
import type * as Capabilities from "./Capabilities.ts"
import * as Endpoint from "./Endpoint.ts"
import * as Quirks from "./Quirks.ts"

/** Enough for an answer of some pages, and taken by every model since Claude 3.5. */
const defaultMaxTokens = 8192

/**
 * - `apiKey`: default `ANTHROPIC_API_KEY`, which must be set then
 * - `baseUrl`: up to and without `/v1/messages`; default `ANTHROPIC_BASE_URL`, or Anthropic's public endpoint
 * - `capabilities`: what the model can do, over what its name tells
 * - `promptCache`: keeps the part of a prompt that is the same in many calls at the endpoint, for that long
 * - `reasoningText`: asks models that keep their reasoning to themselves for a summary of it
 * - `headers`: sent with every request
 * - `settings`: defaults of this layer, under everything nearer. Without `maxTokens` an answer may have 8,192
 *   tokens, and those of its reasoning on top
 *
 * @category models
 */
export interface Options {
  readonly model: string
  readonly provider?: string
  readonly apiKey?: Endpoint.ApiKey
  readonly baseUrl?: string
  readonly capabilities?: Partial<Capabilities.Capabilities>
  readonly promptCache?: "5m" | "1h"
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
    const { headers, model, promptCache, provider = "anthropic", reasoningText, settings } = options
    const apiKey = options.apiKey ?? (yield* Config.Redacted("ANTHROPIC_API_KEY"))
    const baseUrl = options.baseUrl ??
      (yield* Config.withDefault(Config.String("ANTHROPIC_BASE_URL"), "https://api.anthropic.com"))
    const capabilities = { ...AnthropicMessages.capabilities, ...Quirks.of(model), ...options.capabilities }
    const protocol = AnthropicMessages.make({
      provider,
      model,
      capabilities,
      maxTokens: defaultMaxTokens,
      promptCache,
      reasoningText
    })
    return yield* Endpoint.make({
      provider,
      model,
      baseUrl: root(baseUrl),
      protocol,
      capabilities,
      apiKey,
      headers,
      settings
    })
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
 * import { Anthropic } from "@effect-dspy/providers"
 *
 * const Live = Anthropic.layer({ model: "claude-sonnet-4-6", promptCache: "5m" }).pipe(LM.resilient())
 * ```
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<LM, Config.ConfigError> =>
  Layer.provide(layerHttp(options), FetchHttpClient.layer)

// Anthropic's own tools leave the version to the path, others write it into the base URL.
const root = (baseUrl: string): string => baseUrl.replace(/\/v1\/*$/, "")
