/**
 * Answers and streams of Google's generateContent.
 *
 * A streamed answer is a row of answers, each with the parts that are new, so both are read by the same hand.
 * What Google wants back unchanged, the signatures of thoughts, goes along with the part it came with.
 */
import type { Completion, Content, FinishReason } from "@effect-dspy/core/Completion"
import type { Part } from "@effect-dspy/core/LM/Sink"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import type { Usage } from "@effect-dspy/core/Usage"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as HttpFailure from "./HttpFailure.ts"
import * as Lenient from "./Lenient.ts"
import type { Reader } from "./Protocol.ts"

/** Who answers, where an answer does not say. */
type Asked = { readonly provider: string; readonly model: string }

/**
 * The key of `metadata` under which a part keeps what goes back with it.
 *
 * @category models
 */
export const metadataKey = "gemini"

/**
 * Reads an answer's body.
 *
 * @category decoding
 */
export const decode = (asked: Asked, text: string): Result.Result<Completion, Reason.Reason> => {
  const answer = make(asked)
  const read = answer.add(text)
  // A whole answer has ended, whether it says why or not.
  return Result.isFailure(read) ? Result.fail(read.failure) : answer.end(answer.begun() ? "STOP" : undefined, text)
}

/**
 * Reads a stream's events. Its end is told by a finish reason; usage comes with every event, the last one counts.
 *
 * @category decoding
 */
export const reader = (asked: Asked): Reader => {
  const answer = make(asked)
  return { push: ({ data }) => answer.add(data), end: () => answer.end(undefined, undefined) }
}

const make = ({ model, provider }: Asked) => {
  const content: Array<Content> = []
  let id: string | undefined
  let answeredBy: string | undefined
  let finish: string | undefined
  let blocked: Reason.Refused | undefined
  let figures: unknown
  let begun = false
  let calls = 0

  const take = (part: typeof GeminiPart.Type): ReadonlyArray<Part> => {
    const { functionCall, text, thoughtSignature } = part
    const metadata = typeof thoughtSignature === "string"
      ? { metadata: { [metadataKey]: { thoughtSignature } } }
      : undefined
    if (functionCall !== undefined && functionCall !== null) {
      const call: Content = {
        type: "toolCall",
        id: functionCall.id ?? `call_${id ?? ""}_${calls}`,
        name: functionCall.name ?? "",
        arguments: functionCall.args ?? {},
        ...metadata
      }
      calls++
      content.push(call)
      return [{ type: "toolCall", call }]
    }
    if (typeof text !== "string" || (text === "" && metadata === undefined)) return []
    const type = part.thought === true ? "reasoning" : "text"
    const last = content.at(-1)
    // Pieces of one text are put together, but never across a signature: it stands for its own part.
    if (last?.type === type && last.metadata === undefined && metadata === undefined) {
      content[content.length - 1] = { type, text: last.text + text }
    } else {
      content.push({ type, text, ...metadata })
    }
    return text === "" ? [] : [{ type, text }]
  }

  return {
    begun: () => begun,
    add: (text: string): Result.Result<ReadonlyArray<Part>, Reason.Reason> => {
      const read = decodeBody(text)
      if (Result.isFailure(read)) return Result.fail(read.failure)
      const body = read.success
      if (body.error !== undefined && body.error !== null) {
        return Result.fail(HttpFailure.fromBody({ error: body.error }))
      }
      id ??= body.responseId ?? undefined
      answeredBy ??= body.modelVersion ?? undefined
      if (body.usageMetadata !== undefined && body.usageMetadata !== null) figures = body.usageMetadata
      const { blockReason, blockReasonMessage } = body.promptFeedback ?? {}
      if (typeof blockReason === "string") {
        const words = blockReasonMessage ?? ""
        blocked = new Reason.Refused({ detail: Redacted.make(words === "" ? blockReason : `${blockReason}: ${words}`) })
      }
      const candidate = body.candidates?.[0]
      if (candidate === undefined) return none
      begun = true
      if (candidate.finishReason !== undefined && candidate.finishReason !== null) {
        finish = nameOf(candidate.finishReason)
      }
      const parts = (candidate.content?.parts ?? []).flatMap(take)
      return parts.length === 0 ? none : Result.succeed(parts)
    },
    end: (otherwise: string | undefined, text: string | undefined): Result.Result<Completion, Reason.Reason> => {
      if (blocked !== undefined && !begun) return Result.fail(blocked)
      const reason = finish ?? otherwise
      if (reason === undefined) {
        return Result.fail(text === undefined ? new Reason.StreamCut() : Lenient.invalid(text))
      }
      if (filters.has(reason)) return Result.fail(new Reason.Refused({ detail: Redacted.make(reason) }))
      const answered = content.some(({ type }) => type !== "reasoning")
      return Result.succeed({
        content: answered ? content : [...content, { type: "text", text: "" }],
        finishReason: finishReason(reason, calls > 0),
        usage: toUsage(figures),
        provider,
        model: answeredBy ?? model,
        ...(id === undefined || id === "" ? undefined : { id })
      })
    }
  }
}

