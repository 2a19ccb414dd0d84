/**
 * Requests in the words of Ollama's own chat API.
 */
import type { Content, ToolCall } from "@effect-dspy/core/Completion"
import type * as Request from "@effect-dspy/core/LM/Request"
import type { Settings } from "@effect-dspy/core/LM/Settings"
import type * as Reason from "@effect-dspy/core/LMErrorReason"
import * as Message from "@effect-dspy/core/Message"
import * as Result from "effect/Result"
import type { Capabilities } from "./Capabilities.ts"
import type { Dialect } from "./OllamaChat.ts"
import * as Plan from "./Plan.ts"
import type { Encoded } from "./Protocol.ts"
import * as OllamaSchema from "./schema/OllamaSchema.ts"

/**
 * Writes request bodies. A model knows nothing of the grammar it is held to, so it is told in words as well.
 *
 * @category encoding
 */
export const encoder = (
  dialect: Dialect
): (request: Request.Request, streaming: boolean) => Result.Result<Encoded, Reason.Reason> => {
  const { capabilities, contextLength, keepAlive, model } = dialect
  const plan = Plan.make({
    capabilities,
    lower: OllamaSchema.encode,
    instructed: ["native", "json", "prompt"]
  })
  return (request, streaming) =>
    Result.map(plan(request), ({ format, how, messages, settings, tools }) => {
      const options = {
        temperature: settings.temperature,
        top_p: settings.topP,
        num_predict: settings.maxTokens,
        num_ctx: contextLength,
        stop: settings.stop,
        seed: settings.seed
      }
      return {
        ...how,
        body: JSON.stringify({
          model,
          messages: messages.flatMap(turn),
          format: format === undefined ? undefined : format._tag === "AnyJson" ? "json" : format.schema,
          tools: tools.length === 0 ? undefined : tools.map(functionTool),
          options: Object.values(options).every((value) => value === undefined) ? undefined : options,
          think: think(capabilities, settings),
          keep_alive: keepAlive,
          // Streams are the default here.
          stream: streaming
        })
      }
    })
}

const think = ({ effortAs }: Capabilities, { reasoningEffort }: Settings): boolean | string | undefined =>
  reasoningEffort === undefined || effortAs === "word" ? reasoningEffort : reasoningEffort !== "none"

const functionTool = ({ description, name, parameters }: Request.Tool) => ({
  type: "function",
  function: { name, description, parameters }
})

const turn = (message: Message.Message): ReadonlyArray<unknown> => {
  const { content, role } = message
  if (typeof content === "string") return [{ role, content }]
  switch (role) {
    case "system":
      return []
    case "user":
      return [{ role, content: Message.text(message), images: images(content) }]
    case "assistant":
      return [assistantTurn(message, content)]
    case "tool":
      return content.map((result) => ({
        role,
        content: result.content,
        tool_name: result.name,
        tool_call_id: result.id
      }))
  }
}

// Pictures stand beside the text, not in it.
const images = (content: ReadonlyArray<Message.Text | Message.Media>): ReadonlyArray<string> | undefined => {
  const found = content.flatMap((part) =>
    part.type === "image" && part.source._tag === "Base64" ? [part.source.data] : []
  )
  return found.length === 0 ? undefined : found
}

const assistantTurn = (message: Message.Message, content: ReadonlyArray<Content>): unknown => {
  const thinking = content.filter((part) => part.type === "reasoning").map((part) => part.text).join("")
  const calls = content.filter((part): part is ToolCall => part.type === "toolCall")
  return {
    role: "assistant",
    content: Message.text(message),
    thinking: thinking === "" ? undefined : thinking,
    tool_calls: calls.length === 0 ? undefined : calls.map(({ arguments: args, id, name }) => ({
      id,
      function: { name, arguments: isObject(args) ? args : { arguments: args } }
    }))
  }
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value)
