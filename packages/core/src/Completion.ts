/**
 * What a model answered: content parts, why it stopped, what it cost.
 *
 * Providers build completions, adapters read their text. A completion is plain data, so recordings and
 * durable memos can keep it as it is.
 */
import * as Schema from "effect/Schema"
import { Usage } from "./Usage.ts"

/** Text of the answer. */
const Text = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })

/** Text a reasoning model wrote on its way to the answer; never parsed as the answer. */
const Reasoning = Schema.Struct({ type: Schema.Literal("reasoning"), text: Schema.String })

/**
 * Why the model stopped: `stop` it was done, `length` it hit the token limit, `other` the endpoint gave a
 * reason of its own. A filter that cut the answer off is no completion but `LMError`, reason `Refused`.
 *
 * @category models
 */
export const FinishReason = Schema.Literals(["stop", "length", "other"])

/**
 * One of `stop`, `length`, `other`.
 *
 * @category models
 */
export type FinishReason = typeof FinishReason.Type

/**
 * `usage.calls` is what this answer cost when it was first given; `replayed` says that it was not sent
 * again.
 *
 * @category models
 */
export const Completion = Schema.Struct({
  content: Schema.Array(Schema.Union([Text, Reasoning])),
  finishReason: FinishReason,
  usage: Usage,
  provider: Schema.String,
  model: Schema.String,
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
