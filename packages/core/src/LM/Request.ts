/**
 * What is asked of a model, in no vendor's words.
 *
 * Adapters write requests, decorators pass them on, providers put them on the wire. `output` is a wish:
 * an endpoint that can hold a model to a JSON schema does so, and one that can't sends `withInstruction`
 * instead. That choice belongs to the endpoint, call by call, so a request can travel to any of them.
 */
import type * as JsonSchema from "effect/JsonSchema"
import type { Completion } from "../Completion.ts"
import type * as Example from "../Example.ts"
import type { Message } from "../Message.ts"
import type { Any, Encoded } from "../Signature.ts"
import type { Attempts } from "./Attempts.ts"
import type { Settings } from "./Settings.ts"

/**
 * The wished form of the answer. `instruction` says in words what `schema` says to machines, for
 * endpoints without structured output.
 *
 * @category models
 */
export type Output =
  | { readonly _tag: "Text" }
  | {
    readonly _tag: "Json"
    readonly name: string
    readonly schema: JsonSchema.JsonSchema
    readonly instruction: string
  }

/**
 * The predictor call a request was written for, as data: test doubles, recordings and the offline model
 * answer from it without reading prompts.
 *
 * @category models
 */
export interface Call {
  readonly signature: Any
  readonly input: Encoded
  readonly demos: ReadonlyArray<Example.Example<Encoded, Encoded>>
}

/**
 * - `settings`: already merged
 * - `accept`: tells whether an answer can be used, so that caches and memos keep no other
 * - `call`: what stands behind the messages, absent for requests written by hand
 * - `attempts`: the budget of the logical call; decorators that send it again pass it on
 *
 * @category models
 */
export interface Request {
  readonly messages: ReadonlyArray<Message>
  readonly output: Output
  readonly settings: Settings
  readonly accept?: (completion: Completion) => boolean
  readonly call?: Call
  readonly attempts?: Attempts
}

/**
 * Plain text, no particular form.
 *
 * @category constructors
 */
export const text: Output = { _tag: "Text" }

/**
 * The messages with the output's instruction written into the last user turn: for endpoints that have
 * to be told in words.
 *
 * @category combinators
 */
export const withInstruction = (request: Request): ReadonlyArray<Message> => {
  const { messages, output } = request
  if (output._tag === "Text") return messages
  const last = messages.findLastIndex((message) => message.role === "user")
  return last < 0
    ? [...messages, { role: "user", content: output.instruction }]
    : messages.with(last, { role: "user", content: `${messages[last]?.content}\n\n${output.instruction}` })
}
