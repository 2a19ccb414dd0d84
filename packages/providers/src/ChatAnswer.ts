/**
 * Answers and streams of OpenAI's Chat Completions.
 *
 * Written for the many servers that speak it almost: unknown keys are ignored, missing ones are fine
 * where an answer can be read without them, and an error inside a 200 is an error.
 */
import type { Completion, Content, FinishReason, ToolCall } from "@effect-dspy/core/Completion"
import type { Part } from "@effect-dspy/core/LM/Sink"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import type { Usage } from "@effect-dspy/core/Usage"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as HttpFailure from "./HttpFailure.ts"
import * as Lenient from "./Lenient.ts"
import type { Reader } from "./Protocol.ts"
import * as ReasoningDetails from "./ReasoningDetails.ts"
import * as ToolInput from "./ToolInput.ts"

/** Who answers, where an answer does not say. */
type Asked = { readonly provider: string; readonly model: string }

/**
 * Reads an answer's body.
 *
 * @category decoding
 */
export const decode = ({ model, provider }: Asked, text: string): Result.Result<Completion, Reason.Reason> => {
  const body = decodeBody(text)
  if (Result.isFailure(body)) return Result.fail(body.failure)
  const { choices, error, usage } = body.success
  if (error !== undefined && error !== null) return Result.fail(HttpFailure.fromBody({ error }))
  const choice = choices?.[0]
  if (choice === undefined) return Result.fail(Lenient.invalid(text))
  const { message } = choice
  if (typeof message.refusal === "string" && message.refusal !== "") {
    return Result.fail(new Reason.Refused({ detail: Redacted.make(message.refusal) }))
  }
  if (choice.finish_reason === "content_filter") return Result.fail(new Reason.Refused({}))
  const calls = [
    ...(message.tool_calls ?? []).map((call, index) =>
      ToolInput.call(call.id ?? `call_${index}`, call.function.name ?? "", call.function.arguments ?? "")
    ),
    // The form before tools; some servers still answer in it.
    ...(message.function_call === undefined || message.function_call === null ? [] : [
      ToolInput.call("call_0", message.function_call.name ?? "", message.function_call.arguments ?? "")
    ])
  ]
  const details = ReasoningDetails.add([], message.reasoning_details)
  return Result.succeed({
    content: contentOf(provider, thoughtOf(message), details, contentText(message.content), calls),
    finishReason: finishReason(choice.finish_reason, calls.length > 0),
    usage: toUsage(usage),
    provider,
    model: body.success.model ?? model,
    ...(typeof body.success.id === "string" && body.success.id !== "" ? { id: body.success.id } : undefined)
  })
}

/**
 * Reads a stream's events. The end is told by a finish reason: not every server sends `[DONE]`, and usage may
 * come after it.
 *
 * @category decoding
 */
