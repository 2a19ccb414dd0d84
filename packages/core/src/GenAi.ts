/**
 * The words of OpenTelemetry's conventions for generative AI, as of autumn 2026: what spans and metrics call things.
 *
 * Names under `effect_dspy.` are ours, where the conventions have none.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"
import type { Completion, Content } from "./Completion.ts"
import type { Answer } from "./Embedder/Batches.ts"
import type { Request } from "./LM/Request.ts"
import type { Settings } from "./LM/Settings.ts"
import type { Message } from "./Message.ts"
import * as Telling from "./Telling.ts"
import type { Usage } from "./Usage.ts"

/** Providers that the conventions know by another name. */
const providers: { readonly [name: string]: string | undefined } = {
  azure: "azure.ai.openai",
  bedrock: "aws.bedrock",
  gemini: "gcp.gemini",
  mistral: "mistral_ai",
  vertex: "gcp.vertex_ai",
  xai: "x_ai"
}

/**
 * The conventions' name of a provider.
 *
 * @category getters
 */
export const provider = (name: string): string => providers[name] ?? name

type Attributes = { [name: string]: unknown }

/**
 * What is known before a model is asked.
 *
 * @category attributes
 */
export const asked = (
  lm: { readonly provider: string; readonly model: string; readonly endpoint?: string },
  settings: Settings,
  request: Pick<Request, "output" | "sink">
): Attributes => {
  const attributes: Attributes = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": provider(lm.provider),
    "gen_ai.request.model": lm.model
  }
  const { maxTokens, seed, stop, temperature, topP } = settings
  if (maxTokens !== undefined) attributes["gen_ai.request.max_tokens"] = maxTokens
  if (seed !== undefined) attributes["gen_ai.request.seed"] = seed
  if (stop !== undefined) attributes["gen_ai.request.stop_sequences"] = stop
  if (temperature !== undefined) attributes["gen_ai.request.temperature"] = temperature
  if (topP !== undefined) attributes["gen_ai.request.top_p"] = topP
  attributes["gen_ai.output.type"] = request.output._tag === "Json" ? "json" : "text"
  if (request.sink !== undefined) attributes["gen_ai.request.stream"] = true
  return { ...attributes, ...server(lm.endpoint) }
}

const server = (endpoint: string | undefined): Attributes | undefined => {
  const [, protocol, address, port] = /^(https?):\/\/([^/:\s]+)(?::(\d+))?/.exec(endpoint ?? "") ?? []
  if (address === undefined) return undefined
  return { "server.address": address, "server.port": Number(port ?? (protocol === "https" ? 443 : 80)) }
}

/**
 * Who embeds, and where.
 *
 * @category models
 */
export interface Embeds {
  readonly provider: string
  readonly model: string
  readonly endpoint: string
}

/**
 * What is known before a model embeds.
 *
 * @category attributes
 */
export const embeds = ({ endpoint, model, provider: name }: Embeds): Attributes => ({
  "gen_ai.operation.name": "embeddings",
  "gen_ai.provider.name": provider(name),
  "gen_ai.request.model": model,
  ...server(endpoint)
})

/**
 * What vectors say of themselves.
 *
 * @category attributes
 */
export const embedded = (span: Tracer.Span, { model, vectors }: Answer): void => {
  if (model !== undefined) span.attribute("gen_ai.response.model", model)
  if (vectors[0] !== undefined) span.attribute("gen_ai.embeddings.dimension.count", vectors[0].length)
}

/**
 * What an answer says of itself.
 *
 * @category attributes
 */
export const answered = (span: Tracer.Span, completion: Completion): void => {
  span.attribute("gen_ai.response.model", completion.model)
  span.attribute("gen_ai.response.finish_reasons", [finishReason(completion)])
  if (completion.id !== undefined) span.attribute("gen_ai.response.id", completion.id)
  if (completion.replayed === true) span.attribute("effect_dspy.replayed", true)
}

/**
 * What was paid.
 *
 * @category attributes
 */
export const paid = (span: Tracer.Span, usage: Omit<Usage, "calls">): void => {
  const { cacheWriteTokens, cachedTokens, costUsd, inputTokens, outputTokens, reasoningTokens } = usage
  if (inputTokens !== undefined) span.attribute("gen_ai.usage.input_tokens", inputTokens)
  if (outputTokens !== undefined) span.attribute("gen_ai.usage.output_tokens", outputTokens)
  if (cachedTokens !== undefined) span.attribute("gen_ai.usage.cache_read.input_tokens", cachedTokens)
  if (cacheWriteTokens !== undefined) span.attribute("gen_ai.usage.cache_creation.input_tokens", cacheWriteTokens)
  if (reasoningTokens !== undefined) span.attribute("gen_ai.usage.reasoning.output_tokens", reasoningTokens)
  if (costUsd !== undefined) span.attribute("effect_dspy.usage.cost_usd", costUsd)
}

/**
 * What went wrong, if something did. An interruption is no failure.
 *
 * @category attributes
 */
export const failed = (span: Tracer.Span, exit: Exit.Exit<unknown, unknown>): void => {
  if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) {
    span.attribute("error.type", Telling.endOf(exit).error)
  }
}

const finishReason = ({ finishReason }: Completion): string => finishReason === "toolCalls" ? "tool_call" : finishReason

/**
 * The messages of a request as JSON text, each text through `show`.
 *
 * @category content
 */
export const inputMessages = (messages: ReadonlyArray<Message>, show: (text: string) => string): string =>
  JSON.stringify(messages.map((message) => ({
    role: message.role,
    parts: typeof message.content === "string"
      ? [{ type: "text", content: show(message.content) }]
      : message.content.map((part) => partOf(part, show))
  })))

/**
 * The answer as JSON text, each text through `show`.
 *
 * @category content
 */
export const outputMessages = (completion: Completion, show: (text: string) => string): string =>
  JSON.stringify([{
    role: "assistant",
    parts: completion.content.map((part) => partOf(part, show)),
    finish_reason: finishReason(completion)
  }])

type Part = Content | Extract<Message["content"], ReadonlyArray<unknown>>[number]

const partOf = (part: Part, show: (text: string) => string): unknown => {
  switch (part.type) {
    case "text":
    case "reasoning":
      return { type: part.type, content: show(part.text) }
    case "toolCall":
      return { type: "tool_call", id: part.id, name: part.name, arguments: show(JSON.stringify(part.arguments)) }
    case "toolResult":
      return { type: "tool_call_response", id: part.id, result: show(part.content) }
    default:
      // Pictures, sound and files are named, not shown.
      return { type: part.type }
  }
}
