/**
 * OpenAI's Chat Completions on the wire: requests as JSON text, answers as completions.
 *
 * Written for the many servers that speak it almost: unknown keys are ignored, missing ones are fine
 * where an answer can be read without them, and an error inside a 200 is an error.
 */
import type { Completion, FinishReason } from "@effect-dspy/core/Completion"
import * as Request from "@effect-dspy/core/LM/Request"
import * as LMError from "@effect-dspy/core/LMError"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import type { Usage } from "@effect-dspy/core/Usage"
import type { JsonSchema } from "effect/JsonSchema"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as HttpFailure from "./HttpFailure.ts"
import * as StrictSchema from "./StrictSchema.ts"

/**
 * How an endpoint can be held to a JSON schema: by the schema, to JSON of any shape, or only by asking.
 *
 * @category models
 */
export type StructuredOutput = "json_schema" | "json_object" | "prompt"

/**
 * What is particular about an endpoint.
 *
 * - `maxTokensField`: OpenAI's own models refuse the old name, most others know no other
 *
 * @category models
 */
export interface Dialect {
  readonly provider: string
  readonly model: string
  readonly structuredOutput: StructuredOutput
  readonly maxTokensField: "max_tokens" | "max_completion_tokens"
}

/**
 * Writes request bodies. What depends on a schema only is worked out once per schema.
 *
 * @category encoding
 */
export const encoder = (dialect: Dialect): (request: Request.Request) => string => {
  const formats = new WeakMap<JsonSchema, unknown>()
  const responseFormat = (output: Request.Output): unknown => {
    if (output._tag === "Text" || dialect.structuredOutput === "prompt") return undefined
    if (dialect.structuredOutput === "json_object") return { type: "json_object" }
    let format = formats.get(output.schema)
    if (format === undefined) {
      format = {
        type: "json_schema",
        json_schema: { name: formatName(output.name), ...StrictSchema.lower(output.schema) }
      }
      formats.set(output.schema, format)
    }
    return format
  }
  return (request) => {
    const { settings } = request
    return JSON.stringify({
      model: dialect.model,
      messages: dialect.structuredOutput === "json_schema" ? request.messages : Request.withInstruction(request),
      response_format: responseFormat(request.output),
      temperature: settings.temperature,
      top_p: settings.topP,
      [dialect.maxTokensField]: settings.maxTokens,
      stop: settings.stop,
      seed: settings.seed,
      reasoning_effort: settings.reasoningEffort
    })
  }
}

/**
 * Reads an answer's body.
 *
 * @category decoding
 */
export const decode = (dialect: Dialect, text: string): Result.Result<Completion, LMError.LMError> => {
  const { model, provider } = dialect
  const fail = (reason: Reason.Reason) => Result.fail(LMError.make(provider, model, reason))
  const invalid = () => fail(new Reason.InvalidResponse({ status: 200, detail: Redacted.make(text) }))
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return invalid()
  }
  const body = decodeBody(json)
  if (Result.isFailure(body)) return invalid()
  const { choices, error, usage } = body.success
  if (error !== undefined && error !== null) return Result.fail(HttpFailure.fromBody(provider, model, { error }))
  const choice = choices?.[0]
  if (choice === undefined) return invalid()
  const { message } = choice
  if (typeof message.refusal === "string" && message.refusal !== "") {
    return fail(new Reason.Refused({ detail: Redacted.make(message.refusal) }))
  }
  if (choice.finish_reason === "content_filter") return fail(new Reason.Refused({}))
  const reasoning = message.reasoning_content ?? message.reasoning
  const answer = contentText(message.content)
  return Result.succeed({
    content: typeof reasoning === "string" && reasoning !== ""
      ? [{ type: "reasoning", text: reasoning }, { type: "text", text: answer }]
      : [{ type: "text", text: answer }],
    finishReason: finishReasons.get(choice.finish_reason ?? "stop") ?? "other",
    usage: toUsage(usage),
    provider,
    model: body.success.model ?? model
  })
}

// Names must match ^[A-Za-z0-9_-]{1,64}$.
const formatName = (name: string): string => name.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 64)

const finishReasons = new Map<string, FinishReason>([["stop", "stop"], ["length", "length"], [
  "tool_calls",
  "toolCalls"
]])

const optional = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

const Body = Schema.Struct({
  model: optional(Schema.String),
  error: optional(Schema.Unknown),
  choices: optional(Schema.Array(Schema.Struct({
    finish_reason: optional(Schema.String),
    message: Schema.Struct({
      content: optional(Schema.Union([
        Schema.String,
        Schema.Array(Schema.Struct({ type: optional(Schema.String), text: optional(Schema.String) }))
      ])),
      refusal: optional(Schema.String),
      reasoning: optional(Schema.Unknown),
      reasoning_content: optional(Schema.Unknown)
    })
  }))),
  usage: optional(Schema.Unknown)
})

const decodeBody = Schema.decodeUnknownResult(Body)

type Content = NonNullable<(typeof Body.Type)["choices"]>[number]["message"]["content"]

const contentText = (content: Content): string =>
  typeof content === "string" ? content : content?.map((part) => part.text ?? "").join("") ?? ""

// Prompt tokens include cached ones, completion tokens include reasoning: as `Usage` wants them. A figure
// in a form of its own (a price as text or in parts) is left out; it must not cost the answer.
const toUsage = (usage: unknown): Usage => {
  const figures = record(usage)
  const prompt = record(figures.prompt_tokens_details)
  const completion = record(figures.completion_tokens_details)
  const known: { readonly [K in keyof Usage]?: unknown } = {
    inputTokens: figures.prompt_tokens,
    cachedTokens: prompt.cached_tokens ?? figures.prompt_cache_hit_tokens,
    cacheWriteTokens: prompt.cache_write_tokens,
    outputTokens: figures.completion_tokens,
    reasoningTokens: completion.reasoning_tokens,
    costUsd: figures.cost
  }
  return { calls: 1, ...Object.fromEntries(Object.entries(known).filter(([, figure]) => Number.isFinite(figure))) }
}

const record = (value: unknown): { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null ? value as { readonly [key: string]: unknown } : {}