const none: Result.Result<ReadonlyArray<Part>, never> = Result.succeed([])

// Where enums come as numbers (Vertex AI, on request), only the first ones mean the same everywhere.
const numbered = ["FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION"]

const nameOf = (reason: string | number): string => typeof reason === "string" ? reason : numbered[reason] ?? "OTHER"

// A filter took the answer away. MALFORMED_FUNCTION_CALL and its like are not filters: the model may do better next
// time.
const filters = new Set([
  "SAFETY",
  "RECITATION",
  "BLOCKLIST",
  "PROHIBITED_CONTENT",
  "SPII",
  "MODEL_ARMOR",
  "IMAGE_SAFETY",
  "IMAGE_PROHIBITED_CONTENT",
  "IMAGE_RECITATION"
])

const finishReason = (reason: string, called: boolean): FinishReason =>
  reason === "STOP" ? (called ? "toolCalls" : "stop") : reason === "MAX_TOKENS" ? "length" : "other"

const GeminiPart = Schema.Struct({
  text: Lenient.optional(Schema.String),
  thought: Lenient.optional(Schema.Boolean),
  thoughtSignature: Lenient.optional(Schema.String),
  functionCall: Lenient.optional(Schema.Struct({
    id: Lenient.optional(Schema.String),
    name: Lenient.optional(Schema.String),
    args: Lenient.optional(Schema.Json)
  }))
})

const decodeBody = Lenient.json(Schema.Struct({
  error: Lenient.optional(Schema.Unknown),
  responseId: Lenient.optional(Schema.String),
  modelVersion: Lenient.optional(Schema.String),
  candidates: Lenient.optional(Schema.Array(Schema.Struct({
    finishReason: Lenient.optional(Schema.Union([Schema.String, Schema.Finite])),
    content: Lenient.optional(Schema.Struct({ parts: Lenient.optional(Schema.Array(GeminiPart)) }))
  }))),
  promptFeedback: Lenient.optional(Schema.Struct({
    blockReason: Lenient.optional(Schema.String),
    blockReasonMessage: Lenient.optional(Schema.String)
  })),
  usageMetadata: Lenient.optional(Schema.Unknown)
}))

// Google counts thoughts beside the answer's tokens, and the results of its own tools beside the prompt.
const toUsage = (metadata: unknown): Usage => {
  const figures = Lenient.record(metadata)
  return Lenient.usage({
    inputTokens: sum(figures.promptTokenCount, figures.toolUsePromptTokenCount),
    cachedTokens: figures.cachedContentTokenCount,
    outputTokens: sum(figures.candidatesTokenCount, figures.thoughtsTokenCount),
    reasoningTokens: figures.thoughtsTokenCount
  })
}

const sum = (...figures: ReadonlyArray<unknown>): number | undefined => {
  const known = figures.filter((figure) => typeof figure === "number")
  return known.length === 0 ? undefined : known.reduce((a, b) => a + b, 0)
}
