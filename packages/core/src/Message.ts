/**
 * One turn of the conversation that is sent to a model.
 *
 * Adapters write messages, providers put them on the wire. A turn of plain text is a string; parts stand
 * where there is more: images and files of the caller, reasoning and tool calls of the model, results of
 * tools. Everything is plain JSON data, so requests can be hashed, recorded and compared.
 */
import type { Content } from "./Completion.ts"

/**
 * Text among other parts.
 *
 * @category models
 */
export interface Text {
  readonly type: "text"
  readonly text: string
}

/**
 * Something to look at, listen to or read. `mediaType` is its IANA name (`image/png`), `name` a file name
 * where it has one.
 *
 * - `Base64`: the bytes themselves
 * - `Url`: where the endpoint finds it
 * - `Uploaded`: what the endpoint called it when it was uploaded there
 *
 * @category models
 */
export interface Media {
  readonly type: "image" | "audio" | "file"
  readonly mediaType: string
  readonly source:
    | { readonly _tag: "Base64"; readonly data: string }
    | { readonly _tag: "Url"; readonly url: string }
    | { readonly _tag: "Uploaded"; readonly id: string }
  readonly name?: string
}

/**
 * What a tool gave for one call of the model: `id` and `name` are those of the call.
 *
 * @category models
 */
export interface ToolResult {
  readonly type: "toolResult"
  readonly id: string
  readonly name: string
  readonly content: string
  readonly isError?: boolean
}

/**
 * A turn of the caller.
 *
 * @category models
 */
export interface User {
  readonly role: "user"
  readonly content: string | ReadonlyArray<Text | Media>
}

/**
 * Who speaks, and what is said. The results of tools that were called side by side stand in one turn.
 *
 * @category models
 */
export type Message =
  | { readonly role: "system"; readonly content: string }
  | User
  | { readonly role: "assistant"; readonly content: string | ReadonlyArray<Content> }
  | { readonly role: "tool"; readonly content: ReadonlyArray<ToolResult> }

/**
 * A turn that sets the task.
 *
 * @category constructors
 */
export const system = (content: string): Message => ({ role: "system", content })

/**
 * A turn of the caller: text, or parts.
 *
 * @category constructors
 */
export const user = (content: string | ReadonlyArray<Text | Media>): User => ({ role: "user", content })

/**
 * A turn of the model: a demonstration, or a reply that goes back with comments.
 *
 * @category constructors
 */
export const assistant = (content: string | ReadonlyArray<Content>): Message => ({ role: "assistant", content })

/**
 * The results of the tools a model called in its last turn.
 *
 * @category constructors
 */
export const tool = (content: ReadonlyArray<ToolResult>): Message => ({ role: "tool", content })

/**
 * The text of a turn: its text parts joined, everything else left out. No turn has no text.
 *
 * ```ts
 * import { Message } from "@effect-dspy/core"
 *
 * const photo = { type: "image", mediaType: "image/png", source: { _tag: "Url", url: "https://example.com/a.png" } } as const
 * Message.text(Message.user([{ type: "text", text: "What is this?" }, photo])) // => "What is this?"
 * ```
 *
 * @category getters
 */
export const text = (message: Message | undefined): string => {
  const content = message?.content ?? ""
  if (typeof content === "string") return content
  let joined = ""
  for (const part of content) if (part.type === "text") joined += part.text
  return joined
}

/**
 * The same turn with text after its own.
 *
 * @category combinators
 */
export const append = ({ content }: User, more: string): User =>
  user(typeof content === "string" ? content + more : [...content, { type: "text", text: more }])

/**
 * The same turn with text before its own.
 *
 * @category combinators
 */
export const prepend = ({ content }: User, more: string): User =>
  user(typeof content === "string" ? more + content : [{ type: "text", text: more }, ...content])
