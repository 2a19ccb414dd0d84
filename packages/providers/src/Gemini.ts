/**
 * Google's Gemini models, by their own API.
 *
 * The public endpoint takes a key. Vertex AI speaks the same protocol under the base URL of a project and wants
 * a bearer token, which expires: give it as an effect.
 */
import { LM } from "@effect-dspy/core/LM"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import type * as Capabilities from "./Capabilities.ts"
import * as Endpoint from "./Endpoint.ts"
import * as GenerateContent from "./GenerateContent.ts"
import * as Quirks from "./Quirks.ts"

/**
 * - `apiKey`: default `GEMINI_API_KEY`, then `GOOGLE_API_KEY`; one of them must be set then
 * - `baseUrl`: default `GEMINI_BASE_URL`, or Google's public endpoint
 * - `auth`: `bearer` for Vertex AI
 * - `capabilities`: what the model can do, over what its name says
 * - `signedCalls`: see `GenerateContent.Dialect`; default by the model's name
 *
 * @category models
 */
export interface Options {
  readonly model: string
  readonly provider?: string
  readonly baseUrl?: string
  readonly apiKey?: Endpoint.ApiKey
  readonly auth?: GenerateContent.Dialect["auth"]
  readonly capabilities?: Partial<Capabilities.Capabilities>
  readonly signedCalls?: boolean
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
    const apiKey = options.apiKey ??
      (yield* Config.orElse(Config.Redacted("GEMINI_API_KEY"), () => Config.Redacted("GOOGLE_API_KEY")))
    const baseUrl = options.baseUrl ?? (yield* Config.withDefault(
      Config.String("GEMINI_BASE_URL"),
      "https://generativelanguage.googleapis.com/v1beta"
    ))
    const { auth = "key", headers, model, provider = "gemini", settings } = options
    const capabilities = { ...GenerateContent.capabilities, ...Quirks.of(model), ...options.capabilities }
    // Models up to 2.5 sign, but don't ask for it.
    const signedCalls = options.signedCalls ?? !/(^|\/)gemini-(1|2)/.test(model)
    const protocol = GenerateContent.make({ provider, model, capabilities, auth, signedCalls })
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
 * import { Gemini } from "@effect-dspy/providers"
 *
 * const Live = Gemini.layer({ model: "gemini-2.5-flash" }).pipe(LM.resilient())
 * ```
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<LM, Config.ConfigError> =>
  Layer.provide(layerHttp(options), FetchHttpClient.layer)
