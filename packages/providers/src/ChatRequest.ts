/**
 * Requests in the words of OpenAI's Chat Completions.
 */
import type { Content, ToolCall } from "@effect-dspy/core/Completion"
import type * as Request from "@effect-dspy/core/LM/Request"
import type * as Reason from "@effect-dspy/core/LMErrorReason"
import type { Media, Message, Text } from "@effect-dspy/core/Message"
import * as Result from "effect/Result"
import type { Dialect } from "./ChatCompletions.ts"
import * as Plan from "./Plan.ts"
import type { Encoded } from "./Protocol.ts"
import * as ReasoningDetails from "./ReasoningDetails.ts"
import * as OpenAiSchema from "./schema/OpenAiSchema.ts"

/**
 * Writes request bodies.
 *
 * @category encoding
 */
export const encoder = (
  dialect: Dialect
): (request: Request.Request, streaming: boolean) => Result.Result<Encoded, Reason.Reason> => {
  const plan = Plan.make({ capabilities: dialect.capabilities, lower: OpenAiSchema.encodePlain, loose: true })
  // Who takes strict schemas for answers knows the word.
  const holds = dialect.capabilities.structuredOutput.includes("native")
  return (request, streaming) =>
    Result.map(plan(request), ({ format, how, messages, settings, toolChoice, tools }) => ({
      ...how,
      body: JSON.stringify({
        model: dialect.model,
        messages: messages.flatMap((message) => turn(dialect, message)),
        response_format: format === undefined ? undefined : responseFormat(format),
        tools: tools.length === 0 ? undefined : tools.map((tool) => functionTool(holds, tool)),
        tool_choice: choice(toolChoice),
        temperature: settings.temperature,
        top_p: settings.topP,
        [dialect.maxTokensField]: settings.maxTokens,
        stop: settings.stop,
        [dialect.seedField ?? "seed"]: settings.seed,
        reasoning_effort: settings.reasoningEffort,
        stream: streaming ? true : undefined,
        stream_options: streaming && dialect.streamUsage ? { include_usage: true } : undefined
      })
    }))
}

const responseFormat = (format: Plan.Format): unknown =>
  format._tag === "AnyJson"
    ? { type: "json_object" }
    : {
      type: "json_schema",
      json_schema: { name: format.name, schema: format.schema, strict: format.strict }
    }

const functionTool = (holds: boolean, { description, name, parameters, strict }: Plan.Tool) => ({
  type: "function",
  function: { name, description, parameters, strict: holds && strict ? true : undefined }
})

const choice = (wish: Request.ToolChoice | undefined): unknown =>
  typeof wish === "object" ? { type: "function", function: { name: wish.tool } } : wish

const turn = (dialect: Dialect, message: Message): ReadonlyArray<unknown> => {
  const { content, role } = message
  if (typeof content === "string") return [{ role, content }]
  switch (role) {
    case "system":
      return []
    case "user":
      return [{ role, content: content.map(userPart) }]
    case "assistant":
      return [assistantTurn(dialect, content)]
    case "tool":
      return content.map((result) => ({ role, tool_call_id: result.id, content: result.content }))
  }
}

const userPart = (part: Text | Media): unknown => {
  if (part.type === "text") return part
  const { mediaType, name, source, type } = part
  const url = source._tag === "Base64"
    ? `data:${mediaType};base64,${source.data}`
    : source._tag === "Url"
    ? source.url
    : ""
  switch (type) {
    case "image":
      return { type: "image_url", image_url: { url } }
    case "audio":
      return {
        type: "input_audio",
        input_audio: { data: source._tag === "Base64" ? source.data : "", format: audioFormat(mediaType) }
      }
    case "file":
      return {
        type: "file",
        file: source._tag === "Uploaded" ? { file_id: source.id } : { file_data: url, filename: name ?? "file" }
      }
  }
}

// Two formats are known, each by one name only.
const audioFormat = (mediaType: string): string | undefined => {
  const format = mediaType.split("/")[1]?.replace(/^(x-|vnd\.)/, "")
  return format === "mpeg" ? "mp3" : format === "wave" ? "wav" : format
}

const assistantTurn = ({ provider, reasoningBack }: Dialect, content: ReadonlyArray<Content>): unknown => {
  const text = content.filter((part) => part.type === "text").map((part) => part.text).join("")
  const thought = content.filter((part) => part.type === "reasoning").map((part) => part.text).join("")
  const calls = content.filter((part): part is ToolCall => part.type === "toolCall")
  return {
    role: "assistant",
    content: text === "" && calls.length > 0 ? null : text,
    reasoning_details: reasoningBack === "reasoning_details" ? ReasoningDetails.of(provider, content) : undefined,
    reasoning_content: reasoningBack === "reasoning_content" && calls.length > 0 ? thought : undefined,
    tool_calls: calls.length === 0 ? undefined : calls.map((call) => ({
      id: call.id,
      type: "function",
      function: {
        name: call.name,
        arguments: typeof call.arguments === "string" ? call.arguments : JSON.stringify(call.arguments)
      }
    }))
  }
}
