import { LM, Message } from "@effect-dspy/core"
import { OpenAiCompatible } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { said } from "./exchange.ts"
import { at, isStream, joined, recorded, replay, values } from "./recorded.ts"
import { options, reply, serve } from "./server.ts"
import { type Recording, recordingsAt } from "./shared.ts"

const all = recorded((recording) => recording.endpoint === "chat" && isStream(recording))

const play = (recording: Recording) =>
  replay(recording, (server) => OpenAiCompatible.layer(options(server, { provider: recording.provider })))

/** The calls of a stream: pieces belong together by their index. */
const callsOf = (chunks: ReadonlyArray<unknown>) => {
  const calls = new Map<unknown, { name: string; text: string }>()
  for (const chunk of chunks) {
    const pieces = at(chunk, "choices", 0, "delta", "tool_calls")
    for (const piece of Array.isArray(pieces) ? pieces as ReadonlyArray<unknown> : []) {
      const call = calls.get(at(piece, "index")) ?? { name: "", text: "" }
      call.name += joined([piece], "function", "name")
      call.text += joined([piece], "function", "arguments")
      calls.set(at(piece, "index"), call)
    }
  }
  return [...calls.values()].map(({ name, text }): readonly [string, unknown] => [name, JSON.parse(text)])
}

const last = (chunks: ReadonlyArray<unknown>, ...path: ReadonlyArray<string | number>) =>
  chunks.map((chunk) => at(chunk, ...path)).findLast((value) => value !== undefined && value !== null)

describe.skipIf(recordingsAt === undefined)("recorded streams of chat completions", () => {
  it.live("lose nothing", () =>
    Effect.gen(function*() {
      const seen = { answers: 0, texts: 0, thoughts: 0, calls: 0, usages: 0 }
      for (const recording of all) {
        const { id } = recording
        const result = yield* play(recording)
        if (result._tag === "Failure") return assert.fail(`${id}: ${result.failure.message}`)
        const found = said(result.success)
        const chunks = values(recording)
        const delta = ["choices", 0, "delta"] as const
        const text = joined(chunks, ...delta, "content")
        const thought = joined(chunks, ...delta, "reasoning") + joined(chunks, ...delta, "reasoning_content")
        const calls = callsOf(chunks)
        assert.deepStrictEqual([found.text ?? "", found.reasoning ?? "", found.calls ?? []], [text, thought, calls], id)
        const reason = last(chunks, "choices", 0, "finish_reason")
        assert.strictEqual(found.finish, reason === "tool_calls" ? "toolCalls" : reason, id)
        assert.strictEqual(found.model, at(chunks[0], "model"), id)
        const usage = last(chunks, "usage") ?? last(chunks, "x_groq", "usage")
        const { inputTokens, outputTokens, reasoningTokens } = found.usage ?? {}
        assert.strictEqual(inputTokens, at(usage, "prompt_tokens"), id)
        assert.strictEqual(reasoningTokens, at(usage, "completion_tokens_details", "reasoning_tokens"), id)
        // What was answered is what the whole was without the prompt, wherever reasoning was counted.
        const total = at(usage, "total_tokens")
        if (typeof total === "number") assert.strictEqual(outputTokens, total - (inputTokens ?? 0), id)
        else assert.isUndefined(outputTokens, id)
        seen.answers++
        if (text !== "") seen.texts++
        if (thought !== "") seen.thoughts++
        seen.calls += calls.length
        if (usage !== undefined) seen.usages++
      }
      assert.deepStrictEqual(seen, { answers: 17, texts: 7, thoughts: 7, calls: 12, usages: 15 })
      assert.sameMembers([...new Set(all.map(({ provider }) => provider))], [
        "groq",
        "mistral",
        "ollama",
        "ollama-cloud",
        "openai",
        "openrouter",
        "vllm-gpustack",
        "xai"
      ])
    }))

  it.live("of xAI say what they cost", () =>
    Effect.gen(function*() {
      const [recording] = all.filter(({ provider }) => provider === "xai")
      if (recording === undefined) return assert.fail("no recording")
      const result = yield* play(recording)
      assert.deepInclude(result._tag === "Success" ? result.success.usage : {}, {
        outputTokens: 222,
        costUsd: 0.00013305
      })
    }))

  it.live("of OpenRouter are given back with what the model signed, as another client did", () =>
    Effect.gen(function*() {
      const [first, second] = all.filter(({ id }) => id.includes("reasoning_details_round-trip"))
      if (first === undefined || second === undefined) return assert.fail("no recording")
      const answered = yield* play(first)
      if (answered._tag === "Failure") return assert.fail(answered.failure.message)
      const [call] = answered.success.content.filter((part) => part.type === "toolCall")
      const server = yield* serve([reply("ok"), reply("ok")])
      const messages = [
        Message.user("What is the weather in Berlin?"),
        Message.assistant(answered.success.content),
        Message.tool([{ type: "toolResult", id: call?.id ?? "", name: call?.name ?? "", content: "rain" }])
      ]
      for (const provider of ["openrouter", "another"]) {
        yield* Effect.provide(
          LM.generate({ messages }),
          OpenAiCompatible.layer(options(server, { provider, reasoningBack: "reasoning_details" }))
        )
      }
      const [ours, anothers] = server.requests.map(({ json }) => at(json, "messages", 1, "reasoning_details"))
      assert.deepStrictEqual(ours, at(second.request, "messages", 1, "reasoning_details"))
      assert.isUndefined(anothers)
    }))
})