export const reader = ({ model, provider }: Asked): Reader => {
  let id: string | undefined
  let answeredBy: string | undefined
  let text = ""
  let reasoning = ""
  let refusal = ""
  let finish: string | undefined
  let usage: Usage = { calls: 1 }
  let details: ReasoningDetails.Details = []
  const calls = ToolInput.make()
  return {
    push: ({ data, name }) => {
      if (data === "[DONE]") return none
      const value = Lenient.parse(data)
      const only = name === "error" ? undefined : onlyText(value, id !== undefined, answeredBy !== undefined)
      if (only !== undefined) {
        text += only
        return Result.succeed([{ type: "text", text: only }])
      }
      const decoded = decodeChunk(data, value)
      if (Result.isFailure(decoded)) return Result.fail(decoded.failure)
      const chunk = decoded.success
      if (chunk.error !== undefined && chunk.error !== null) {
        return Result.fail(HttpFailure.fromBody({ error: chunk.error }))
      }
      if (name === "error") return Result.fail(HttpFailure.fromBody(Lenient.parse(data)))
      id ??= chunk.id ?? undefined
      answeredBy ??= chunk.model ?? undefined
      const figures = chunk.usage ?? chunk.x_groq?.usage
      if (figures !== undefined && figures !== null) usage = toUsage(figures)
      const choice = chunk.choices?.[0]
      if (choice === undefined) return none
      if (choice.finish_reason !== undefined && choice.finish_reason !== null) finish = choice.finish_reason
      const parts: Array<Part> = []
      const delta = choice.delta ?? {}
      details = ReasoningDetails.add(details, delta.reasoning_details)
      const thought = thoughtOf(delta)
      if (thought !== "") {
        reasoning += thought
        parts.push({ type: "reasoning", text: thought })
      }
      const piece = contentText(delta.content)
      if (piece !== "") {
        text += piece
        parts.push({ type: "text", text: piece })
      }
      refusal += delta.refusal ?? ""
      for (const call of delta.tool_calls ?? []) {
        parts.push(
          ...calls.add(
            call.index ?? undefined,
            call.id ?? undefined,
            call.function?.name ?? undefined,
            call.function?.arguments ?? ""
          )
        )
      }
      return parts.length === 0 ? none : Result.succeed(parts)
    },
    end: () => {
      if (finish === undefined) return Result.fail(new Reason.StreamCut())
      if (refusal !== "") return Result.fail(new Reason.Refused({ detail: Redacted.make(refusal) }))
      if (finish === "content_filter") return Result.fail(new Reason.Refused({}))
      const called = calls.all()
      return Result.succeed({
        content: contentOf(provider, reasoning, details, text, called),
        finishReason: finishReason(finish, called.length > 0),
        usage,
        provider,
        model: answeredBy ?? model,
        ...(id === undefined || id === "" ? undefined : { id })
      })
    }
  }
}

const contentOf = (
  provider: string,
  reasoning: string,
  details: ReasoningDetails.Details,
  text: string,
  calls: ReadonlyArray<ToolCall>
): ReadonlyArray<Content> => [
  ...(reasoning === "" && details.length === 0
    ? []
    : [{ type: "reasoning", text: reasoning, ...ReasoningDetails.toMetadata(provider, details) } as const]),
  ...(text === "" && calls.length > 0 ? [] : [{ type: "text", text } as const]),
  ...calls
]

const none: Result.Result<ReadonlyArray<Part>, never> = Result.succeed([])

const finishReasons = new Map<string, FinishReason>([
  ["stop", "stop"],
  ["length", "length"],
  ["tool_calls", "toolCalls"],
  ["function_call", "toolCalls"]
])

// Some servers say nothing, or `stop` beside tool calls.
const finishReason = (word: string | null | undefined, called: boolean): FinishReason => {
  const reason = finishReasons.get(word ?? "stop") ?? "other"
  return called && reason === "stop" ? "toolCalls" : reason
}

const Text = Lenient.optional(Schema.Union([
  Schema.String,
  Schema.Array(Schema.Struct({ text: Lenient.optional(Schema.String), thinking: Lenient.optional(Schema.Unknown) }))
]))

const Function = Schema.Struct({ name: Lenient.optional(Schema.String), arguments: Lenient.optional(Schema.String) })

const turn = {
  content: Text,
  refusal: Lenient.optional(Schema.String),
  reasoning: Lenient.optional(Schema.Unknown),
  reasoning_content: Lenient.optional(Schema.Unknown),
  reasoning_details: Lenient.optional(Schema.Unknown)
}

const Body = Schema.Struct({
  id: Lenient.optional(Schema.Unknown),
  model: Lenient.optional(Schema.String),
  error: Lenient.optional(Schema.Unknown),
  choices: Lenient.optional(Schema.Array(Schema.Struct({
    finish_reason: Lenient.optional(Schema.String),
    message: Schema.Struct({
      ...turn,
      tool_calls: Lenient.optional(
        Schema.Array(Schema.Struct({ id: Lenient.optional(Schema.String), function: Function }))
      ),
      function_call: Lenient.optional(Function)
    })
  }))),
  usage: Lenient.optional(Schema.Unknown)
})

