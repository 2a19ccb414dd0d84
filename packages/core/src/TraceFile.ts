/**
 * Traces as JSON lines: one call a line, to be kept, searched, compared and read back.
 *
 * Prompts, inputs and replies stand in them as they were; that is what they are for. Failures have their name and their
 * message, in which no prompt stands.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Completion from "./Completion.ts"
import type { Message } from "./Message.ts"
import { nameOf } from "./Telling.ts"
import type * as Trace from "./Trace.ts"
import { Usage } from "./Usage.ts"

const Fields = Schema.Record(Schema.String, Schema.Json)

/**
 * A call as a line has it: `Trace.Event` with its signature by name, its messages as text, its error by name and
 * message.
 *
 * @category models
 */
export const Line = Schema.Struct({
  path: Schema.String,
  name: Schema.String,
  signature: Schema.String,
  input: Fields,
  result: Schema.Union([
    Schema.Struct({ _tag: Schema.Literal("Success"), output: Fields }),
    Schema.Struct({
      _tag: Schema.Literal("Failure"),
      error: Schema.Struct({ name: Schema.String, message: Schema.String })
    }),
    Schema.Struct({ _tag: Schema.Literal("Interrupted") })
  ]),
  usage: Usage,
  attempts: Schema.Natural,
  startMs: Schema.Finite,
  endMs: Schema.Finite,
  messages: Schema.optionalKey(Schema.Array(Schema.Struct({ role: Schema.String, text: Schema.String }))),
  raw: Schema.optionalKey(Schema.String),
  model: Schema.optionalKey(Schema.String),
  finishReason: Schema.optionalKey(Schema.String),
  adjustments: Schema.optionalKey(Schema.Array(Completion.Adjustment))
})

/**
 * One line.
 *
 * @category models
 */
export type Line = typeof Line.Type

/**
 * A line that is not a call; lines are counted from 1.
 *
 * @category errors
 */
export class TraceFileError extends Data.TaggedError("TraceFileError")<{ readonly line: number }> {
  override get message(): string {
    return `line ${this.line} is no call of a trace`
  }
}

/**
 * A call as a line has it.
 *
 * @category conversions
 */
export const lineOf = ({ messages, result, signature, ...event }: Trace.Event): Line => ({
  ...event,
  signature: signature.name,
  // Encoded by the signature's codec, which gives JSON.
  input: event.input as Line["input"],
  result: result._tag === "Success"
    ? { _tag: "Success", output: result.output as Line["input"] }
    : result._tag === "Failure"
    ? { _tag: "Failure", error: errorOf(result.error) }
    : result,
  ...(messages === undefined ? undefined : {
    messages: messages.map((message) => ({ role: message.role, text: textOf(message) }))
  })
})

const errorOf = (error: unknown) => ({
  name: nameOf(error),
  message: error instanceof Error ? error.message : ""
})

const textOf = ({ content }: Message): string =>
  typeof content === "string" ? content : content.map((part) => {
    switch (part.type) {
      case "text":
      case "reasoning":
        return part.text
      case "toolCall":
        return `${part.name}(${JSON.stringify(part.arguments)})`
      case "toolResult":
        return `${part.name}: ${part.content}`
      default:
        return `[${part.type}]`
    }
  }).join("\n")

/**
 * Calls as JSON lines, each ended by a newline.
 *
 * ```ts
 * import { Predict, Signature, Trace, TraceFile } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * const ask = Predict.make(Signature.make("Ask", { input: { text: Schema.String }, output: { answer: Schema.String } }))
 * const [, calls] = await Effect.runPromise(
 *   ask({ text: "hi" }).pipe(Trace.collect, Effect.provide(TestLM.layer([{ answer: "Hello." }])))
 * )
 * const [line] = await Effect.runPromise(TraceFile.decode(TraceFile.encode(calls)))
 * line?.result // => { _tag: "Success", output: { answer: "Hello." } }
 * ```
 *
 * @category conversions
 */
export const encode = (events: ReadonlyArray<Trace.Event>): string =>
  events.map((event) => `${JSON.stringify(lineOf(event))}\n`).join("")

const read = Schema.decodeUnknownResult(Schema.fromJsonString(Line))

/**
 * The way back; empty lines are passed over.
 *
 * @category conversions
 */
export const decode = (text: string): Effect.Effect<ReadonlyArray<Line>, TraceFileError> =>
  Effect.suspend(() => {
    const lines: Array<Line> = []
    for (const [index, line] of text.split("\n").entries()) {
      if (line.trim() === "") continue
      const decoded = read(line)
      if (Result.isFailure(decoded)) return Effect.fail(new TraceFileError({ line: index + 1 }))
      lines.push(decoded.success)
    }
    return Effect.succeed(lines)
  })
