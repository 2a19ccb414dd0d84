/**
 * Tools for models that can't call them natively: described in the prompt, called in JSON.
 *
 * `LM.make` sends requests with tools this way to a model that was declared to have no native calling. Calls and
 * results of earlier turns are written in the same words, so a conversation may move between models.
 */
import type { Completion, Content, ToolCall } from "../Completion.ts"
import { text } from "../Completion.ts"
import * as Echo from "../Echo.ts"
import * as JsonText from "../JsonText.ts"
import * as Message from "../Message.ts"
import type { Request, Tool, ToolChoice } from "./Request.ts"

/**
 * The same request without tools, and what they are in its words.
 *
 * @category encoding
 */
export const write = (request: Request): Request => {
  const { toolChoice, tools = [], ...rest } = request
  const messages = request.messages.map(turn)
  const system = messages.findIndex(({ role }) => role === "system")
  const told = toolChoice === "none" ? [] : [instructions(tools, toolChoice)]
  return {
    ...rest,
    messages: system < 0
      ? [...told.map(Message.system), ...messages]
      : messages.with(system, Message.system([Message.text(messages[system]), ...told].join("\n\n")))
  }
}

/**
 * The answer with the calls that stand in its text, if any do. `written` is what was sent: calls of earlier turns and
 * words of tools that the answer repeats do not count.
 *
 * @category decoding
 */
export const read = (completion: Completion, tools: ReadonlyArray<Tool>, written: Request): Completion => {
  const names = new Set(tools.map((tool) => tool.name))
  const whole = text(completion)
  const reply = Echo.remove(whole, written)
  const calls = callsIn(reply, names)
  const adjustments = [...completion.adjustments ?? [], { feature: "tools", action: "described in the prompt" }]
  if (calls.length === 0 && reply === whole) return { ...completion, adjustments }
  const thoughts = completion.content.filter((part) => part.type === "reasoning")
  if (calls.length === 0) return { ...completion, adjustments, content: [...thoughts, { type: "text", text: reply }] }
  const content: ReadonlyArray<Content> = [...thoughts, ...calls]
  return { ...completion, content, adjustments, finishReason: "toolCalls" }
}

const instructions = (tools: ReadonlyArray<Tool>, choice: ToolChoice | undefined): string => {
  const list = tools.map(({ description, name, parameters }) =>
    `- ${name}: ${description}\n  arguments, as JSON schema: ${JSON.stringify(parameters)}`
  )
  const must = typeof choice === "object"
    ? `Call the tool \`${choice.tool}\` now.`
    : choice === "required"
    ? "Call at least one tool now."
    : "Call tools whenever they help."
  return `You can call tools. The tools are:\n${
    list.join("\n")
  }\n\n${must} To call tools, reply with one JSON object ` +
    `and nothing else: {"calls": [{"tool": "name", "arguments": {}}]}`
}

const callsIn = (reply: string, names: ReadonlySet<string>): ReadonlyArray<ToolCall> => {
  for (const candidate of JsonText.candidates(reply)) {
    const listed = property(candidate, "calls")
    const found = (Array.isArray(listed) ? listed : [candidate]).flatMap((one: JsonText.Json, index) => {
      const name = property(one, "tool")
      if (typeof name !== "string" || !names.has(name)) return []
      return [{ type: "toolCall" as const, id: `call_${index}`, name, arguments: property(one, "arguments") ?? {} }]
    })
    if (found.length > 0) return found
  }
  return []
}

const property = (value: JsonText.Json, key: string): JsonText.Json | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, key)
    ? (value as { readonly [key: string]: JsonText.Json })[key]
    : undefined

// A tool's words are data: as a JSON string they can't pass for a turn or a call.
const turn = (message: Message.Message): Message.Message => {
  if (message.role === "tool") {
    return Message.user(
      message.content.map(({ content, isError, name }) =>
        `${isError === true ? "Error" : "Result"} of the tool \`${name}\`, as a JSON string: ${JSON.stringify(content)}`
      ).join("\n\n")
    )
  }
  if (message.role !== "assistant" || typeof message.content === "string") return message
  const calls = message.content.filter((part) => part.type === "toolCall")
  if (calls.length === 0) return message
  return Message.assistant(
    JSON.stringify({ calls: calls.map((call) => ({ tool: call.name, arguments: call.arguments })) })
  )
}
