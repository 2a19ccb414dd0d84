/**
 * Requests in the words of Google's generateContent.
 */
import type { Content } from "@effect-dspy/core/Completion"
import type * as Request from "@effect-dspy/core/LM/Request"
import type { Settings } from "@effect-dspy/core/LM/Settings"
import type * as Reason from "@effect-dspy/core/LMErrorReason"
import type { Media, Message, Text, ToolResult } from "@effect-dspy/core/Message"
import * as Result from "effect/Result"
import type { Capabilities } from "./Capabilities.ts"
import { metadataKey } from "./GeminiAnswer.ts"
import type { Dialect } from "./GenerateContent.ts"
import * as Lenient from "./Lenient.ts"
import * as Plan from "./Plan.ts"
import type { Encoded } from "./Protocol.ts"
import * as GeminiSchema from "./schema/GeminiSchema.ts"

/**
 * Writes request bodies.
 *
 * @category encoding
 */
export const encoder = (dialect: Dialect): (request: Request.Request) => Result.Result<Encoded, Reason.Reason> => {
  const { capabilities } = dialect
  const plan = Plan.make({ capabilities, lower: GeminiSchema.encode })
  return (request) =>
    Result.map(plan(request), ({ format, how, messages, settings, toolChoice, tools }) => {
      const system = messages.filter((message) => message.role === "system")
      const config = generationConfig(capabilities, settings, format)
      return {
        ...how,
        body: JSON.stringify({
          systemInstruction: system.length === 0
            ? undefined
            : { parts: system.map(({ content }) => ({ text: content })) },
          contents: messages.flatMap((message) => turn(dialect, message)),
          tools: tools.length === 0 ? undefined : [{ functionDeclarations: tools.map(declaration) }],
          toolConfig: toolChoice === undefined ? undefined : { functionCallingConfig: choice(toolChoice) },
          generationConfig: Object.values(config).every((value) => value === undefined) ? undefined : config
        })
      }
    })
}

const generationConfig = (capabilities: Capabilities, settings: Settings, format: Plan.Format | undefined) => ({
  temperature: settings.temperature,
  topP: settings.topP,
  maxOutputTokens: settings.maxTokens,
  stopSequences: settings.stop,
  seed: settings.seed,
  thinkingConfig: settings.reasoningEffort === undefined ? undefined : thinking(capabilities, settings.reasoningEffort),
  responseMimeType: format === undefined ? undefined : "application/json",
  responseJsonSchema: format?._tag === "Schema" ? format.schema : undefined
})

type Effort = NonNullable<Settings["reasoningEffort"]>

// Tokens of thought, between the least and the most that the models with a budget take.
const budgets: { readonly [effort in Effort]: number } = {
  none: 0,
  minimal: 512,
  low: 1024,
  medium: 8192,
  high: 24_576
}

const thinking = ({ effortAs }: Capabilities, effort: Effort) => ({
  includeThoughts: effort !== "none",
  ...(effortAs === "tokens" ? { thinkingBudget: budgets[effort] } : { thinkingLevel: effort.toUpperCase() })
})

const declaration = ({ description, name, parameters }: Request.Tool) => ({
  name,
  description,
  parametersJsonSchema: parameters
})

const choice = (wish: Request.ToolChoice) =>
  typeof wish === "object"
    ? { mode: "ANY", allowedFunctionNames: [wish.tool] }
    : { mode: { auto: "AUTO", required: "ANY", none: "NONE" }[wish] }

const turn = (dialect: Dialect, message: Message): ReadonlyArray<unknown> => {
  const { content, role } = message
  switch (role) {
    case "system":
      return []
    case "user":
      return [{ role: "user", parts: typeof content === "string" ? [{ text: content }] : content.map(userPart) }]
    case "assistant": {
      const parts = modelParts(dialect, typeof content === "string" ? [{ type: "text", text: content }] : content)
      // A turn in which nothing was said is refused.
      return parts.length === 0 ? [] : [{ role: "model", parts }]
    }
    case "tool":
      return [{ role: "user", parts: content.map(functionResponse) }]
  }
}

const userPart = (part: Text | Media): unknown => {
  if (part.type === "text") return { text: part.text }
  const { mediaType: mimeType, source } = part
  switch (source._tag) {
    case "Base64":
      return { inlineData: { mimeType, data: source.data } }
    case "Url":
      return { fileData: { mimeType, fileUri: source.url } }
    case "Uploaded":
      return { fileData: { mimeType, fileUri: source.id } }
  }
}

// Google's word for a call whose thought it did not sign: "context_engineering_is_the_way_to_go", in base64.
const placeholder = "Y29udGV4dF9lbmdpbmVlcmluZ19pc190aGVfd2F5X3RvX2dv"

const modelParts = (dialect: Dialect, content: ReadonlyArray<Content>): ReadonlyArray<unknown> => {
  // Of calls made side by side the first one is signed.
  const first = content.find((part) => part.type === "toolCall")
  return content.flatMap((part): ReadonlyArray<unknown> => {
    const signature = signatureOf(part)
    const thoughtSignature = signature ?? (dialect.signedCalls && part === first ? placeholder : undefined)
    switch (part.type) {
      case "text":
        return part.text === "" && signature === undefined ? [] : [{ text: part.text, thoughtSignature }]
      case "reasoning":
        return signature === undefined ? [] : [{ text: part.text, thought: true, thoughtSignature }]
      case "toolCall": {
        const { arguments: args, id, name } = part
        return [{ functionCall: { id, name, args: isObject(args) ? args : { arguments: args } }, thoughtSignature }]
      }
    }
  })
}

const signatureOf = ({ metadata }: Content): string | undefined => {
  const { thoughtSignature } = Lenient.record(metadata?.[metadataKey])
  return typeof thoughtSignature === "string" ? thoughtSignature : undefined
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value)

const functionResponse = ({ content, id, isError, name }: ToolResult) => ({
  functionResponse: { id, name, response: isError === true ? { error: content } : { output: content } }
})
