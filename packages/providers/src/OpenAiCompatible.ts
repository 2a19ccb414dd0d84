/**
 * A model behind any endpoint that speaks OpenAI's Chat Completions.
 *
 * Ollama, vLLM, LM Studio, llama.cpp, OpenRouter and most vendors offer one. The endpoint's abilities are
 * options, not code: whether it can be held to a JSON schema, what it calls the token limit.
 */
import { LM } from "@effect-dspy/core/LM"
import type * as LMError from "@effect-dspy/core/LMError"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as Url from "effect/http/Url"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as ChatCompletions from "./ChatCompletions.ts"
import * as Transport from "./Transport.ts"

/** A key, or how to get one: read before every request, because cloud tokens expire. */
export type ApiKey = Redacted.Redacted<string> | Effect.Effect<Redacted.Redacted<string>, LMError.LMError>

/**
 * - `baseUrl`: up to and without `/chat/completions`; default `OPENAI_BASE_URL`
 * - `apiKey`: default `OPENAI_API_KEY`, and none when that is not set
 * - `structuredOutput`: how the endpoint is held to a schema, default `json_schema`
 * - `headers`: sent with every request
 * - `settings`: defaults of this layer, under everything nearer
 *
 * @category models
 */
export interface Options {
  readonly model: string
  readonly provider?: string
  readonly baseUrl?: string
  readonly apiKey?: ApiKey
  readonly structuredOutput?: ChatCompletions.StructuredOutput
  readonly maxTokensField?: ChatCompletions.Dialect["maxTokensField"]
  readonly headers?: { readonly [name: string]: string }
  readonly settings?: LM.Settings
}

/**
 * Builds the LM over the HTTP client in scope.
 *
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(options: Options) {
  const client = yield* HttpClient.HttpClient
  const baseUrl = options.baseUrl ?? (yield* Config.String("OPENAI_BASE_URL"))
  const apiKey = options.apiKey ?? Option.getOrUndefined(yield* Config.option(Config.Redacted("OPENAI_API_KEY")))
  const dialect: ChatCompletions.Dialect = {
    provider: options.provider ?? "compatible",
    model: options.model,
    structuredOutput: options.structuredOutput ?? "json_schema",
    maxTokensField: options.maxTokensField ?? "max_tokens"
  }
  const url = `${baseUrl.replace(/\/+$/, "")}/chat/completions`
  // A mistake of whoever wrote it down, found before the first call and not retried as a lost connection.
  if (Result.isFailure(Url.fromString(url))) return yield* Effect.die(new TypeError(`no URL: ${baseUrl}`))
  const post = Transport.make(client, dialect.provider, dialect.model)
  const encode = ChatCompletions.encoder(dialect)
  const read = (text: string) => {
    const decoded = ChatCompletions.decode(dialect, text)
    return Result.isSuccess(decoded) ? Effect.succeed(decoded.success) : Effect.fail(decoded.failure)
  }
  const send = (body: string, key: Redacted.Redacted<string> | undefined) =>
    Effect.flatMap(
      post(
        url,
        key === undefined
          ? { ...options.headers }
          : { authorization: `Bearer ${Redacted.value(key)}`, ...options.headers },
        body
      ),
      read
    )
  return LM.make({
    provider: dialect.provider,
    model: dialect.model,
    ...(options.settings === undefined ? undefined : { defaults: options.settings }),
    generate: (request) =>
      Effect.isEffect(apiKey)
        ? Effect.flatMap(apiKey, (key) => send(encode(request), key))
        : send(encode(request), apiKey)
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
