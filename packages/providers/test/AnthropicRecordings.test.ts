import { LMError } from "@effect-dspy/core"
import * as Completion from "@effect-dspy/core/Completion"
import { Anthropic } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { isError, isStream, recorded, replay, streamText } from "./recorded.ts"
import type { Server } from "./server.ts"
import { type Recording, recordingsAt } from "./shared.ts"

const live = (server: Server) =>
  Anthropic.layer({ model: "claude-sonnet-4-5", apiKey: Redacted.make("sk-ant"), baseUrl: server.url })

/** What each recorded failure is, labelled by hand: the reason, and whether asking again can help. */
const failures: { readonly [id: string]: readonly [string, boolean] } = {
  "chat_error_handling_with_anthropic_claude-haiku-4-5_raises_appropriate_auth_error.yml#0": ["Authentication", false],
  "test_model_name_suggestion_anthropic_.yaml#0": ["ModelNotFound", false],
  // "prompt is too long: 3333404 tokens > 200000 maximum"
  "chat_real_error_scenarios_anthropic_claude-haiku-4-5_handles_context_length_exceeded_errors.yml#0": [
    "ContextTooLong",
    false
  ],
  "anthropic-refusal.json#0": ["Refused", false],
  "anthropic-refusal-no-details.json#0": ["Refused", false]
}

interface RecordedBlock {
  readonly type: string
  readonly text?: string
  readonly thinking?: string
  readonly id?: string
  readonly name?: string
  readonly input?: unknown
}

interface RecordedMessage {
  readonly id: string
  readonly model: string
  readonly stop_reason: string
  readonly content: ReadonlyArray<RecordedBlock>
  readonly usage: { readonly [figure: string]: unknown }
}

const finishes: { readonly [stop: string]: Completion.FinishReason } = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  tool_use: "toolCalls"
}

const messages = recorded("messages")

const labelOf = (recording: Recording) => Object.keys(failures).find((one) => recording.id.endsWith(one))

const answers = messages.filter((one) => !isStream(one) && labelOf(one) === undefined)

describe.skipIf(recordingsAt === undefined)("recorded messages", () => {
  it("are all here", () => {
    assert.lengthOf(messages, 22)
    assert.lengthOf(messages.filter(isError), 3)
    assert.lengthOf(messages.filter(isStream), 2)
  })

  it.live("that are answers lose nothing", () =>
    Effect.gen(function*() {
      const seen = { texts: 0, thoughts: 0, calls: 0, cut: 0, cached: 0 }
      for (const recording of answers) {
        const { id } = recording
        const said = recording.responseJson as unknown as RecordedMessage
        const result = yield* replay(recording, live)
        if (result._tag === "Failure") return assert.fail(`${id}: ${result.failure.message}`)
        const completion = result.success
        if (completion === undefined) return assert.fail(id)
        const text = said.content.map((block) => block.type === "text" ? block.text : "").join("")
        assert.strictEqual(Completion.text(completion), text, id)
        if (text !== "") seen.texts++
        const calls = said.content.filter((block) => block.type === "tool_use")
        assert.deepStrictEqual(
          Completion.toolCalls(completion).map((call) => [call.id, call.name, call.arguments]),
          calls.map((block) => [block.id, block.name, block.input]),
          id
        )
        seen.calls += calls.length
        const thoughts = said.content.filter((block) => block.type === "thinking").map((block) => block.thinking)
        assert.deepStrictEqual(
          completion.content.filter((part) => part.type === "reasoning").map((part) => part.text),
          thoughts,
          id
        )
        seen.thoughts += thoughts.length
        assert.strictEqual(completion.finishReason, finishes[said.stop_reason], id)
        if (completion.finishReason === "length") seen.cut++
        const figure = (name: string) => Number(said.usage[name] ?? 0)
        const cached = figure("cache_read_input_tokens")
        const written = figure("cache_creation_input_tokens")
        assert.deepStrictEqual(completion.usage, {
          calls: 1,
          inputTokens: figure("input_tokens") + cached + written,
          cachedTokens: cached,
          cacheWriteTokens: written,
          outputTokens: figure("output_tokens")
        }, id)
        if (cached > 0) seen.cached++
        assert.deepStrictEqual([completion.id, completion.model], [said.id, said.model], id)
      }
      // What the recordings hold, counted apart: a test that sees less has lost some.
      assert.deepStrictEqual(seen, { texts: 13, thoughts: 2, calls: 7, cut: 1, cached: 2 })
    }))

  it.live("that are streams are put together, in whatever pieces they come", () =>
    Effect.gen(function*() {
      const found = new Map<string, unknown>()
      for (const recording of messages.filter(isStream)) {
        const { id } = recording
        const whole = yield* replay(recording, live)
        if (whole._tag === "Failure") return assert.fail(`${id}: ${whole.failure.message}`)
        const size = new TextEncoder().encode(streamText(recording)).byteLength
        for (let cutAt = 1; cutAt < size; cutAt += 97) {
          const pieces = yield* replay(recording, live, { cutAt })
          assert.deepStrictEqual(pieces._tag === "Success" ? pieces.success : pieces.failure, whole.success, id)
        }
        found.set(
          whole.success?.id ?? "",
          whole.success && {
            content: whole.success.content.map((part) =>
              part.type === "toolCall" ? [part.id, part.name, part.arguments] : [part.type, part.text.slice(0, 30)]
            ),
            finish: whole.success.finishReason,
            usage: whole.success.usage
          }
        )
      }
      assert.deepStrictEqual(Object.fromEntries(found), {
        // Its code ran at the vendor, between two texts.
        msg_01Js8aWE7YbmiaUPneGiCskE: {
          content: [
            ["reasoning", "Let me calculate this mathemat"],
            ["text", "I'll calculate that expression"],
            ["text", "Following the standard **order"]
          ],
          finish: "stop",
          usage: { calls: 1, inputTokens: 4714, cachedTokens: 0, cacheWriteTokens: 0, outputTokens: 304 }
        },
        // It began anew in the middle of a call.
        msg_second: {
          content: [["reasoning", "Let me call the tool."], ["toolu_second", "test-tool", { value: "Sparkle Day" }]],
          finish: "toolCalls",
          usage: { calls: 1, inputTokens: 17, outputTokens: 65 }
        }
      })
    }), 30_000)

  it.live("that are streams break off as StreamCut, wherever they do", () =>
    Effect.gen(function*() {
      for (const recording of messages.filter(isStream)) {
        const result = yield* replay(recording, live, { cut: "inside" })
        assert.strictEqual(result._tag === "Failure" ? result.failure.reason._tag : "", "StreamCut", recording.id)
      }
    }))

  it.live("that are failures have the right reason", () =>
    Effect.gen(function*() {
      const labels = new Set(Object.keys(failures))
      for (const recording of messages.filter((one) => isError(one) || labelOf(one) !== undefined)) {
        const label = labelOf(recording)
        if (label === undefined) return assert.fail(`no label for ${recording.id}`)
        labels.delete(label)
        const result = yield* replay(recording, live)
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
