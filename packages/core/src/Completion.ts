/**
 * What a model answered: content parts, why it stopped, what it cost.
 *
 * Providers build completions, adapters read their text. A completion is plain data, so recordings and
 * durable memos can keep it as it is.
 */
import * as Schema from "effect/Schema"
import { Usage } from "./Usage.ts"

/**
 * What an endpoint wants back unchanged with a part, by provider: signatures of thoughts, ids of items. Nobody
 * else reads it, and other providers leave it out.
 */
const metadata = { metadata: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json)) }

/** Text of the answer. */
const Text = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String, ...metadata })

/** Text a reasoning model wrote on its way to the answer; never parsed as the answer. */
const Reasoning = Schema.Struct({ type: Schema.Literal("reasoning"), text: Schema.String, ...metadata })

/**
 * The wish of a model to call a tool. `arguments` are what it wrote, not checked against the tool's parameters; when
 * that was not JSON, they are the text as it stands and `malformed` is set.
 *
 * @category models
 */
export const ToolCall = Schema.Struct({
  type: Schema.Literal("toolCall"),
  id: Schema.String,
  name: Schema.String,
  arguments: Schema.Json,
  malformed: Schema.optionalKey(Schema.Literal(true)),
  ...metadata
})

/**
 * One call of a tool.
 *
 * @category models
 */
export type ToolCall = typeof ToolCall.Type

/**
 * One part of an answer.
 *
 * @category models
 */
export const Content = Schema.Union([Text, Reasoning, ToolCall])

/**
 * Text, reasoning or a tool call.
 *
 * @category models
 */
export type Content = typeof Content.Type

/**
 * Why the model stopped: `stop` it was done, `length` it hit the token limit, `toolCalls` it waits for tools, `other`
 * the endpoint gave a reason of its own. An answer that a filter cut off is not a completion but an `LMError` with
 * reason `Refused`.
 *
 * @category models
 */
export const FinishReason = Schema.Literals(["stop", "length", "toolCalls", "other"])

/**
 * One of `stop`, `length`, `toolCalls`, `other`.
 *
 * @category models
 */
export type FinishReason = typeof FinishReason.Type

/**
 * Where a request was not sent as asked: `feature` in the words of `LM.Request` (`temperature`, `output`), `action`
 * what was done instead (`dropped`, `forced tool`). Nothing is changed without being named here.
 *
 * @category models
 */
export const Adjustment = Schema.Struct({ feature: Schema.String, action: Schema.String })

/**
 * One deviation from what was asked for.
 *
 * @category models
 */
export type Adjustment = typeof Adjustment.Type

/** One limit as the endpoint counts it. */
const Allowance = Schema.Struct({
  limit: Schema.optionalKey(Schema.Finite),
  remaining: Schema.optionalKey(Schema.Finite),
  resetMs: Schema.optionalKey(Schema.Finite)
})

/**
 * What an endpoint said about its rate limits beside an answer: of how many requests and tokens at once, how
 * many are left, and in how many milliseconds all of them are there again.
 *
 * @category models
 */
export const RateLimits = Schema.Struct({
  requests: Schema.optionalKey(Allowance),
  tokens: Schema.optionalKey(Allowance)
})

/**
 * What is left of an endpoint's limits.
 *
 * @category models
 */
export type RateLimits = typeof RateLimits.Type

/**
 * - `usage.calls`: what this answer cost when it was first given; `replayed` says that it was not sent again
 * - `id`: the endpoint's name for the answer
 * - `rateLimits`: how much the endpoint will take next, where it says so; `LM.rateLimit` goes by it
 *
 * @category models
 */
export const Completion = Schema.Struct({
  content: Schema.Array(Content),
  finishReason: FinishReason,
  usage: Usage,
  provider: Schema.String,
  model: Schema.String,
  id: Schema.optionalKey(Schema.String),
  adjustments: Schema.optionalKey(Schema.Array(Adjustment)),
  rateLimits: Schema.optionalKey(RateLimits),
  replayed: Schema.optionalKey(Schema.Boolean)
})

/**
 * One answer of a model.
 *
 * @category models
 */
export type Completion = typeof Completion.Type

/**
 * The text of an answer: its text parts joined, reasoning left out.
 *
 * @category getters
 */
export const text = (completion: Completion): string => {
  const [first] = completion.content
  if (completion.content.length === 1 && first !== undefined) return first.type === "text" ? first.text : ""
  let joined = ""
  for (const part of completion.content) if (part.type === "text") joined += part.text
  return joined
}

/**
 * The tool calls of an answer, in the order they were made.
 *
 * @category getters
 */
export const toolCalls = (completion: Completion): ReadonlyArray<ToolCall> =>
  completion.content.filter((part) => part.type === "toolCall")
