/**
 * Answers in our words and in those of `effect/ai`: content, finish reasons, usage.
 */
import type { Completion, Content, FinishReason } from "@effect-dspy/core/Completion"
import * as Usage from "@effect-dspy/core/Usage"
import type * as Response from "effect/ai/Response"
import * as Turns from "./Turns.ts"

/**
 * The parts of an answer, the last of them `finish`.
 *
 * @category conversions
 */
export const toParts = (completion: Completion): Array<Response.PartEncoded> => [
  ...completion.content.map(toPart),
  ...closing(completion)
]

/**
 * What ends an answer, whole or streamed: who gave it, why it ended, what it cost.
 *
 * @category conversions
 */
export const closing = (
  { finishReason, id, model, usage }: Completion
): [Response.ResponseMetadataPartEncoded, Response.FinishPartEncoded] => [
  { type: "response-metadata", ...(id === undefined ? undefined : { id }), modelId: model },
  { type: "finish", reason: finishReasons[finishReason], usage: toUsage(usage), response: undefined }
]

/**
 * One part of an answer in our words, or none for what an LM's answer does not hold (files, sources).
 *
 * @category conversions
 */
export const fromPart = (part: Response.AnyPart): Content | undefined => {
  switch (part.type) {
    case "text":
    case "reasoning":
      return { type: part.type, text: part.text, ...Turns.metadataOf(part.metadata) }
    case "tool-call":
      return {
        type: "toolCall",
        id: part.id,
        name: part.name,
        arguments: Turns.json(part.params),
        ...Turns.metadataOf(part.metadata)
      }
    default:
      return undefined
  }
}

/**
 * Why an answer ended. `undefined` stands for a filter that cut it off, so that there is no answer.
 *
 * @category conversions
 */
export const fromFinish = (reason: Response.FinishReason): FinishReason | undefined => {
  switch (reason) {
    case "content-filter":
      return undefined
    case "stop":
    case "length":
      return reason
    case "tool-calls":
      return "toolCalls"
    default:
      return "other"
  }
}

/**
 * What an answer cost. Figures that were not reported stay absent.
 *
 * @category conversions
 */
export const fromUsage = ({ inputTokens, outputTokens }: Response.Usage): Usage.Usage => {
  const figures: { readonly [K in keyof Usage.Usage]?: number | undefined } = {
    inputTokens: inputTokens.total,
    cachedTokens: inputTokens.cacheRead,
    cacheWriteTokens: inputTokens.cacheWrite,
    outputTokens: outputTokens.total,
    reasoningTokens: outputTokens.reasoning
  }
  return { calls: 1, ...Object.fromEntries(Object.entries(figures).filter(([, figure]) => figure !== undefined)) }
}

/**
 * Metadata of a part of ours, for a part of theirs.
 *
 * @category conversions
 */
export const toMetadata = (part: Content | undefined): { readonly metadata?: Response.ProviderMetadata } =>
  part?.metadata === undefined ? {} : { metadata: part.metadata }

/**
 * One part of an answer in the words of `effect/ai`.
 *
 * @category conversions
 */
export const toPart = (
  part: Content
): Response.TextPartEncoded | Response.ReasoningPartEncoded | Response.ToolCallPartEncoded =>
  part.type === "toolCall"
    ? { type: "tool-call", id: part.id, name: part.name, params: part.arguments, ...toMetadata(part) }
    : { type: part.type, text: part.text, ...toMetadata(part) }

const finishReasons = { stop: "stop", length: "length", toolCalls: "tool-calls", other: "other" } as const

const toUsage = (usage: Usage.Usage): typeof Response.Usage.Encoded => {
  const { cacheWriteTokens: cacheWrite, cachedTokens: cacheRead, inputTokens, outputTokens, reasoningTokens } = usage
  const rest = (whole: number | undefined, ...parts: ReadonlyArray<number | undefined>) =>
    whole === undefined ? undefined : parts.reduce<number>((left, part) => left - (part ?? 0), whole)
  return {
    inputTokens: { total: inputTokens, cacheRead, cacheWrite, uncached: rest(inputTokens, cacheRead, cacheWrite) },
    outputTokens: { total: outputTokens, reasoning: reasoningTokens, text: rest(outputTokens, reasoningTokens) }
  }
}
