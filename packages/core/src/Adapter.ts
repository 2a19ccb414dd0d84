/**
 * How a signature is written as messages, and how a completion is read back.
 *
 * An adapter compiles a signature once into a `Format`; format and parse are one value, so what is
 * written and what is read never drift apart. Everything here is pure: a custom adapter is a function
 * from a signature to a `Format`.
 */
import * as Context from "effect/Context"
import * as Result from "effect/Result"
import type * as Example from "./Example.ts"
import type { Field } from "./Field.ts"
import type { FieldReader } from "./FieldReader.ts"
import type { Output } from "./LM/Request.ts"
import * as Markers from "./Markers.ts"
import * as Media from "./Media.ts"
import * as Message from "./Message.ts"
import { describe, Invalid, type OutputReason } from "./PredictError.ts"
import type { Any as Signature, Encoded } from "./Signature.ts"

/** A demonstration in its JSON form. */
export type Demo = Example.Example<Encoded, Encoded>

/**
 * One signature in one adapter's words.
 *
 * - `output`: the form asked of the model
 * - `prefix`: what every call starts with, the same for the same instructions and demos
 * - `input`: the user turn of one call
 * - `turns`: a conversation before that turn, each of its calls as a question and an answer; absent, demos and
 *   history are written as JSON
 * - `read`: the text of a reply as output, or what is wrong with it
 * - `reader`: reads fields while a reply is written; absent, they are all there at its end
 * - `feedback`: what to tell the model about a reply that could not be used
 *
 * @category models
 */
export interface Format {
  readonly output: Output
  readonly prefix: (instructions: string, demos: ReadonlyArray<Demo>) => ReadonlyArray<Message.Message>
  readonly input: (input: Encoded) => Message.Message
  readonly turns?: (calls: ReadonlyArray<Demo>) => ReadonlyArray<Message.Message>
  readonly read: (text: string) => Result.Result<unknown, OutputReason>
  readonly reader?: () => FieldReader
  readonly feedback: (reason: OutputReason) => Message.Message
}

/**
 * Gives each signature its format. Use `make`, which compiles a signature once.
 *
 * @category models
 */
export interface Adapter {
  readonly name: string
  readonly format: (signature: Signature) => Format
}

/**
 * Makes an adapter. Each signature is compiled once and kept as long as the signature lives.
 *
 * @category constructors
 */
export const make = (name: string, compile: (signature: Signature) => Format): Adapter => {
  const formats = new WeakMap<Signature, Format>()
  return {
    name,
    format: (signature) => {
      const known = formats.get(signature)
      if (known !== undefined) return known
      const format = compile(signature)
      formats.set(signature, format)
      return format
    }
  }
}

/**
 * The adapter for predictors that don't name one; absent, they use `JsonAdapter`.
 *
 * @category services
 */
export const Current = Context.Reference<Adapter | undefined>("@effect-dspy/core/Adapter", {
  defaultValue: () => undefined
})

/**
 * Finds the first candidate whose fields decode. When none does, the findings on the first one are what
 * the model is told.
 *
 * @category combinators
 */
export const firstValid = (
  signature: Signature,
  candidates: Iterable<unknown>,
  unreadable: OutputReason
): Result.Result<unknown, OutputReason> => {
  let first: OutputReason | undefined
  for (const candidate of candidates) {
    // Some models put the one object that was asked for into a list.
    const fields = Array.isArray(candidate) && candidate.length === 1 ? candidate[0] : candidate
    if (!isRecord(fields)) continue
    const decoded = decode(signature, fields)
    if (Result.isSuccess(decoded)) return decoded
    first ??= decoded.failure
  }
  return Result.fail(first ?? unreadable)
}

/**
 * Decodes the fields of a reply.
 *
 * @category combinators
 */
export const decode = (signature: Signature, fields: Encoded): Result.Result<unknown, OutputReason> => {
  const decoded = signature.derived.decodeOutput(fields)
  return Result.isSuccess(decoded)
    // A success carries no error, whatever its type says.
    ? decoded as Result.Result<unknown, never>
    : Result.fail(new Invalid({ issues: decoded.failure }))
}

/**
 * Whether a value is an object with fields.
 *
 * @category guards
 */
