/**
 * A conversation in the words of Anthropic's Messages: blocks in turns of two speakers, and apart from them what
 * the system says.
 */
import type { Content } from "@effect-dspy/core/Completion"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import type { Media, Message, Text, ToolResult } from "@effect-dspy/core/Message"
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"

/** One piece of a turn. */
type Block = { readonly type: string; cache_control?: unknown; readonly [key: string]: unknown }

/** All that one speaker says before the other one does. */
interface Turn {
  readonly role: "user" | "assistant"
  readonly content: ReadonlyArray<Block>
}

/**
 * - `lateSystem`: whether the system spoke after others, which stands in a turn of the user
 * - `uploads`: whether files are named that were uploaded before
 * - `callsUnthought`: whether the calls that wait for their results came without the thoughts that led to them
 *
 * @category models
 */
export interface Turns {
  readonly system: ReadonlyArray<Block>
  readonly messages: ReadonlyArray<Turn>
  readonly lateSystem: boolean
  readonly uploads: boolean
  readonly callsUnthought: boolean
}

/**
 * Writes a conversation down. `cache` marks the end of its first `stable` messages; `provider` names whose
 * metadata goes back with the model's own turns.
 *
 * @category encoding
 */
export const write = (
  messages: ReadonlyArray<Message>,
  options: { readonly provider: string; readonly stable: number; readonly cache: unknown }
): Result.Result<Turns, Reason.Unsupported> => {
  const { cache, provider, stable } = options
  const system: Array<Block> = []
  const turns: Array<{ readonly role: Turn["role"]; readonly content: Array<Block> }> = []
  const found = { lateSystem: false, uploads: false, callsUnthought: false }
  let end: Block | undefined
  for (const [index, message] of messages.entries()) {
    const opening = message.role === "system" && turns.length === 0 && index < messages.length - 1
    const written = blocks(message, provider)
    if (Result.isFailure(written)) return Result.fail(written.failure)
    const { success: said } = written
    if (message.role === "system" && !opening && turns.length > 0) found.lateSystem = true
    if (said.some((block) => isUpload(block.source))) found.uploads = true
    if (message.role === "tool") found.callsUnthought = turns.at(-1)?.content.some(isThought) === false
    if (message.role === "user") found.callsUnthought = false
    if (index < stable) end = said.findLast((block) => !isThought(block)) ?? end
    if (said.length === 0) continue
    if (opening) {
      system.push(...said)
      continue
    }
    const role = message.role === "assistant" ? "assistant" : "user"
    const last = turns.at(-1)
    if (last?.role === role) last.content.push(...said)
    else turns.push({ role, content: [...said] })
  }
  if (end !== undefined && cache !== undefined) end.cache_control = cache
  return Result.succeed({ system, messages: turns, ...found })
}

const isThought = (block: Block): boolean => block.type === "thinking" || block.type === "redacted_thinking"

const isUpload = (source: unknown): boolean =>
  typeof source === "object" && source !== null && "type" in source && source.type === "file"

const blocks = (message: Message, provider: string): Result.Result<ReadonlyArray<Block>, Reason.Unsupported> => {
  const { content, role } = message
  if (typeof content === "string") return Result.succeed(textBlocks(content))
  switch (role) {
    case "system":
      return Result.succeed([])
    case "user": {
      const said: Array<Block> = []
      for (const part of content) {
        const written = userPart(part)
        if (Result.isFailure(written)) return Result.fail(written.failure)
        said.push(...written.success)
      }
      return Result.succeed(said)
    }
    case "assistant":
      return Result.succeed(content.flatMap((part) => ownPart(part, provider)))
    case "tool":
      return Result.succeed(content.map(toolResult))
  }
}

// Text of nothing but white space is refused.
const textBlocks = (text: string): ReadonlyArray<Block> => text.trim() === "" ? [] : [{ type: "text", text }]

const unsupported = (feature: string) => Result.fail(new Reason.Unsupported({ feature }))

const userPart = (part: Text | Media): Result.Result<ReadonlyArray<Block>, Reason.Unsupported> => {
  if (part.type === "text") return Result.succeed(textBlocks(part.text))
  const source = part.type === "image" ? imageSource(part) : documentSource(part)
  if (source === undefined) return unsupported(`${part.type} input of type ${part.mediaType} as ${part.source._tag}`)
  return Result.succeed([
    part.type === "image"
      ? { type: "image", source }
      : { type: "document", source, ...(part.name ? { title: part.name } : undefined) }
  ])
}

const imageTypes = new Set(["image/jpeg", "image/png", "image/gif", "image/webp"])

const imageSource = ({ mediaType, source }: Media): unknown => {
  if (source._tag === "Url") return { type: "url", url: source.url }
  if (source._tag === "Uploaded") return { type: "file", file_id: source.id }
  return imageTypes.has(mediaType) ? { type: "base64", media_type: mediaType, data: source.data } : undefined
}

const documentSource = ({ mediaType, source, type }: Media): unknown => {
  if (type === "audio") return undefined
  if (source._tag === "Uploaded") return { type: "file", file_id: source.id }
  const isPdf = mediaType === "application/pdf"
  if (source._tag === "Url") return isPdf ? { type: "url", url: source.url } : undefined
  if (isPdf) return { type: "base64", media_type: mediaType, data: source.data }
  if (!mediaType.startsWith("text/")) return undefined
  // Text documents are sent as they read.
  const text = Base64.decodeString(source.data)
  return Result.isSuccess(text) ? { type: "text", media_type: "text/plain", data: text.success } : undefined
}

const ownPart = (part: Content, provider: string): ReadonlyArray<Block> => {
  switch (part.type) {
    case "text":
      return textBlocks(part.text)
    case "toolCall":
      return [{
        type: "tool_use",
        id: callId(part.id),
        name: part.name,
        // Arguments have to be an object, even where the model wrote something else.
        input: isObject(part.arguments) ? part.arguments : { arguments: part.arguments }
      }]
    case "reasoning": {
      // Thoughts go back with the seal of who thought them, or not at all.
      const seal = part.metadata?.[provider]
      if (!isObject(seal)) return []
      if (typeof seal.signature === "string") {
        return [{ type: "thinking", thinking: part.text, signature: seal.signature }]
      }
      return typeof seal.redacted === "string" ? [{ type: "redacted_thinking", data: seal.redacted }] : []
    }
  }
}

const toolResult = ({ content, id, isError }: ToolResult): Block => ({
  type: "tool_result",
  tool_use_id: callId(id),
  ...(content === "" ? undefined : { content }),
  ...(isError === true ? { is_error: true } : undefined)
})

// Ids of other vendors' calls may hold other characters.
const callId = (id: string): string => id.replace(/[^A-Za-z0-9_-]/g, "_")

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)
