import { LMError } from "@effect-dspy/core"
import * as Completion from "@effect-dspy/core/Completion"
import { OpenAi } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { isError, isStream, recorded, replay, streamText } from "./recorded.ts"
import type { Server } from "./server.ts"
import { type Recording, recordingsAt } from "./shared.ts"

const liveFor = ({ provider }: Recording) => (server: Server) =>
  OpenAi.layer({ model: "gpt-5-mini", provider, apiKey: Redacted.make("sk-1"), baseUrl: server.url })

/** What each recorded failure is, labelled by hand: the reason, and whether asking again can help. */
const failures: { readonly [id: string]: readonly [string, boolean] } = {
  "error_handles_invalid_api_keys_gracefully.yml#0": ["Authentication", false],
  "test_openai_responses_model_http_error.yaml#0": ["InvalidRequest", false],
  // "The file type you uploaded is not supported."
  "test_multimodal_tool_return_matrix_direct-url-audio-openai_responses_.yaml#1": ["InvalidRequest", false],
  "reasoning-model-temperature-error.json#0": ["InvalidRequest", false],
  // A stream that begins with 200 and fails for want of credit.
  "openai-error.1.chunks.txt#0": ["QuotaExhausted", false],
  "stream-rate-limited-1.json#0": ["RateLimited", true]
}

interface RecordedItem {
  readonly id?: string
  readonly type: string
  readonly content?: ReadonlyArray<{ readonly text?: string }>
  readonly summary?: ReadonlyArray<{ readonly text: string }>
  readonly call_id?: string
  readonly name?: string
  readonly arguments?: string
}

interface RecordedResponse {
  readonly id: string
  readonly model: string
  readonly status: string
  readonly output: ReadonlyArray<RecordedItem>
  readonly usage: {
    readonly input_tokens: number
    readonly input_tokens_details: { readonly cached_tokens: number }
    readonly output_tokens: number
    readonly output_tokens_details: { readonly reasoning_tokens: number }
  }
}

const responses = recorded("responses")

const labelOf = (recording: Recording) => Object.keys(failures).find((one) => recording.id.endsWith(one))

const answers = responses.filter((one) => !isStream(one) && !isError(one))

/** Reads the last event of a recorded stream, which holds the whole answer. */
const wholeOf = (recording: Recording): RecordedResponse => {
  const last = streamText(recording).split("\n").findLast((line) => line.includes("\"response.completed\""))
  return (JSON.parse((last ?? "").replace(/^data: /, "")) as { readonly response: RecordedResponse }).response
}

const textOf = (item: RecordedItem) => (item.content ?? []).map((part) => part.text ?? "").join("")

/** Compares a completion with what was recorded, and counts what it saw. */
const compare = (id: string, completion: Completion.Completion | undefined, said: RecordedResponse, seen: Seen) => {
  if (completion === undefined) return assert.fail(id)
  const text = said.output.map((item) => item.type === "message" ? textOf(item) : "").join("")
  assert.strictEqual(Completion.text(completion), text, id)
  if (text !== "") seen.texts++
  const calls = said.output.filter((item) => item.type === "function_call")
  assert.deepStrictEqual(
    Completion.toolCalls(completion).map((call) => [call.id, call.name, call.arguments]),
    calls.map((item) => [item.call_id, item.name, JSON.parse(item.arguments ?? "")]),
    id
  )
  seen.calls += calls.length
  const thoughts = said.output.filter((item) => item.type === "reasoning").map((item) =>
    textOf(item) || (item.summary ?? []).map((part) => part.text).join("\n\n")
  )
  const reasoning = completion.content.filter((part) => part.type === "reasoning")
  assert.deepStrictEqual(
    reasoning.map((part) => part.text).filter((one) => one !== ""),
    thoughts.filter((one) => one !== ""),
    id
  )
  seen.thoughts += thoughts.filter((one) => one !== "").length
  seen.sealed += reasoning.filter((part) => part.metadata !== undefined).length
  const finish = said.status === "incomplete" ? "length" : calls.length > 0 ? "toolCalls" : "stop"
  assert.strictEqual(completion.finishReason, finish, id)
  if (finish === "length") seen.cut++
  assert.deepInclude(completion.usage, {
    inputTokens: said.usage.input_tokens,
    cachedTokens: said.usage.input_tokens_details.cached_tokens,
    outputTokens: said.usage.output_tokens,
    reasoningTokens: said.usage.output_tokens_details.reasoning_tokens
  }, id)
  assert.deepStrictEqual([completion.id, completion.model], [said.id, said.model], id)
}

