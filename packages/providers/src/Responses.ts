/**
 * OpenAI's Responses on the wire, which xAI, DeepSeek, OpenRouter and LM Studio speak too.
 *
 * `ResponsesRequest` writes the bodies, `ResponsesAnswer` reads answers and streams. Every request carries the whole
 * conversation: nothing is left with the vendor, unless `store` asks for it.
 */
import * as Capabilities from "./Capabilities.ts"
import type { Protocol } from "./Protocol.ts"
import * as ResponsesAnswer from "./ResponsesAnswer.ts"
import * as ResponsesRequest from "./ResponsesRequest.ts"

/**
 * What is particular about an endpoint and what is wished of it.
 *
 * - `store`: whether the endpoint keeps answers
 * - `promptCacheKey`: brings requests with the same beginning to the same cache
 * - `reasoningText`: whether models that keep their reasoning to themselves are asked for a summary of it
 *
 * @category models
 */
export interface Dialect {
  readonly provider: string
  readonly model: string
  readonly capabilities: Capabilities.Capabilities
  readonly store: boolean
  readonly promptCacheKey?: string | undefined
  readonly reasoningText?: boolean | undefined
}

/**
 * What can be said in this protocol at all.
 *
 * @category constructors
 */
export const capabilities: Capabilities.Capabilities = {
  ...Capabilities.all,
  media: { image: ["Base64", "Url", "Uploaded"], file: ["Base64", "Url", "Uploaded"] }
}

/**
 * The protocol of one model of an endpoint.
 *
 * @category constructors
 */
export const make = (dialect: Dialect): Protocol => ({
  path: () => "/responses",
  authorize: (key) => ({ authorization: `Bearer ${key}` }),
  headers: {},
  framing: "sse",
  encode: ResponsesRequest.encoder(dialect),
  decode: (body) => ResponsesAnswer.decode(dialect, body),
  reader: () => ResponsesAnswer.reader(dialect)
})
