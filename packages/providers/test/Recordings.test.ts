import { LM, LMError } from "@effect-dspy/core"
import * as Completion from "@effect-dspy/core/Completion"
import { OpenAiCompatible } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ask, options, serve } from "./server.ts"
import { type Recording, recordings, recordingsAt } from "./shared.ts"

/** What each recorded failure is, labelled by hand. */
const failures: { readonly [id: string]: readonly [string, boolean] } = {
  // Groq: the model called a tool with arguments that its schema does not allow.
  "groq-chat/test_tool_use_failed_error.yaml#0": ["InvalidRequest", false],
  // OpenRouter: "This endpoint's maximum context length is 200000 tokens."
  "chat_real_error_scenarios_openrouter_claude-haiku-4-5_handles_context_length_exceeded_errors.yml#0": [
    "ContextTooLong",
    false
  ],
  // OpenAI: "Unsupported parameter: 'max_tokens' is not supported with this model."
  "openai-chat/reasoning-model-legacy-parameter-error.json#0": ["InvalidRequest", false],
  // OpenRouter: "temporarily rate-limited upstream"
  "test_openrouter_errors_raised.yaml#0": ["RateLimited", true],
  "test_openrouter_errors_raised.yaml#1": ["RateLimited", true],
  "test_openrouter_errors_raised.yaml#2": ["RateLimited", true],
  // Ollama's cloud: "Unauthorized"; OpenRouter: "Missing Authentication header"
  "chat_error_handling_with_ollama_cloud_gpt-oss_120b_raises_appropriate_auth_error.yml#0": ["Authentication", false],
  "chat_error_handling_with_openrouter_claude-haiku-4-5_raises_appropriate_auth_error.yml#0": [
    "Authentication",
    false
  ],
  // OpenAI's proxy, in plain text: "upstream connect error or disconnect/reset before headers."
  "openai-chat/small_dataset.yml#0": ["Overloaded", true],
  "openai-chat/test_async_chat_completion_404.yaml#0": ["ModelNotFound", false],
  "groq-chat/test_tool_regular_error.yaml#0": ["ModelNotFound", false],
  // OpenAI could not download an image.
  "openai-chat/test_vision.yaml#2": ["InvalidRequest", false],
  "openai-chat/test_vision_with_events_with_content.yaml#2": ["InvalidRequest", false],
  // Ollama's cloud: "prompt too long; exceeded max context length by 1119046 tokens"
  "chat_real_error_scenarios_ollama_cloud_gpt-oss_120b_handles_context_length_exceeded_errors.yml#0": [
    "ContextTooLong",
    false
  ]
}

interface RecordedChoice {
  readonly finish_reason?: string | null
  readonly message: {
    readonly content?: string | null
    readonly refusal?: string | null
    readonly reasoning?: string | null
    readonly reasoning_content?: string | null
    readonly tool_calls?: ReadonlyArray<unknown>
    readonly function_call?: unknown
  }
}

const choiceOf = (recording: Recording) =>
  (recording.responseJson?.choices as ReadonlyArray<RecordedChoice> | undefined)?.[0]

/** The recorded figure under a path, if there is one. */
const figure = (recording: Recording, ...path: ReadonlyArray<string>): number | undefined => {
  const found = path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null ? (value as { [key: string]: unknown })[key] : undefined,
    recording.responseJson?.usage
  )
  return typeof found === "number" ? found : undefined
}

/** What the recorded usage says in our words, and only what it says. */
const usageOf = (recording: Recording) => {
  const known = {
    inputTokens: figure(recording, "prompt_tokens"),
    cachedTokens: figure(recording, "prompt_tokens_details", "cached_tokens"),
    cacheWriteTokens: figure(recording, "prompt_tokens_details", "cache_write_tokens"),
    outputTokens: figure(recording, "completion_tokens"),
    reasoningTokens: figure(recording, "completion_tokens_details", "reasoning_tokens"),
    costUsd: figure(recording, "cost")
  }
  return { calls: 1, ...Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)) }
}

const chats = recordingsAt === undefined
  ? []
  // One that is filed under Ollama's own API is in OpenAI's words.
  : recordings().filter(({ endpoint, features, request, responseJson }) =>
    (endpoint === "chat" || (endpoint === "native" && responseJson?.choices !== undefined)) &&
    !features.includes("stream") && request?.stream !== true
  )

