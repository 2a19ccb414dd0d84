/**
 * Messages and prompts: the same conversation in our words and in those of `effect/ai`.
 *
 * What one side cannot say is `Unsupported` and named; nothing is left out in silence. `metadata` of our parts is
 * what `effect/ai` calls the options of a part, so signatures of thoughts survive the way there and back.
 */
import type { Content } from "@effect-dspy/core/Completion"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import * as Message from "@effect-dspy/core/Message"
import * as Prompt from "effect/ai/Prompt"
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import type { Json } from "effect/Schema"

/** What an endpoint wants back with a part, by provider. */
type Metadata = { readonly [provider: string]: Json }

/**
 * Messages as a prompt.
 *
 * @category conversions
 */
export const toPrompt = (
  messages: ReadonlyArray<Message.Message>
): Result.Result<Prompt.Prompt, Reason.Unsupported> =>
  Result.map(all(messages, toTurn), (turns) => Prompt.fromMessages(turns))

/**
 * A prompt as messages. Turns with nothing to say (approvals of tools, already settled) are left out.
 *
 * @category conversions
 */
export const fromPrompt = (
  prompt: Prompt.Prompt
): Result.Result<ReadonlyArray<Message.Message>, Reason.Unsupported> =>
  Result.map(all(prompt.content, fromTurn), (turns) => turns.filter((turn) => turn.content.length > 0))

/**
 * Options of a part, or metadata of one, as metadata of ours.
 *
 * @category conversions
 */
export const metadataOf = (
  options: { readonly [provider: string]: unknown }
): { readonly metadata?: Metadata } => {
  const entries = Object.entries(options).filter(([, value]) => value !== null && value !== undefined)
  // Both sides keep JSON here; theirs is typed by each provider.
  return entries.length === 0 ? {} : { metadata: Object.fromEntries(entries) as Metadata }
}

const unsupported = (feature: string) => Result.fail(new Reason.Unsupported({ feature }))

const toTurn = (message: Message.Message): Result.Result<Prompt.Message, Reason.Unsupported> => {
  switch (message.role) {
    case "system":
      return Result.succeed(Prompt.makeMessage("system", { content: message.content }))
    case "user": {
      const parts = typeof message.content === "string" ? [text(message.content)] : message.content
      return Result.map(all(parts, toUserPart), (content) => Prompt.makeMessage("user", { content }))
    }
    case "assistant": {
      const parts = typeof message.content === "string" ? [text(message.content)] : message.content
      return Result.succeed(Prompt.makeMessage("assistant", { content: parts.map(toAssistantPart) }))
    }
    case "tool":
      return Result.succeed(Prompt.makeMessage("tool", {
        content: message.content.map(({ content, id, isError = false, name }) =>
          Prompt.makePart("tool-result", { id, name, isFailure: isError, result: content, providerExecuted: false })
        )
      }))
  }
}

const text = (content: string): Message.Text => ({ type: "text", text: content })

const toUserPart = (
  part: Message.Text | Message.Media
): Result.Result<Prompt.UserMessagePart, Reason.Unsupported> => {
  if (part.type === "text") return Result.succeed(Prompt.makePart("text", { text: part.text }))
  const { mediaType, name, source } = part
  if (source._tag === "Uploaded") return unsupported("a file by the id of its upload")
  return Result.succeed(Prompt.makePart("file", {
    mediaType,
    ...(name === undefined ? undefined : { fileName: name }),
    data: source._tag === "Url" ? new URL(source.url) : source.data
  }))
}

const toAssistantPart = (part: Content): Prompt.AssistantMessagePart => {
  const options = part.metadata === undefined ? {} : { options: mutable(part.metadata) }
  return part.type === "toolCall"
    ? Prompt.makePart("tool-call", {
      id: part.id,
      name: part.name,
      params: part.arguments,
      providerExecuted: false,
      ...options
    })
    : Prompt.makePart(part.type, { text: part.text, ...options })
}

// Theirs is typed as mutable; neither side changes it.
const mutable = (metadata: Metadata): Prompt.ProviderOptions => metadata as Prompt.ProviderOptions

