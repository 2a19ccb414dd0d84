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
import * as Message from "../Message.ts"
import type { Any, Encoded } from "../Signature.ts"
import type { Attempts } from "./Attempts.ts"
import type { Settings } from "./Settings.ts"
import type { Sink } from "./Sink.ts"

/**
 * How a model is held to a JSON schema, from the firmest to the loosest: by the schema itself, by the arguments
 * of a tool it must call, to JSON of any shape, or by words in the prompt.
 *
 * @category models
 */
export type Mode = "native" | "tool" | "json" | "prompt"

/**
 * The requested form of the answer. `instruction` says in words what `schema` says to machines, for endpoints without
 * structured output. `mode` is the firmest way still to be tried, where an endpoint has refused a firmer one for this
 * request.
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
    readonly mode?: Mode
  }

/**
 * A tool the model may call; `parameters` is the JSON schema of its arguments, an object.
 *
 * @category models
 */
export interface Tool {
  readonly name: string
  readonly description: string
  readonly parameters: JsonSchema.JsonSchema
}

/**
 * Whether the model may, must or must not call a tool, or which one it must.
 *
 * @category models
 */
export type ToolChoice = "auto" | "required" | "none" | { readonly tool: string }

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
 * - `stable`: how many of the first messages are the same in many calls, for endpoints that cache prefixes
 * - `tools`, `toolChoice`: absent means no tools; the choice is `auto` then
 * - `sink`: takes the answer's parts while it is written; absent, nobody listens and nothing is streamed
 *
 * @category models
 */
export interface Request {
  readonly messages: ReadonlyArray<Message.Message>
  readonly output: Output
  readonly settings: Settings
  readonly accept?: (completion: Completion) => boolean
  readonly call?: Call
  readonly attempts?: Attempts
  readonly stable?: number
  readonly tools?: ReadonlyArray<Tool>
  readonly toolChoice?: ToolChoice
  readonly sink?: Sink
}

/**
 * Plain text, no particular form.
 *
 * @category constructors
 */
export const text: Output = { _tag: "Text" }

/**
 * Whether an answer can be used. Whoever does not say what can be used, can use anything.
 *
 * @category predicates
 */
export const accepts = ({ accept }: Request, completion: Completion): boolean =>
  accept === undefined || accept(completion)

/**
 * The messages with the output's instruction written into the last user turn: for endpoints that have
 * to be told in words.
 *
 * @category combinators
 */
export const withInstruction = (request: Request): ReadonlyArray<Message.Message> => {
  const { messages, output } = request
  if (output._tag === "Text") return messages
  const index = messages.findLastIndex((message) => message.role === "user")
  const last = messages[index]
  return last?.role === "user"
    ? messages.with(index, Message.append(last, `\n\n${output.instruction}`))
    : [...messages, Message.user(output.instruction)]
}
