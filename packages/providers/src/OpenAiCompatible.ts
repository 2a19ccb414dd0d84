/**
 * A model behind any endpoint that speaks OpenAI's Chat Completions.
 *
 * Ollama, vLLM, LM Studio, llama.cpp, OpenRouter and most vendors offer one. What is particular about an endpoint is
 * data, not code: its profile, and over that whatever the options say.
 */
import { LM } from "@effect-dspy/core/LM"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as Capabilities from "./Capabilities.ts"
import * as ChatCompletions from "./ChatCompletions.ts"
import * as Endpoint from "./Endpoint.ts"
import * as Profile from "./Profile.ts"
import * as Profiles from "./Profiles.ts"
import * as Quirks from "./Quirks.ts"

/**
 * - `profile`: what is known of the endpoint; default `Profiles.compatible`, which knows nothing
 * - `provider`: its name in errors and traces; default that of the profile
 * - `baseUrl`: up to and without `/chat/completions`; default by the profile and its environment variables
 * - `apiKey`: default the profile's environment variable; none where it is not set and not needed
 * - `capabilities`: what the endpoint and its model can do, over the profile's and `Quirks`
 * - `headers`: sent with every request
 * - `settings`: defaults of this layer, under everything nearer
 *
 * The others say how the endpoint differs from OpenAI's, over its profile: see `ChatCompletions.Dialect`.
 *
 * @category models
 */
export interface Options extends Partial<Omit<ChatCompletions.Dialect, "capabilities">> {
  readonly model: string
  readonly profile?: Profile.Profile
  readonly baseUrl?: string
  readonly apiKey?: Endpoint.ApiKey
  readonly capabilities?: Partial<Capabilities.Capabilities>
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
    const { apiKey: key, baseUrl: url, capabilities: able, headers, profile = Profiles.compatible, settings, ...rest } =
      options
    const { model, provider = profile.name, ...dialect } = rest
    const baseUrl = url ?? (yield* endpointOf(profile))
    const apiKey = key ?? (yield* keyOf(profile))
    const capabilities = { ...ChatCompletions.capabilities, ...profile.capabilities, ...Quirks.of(model), ...able }
    const protocol = ChatCompletions.make({
      maxTokensField: "max_tokens",
      streamUsage: true,
      ...profile.dialect,
      ...dialect,
      provider,
      model,
      capabilities
    })
    return yield* Endpoint.make({ provider, model, baseUrl, protocol, capabilities, apiKey, headers, settings })
  })

const endpointOf = (profile: Profile.Profile): Config.Config<string> =>
  Config.orElse(Config.String(Profile.baseUrlName(profile)), () => profile.baseUrl)

const keyOf = ({ keyName, needsKey }: Profile.Profile): Config.Config<Redacted.Redacted<string> | undefined> => {
  if (keyName === undefined) return Config.succeed(undefined)
  return needsKey ? Config.Redacted(keyName) : Config.withDefault(Config.Redacted(keyName), undefined)
}

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
 * import { OpenAiCompatible, Profiles } from "@effect-dspy/providers"
 *
 * const Local = OpenAiCompatible.layer({ model: "llama3.2", baseUrl: "http://localhost:8080/v1" })
 *
 * const Live = OpenAiCompatible.layer({ profile: Profiles.groq, model: "openai/gpt-oss-120b" }).pipe(
 *   LM.resilient({ timeout: "1 minute" })
 * )
 * ```
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<LM, Config.ConfigError> =>
  Layer.provide(layerHttp(options), FetchHttpClient.layer)
