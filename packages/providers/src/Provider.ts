/**
 * A model by its name in a string, for scripts and flags: `anthropic/claude-sonnet-4-5`, `ollama/qwen3`.
 *
 * Before the first slash stands a vendor with a protocol of its own, or one of `Profiles`; all after it is the
 * model's name. Where the vendor is known when the program is written, its own layer says more and is checked.
 */
import type { LM } from "@effect-dspy/core/LM"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Anthropic from "./Anthropic.ts"
import type * as Capabilities from "./Capabilities.ts"
import type * as Endpoint from "./Endpoint.ts"
import * as Gemini from "./Gemini.ts"
import * as Ollama from "./Ollama.ts"
import * as OpenAi from "./OpenAi.ts"
import * as OpenAiCompatible from "./OpenAiCompatible.ts"
import * as Profiles from "./Profiles.ts"

/**
 * What can be said of any model, whoever serves it; the defaults are those of the vendor's own layer.
 *
 * @category models
 */
export interface Options {
  readonly baseUrl?: string
  readonly apiKey?: Endpoint.ApiKey
  readonly capabilities?: Partial<Capabilities.Capabilities>
  readonly settings?: LM.Settings
}

/**
 * The string names no model: there is no slash with something on both sides, or nobody of that name. `known` are
 * all names that can stand before the slash.
 *
 * @category errors
 */
export class UnknownModel extends Schema.TaggedError<UnknownModel>()("UnknownModel", {
  model: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `${this.model}: expected PROFILE/MODEL, with one of ${this.known.join(", ")}`
  }
}

type Live = Layer.Layer<LM, Config.ConfigError, HttpClient.HttpClient>

/**
 * - `keyName`: the environment variable of its key, where it takes one
 * - `live`: the layer of one of its models
 *
 * @category models
 */
export interface Provider {
  readonly keyName: string | undefined
  readonly live: (options: Options & { readonly model: string }) => Live
}

const own: { readonly [name: string]: Provider } = {
  openai: { keyName: "OPENAI_API_KEY", live: OpenAi.layerHttp },
  anthropic: { keyName: "ANTHROPIC_API_KEY", live: Anthropic.layerHttp },
  gemini: { keyName: "GEMINI_API_KEY", live: Gemini.layerHttp },
  ollama: { keyName: undefined, live: Ollama.layerHttp }
}

/**
 * Whoever can stand before the slash: vendors with a protocol of their own first, then the profiles.
 *
 * @category constructors
 */
export const table: { readonly [name: string]: Provider } = {
  ...own,
  ...Object.fromEntries(
    Object.values(Profiles.table).map((profile): [string, Provider] => [profile.name, {
      keyName: profile.keyName,
      live: (options) => OpenAiCompatible.layerHttp({ ...options, profile })
    }])
  )
}

/**
 * The provider and the model in a string, split at the first slash; `undefined` where it names no provider that is
 * known, or no model.
 *
 * ```ts
 * import { Provider } from "@effect-dspy/providers"
 *
 * const parsed = Provider.parse("openrouter/meta-llama/llama-3.3-70b")
 * parsed?.model // => "meta-llama/llama-3.3-70b"
 * parsed?.provider.keyName // => "OPENROUTER_API_KEY"
 * Provider.parse("nobody/m") // => undefined
 * ```
 *
 * @category parsing
 */
export const parse = (
  text: string
): { readonly name: string; readonly provider: Provider; readonly model: string } | undefined => {
  const slash = text.indexOf("/")
  const name = text.slice(0, Math.max(slash, 0))
  const model = text.slice(slash + 1)
  const provider = Object.hasOwn(table, name) ? table[name] : undefined
  return provider === undefined || model === "" ? undefined : { name, provider, model }
}

/**
 * A layer of the model a string names, over any HTTP client.
 *
 * @category layers
 */
export const fromStringHttp = (
  text: string,
  options: Options = {}
): Layer.Layer<LM, Config.ConfigError | UnknownModel, HttpClient.HttpClient> => {
  const parsed = parse(text)
  return parsed === undefined
    ? Layer.unwrap(Effect.fail(new UnknownModel({ model: text, known: Object.keys(table) })))
    : parsed.provider.live({ ...options, model: parsed.model })
}

/**
 * A layer of the model a string names, over `fetch`.
 *
 * ```ts no-run
 * import { LM } from "@effect-dspy/core"
 * import { Provider } from "@effect-dspy/providers"
 *
 * const Live = Provider.fromString(process.env.MODEL ?? "anthropic/claude-sonnet-4-5").pipe(LM.resilient())
 * ```
 *
 * @category layers
 */
export const fromString = (text: string, options?: Options): Layer.Layer<LM, Config.ConfigError | UnknownModel> =>
  Layer.provide(fromStringHttp(text, options), FetchHttpClient.layer)
