/**
 * Answers and streams of Anthropic's Messages.
 *
 * A stream tells what an answer says in one piece: it is put together into the same blocks, and both are read the
 * same way. Blocks of tools that run at the vendor are no part of the answer.
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
import * as ToolInput from "./ToolInput.ts"

/** Who answers, where an answer does not say, and whose metadata a thought carries. */
type Asked = { readonly provider: string; readonly model: string }

/**
 * Reads an answer's body.
 *
 * @category decoding
 */
export const decode = (asked: Asked, text: string): Result.Result<Completion, Reason.Reason> => {
  const body = decodeMessage(text)
  if (Result.isFailure(body)) return Result.fail(body.failure)
  const { content, error, stop_reason: stop } = body.success
  if (error !== undefined && error !== null) return Result.fail(HttpFailure.fromBody({ error }))
  if (content === undefined || content === null) return Result.fail(Lenient.invalid(text))
  return complete(asked, { ...body.success, content, stop_reason: stop ?? "end_turn" })
}

/**
 * Reads a stream's events. A message that begins anew makes void what came before; the end is told by a stop
 * reason.
 *
 * @category decoding
 */
export const reader = (asked: Asked): Reader => {
  let message: Message = {}
  let blocks: Array<Growing> = []
  let emitted = false
  const said = (parts: ReadonlyArray<Part>): Result.Result<ReadonlyArray<Part>, never> => {
    emitted ||= parts.length > 0
    return Result.succeed(parts)
  }
  return {
    push: ({ data }) => {
      const decoded = decodeEvent(data)
      if (Result.isFailure(decoded)) return Result.fail(decoded.failure)
      const event = decoded.success
      switch (event.type) {
        case "error":
          return Result.fail(HttpFailure.fromBody(Lenient.parse(data)))
        case "message_start": {
          const again = emitted
          message = event.message ?? {}
          blocks = []
          emitted = false
          return again ? Result.succeed([{ type: "restart" }]) : none
        }
        case "content_block_start": {
          const block: Growing = { json: "", ...event.content_block }
          blocks[event.index ?? blocks.length] = block
          return said(beginning(block))
        }
        case "content_block_delta": {
          const block = blocks[event.index ?? blocks.length - 1]
          return block === undefined || !event.delta ? none : said(grow(block, event.delta))
        }
        case "content_block_stop": {
          const block = blocks[event.index ?? blocks.length - 1]
          return block?.type === "tool_use" ? said([{ type: "toolCall", call: toCall(block) }]) : none
        }
        case "message_delta":
          message = {
            ...message,
            ...present(event.delta ?? {}),
            usage: { ...Lenient.record(message.usage), ...present(Lenient.record(event.usage)) }
          }
          return none
        default:
          // `ping`, `message_stop`, and what is still to be invented.
          return none
      }
    },
    end: () => {
      const { stop_reason: stop } = message
      return stop === undefined || stop === null
        ? Result.fail(new Reason.StreamCut())
        : complete(asked, { ...message, content: blocks.filter((block) => block !== undefined), stop_reason: stop })
    }
  }
}

const none: Result.Result<ReadonlyArray<Part>, never> = Result.succeed([])

const present = (values: object): object =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null))

const finishReasons = new Map<string, FinishReason>([
  ["end_turn", "stop"],
  ["stop_sequence", "stop"],
  ["max_tokens", "length"],
  ["model_context_window_exceeded", "length"],
  ["tool_use", "toolCalls"]
])

const complete = (
  { model, provider }: Asked,
  message: Message & { readonly content: ReadonlyArray<Block>; readonly stop_reason: string }
): Result.Result<Completion, Reason.Reason> => {
  if (message.stop_reason === "refusal") {
    const words = message.stop_details?.explanation ?? message.content.map(({ text }) => text ?? "").join("")
    return Result.fail(new Reason.Refused(words === "" ? {} : { detail: Redacted.make(words) }))
  }
  const content = message.content.flatMap((block) => toContent(block, provider))
  const silent = !content.some((part) => part.type !== "reasoning")
  return Result.succeed({
    content: silent ? [...content, { type: "text", text: "" }] : content,
    finishReason: finishReasons.get(message.stop_reason) ?? "other",
    usage: toUsage(message.usage),
    provider,
    model: message.model ?? model,
    ...(message.id === undefined || message.id === null ? undefined : { id: message.id })
  })
}

