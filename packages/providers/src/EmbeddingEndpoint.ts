/**
 * An embedding model behind a URL: a protocol, a base URL and a key make an `Embedder`.
 *
 * The counterpart of `Endpoint` for vectors: the same transport, the same errors. What a vendor adds is how
 * texts are written into a body and vectors read out of one.
 */
import * as Embedder from "@effect-dspy/core/Embedder"
import * as LMError from "@effect-dspy/core/LMError"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Url from "effect/http/Url"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { ApiKey } from "./Endpoint.ts"
import * as HttpFailure from "./HttpFailure.ts"
import type { Headers } from "./Protocol.ts"
import * as Transport from "./Transport.ts"

/**
 * How one vendor's API takes texts and gives vectors.
 *
 * - `path`: under the base URL
 * - `authorize`: the headers that carry a key
 * - `encode`: the body of a request, as a value that becomes JSON
 * - `decode`: reads an answer's JSON; `undefined` when it is not of this protocol
 *
 * @category models
 */
export interface Protocol {
  readonly path: string
  readonly authorize: (key: string) => Headers
  readonly encode: (texts: ReadonlyArray<string>, purpose: Embedder.Purpose) => unknown
  readonly decode: (json: unknown) => Embedder.Answer | undefined
}

/**
 * What every embedding layer takes.
 *
 * - `dimensions`: the length of the vectors, for models that can shorten them; otherwise the model's own
 * - `headers`: sent with every request, over those of the protocol
 * - `batching`, `concurrency`, `timeout`: see `Embedder.make`
 *
 * @category models
 */
export interface Options {
  readonly model: string
  readonly apiKey?: ApiKey | undefined
  readonly dimensions?: number | undefined
  readonly headers?: Headers | undefined
  readonly batching?: Embedder.Batching | undefined
  readonly concurrency?: number | undefined
  readonly timeout?: Duration.Input | undefined
}

/**
 * A vector in JSON: numbers and nothing else. Nothing is converted into one.
 *
 * @category models
 */
export const Numbers = Schema.declare((value): value is ReadonlyArray<number> =>
  Array.isArray(value) && value.every(Number.isFinite)
)

/**
 * Builds the embedder over the HTTP client in scope.
 *
 * @category constructors
 */
export const make = (
  options: Options & { readonly provider: string; readonly baseUrl: string; readonly protocol: Protocol }
): Effect.Effect<Embedder.Service, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const { apiKey, model, protocol, provider } = options
    const url = `${options.baseUrl.replace(/\/+$/, "")}${protocol.path}`
    if (Result.isFailure(Url.fromString(url))) return yield* Effect.die(new TypeError(`no URL: ${options.baseUrl}`))
    const transport = Transport.make(yield* HttpClient.HttpClient, provider, model)
    const send = (texts: ReadonlyArray<string>, purpose: Embedder.Purpose, authorization: Headers) =>
      Effect.flatMap(
        transport.post(url, { ...authorization, ...options.headers }, JSON.stringify(protocol.encode(texts, purpose))),
        ({ text }) => {
          const answer = read(protocol, text)
          return Result.isSuccess(answer)
            ? Effect.succeed(answer.success)
            : Effect.fail(LMError.make(provider, model, answer.failure))
        }
      )
    const { batching, concurrency, dimensions, timeout } = options
    return Embedder.make({
      provider,
      model,
      endpoint: url,
      dimensions,
      batching,
      concurrency,
      timeout,
      embedMany: (texts, purpose) => {
        if (apiKey === undefined) return send(texts, purpose, {})
        // Trimmed as in `Endpoint`: a key from a file ends with a line break.
        const withKey = (key: Redacted.Redacted<string>) =>
          send(texts, purpose, protocol.authorize(Redacted.value(key).trim()))
        return Effect.isEffect(apiKey) ? Effect.flatMap(apiKey, withKey) : withKey(apiKey)
      }
    })
  })

const read = (protocol: Protocol, text: string): Result.Result<Embedder.Answer, Reason.Reason> => {
  const invalid = () => Result.fail(new Reason.InvalidResponse({ status: 200, detail: Redacted.make(text) }))
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return invalid()
  }
  const answer = protocol.decode(json)
  if (answer !== undefined) return Result.succeed(answer)
  const isError = typeof json === "object" && json !== null && "error" in json && json.error !== null
  return isError ? Result.fail(HttpFailure.fromBody(json)) : invalid()
}