const Chunk = Schema.Struct({
  id: Lenient.optional(Schema.String),
  model: Lenient.optional(Schema.String),
  error: Lenient.optional(Schema.Unknown),
  choices: Lenient.optional(Schema.Array(Schema.Struct({
    finish_reason: Lenient.optional(Schema.String),
    delta: Lenient.optional(Schema.Struct({
      ...turn,
      tool_calls: Lenient.optional(Schema.Array(Schema.Struct({
        index: Lenient.optional(Schema.Finite),
        id: Lenient.optional(Schema.String),
        function: Lenient.optional(Function)
      })))
    }))
  }))),
  usage: Lenient.optional(Schema.Unknown),
  // Groq's streams without `stream_options` report theirs here.
  x_groq: Lenient.optional(Schema.Struct({ usage: Lenient.optional(Schema.Unknown) }))
})

const decodeBody = Lenient.json(Body)
const decodeChunk = Lenient.json(Chunk)

// Nearly every chunk says a few characters and nothing else. Looking for that by hand takes a fraction of what a
// schema takes; whatever else stands in a chunk is read by the schema.
const onlyText = (value: unknown, hasId: boolean, hasModel: boolean): string | undefined => {
  const { choices, error, id, model, usage, x_groq } = Lenient.record(value)
  if (isNews(id, hasId) || isNews(model, hasModel)) return undefined
  if (isThere(error) || isThere(usage) || isThere(x_groq)) return undefined
  // A second choice is not read, but it can be wrong.
  if (!Array.isArray(choices) || choices.length !== 1) return undefined
  const { delta, finish_reason } = Lenient.record(choices[0])
  if (isThere(finish_reason)) return undefined
  const said = Lenient.record(delta)
  for (const key in said) if (key !== "content" && key !== "role" && isThere(said[key])) return undefined
  return typeof said.content === "string" && said.content !== "" ? said.content : undefined
}

// Beside text, what is known already; and what is no text is the schema's to refuse.
const isNews = (value: unknown, isKnown: boolean): boolean => isThere(value) && (!isKnown || typeof value !== "string")

const isThere = (value: unknown): boolean => value !== undefined && value !== null

type Pieces = (typeof Text)["Type"]

const contentText = (content: Pieces | undefined): string =>
  typeof content === "string" ? content : content?.map((part) => part.text ?? "").join("") ?? ""

type Turn = {
  readonly content?: Pieces | undefined
  readonly reasoning?: unknown
  readonly reasoning_content?: unknown
}

// Beside the text under one of two names, or, as Mistral has it, among the pieces of the text.
const thoughtOf = ({ content, reasoning, reasoning_content }: Turn): string => {
  const thought = reasoning_content ?? reasoning
  if (typeof thought === "string") return thought
  if (typeof content === "string") return ""
  const pieces = content?.flatMap(({ thinking }) => Array.isArray(thinking) ? thinking : []) ?? []
  return pieces.map((piece) => Lenient.record(piece).text).filter((text) => typeof text === "string").join("")
}

// xAI's unit of money.
const ticksPerUsd = 1e10

// Prompt tokens include cached ones, completion tokens include reasoning: as `Usage` wants them.
const toUsage = (usage: unknown): Usage => {
  const figures = Lenient.record(usage)
  const prompt = Lenient.record(figures.prompt_tokens_details)
  const completion = Lenient.record(figures.completion_tokens_details)
  const reasoning = completion.reasoning_tokens
  const ticks = figures.cost_in_usd_ticks
  return Lenient.usage({
    inputTokens: figures.prompt_tokens,
    cachedTokens: prompt.cached_tokens ?? figures.prompt_cache_hit_tokens,
    cacheWriteTokens: prompt.cache_write_tokens,
    outputTokens: isBeside(reasoning, figures)
      ? Number(figures.completion_tokens) + reasoning
      : figures.completion_tokens,
    reasoningTokens: reasoning,
    costUsd: figures.cost ?? (typeof ticks === "number" ? ticks / ticksPerUsd : undefined)
  })
}

// Some count reasoning beside the answer's tokens; their own sum tells.
const isBeside = (
  reasoning: unknown,
  { completion_tokens, prompt_tokens, total_tokens }: Figures
): reasoning is number =>
  typeof reasoning === "number" && reasoning > 0 &&
  Number(prompt_tokens) + Number(completion_tokens) + reasoning === total_tokens

type Figures = { readonly [name: string]: unknown }