interface Seen {
  texts: number
  calls: number
  thoughts: number
  sealed: number
  cut: number
}

const nothing = (): Seen => ({ texts: 0, calls: 0, thoughts: 0, sealed: 0, cut: 0 })

describe.skipIf(recordingsAt === undefined)("recorded responses", () => {
  it("are all here", () => {
    assert.lengthOf(responses, 25)
    assert.lengthOf(answers, 17)
    const providers = new Set(responses.map(({ provider }) => provider))
    assert.deepStrictEqual([...providers].toSorted(), ["deepseek", "lmstudio", "openai", "openrouter", "xai"])
  })

  it.live("that are answers lose nothing", () =>
    Effect.gen(function*() {
      const seen = nothing()
      for (const recording of answers) {
        const result = yield* replay(recording, liveFor(recording))
        if (result._tag === "Failure") return assert.fail(`${recording.id}: ${result.failure.message}`)
        compare(recording.id, result.success, recording.responseJson as unknown as RecordedResponse, seen)
      }
      // What the recordings hold, counted apart: a test that sees less has lost some.
      assert.deepStrictEqual(seen, { texts: 10, calls: 9, thoughts: 2, sealed: 5, cut: 1 })
    }))

  it.live(
    "that are streams are put together, in whatever pieces they come, and break off as StreamCut",
    () =>
      Effect.gen(function*() {
        const seen = nothing()
        for (const recording of responses.filter((one) => isStream(one) && labelOf(one) === undefined)) {
          const { id } = recording
          const whole = yield* replay(recording, liveFor(recording))
          if (whole._tag === "Failure") return assert.fail(`${id}: ${whole.failure.message}`)
          compare(id, whole.success, wholeOf(recording), seen)
          const size = new TextEncoder().encode(streamText(recording)).byteLength
          for (let cutAt = 1; cutAt < size; cutAt += 97) {
            const pieces = yield* replay(recording, liveFor(recording), { cutAt })
            assert.deepStrictEqual(pieces._tag === "Success" ? pieces.success : pieces.failure, whole.success, id)
          }
          const cut = yield* replay(recording, liveFor(recording), { cut: "inside" })
          assert.strictEqual(cut._tag === "Failure" ? cut.failure.reason._tag : "", "StreamCut", id)
        }
        assert.deepStrictEqual(seen, { texts: 1, calls: 1, thoughts: 1, sealed: 2, cut: 0 })
      }),
    30_000
  )

  it.live("that are failures have the right reason", () =>
    Effect.gen(function*() {
      const labels = new Set(Object.keys(failures))
      for (const recording of responses.filter((one) => isError(one) || labelOf(one) !== undefined)) {
        const label = labelOf(recording)
        if (label === undefined) return assert.fail(`no label for ${recording.id}`)
        labels.delete(label)
        const result = yield* replay(recording, liveFor(recording))
        if (result._tag === "Success") return assert.fail(`${recording.id} succeeded`)
        const { failure } = result
        assert.deepStrictEqual([failure.reason._tag, failure.isRetryable], failures[label], recording.id)
        assert.isUndefined(failure.retryAfter, recording.id)
        if (isError(recording)) {
          assert.strictEqual(LMError.reveal(failure), JSON.stringify(recording.responseJson), recording.id)
        }
      }
      assert.deepStrictEqual([...labels], [], "labels without a recording")
    }))
})
