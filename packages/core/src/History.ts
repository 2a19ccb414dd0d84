/**
 * A conversation as an input field: what was asked and answered before.
 *
 * A field of this schema is not a block of the prompt. Its turns stand between the demos and the question, written like
 * calls of the same predictor, so a model sees a conversation and not a description of one.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Signature from "./Signature.ts"

/** Marks the schema for `Field`. */
export const annotation = "effect-dspy/history"

const Fields = Schema.Record(Schema.String, Schema.Json)

/**
 * Turns in their JSON form: some of the input fields, some of the output fields.
 *
 * ```ts
 * import { History, Message, Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * const Chat = Signature.make("Chat", {
 *   input: { history: History.History, message: Schema.String },
 *   output: { reply: Schema.String }
 * })
 * const chat = Predict.make(Chat)
 * const history = History.append(Chat, [], { message: "My name is Ada." }, { reply: "Hello Ada." })
 * const program = chat({ history, message: "What is my name?" })
 * const lm = TestLM.layer((request) => ({ reply: Message.text(request.messages[2]) }))
 * await Effect.runPromise(Effect.provide(program, lm)) // => { reply: "{\"reply\":\"Hello Ada.\"}" }
 * ```
 *
 * @category schemas
 */
export const History = Schema.Array(Schema.Struct({ input: Fields, output: Fields })).annotate({ [annotation]: true })

/**
 * A conversation.
 *
 * @category models
 */
export type History = typeof History.Type

/**
 * The conversation with one more turn: the input of a call, without its history, and its output. Fields that the
 * signature does not have are left out.
 *
 * @category combinators
 */
export const append = <S extends Signature.Any>(
  signature: S,
  history: History,
  input: Partial<Signature.Input<S>>,
  output: Partial<Signature.Output<S>>
): History => {
  const { inputs, outputs } = signature.derived
  return [...history, { input: encoded(inputs, input), output: encoded(outputs, output) }]
}

const encoded = (
  fields: Signature.Derived["inputs"],
  values: object
): { readonly [field: string]: Schema.Json } =>
  Object.fromEntries(fields.flatMap((field) => {
    if (field.isHistory || !Object.hasOwn(values, field.name)) return []
    const json = field.encode((values as { readonly [name: string]: unknown })[field.name])
    // A value the schema does not take can't be shown; a field's JSON form is JSON.
    return Result.isSuccess(json) && json.success !== undefined ? [[field.name, json.success as Schema.Json]] : []
  }))
