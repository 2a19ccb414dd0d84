/**
 * Answers and streams of OpenAI's Responses.
 *
 * The last event of a stream holds the whole answer, so both are read the same way. Items of tools that run at the
 * vendor are no part of it.
 */
import type { Completion, Content } from "@effect-dspy/core/Completion"
import type { Part } from "@effect-dspy/core/LM/Sink"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import type { Usage } from "@effect-dspy/core/Usage"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as HttpFailure from "./HttpFailure.ts"
import * as Lenient from "./Lenient.ts"
import type { Reader } from "./Protocol.ts"
import * as ToolInput from "./ToolInput.ts"

/** Who answers, where an answer does not say, and whose metadata its parts carry. */
type Asked = { readonly provider: string; readonly model: string }

/**
 * Reads an answer's body.
 *
 * @category decoding
 */
export const decode = (asked: Asked, text: string): Result.Result<Completion, Reason.Reason> => {
  const body = decodeResponse(text)
  if (Result.isFailure(body)) return Result.fail(body.failure)
  const { error, output } = body.success
  return !error && !output ? Result.fail(Lenient.invalid(text)) : complete(asked, body.success, output ?? [])
}

/**
 * Reads a stream's events. The end is told by the event that holds the whole answer.
 *
 * @category decoding
 */
export const reader = (asked: Asked): Reader => {
  let answer: Response | undefined
  const items: Array<Item> = []
  const itemOf = (index: number | null | undefined): Item | undefined => items[index ?? items.length - 1]
  return {
    push: ({ data }) => {
      if (data === "[DONE]") return none
      const decoded = decodeEvent(data)
      if (Result.isFailure(decoded)) return Result.fail(decoded.failure)
      const { delta, item, output_index: index, response, summary_index: summary, type } = decoded.success
      switch (type) {
        case "error":
          return Result.fail(HttpFailure.fromBody(Lenient.parse(data)))
        case "response.completed":
        case "response.incomplete":
        case "response.failed":
          answer = response ?? {}
          return type === "response.failed" && !answer.error ? Result.fail(failed(answer)) : none
        case "response.output_item.added":
          if (item) items[index ?? items.length] = item
          return none
        case "response.output_item.done":
          if (!item) return none
          items[index ?? Math.max(0, items.length - 1)] = item
          return item.type === "function_call" ? Result.succeed([{ type: "toolCall", call: toCall(item) }]) : none
        case "response.output_text.delta":
          return delta ? Result.succeed([{ type: "text", text: delta }]) : none
        case "response.reasoning_summary_part.added":
          return summary ? Result.succeed([{ type: "reasoning", text: between }]) : none
        case "response.reasoning_summary_text.delta":
        case "response.reasoning_text.delta":
          return delta ? Result.succeed([{ type: "reasoning", text: delta }]) : none
        case "response.function_call_arguments.delta": {
          const call = itemOf(index)
          return delta
            ? Result.succeed([{ type: "toolInput", id: call?.call_id ?? "", name: call?.name ?? "", text: delta }])
            : none
        }
        default:
          return none
      }
    },
    end: () => {
      if (answer === undefined) return Result.fail(new Reason.StreamCut())
      const { output } = answer
      // Some servers leave the items out at the end.
      return complete(asked, answer, output && output.length > 0 ? output : items.filter((item) => item !== undefined))
    }
  }
}

const none: Result.Result<ReadonlyArray<Part>, never> = Result.succeed([])

/** Between the parts of a summary. */
const between = "\n\n"

const failed = ({ error }: Response): Reason.Reason =>
  HttpFailure.fromBody({ error: error ?? { code: "server_error" } })

