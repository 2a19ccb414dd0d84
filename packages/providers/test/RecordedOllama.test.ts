import { Ollama } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { said } from "./exchange.ts"
import { at, isStream, joined, recorded, replay, values } from "./recorded.ts"
import { recordingsAt } from "./shared.ts"

// One that is filed under Ollama's own API speaks OpenAI's.
const all = recorded((recording) =>
  recording.endpoint === "native" && at(recording.responseJson, "choices") === undefined
)

describe.skipIf(recordingsAt === undefined)("recorded exchanges with Ollama's own API", () => {
  it.live("lose nothing", () =>
    Effect.gen(function*() {
      const seen = { answers: 0, streams: 0, texts: 0, thoughts: 0, calls: 0, cut: 0, other: 0 }
      for (const recording of all) {
        const { id } = recording
        const result = yield* replay(
          recording,
          (server) => Ollama.layer({ model: "asked", provider: "loopback", baseUrl: server.url })
        )
        if (result._tag === "Failure") return assert.fail(`${id}: ${result.failure.message}`)
        const found = said(result.success)
        const lines = values(recording)
        const end = lines.at(-1)
        const calls = lines.flatMap((line) => {
          const called = at(line, "message", "tool_calls")
          return Array.isArray(called)
            ? called.map((call: unknown) => [at(call, "function", "name"), at(call, "function", "arguments")])
            : []
        })
        const text = joined(lines, "message", "content")
        const thinking = joined(lines, "message", "thinking")
        assert.deepStrictEqual(
          [found.text ?? "", found.reasoning ?? "", found.calls ?? []],
          [text, thinking, calls],
          id
        )
        const reason = at(end, "done_reason")
        const finish = calls.length > 0 ? "toolCalls" : reason === "stop" || reason === "length" ? reason : "other"
        assert.strictEqual(found.finish, finish, id)
        assert.strictEqual(found.usage?.inputTokens, at(end, "prompt_eval_count"), id)
        assert.strictEqual(found.usage?.outputTokens, at(end, "eval_count"), id)
        assert.strictEqual(found.model, at(end, "model"), id)
        seen.answers++
        if (isStream(recording)) seen.streams++
        if (text !== "") seen.texts++
        if (thinking !== "") seen.thoughts++
        seen.calls += calls.length
        if (finish === "length") seen.cut++
        if (finish === "other") seen.other++
      }
      assert.deepStrictEqual(seen, { answers: 6, streams: 4, texts: 3, thoughts: 1, calls: 4, cut: 1, other: 1 })
    }))
})
