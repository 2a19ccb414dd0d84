/**
 * Answers and streams of Ollama's own chat API.
 *
 * A stream is a line of JSON for each piece, the last with `done` and the figures; an answer in one piece is that
 * last line with everything in it. A failure on the way is a line as well.
 */
import type { Completion, Content, FinishReason, ToolCall } from "@effect-dspy/core/Completion"
import type { Part } from "@effect-dspy/core/LM/Sink"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import type { Usage } from "@effect-dspy/core/Usage"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as HttpFailure from "./HttpFailure.ts"
import * as Lenient from "./Lenient.ts"
import type { Reader } from "./Protocol.ts"

/** Who answers, where an answer does not say. */
type Asked = { readonly provider: string; readonly model: string }

/**
 * Reads an answer's body.
 *
 * @category decoding
 */
export const decode = (asked: Asked, text: string): Result.Result<Completion, Reason.Reason> => {
  const answer = reader(asked)
  return Result.flatMap(answer.push({ name: undefined, data: text }), answer.end)
}

/**
 * Reads the lines of a stream.
 *
 * @category decoding
 */
export const reader = ({ model, provider }: Asked): Reader => {
  let answeredBy: string | undefined
  let text = ""
  let thinking = ""
  let done: string | undefined
  let usage: Usage = { calls: 1 }
  const calls: Array<ToolCall> = []
  return {
    push: ({ data }) => {
      const read = decodeLine(data)
      if (Result.isFailure(read)) return Result.fail(read.failure)
      const line = read.success
      // The answer had begun, so what went wrong is the server's: a model that ran out of memory, a runner that died.
      if (line.error !== undefined && line.error !== null) return Result.fail(HttpFailure.fromBody(line, 500))
      if (line.message === undefined && line.done === undefined) return Result.fail(Lenient.invalid(data))
      answeredBy ??= line.model ?? undefined
      if (line.done === true) {
        done = line.done_reason ?? "stop"
        usage = Lenient.usage({ inputTokens: line.prompt_eval_count, outputTokens: line.eval_count })
      }
      const { content, thinking: thought, tool_calls } = line.message ?? {}
      const parts: Array<Part> = []
      if (typeof thought === "string" && thought !== "") {
        thinking += thought
        parts.push({ type: "reasoning", text: thought })
      }
      if (typeof content === "string" && content !== "") {
        text += content
        parts.push({ type: "text", text: content })
      }
      for (const { function: called, id } of tool_calls ?? []) {
        const call: ToolCall = {
          type: "toolCall",
          id: id ?? `call_${calls.length}`,
          name: called.name ?? "",
          arguments: called.arguments ?? {}
        }
        calls.push(call)
        parts.push({ type: "toolCall", call })
      }
      return parts.length === 0 ? none : Result.succeed(parts)
    },
    end: () => {
      if (done === undefined) return Result.fail(new Reason.StreamCut())
      const content: Array<Content> = []
      if (thinking !== "") content.push({ type: "reasoning", text: thinking })
      if (text !== "" || calls.length === 0) content.push({ type: "text", text })
      return Result.succeed({
        content: [...content, ...calls],
        finishReason: finishReason(done, calls.length > 0),
        usage,
        provider,
        model: answeredBy ?? model
      })
    }
  }
}

const none: Result.Result<ReadonlyArray<Part>, never> = Result.succeed([])

const finishReason = (reason: string, called: boolean): FinishReason =>
  reason === "stop" ? (called ? "toolCalls" : "stop") : reason === "length" ? "length" : "other"

const decodeLine = Lenient.json(Schema.Struct({
  error: Lenient.optional(Schema.Unknown),
  model: Lenient.optional(Schema.String),
  message: Lenient.optional(Schema.Struct({
    content: Lenient.optional(Schema.String),
    thinking: Lenient.optional(Schema.String),
    tool_calls: Lenient.optional(Schema.Array(Schema.Struct({
      id: Lenient.optional(Schema.String),
      function: Schema.Struct({ name: Lenient.optional(Schema.String), arguments: Lenient.optional(Schema.Json) })
    })))
  })),
  done: Lenient.optional(Schema.Boolean),
  done_reason: Lenient.optional(Schema.String),
  prompt_eval_count: Lenient.optional(Schema.Unknown),
  eval_count: Lenient.optional(Schema.Unknown)
}))