const complete = (
  { model, provider }: Asked,
  response: Response,
  output: ReadonlyArray<Item>
): Result.Result<Completion, Reason.Reason> => {
  const { error, id, incomplete_details: incomplete, status, usage } = response
  if (error || status === "failed") return Result.fail(failed(response))
  const refusal = output.flatMap(({ content }) => content ?? []).map((part) => part.refusal ?? "").join("")
  if (refusal !== "") return Result.fail(new Reason.Refused({ detail: Redacted.make(refusal) }))
  if (incomplete?.reason === "content_filter") return Result.fail(new Reason.Refused({}))
  const linked = output.some((item) => item.type === "reasoning" && isSealed(item))
  const content = output.flatMap((item) => toContent(item, provider, linked))
  const called = content.some((part) => part.type === "toolCall")
  const silent = !called && !content.some((part) => part.type === "text")
  const done = called ? "toolCalls" : "stop"
  return Result.succeed({
    content: silent ? [...content, { type: "text", text: "" }] : content,
    finishReason: status === "incomplete"
      ? (incomplete?.reason ?? "max_output_tokens") === "max_output_tokens" ? "length" : "other"
      : status === "cancelled" || status === "queued" || status === "in_progress"
      ? "other"
      : done,
    usage: toUsage(usage),
    provider,
    model: response.model ?? model,
    ...(id ? { id } : undefined)
  })
}

const isSealed = ({ content, encrypted_content: encrypted }: Item): boolean =>
  Boolean(encrypted) || (content ?? []).length > 0

// The parts of an answer with thoughts that can go back hold together by their ids.
const toContent = (item: Item, provider: string, linked: boolean): ReadonlyArray<Content> => {
  const { call_id: callId, content, encrypted_content: encrypted, id, phase, summary, type } = item
  const mark = (more: { readonly [key: string]: string } = {}) =>
    linked && id ? { metadata: { [provider]: { id, ...more } } } : undefined
  switch (type) {
    case "message": {
      const text = (content ?? []).map((part) => part.text ?? "").join("")
      return text === "" ? [] : [{ type: "text", text, ...mark(phase ? { phase } : {}) }]
    }
    case "reasoning": {
      const open = (content ?? []).map((part) => part.text ?? "").join("")
      const text = open === "" ? (summary ?? []).map((part) => part.text ?? "").join(between) : open
      if (text === "" && !encrypted) return []
      return [{
        type: "reasoning",
        text,
        ...mark({ ...(encrypted ? { encrypted } : undefined), ...(open === "" ? undefined : { kind: "content" }) })
      }]
    }
    case "function_call":
      return callId === undefined ? [] : [toCall(item, mark()?.metadata)]
    default:
      return []
  }
}

const toCall = (
  { arguments: given, call_id: callId, id, name }: Item,
  metadata?: Content["metadata"]
) => ToolInput.call(callId ?? id ?? "", name ?? "", given ?? "", metadata)

const toUsage = (usage: unknown): Usage => {
  const figures = Lenient.record(usage)
  const input = Lenient.record(figures.input_tokens_details)
  return Lenient.usage({
    inputTokens: figures.input_tokens,
    cachedTokens: input.cached_tokens,
    cacheWriteTokens: input.cache_write_tokens,
    outputTokens: figures.output_tokens,
    reasoningTokens: Lenient.record(figures.output_tokens_details).reasoning_tokens,
    costUsd: figures.cost
  })
}

const { optional } = Lenient

const Words = Schema.Array(Schema.Struct({ text: optional(Schema.String), refusal: optional(Schema.String) }))

const Item = Schema.Struct({
  type: optional(Schema.String),
  id: optional(Schema.String),
  call_id: optional(Schema.String),
  name: optional(Schema.String),
  arguments: optional(Schema.String),
  content: optional(Words),
  summary: optional(Words),
  encrypted_content: optional(Schema.String),
  phase: optional(Schema.String)
})

type Item = typeof Item.Type

const Response = Schema.Struct({
  id: optional(Schema.String),
  model: optional(Schema.String),
  status: optional(Schema.String),
  error: optional(Schema.Unknown),
  incomplete_details: optional(Schema.Struct({ reason: optional(Schema.String) })),
  output: optional(Schema.Array(Item)),
  usage: optional(Schema.Unknown)
})

type Response = typeof Response.Type

const decodeResponse = Lenient.json(Response)

const decodeEvent = Lenient.json(Schema.Struct({
  type: optional(Schema.String),
  output_index: optional(Schema.Natural),
  summary_index: optional(Schema.Natural),
  delta: optional(Schema.String),
  item: optional(Item),
  response: optional(Response)
}))