const toContent = (block: Block, provider: string): ReadonlyArray<Content> => {
  switch (block.type) {
    case "text":
      return block.text ? [{ type: "text", text: block.text }] : []
    case "thinking": {
      const seal = block.signature ? { metadata: { [provider]: { signature: block.signature } } } : undefined
      return seal !== undefined || block.thinking ? [{ type: "reasoning", text: block.thinking ?? "", ...seal }] : []
    }
    case "redacted_thinking":
      return [{ type: "reasoning", text: "", metadata: { [provider]: { redacted: block.data ?? "" } } }]
    case "tool_use":
      return [toCall(block)]
    default:
      return []
  }
}

const toCall = ({ id, input, json, name }: Block) =>
  json === undefined || json === ""
    ? { type: "toolCall" as const, id: id ?? "", name: name ?? "", arguments: input ?? {} }
    : ToolInput.call(id ?? "", name ?? "", json)

// A block may bring its beginning along.
const beginning = ({ text, thinking, type }: Block): ReadonlyArray<Part> => {
  const words = type === "text" ? text : type === "thinking" ? thinking : undefined
  return words ? [{ type: type === "text" ? "text" : "reasoning", text: words }] : []
}

const grow = (block: Growing, delta: Delta): ReadonlyArray<Part> => {
  if (delta.text) {
    block.text = (block.text ?? "") + delta.text
    return [{ type: "text", text: delta.text }]
  }
  if (delta.thinking) {
    block.thinking = (block.thinking ?? "") + delta.thinking
    return [{ type: "reasoning", text: delta.thinking }]
  }
  if (delta.signature) block.signature = (block.signature ?? "") + delta.signature
  if (!delta.partial_json) return []
  block.json += delta.partial_json
  // Tools that run at the vendor are called there.
  return block.type === "tool_use"
    ? [{ type: "toolInput", id: block.id ?? "", name: block.name ?? "", text: delta.partial_json }]
    : []
}

// Tokens read from the cache and written to it are reported apart.
const toUsage = (usage: unknown): Usage => {
  const figures = Lenient.record(usage)
  const { cache_creation_input_tokens: written, cache_read_input_tokens: cached, input_tokens: input } = figures
  return Lenient.usage({
    inputTokens: typeof input === "number" ? input + count(cached) + count(written) : undefined,
    cachedTokens: cached,
    cacheWriteTokens: written,
    outputTokens: figures.output_tokens,
    reasoningTokens: Lenient.record(figures.output_tokens_details).thinking_tokens
  })
}

const count = (figure: unknown): number => typeof figure === "number" ? figure : 0

const { optional } = Lenient

const Block = Schema.Struct({
  type: optional(Schema.String),
  text: optional(Schema.String),
  thinking: optional(Schema.String),
  signature: optional(Schema.String),
  data: optional(Schema.String),
  id: optional(Schema.String),
  name: optional(Schema.String),
  input: optional(Schema.Json)
})

/** A block, and the arguments of a call as far as they were written. */
type Block = typeof Block.Type & { readonly json?: string }

type Growing = { -readonly [K in keyof Block]: Block[K] } & { json: string }

const end = {
  stop_reason: optional(Schema.String),
  stop_details: optional(Schema.Struct({ explanation: optional(Schema.String) }))
}

const Message = Schema.Struct({
  id: optional(Schema.String),
  model: optional(Schema.String),
  content: optional(Schema.Array(Block)),
  error: optional(Schema.Unknown),
  usage: optional(Schema.Unknown),
  ...end
})

type Message = typeof Message.Type

const Delta = Schema.Struct({
  text: optional(Schema.String),
  thinking: optional(Schema.String),
  signature: optional(Schema.String),
  partial_json: optional(Schema.String),
  ...end
})

type Delta = typeof Delta.Type

const decodeMessage = Lenient.json(Message)

const decodeEvent = Lenient.json(Schema.Struct({
  type: optional(Schema.String),
  index: optional(Schema.Natural),
  message: optional(Message),
  content_block: optional(Block),
  delta: optional(Delta),
  usage: optional(Schema.Unknown)
}))