export const isRecord = (value: unknown): value is Encoded =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * The sections every adapter opens its system turn with: what to do, what comes in, what goes out.
 *
 * @category formatting
 */
export const task = (signature: Signature, instructions: string): string => {
  const { inputs, outputs } = signature.derived
  const shown = inputs.filter((field) => !field.isHistory)
  const given = shown.length === 0 ? "" : `\n\nInput fields:\n${shown.map(line).join("\n")}`
  return `${instructions}${given}\n\nOutput fields:\n${outputs.map(line).join("\n")}`
}

/**
 * A value as prompts show it: text as it is, everything else as JSON.
 *
 * @category formatting
 */
export const show = (value: unknown): string => typeof value === "string" ? value : JSON.stringify(value)

/**
 * Field blocks as prompts show them, one `[[ ## name ## ]]` header per field. Fields without a value are
 * left out.
 *
 * @category formatting
 */
export const blocks = (fields: ReadonlyArray<Field>, values: Encoded): string => {
  let text = ""
  for (const { header, isHistory, name } of fields) {
    const value = own(values, name)
    if (value === undefined || isHistory) continue
    text = (text === "" ? header : `${text}\n\n${header}`) + Markers.escape(show(value))
  }
  return text
}

/**
 * The user turn of a call: the input's blocks. A turn must not be empty, so a signature without input has
 * one that says so.
 *
 * @category formatting
 */
export const inputTurn = (fields: ReadonlyArray<Field>, values: Encoded): Message.User => {
  if (fields.some((field) => field.hasMedia)) return mediaTurn(fields, values)
  const text = blocks(fields, values)
  return Message.user(text === "" ? "There is no input." : text)
}

// Each picture or file stands behind the block that speaks of it.
const mediaTurn = (fields: ReadonlyArray<Field>, values: Encoded): Message.User => {
  const parts: Array<Message.Text | Message.Media> = []
  const found: Array<Message.Media> = []
  let text = ""
  for (const field of fields) {
    const value = own(values, field.name)
    if (value === undefined || field.isHistory) continue
    const before = found.length
    const block = field.header + Markers.escape(field.hasMedia ? Media.show(value, found) : show(value))
    text = text === "" ? block : `${text}\n\n${block}`
    if (found.length === before) continue
    parts.push({ type: "text", text }, ...found.slice(before))
    text = ""
  }
  if (text !== "") parts.push({ type: "text", text })
  return Message.user(found.length === 0 ? Message.text(Message.user(parts)) : parts)
}

/**
 * Demonstrations as turns of the conversation. One that lacks fields says so, so that it does not teach
 * a model to leave them out. `question` writes their inputs, as blocks unless told otherwise.
 *
 * @category formatting
 */
export const demoTurns = (
  signature: Signature,
  demos: ReadonlyArray<Demo>,
  answer: (output: Encoded) => string,
  question: (input: Encoded) => Message.User = (input) => inputTurn(signature.derived.inputs, input)
): ReadonlyArray<Message.Message> => {
  const { inputs, outputs } = signature.derived
  const lacks = (fields: ReadonlyArray<Field>, values: Encoded) =>
    fields.some((field) => !field.isOptional && !field.isHistory && own(values, field.name) === undefined)
  return demos.flatMap((demo) => {
    const partial = lacks(inputs, demo.input) || lacks(outputs, demo.output)
    const input = question(demo.input)
    return [
      partial ? Message.prepend(input, "An example of the task; some of its fields are left out.\n\n") : input,
      Message.assistant(answer(demo.output))
    ]
  })
}

/**
 * Tells a model what was wrong with its reply, field by field.
 *
 * @category formatting
 */
export const complaint = (reason: OutputReason, closing: string): Message.Message => {
  const findings = reason.issues.map((issue) => `- ${describe(issue)}`).join("\n")
  return Message.user(
    `Your reply could not be used${findings === "" ? `: ${reason.message}` : `:\n${findings}`}\n\n${closing}`
  )
}

// A field may be called like a member every object has.
const own = (values: Encoded, name: string): unknown => Object.hasOwn(values, name) ? values[name] : undefined

const line = (field: Field): string =>
  `- ${field.name} (${field.type}${field.isOptional ? ", optional" : ""})${
    field.description === undefined ? "" : `: ${field.description}`
  }`