const fromTurn = (turn: Prompt.Message): Result.Result<Message.Message, Reason.Unsupported> => {
  switch (turn.role) {
    case "system":
      return Result.succeed(Message.system(turn.content))
    case "user":
      return Result.map(all(turn.content, fromUserPart), (parts) => Message.user(plain(parts)))
    case "assistant":
      return Result.map(all(turn.content, fromAssistantPart), (parts) => Message.assistant(plain(parts.flat())))
    case "tool":
      return Result.map(all(turn.content, fromToolPart), (results) => Message.tool(results.flat()))
  }
}

// A turn that is text and nothing else is a string, as everywhere.
const plain = <P extends { readonly type: string }>(parts: ReadonlyArray<P>): string | ReadonlyArray<P> => {
  const [first] = parts
  return parts.length === 1 && first?.type === "text" && "text" in first && !("metadata" in first)
    ? String(first.text)
    : parts
}

const fromUserPart = (
  part: Prompt.UserMessagePart
): Result.Result<Message.Text | Message.Media, Reason.Unsupported> => {
  if (part.type === "text") return Result.succeed(text(part.text))
  const { data, fileName, mediaType } = part
  return Result.succeed({
    type: mediaType.startsWith("image/") ? "image" : mediaType.startsWith("audio/") ? "audio" : "file",
    mediaType,
    source: sourceOf(data),
    ...(fileName === undefined ? undefined : { name: fileName })
  })
}

const sourceOf = (data: string | Uint8Array | URL): Message.Media["source"] => {
  if (data instanceof URL) return { _tag: "Url", url: data.href }
  if (typeof data !== "string") return { _tag: "Base64", data: Base64.encode(data) }
  return /^https?:\/\//.test(data)
    ? { _tag: "Url", url: data }
    : { _tag: "Base64", data: data.replace(/^data:[^,]*,/, "") }
}

const fromAssistantPart = (
  part: Prompt.AssistantMessagePart
): Result.Result<ReadonlyArray<Content>, Reason.Unsupported> => {
  switch (part.type) {
    case "text":
    case "reasoning":
      return Result.succeed([{ type: part.type, text: part.text, ...metadataOf(part.options) }])
    case "tool-call":
      return part.providerExecuted
        ? unsupported("a tool that the provider runs itself")
        : Result.succeed([{
          type: "toolCall",
          id: part.id,
          name: part.name,
          arguments: json(part.params),
          ...metadataOf(part.options)
        }])
    case "tool-approval-request":
      return Result.succeed([])
    case "file":
      return unsupported("a file written by the model")
    case "tool-result":
      return unsupported("a tool that the provider runs itself")
  }
}

const fromToolPart = (
  part: Prompt.ToolMessagePart
): Result.Result<ReadonlyArray<Message.ToolResult>, Reason.Unsupported> => {
  if (part.type === "tool-approval-response") return Result.succeed([])
  const { id, isFailure, modelOutput, name, result } = part
  const shown = modelOutput === undefined ? Result.succeed(asText(result)) : textOf(modelOutput)
  return Result.map(shown, (content) => [{
    type: "toolResult",
    id,
    name,
    content,
    ...(isFailure ? { isError: true } : undefined)
  }])
}

const textOf = (parts: ReadonlyArray<Prompt.ToolModelOutputPart>): Result.Result<string, Reason.Unsupported> =>
  Result.map(
    all(parts, (part) => part.type === "text" ? Result.succeed(part.text) : unsupported("a file as a tool's result")),
    (texts) => texts.join("\n")
  )

const asText = (value: unknown): string => typeof value === "string" ? value : JSON.stringify(value) ?? ""

/**
 * A value that came as `unknown`, as the JSON it is on the wire.
 *
 * @category conversions
 */
export const json = (value: unknown): Json => JSON.parse(JSON.stringify(value ?? null)) as Json

const all = <A, B, E>(
  items: ReadonlyArray<A>,
  f: (item: A) => Result.Result<B, E>
): Result.Result<ReadonlyArray<B>, E> => {
  const done: Array<B> = []
  for (const item of items) {
    const result = f(item)
    if (Result.isFailure(result)) return Result.fail(result.failure)
    done.push(result.success)
  }
  return Result.succeed(done)
}
