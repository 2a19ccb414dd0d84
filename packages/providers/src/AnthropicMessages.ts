/**
 * Anthropic's Messages on the wire.
 *
 * `AnthropicRequest` writes the bodies, `AnthropicAnswer` reads answers and streams. Rules: Anthropic, "Messages
 * API", version 2023-06-01.
 */
import * as AnthropicAnswer from "./AnthropicAnswer.ts"
import * as AnthropicRequest from "./AnthropicRequest.ts"
import * as Capabilities from "./Capabilities.ts"
import type { Protocol } from "./Protocol.ts"

/**
 * What is particular about an endpoint and what is wished of it.
 *
 * - `maxTokens`: the limit of an answer where none was set, because the protocol wants one; reasoning comes on top
 * - `promptCache`: how long the endpoint keeps the stable beginning of a prompt; absent, it keeps none
 * - `reasoningText`: whether models that keep their reasoning to themselves are asked for a summary of it
 *
 * @category models
 */
export interface Dialect {
  readonly provider: string
  readonly model: string
  readonly capabilities: Capabilities.Capabilities
  readonly maxTokens: number
  readonly promptCache?: "5m" | "1h" | undefined
  readonly reasoningText?: boolean | undefined
}

/**
 * What can be said in this protocol at all.
 *
 * @category constructors
 */
export const capabilities: Capabilities.Capabilities = {
  ...Capabilities.all,
  structuredOutput: ["native", "tool", "prompt"],
  media: { image: ["Base64", "Url", "Uploaded"], file: ["Base64", "Url", "Uploaded"] },
  reasoning: "asked",
  efforts: ["none", "low", "medium", "high"]
}

/**
 * The protocol of one model of an endpoint.
 *
 * @category constructors
 */
export const make = (dialect: Dialect): Protocol => ({
  path: () => "/v1/messages",
  authorize: (key) => ({ "x-api-key": key }),
  headers: { "anthropic-version": "2023-06-01" },
  framing: "sse",
  encode: AnthropicRequest.encoder(dialect),
  decode: (body) => AnthropicAnswer.decode(dialect, body),
  reader: () => AnthropicAnswer.reader(dialect)
})
