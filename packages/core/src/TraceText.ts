/**
 * Calls for a terminal: what was asked, what came back, what it took and cost.
 */
import type * as Trace from "./Trace.ts"
import { type Line, lineOf } from "./TraceFile.ts"

/**
 * - `color`: marks roles and failures with colours of a terminal, default not
 * - `messages`: shows the messages of the last request, default yes
 *
 * @category models
 */
export interface Options {
  readonly color?: boolean
  readonly messages?: boolean
}

// What a model or a document says must not give orders to the terminal.
const harmless = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\ufffd")

/**
 * The last calls of a trace, or lines of a file of them, in the order given.
 *
 * ```ts
 * import { Predict, Signature, Trace, TraceText } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * const ask = Predict.make(Signature.make("Ask", { input: { text: Schema.String }, output: { answer: Schema.String } }))
 * const [, calls] = await Effect.runPromise(
 *   ask({ text: "hi" }).pipe(Trace.latest(10), Effect.provide(TestLM.layer([{ answer: "Hello." }])))
 * )
 * TraceText.format(calls, { messages: false }).split("\n").slice(1) // => ["", "[reply]", "{\"answer\":\"Hello.\"}"]
 * ```
 *
 * @category formatting
 */
export const format = (calls: ReadonlyArray<Trace.Event | Line>, options: Options = {}): string =>
  calls.map((call) => one(isLine(call) ? call : lineOf(call), options))
    .join("\n\n")

const isLine = (call: Trace.Event | Line): call is Line => typeof call.signature === "string"

const one = (call: Line, { color = false, messages = true }: Options): string => {
  const paint = (code: number, text: string) => color ? `\u001b[${code}m${text}\u001b[0m` : text
  const { attempts, endMs, model, path, raw, result, startMs, usage } = call
  const tokens = (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0)
  const head = [
    path,
    model ?? "no reply",
    `${(endMs - startMs) / 1000} s`,
    `${attempts} ${attempts === 1 ? "request" : "requests"}`,
    ...(tokens === 0 ? [] : [`${tokens} tokens`]),
    ...(usage.costUsd === undefined ? [] : [`$${usage.costUsd}`])
  ].map(harmless).join(", ")
  const turn = (role: string, text: string) => `${paint(36, `[${harmless(role)}]`)}\n${harmless(text)}`
  const end = result._tag === "Failure"
    ? [paint(31, harmless(`failed: ${result.error.name}: ${result.error.message}`))]
    : result._tag === "Interrupted"
    ? [paint(33, "interrupted")]
    : []
  return [
    paint(1, `── ${head}`),
    ...(messages ? (call.messages ?? []).map(({ role, text }) => turn(role, text)) : []),
    ...(raw === undefined ? [] : [turn("reply", raw)]),
    ...end
  ].join("\n\n")
}
