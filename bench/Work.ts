/**
 * The work that is measured: a 2 KB document, a signature of five output fields, a model that answers at
 * once. The model writes the request as JSON as a provider would, so that both sides pay for that.
 */
import { JsonAdapter, LM, Predict, Signature } from "@effect-dspy/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { chunk } from "./Chunk.ts"

export const content = "The river rose in the night, and by morning the lower meadow was a lake. ".repeat(28)

const output = {
  title: Schema.String,
  keywords: Schema.Array(Schema.String),
  category: Schema.Literals(["science", "travel", "other"]),
  summary: Schema.String,
  score: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
}

export const Describe = Signature.make("Describe", {
  instructions: "Describe the document.",
  input: { content: Schema.String },
  output
})

export const reply = JSON.stringify({
  title: "A lake in the morning",
  keywords: ["river", "meadow", "lake", "morning"],
  category: "travel",
  summary: "The river rose over night and flooded the lower meadow. By morning there was a lake.",
  score: 0.7
})

/** One of about so many tokens of four characters. */
export const replyOf = (tokens: number): string => {
  const keywords = Array.from({ length: Math.max(1, Math.floor(tokens / 10)) }, (_, index) => `keyword-${index}`)
  const rest = Math.max(0, tokens * 4 - JSON.stringify(keywords).length - 90)
  const summary = "growing revenue and \"quoted\" terms\nnew line; ".repeat(Math.ceil(rest / 46)).slice(0, rest)
  return JSON.stringify({ title: "A lake in the morning", keywords, category: "travel", summary, score: 0.7 })
}

// What somebody would write by hand who wanted the same answers: the same prompt, word for word.
const [system] = JsonAdapter.adapter.format(Describe).prefix(Describe.instructions, [])
export const decodeReply = Schema.decodeUnknownResult(Schema.toCodecJson(Schema.Struct(output)), { errors: "all" })

/** The request by hand. */
export const body = (text: string): string =>
  JSON.stringify({
    model: "stub",
    messages: [system, { role: "user", content: `[[ ## content ## ]]\n${text}` }]
  })

/** The same call by hand: stringify, parse, decode. */
export const byHand = (): unknown => {
  if (body(content).length === 0) throw new Error("unreachable: keeps the body alive")
  return Result.getOrThrow(decodeReply(JSON.parse(reply)))
}

/** An endpoint's answer that says `text`. */
export const answer = (text: string): string =>
  JSON.stringify({
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1,
    model: "stub",
    choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
    usage: { prompt_tokens: 600, completion_tokens: 60, total_tokens: 660 }
  })

/** The same answer as a stream of a dozen events. */
export const answerStream = (text: string): string => {
  const size = Math.ceil(text.length / 12)
  const pieces = Array.from({ length: 12 }, (_, index) => text.slice(index * size, (index + 1) * size))
  return [...pieces.map((content) => chunk({ content }, null)), chunk({}, "stop"), "data: [DONE]\n\n"].join("")
}

/** A model that answers at once with `text`, or with what it says for a signature. */
export const stub = (text: (signature: string) => string): LM.Service =>
  LM.make({
    provider: "stub",
    model: "stub",
    generate: (request) =>
      Effect.suspend(() => {
        const body = JSON.stringify({ model: "stub", messages: request.messages })
        return Effect.succeed({
          content: [{ type: "text", text: text(request.call?.signature.name ?? "") }],
          finishReason: "stop",
          usage: { calls: 1, inputTokens: body.length >> 2, outputTokens: 60 },
          provider: "stub",
          model: "stub"
        })
      })
  })

export const describe = Predict.make(Describe)
