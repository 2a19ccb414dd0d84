import { Ollama, OllamaChat } from "@effect-dspy/providers"
import { describe } from "@effect/vitest"
import { cut, type Fixture, play } from "./exchange.ts"
import type { Answer } from "./server.ts"

const at = { model: "qwen3:14b", created_at: "2026-11-25T10:00:00Z" }

const figures = { total_duration: 5_000_000, load_duration: 1, prompt_eval_count: 26, eval_count: 9, eval_duration: 3 }

const usage = { inputTokens: 26, outputTokens: 9 }

const body = (message: object, more: object = {}) => ({
  ...at,
  message: { role: "assistant", content: "", ...message },
  done_reason: "stop",
  done: true,
  ...figures,
  ...more
})

const piece = (message: object) => ({ ...at, message: { role: "assistant", content: "", ...message }, done: false })

const lines = (pieces: ReadonlyArray<object>, more: Partial<Answer> = {}): Answer => ({
  headers: { "content-type": "application/x-ndjson" },
  chunked: true,
  body: pieces.map((line) => `${JSON.stringify(line)}\n`).join(""),
  ...more
})

const weather = { function: { name: "weather", arguments: { city: "Oslo" } } }
const time = { id: "call_x7", function: { index: 1, name: "time", arguments: {} } }

const fixtures: ReadonlyArray<Fixture> = [
  {
    name: "text",
    answer: { body: body({ content: "Grüß dich 🌊" }) },
    expected: { text: "Grüß dich 🌊", finish: "stop", usage, model: "qwen3:14b" }
  },
  {
    name: "thinking beside the text",
    answer: { body: body({ content: "Yes", thinking: "Let me see." }) },
    expected: { text: "Yes", reasoning: "Let me see.", finish: "stop", usage }
  },
  {
    name: "text without figures, from a prompt that was in memory",
    answer: { body: { ...at, message: { content: "x" }, done: true, eval_count: 3 } },
    expected: { text: "x", finish: "stop", usage: { outputTokens: 3 } }
  },
  {
    name: "nothing at all",
    answer: { body: body({}) },
    expected: { finish: "stop", usage }
  },
  {
    name: "a stream",
    streamed: true,
    answer: lines([piece({ content: "Grüß" }), piece({ content: " dich 🌊" }), body({})]),
    expected: { text: "Grüß dich 🌊", finish: "stop", usage, model: "qwen3:14b" }
  },
  {
    name: "a stream with thinking",
    streamed: true,
    answer: lines([piece({ thinking: "Let me" }), piece({ thinking: " see." }), piece({ content: "Yes" }), body({})]),
    expected: { text: "Yes", reasoning: "Let me see.", finish: "stop", usage }
  },
  {
    name: "a stream in one line, without a line break at its end",
    streamed: true,
    answer: { body: JSON.stringify(body({ content: "Yes" })) },
    expected: { text: "Yes", finish: "stop", usage }
  },
  {
    name: "calls of tools, with and without ids",
    answer: { body: body({ tool_calls: [weather, time] }) },
    expected: { calls: [["weather", { city: "Oslo" }], ["time", {}]], finish: "toolCalls", usage }
  },
  {
    name: "calls of tools in a stream",
    streamed: true,
    answer: lines([piece({ tool_calls: [weather] }), piece({ tool_calls: [time] }), body({})]),
    expected: { calls: [["weather", { city: "Oslo" }], ["time", {}]], finish: "toolCalls", usage }
  },
  {
    name: "a structured answer",
    answer: { body: body({ content: "{\"n\":1}" }) },
    expected: { text: "{\"n\":1}", finish: "stop", usage }
  },
  {
    name: "cut at the limit",
    answer: { body: body({ content: "The capital of" }, { done_reason: "length" }) },
    expected: { text: "The capital of", finish: "length", usage }
  },
  {
    name: "cut at the limit in a stream",
    streamed: true,
    answer: lines([piece({ content: "The capital" }), body({}, { done_reason: "length" })]),
    expected: { text: "The capital", finish: "length", usage }
  },
  {
    name: "a reason of its own",
    answer: { body: body({ content: "x" }, { done_reason: "unload" }) },
    expected: { text: "x", finish: "other", usage }
  },
  // Local models have no filter: a refusal is text like any other.
  {
    name: "a refusal in the model's own words",
    answer: { body: body({ content: "I can't help with that." }) },
    expected: { text: "I can't help with that.", finish: "stop", usage }
  },
  {
    name: "an answer of another protocol",
    answer: { body: { choices: [] } },
    expected: { reason: "InvalidResponse", retryable: true }
  },
  {
    name: "a page",
    answer: { body: "<html>Sorry</html>" },
    expected: { reason: "InvalidResponse", retryable: true }
  },
  {
    name: "400 for what the model can't",
    answer: { status: 400, body: { error: "registry.ollama.ai/library/gemma:2b does not support tools" } },
    expected: { reason: "InvalidRequest", retryable: false }
  },
  {
    name: "400 for too long a prompt",
    answer: { status: 400, body: { error: "prompt too long; exceeded max context length by 1119046 tokens" } },
    expected: { reason: "ContextTooLong", retryable: false }
  },
  {
    name: "401, from the cloud",
    answer: { status: 401, body: { error: "unauthorized" } },
    expected: { reason: "Authentication", retryable: false }
  },
  {
    name: "404 for a model that was not pulled",
    answer: { status: 404, body: { error: "model \"llama9\" not found, try pulling it first" } },
    expected: { reason: "ModelNotFound", retryable: false }
  },
  {
    name: "429, from the cloud",
    answer: { status: 429, headers: { "retry-after": "5" }, body: { error: "too many concurrent requests" } },
    expected: { reason: "RateLimited", retryable: true, retryAfterMs: 5000 }
  },
  {
    name: "500 of a runner that died",
    answer: { status: 500, body: { error: "llama runner process has terminated: exit status 2" } },
    expected: { reason: "ServerError", retryable: true }
  },
  {
    name: "503 of a full queue",
    answer: { status: 503, body: { error: "server busy, please try again. maximum pending requests exceeded" } },
    expected: { reason: "Overloaded", retryable: true }
  },
  {
    name: "a failure in the middle of a stream",
    streamed: true,
    answer: lines([piece({ content: "The" }), { error: "an error was encountered while running the model" }]),
    expected: { reason: "ServerError", retryable: true }
  },
  {
    name: "a stream that stops",
    streamed: true,
    answer: lines([piece({ content: "The" })]),
    expected: { reason: "StreamCut", retryable: true }
  },
  {
    name: "a stream whose connection breaks",
    streamed: true,
    answer: lines([piece({ content: "The" }), body({ content: " end" })], { cut: "inside" }),
    expected: { reason: "StreamCut", retryable: true }
  }
]

describe("Ollama answers", () => {
  play(fixtures, (server) => Ollama.layer({ model: "qwen3", provider: "loopback", baseUrl: server.url }))
  cut(
    fixtures,
    OllamaChat.make({
      provider: "loopback",
      model: "qwen3",
      capabilities: OllamaChat.capabilities,
      keepAlive: undefined,
      contextLength: undefined
    })
  )
})