const isFailure = (recording: Recording) => choiceOf(recording) === undefined

/** Gives the recorded bytes over a socket and asks for them. */
const replay = (recording: Recording) =>
  Effect.gen(function*() {
    const { responseHeaders, responseJson, responseText, status } = recording
    const headers = Object.entries(responseHeaders ?? {}).filter(([name]) => !/length|encoding|connection/i.test(name))
    const server = yield* serve([{
      status: status ?? (isFailure(recording) ? 400 : 200),
      headers: Object.fromEntries(headers),
      body: responseJson ?? responseText ?? ""
    }])
    const live = Layer.orDie(OpenAiCompatible.layer(options(server, { provider: recording.provider })))
    return yield* Effect.result(Effect.provide(ask, live.pipe(LM.timeout("5 seconds"))))
  })

describe.skipIf(recordingsAt === undefined)("recorded chat completions", () => {
  it("are of every provider that has some", () => {
    const providers = new Set(chats.map((recording) => recording.provider))
    const expected = ["deepseek", "groq", "ollama", "ollama-cloud", "openai", "openrouter", "vllm-gpustack"]
    assert.includeMembers([...providers], expected)
    assert.isAtLeast(chats.filter((recording) => !isFailure(recording)).length, 50)
  })

  it.live("that are answers lose nothing", () =>
    Effect.gen(function*() {
      const seen = { texts: 0, refusals: 0, tools: 0, reasoning: 0, cut: 0 }
      for (const recording of chats.filter((one) => !isFailure(one))) {
        const { id } = recording
        const choice = choiceOf(recording)
        const message = choice?.message
        const result = yield* replay(recording)
        if (message?.refusal) {
          seen.refusals++
          assert.strictEqual(result._tag, "Failure", id)
          if (result._tag === "Success") continue
          assert.strictEqual(result.failure.reason._tag, "Refused", id)
          assert.strictEqual(LMError.reveal(result.failure), message.refusal, id)
          continue
        }
        if (result._tag === "Failure") return assert.fail(`${id}: ${result.failure.message}`)
        const completion = result.success
        const text = Completion.text(completion)
        assert.strictEqual(text, message?.content ?? "", id)
        if (text !== "") seen.texts++
        if (text === "" && (message?.tool_calls ?? message?.function_call) !== undefined) seen.tools++
        const reasoning = message?.reasoning ?? message?.reasoning_content ?? ""
        const thought = completion.content.filter((part) => part.type === "reasoning").map((part) => part.text)
        assert.deepStrictEqual(thought, reasoning === "" ? [] : [reasoning], id)
        if (reasoning !== "") seen.reasoning++
        const stopped = choice?.finish_reason
        const called = Completion.toolCalls(completion).length > 0
        const expected = called ? "toolCalls" : stopped === "stop" || stopped === "length" ? stopped : "other"
        assert.strictEqual(completion.finishReason, expected, id)
        assert.lengthOf(
          Completion.toolCalls(completion),
          message?.tool_calls?.length ?? (message?.function_call ? 1 : 0)
        )
        if (stopped === "length") seen.cut++
        assert.deepStrictEqual(completion.usage, usageOf(recording), id)
        assert.strictEqual(completion.model, recording.responseJson?.model, id)
      }
      // What the recordings hold, counted apart: a test that sees less has lost some.
      assert.deepStrictEqual(seen, { texts: 31, refusals: 3, tools: 18, reasoning: 14, cut: 6 })
    }))

  it.live("that are failures have the right reason", () =>
    Effect.gen(function*() {
      const labels = new Set(Object.keys(failures))
      for (const recording of chats.filter(isFailure)) {
        const label = Object.keys(failures).find((one) => recording.id.endsWith(one))
        if (label === undefined) return assert.fail(`no label for ${recording.id}`)
        labels.delete(label)
        const result = yield* replay(recording)
        if (result._tag === "Success") return assert.fail(`${recording.id} succeeded`)
        const { failure } = result
        assert.deepStrictEqual([failure.reason._tag, failure.isRetryable], failures[label], recording.id)
        assert.strictEqual(failure.provider, recording.provider)
        const words = recording.responseJson ? JSON.stringify(recording.responseJson) : recording.responseText
        assert.strictEqual(LMError.reveal(failure), words, recording.id)
      }
      assert.deepStrictEqual([...labels], [], "labels without a recording")
    }))
})
