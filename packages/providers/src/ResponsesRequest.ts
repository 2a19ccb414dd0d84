/**
 * Requests in the words of OpenAI's Responses.
 */
import type { Content } from "@effect-dspy/core/Completion"
import type * as Request from "@effect-dspy/core/LM/Request"
import type * as Reason from "@effect-dspy/core/LMErrorReason"
import type { Media, Text } from "@effect-dspy/core/Message"
import * as Message from "@effect-dspy/core/Message"
import * as Result from "effect/Result"
import * as Lenient from "./Lenient.ts"
import * as Plan from "./Plan.ts"
import type { Encoded } from "./Protocol.ts"
import type { Dialect } from "./Responses.ts"
import * as OpenAiSchema from "./schema/OpenAiSchema.ts"

/**
 * Writes request bodies.
 *
 * @category encoding
 */
export const encoder = (
  dialect: Dialect
): (request: Request.Request, streaming: boolean) => Result.Result<Encoded, Reason.Reason> => {
  const plan = Plan.make({
    capabilities: dialect.capabilities,
    lower: OpenAiSchema.encode,
    loose: true,
    without: ["stop", "seed"],
    bounds: { maxTokens: [16, Infinity] }
  })
  return (request, streaming) =>
    Result.map(plan(request), ({ format, how, messages, reasons, settings, toolChoice, tools }) => {
      const opening = openingOf(messages)
      const summary = reasons && dialect.reasoningText === true ? "auto" : undefined
      const effort = settings.reasoningEffort
      // Thoughts that nobody keeps have to come along, sealed, to go back with the results of the tools.
      const sealed = reasons && !dialect.store && request.tools !== undefined && request.tools.length > 0
      return {
        ...how,
        body: JSON.stringify({
          model: dialect.model,
          instructions: opening === 0
            ? undefined
            : messages.slice(0, opening).map(Message.text).join("\n\n"),
          input: messages.slice(opening).flatMap((message) => items(dialect, message)),
          text: format === undefined ? undefined : { format: textFormat(format) },
          tools: tools.length === 0 ? undefined : tools.map(functionTool),
          tool_choice: typeof toolChoice === "object" ? { type: "function", name: toolChoice.tool } : toolChoice,
          // The answer is one call, so no second one may stand beside it.
          parallel_tool_calls: typeof toolChoice === "object" && toolChoice.tool === how.outputTool ? false : undefined,
          temperature: settings.temperature,
          top_p: settings.topP,
          max_output_tokens: settings.maxTokens,
          reasoning: effort === undefined && summary === undefined ? undefined : { effort, summary },
          include: sealed ? ["reasoning.encrypted_content"] : undefined,
          prompt_cache_key: dialect.promptCacheKey,
          store: dialect.store,
          stream: streaming ? true : undefined
        })
      }
    })
}

// The system's first words stand apart. Alone they are the question.
const openingOf = (messages: ReadonlyArray<Message.Message>): number => {
  const first = messages.findIndex(({ role }) => role !== "system")
  return first < 0 ? 0 : first
}

const textFormat = (format: Plan.Format): unknown =>
  format._tag === "AnyJson"
    ? { type: "json_object" }
    : { type: "json_schema", name: format.name, schema: format.schema, strict: format.strict }

const functionTool = ({ description, name, parameters, strict }: Plan.Tool) => ({
  type: "function",
  name,
  description,
  parameters,
  strict
})

const items = (dialect: Dialect, message: Message.Message): ReadonlyArray<unknown> => {
  const { content, role } = message
  if (typeof content === "string") return content === "" && role !== "user" ? [] : [{ role, content }]
  switch (role) {
    case "system":
      return []
    case "user":
      return [{ role, content: content.map(userPart) }]
    case "assistant":
      return content.flatMap((part) => ownItem(dialect, part))
    case "tool":
      return content.map(({ content: output, id }) => ({ type: "function_call_output", call_id: callId(id), output }))
  }
}

const userPart = (part: Text | Media): unknown => {
  if (part.type === "text") return { type: "input_text", text: part.text }
  const { mediaType, name, source } = part
  const uploaded = source._tag === "Uploaded" ? { file_id: source.id } : undefined
  const url = source._tag === "Url"
    ? source.url
    : source._tag === "Base64"
    ? `data:${mediaType};base64,${source.data}`
    : undefined
  if (part.type === "image") return { type: "input_image", detail: "auto", ...(uploaded ?? { image_url: url }) }
  if (uploaded !== undefined) return { type: "input_file", ...uploaded }
  return source._tag === "Url"
    ? { type: "input_file", file_url: url }
    : { type: "input_file", filename: name ?? "file", file_data: url }
}

const ownItem = ({ provider, store }: Dialect, part: Content): ReadonlyArray<unknown> => {
  const { encrypted, id, kind, phase } = Lenient.record(part.metadata?.[provider])
  const named = typeof id === "string" ? { id } : undefined
  switch (part.type) {
    case "text":
      if (part.text === "") return []
      return named === undefined ? [{ role: "assistant", content: part.text }] : [{
        type: "message",
        ...named,
        role: "assistant",
        status: "completed",
        content: [{ type: "output_text", text: part.text, annotations: [], logprobs: [] }],
        phase
      }]
    case "toolCall":
      return [{
        type: "function_call",
        ...named,
        call_id: callId(part.id),
        name: part.name,
        arguments: typeof part.arguments === "string" ? part.arguments : JSON.stringify(part.arguments)
      }]
    case "reasoning": {
      // A thought that is neither sealed nor open nor kept says nothing to anybody.
      if (named === undefined || (typeof encrypted !== "string" && kind !== "content" && !store)) return []
      const words = (type: string) => part.text === "" ? [] : [{ type, text: part.text }]
      return [{
        type: "reasoning",
        ...named,
        summary: kind === "content" ? [] : words("summary_text"),
        content: kind === "content" ? words("reasoning_text") : undefined,
        encrypted_content: encrypted
      }]
    }
  }
}

// Longer ones are refused with the results of tools.
const callId = (id: string): string => id.slice(0, 64)
