/**
 * OpenAI's Chat Completions on the wire: what OpenAI, most vendors and most local servers speak.
 *
 * `ChatRequest` writes the bodies, `ChatAnswer` reads answers and streams.
 */
import * as Capabilities from "./Capabilities.ts"
import * as ChatAnswer from "./ChatAnswer.ts"
import * as ChatRequest from "./ChatRequest.ts"
import type { Protocol } from "./Protocol.ts"

/**
 * What is particular about an endpoint.
 *
 * - `path`: under the base URL, with the model's name in place of `{model}`
 * - `keyHeader`: the header that carries the key, `bearer` for the usual one
 * - `maxTokensField`: OpenAI's own models refuse the old name, most others know no other
 * - `seedField`: what the seed is called
 * - `streamUsage`: whether a stream must be asked for its usage (`stream_options`), which some servers refuse
 * - `reasoningBack`: the key under which the endpoint wants the reasoning before a tool call back, if it does
 *
 * @category models
 */
export interface Dialect {
  readonly provider: string
  readonly model: string
  readonly capabilities: Capabilities.Capabilities
  readonly path?: string | undefined
  readonly keyHeader?: string | undefined
  readonly maxTokensField: "max_tokens" | "max_completion_tokens"
  readonly seedField?: "seed" | "random_seed" | undefined
  readonly streamUsage: boolean
  readonly reasoningBack?: "reasoning_details" | "reasoning_content" | undefined
}

/**
 * What can be said in this protocol at all; an endpoint may take less.
 *
 * @category constructors
 */
export const capabilities: Capabilities.Capabilities = {
  ...Capabilities.all,
  media: { image: ["Base64", "Url"], audio: ["Base64"], file: ["Base64", "Uploaded"] }
}

/**
 * The protocol of one model of an endpoint.
 *
 * @category constructors
 */
export const make = (dialect: Dialect): Protocol => {
  const { keyHeader = "bearer", model, path = "/chat/completions" } = dialect
  const where = path.replaceAll("{model}", encodeURIComponent(model))
  return {
    path: () => where,
    authorize: (key) => keyHeader === "bearer" ? { authorization: `Bearer ${key}` } : { [keyHeader]: key },
    headers: {},
    framing: "sse",
    encode: ChatRequest.encoder(dialect),
    decode: (body) => ChatAnswer.decode(dialect, body),
    reader: () => ChatAnswer.reader(dialect)
  }
}
