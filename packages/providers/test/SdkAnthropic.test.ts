/**
 * Anthropic's own SDK, as a second reader: it makes of the same bytes what we make of them.
 */
import { Anthropic, APIError } from "@anthropic-ai/sdk"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { said } from "./exchange.ts"
import { answerOf, isStream, liveOf, recorded, replay } from "./recorded.ts"
import { serve } from "./server.ts"
import { type Recording, recordingsAt } from "./shared.ts"

const read = (recording: Recording) =>
  Effect.gen(function*() {
    const server = yield* serve([answerOf(recording)])
    const sdk = new Anthropic({ apiKey: "k", baseURL: server.url, maxRetries: 0 })
    const asked = { model: "asked", max_tokens: 100, messages: [{ role: "user" as const, content: "hello" }] }
    const message = async () =>
      isStream(recording) ? await sdk.messages.stream(asked).finalMessage() : await sdk.messages.create(asked)
    return yield* Effect.promise(() =>
      message().catch((error: unknown) => error instanceof Error ? error : Promise.reject(error))
    )
  })

describe.skipIf(recordingsAt === undefined)("Anthropic's SDK reads the same", () => {
  it.live("in recorded messages", () =>
    Effect.gen(function*() {
      const seen = { answers: 0, streams: 0, refused: 0, failures: 0, calls: 0, others: 0 }
      for (const recording of recorded("messages")) {
        const { id } = recording
        const ours = yield* replay(recording, liveOf(recording))
        const theirs = yield* read(recording)
        if (theirs instanceof Error && !(theirs instanceof APIError)) {
          // A stream that a proxy began anew in the middle.
          assert.match(id, /spliced-message-start\.chunks\.txt#0$/)
          seen.others++
          continue
        }
        if (theirs instanceof APIError) {
          assert.strictEqual(ours._tag, "Failure", id)
          seen.failures++
          continue
        }
        if (ours._tag === "Failure") {
          assert.deepStrictEqual([ours.failure.reason._tag, theirs.stop_reason], ["Refused", "refusal"], id)
          seen.refused++
          continue
        }
        if (ours.success === undefined) return assert.fail(id)
        const { calls = [], finish, model, reasoning = "", text = "", usage } = said(ours.success)
        const texts = theirs.content.map((block) => block.type === "text" ? block.text : "").join("")
        const thoughts = theirs.content.map((block) => block.type === "thinking" ? block.thinking : "").join("")
        const called = theirs.content.flatMap((block) => block.type === "tool_use" ? [[block.name, block.input]] : [])
        assert.deepStrictEqual([text, reasoning, calls], [texts, thoughts, called], id)
        assert.strictEqual(finish === "length", theirs.stop_reason === "max_tokens", id)
        assert.strictEqual(model, theirs.model, id)
        const { cache_creation_input_tokens, cache_read_input_tokens, input_tokens, output_tokens } = theirs.usage
        const prompt = input_tokens + (cache_creation_input_tokens ?? 0) + (cache_read_input_tokens ?? 0)
        assert.deepStrictEqual([usage?.inputTokens, usage?.outputTokens], [prompt, output_tokens], id)
        seen.answers++
        seen.calls += calls.length
        if (isStream(recording)) seen.streams++
      }
      assert.deepStrictEqual(seen, { answers: 16, streams: 1, refused: 2, failures: 3, calls: 7, others: 1 })
    }), 30_000)
})
