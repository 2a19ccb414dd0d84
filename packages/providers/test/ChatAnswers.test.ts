import { ChatCompletions, OpenAiCompatible } from "@effect-dspy/providers"
import { describe } from "@effect/vitest"
import { cut, type Fixture, play } from "./exchange.ts"
import { type Answer, options, says } from "./server.ts"

const sse = (text: string, more: Partial<Answer> = {}): Answer => ({
  headers: { "content-type": "text/event-stream" },
  chunked: true,
  body: text,
  ...more
})

const data = (chunk: object) => `data: ${JSON.stringify(chunk)}\n\n`

const delta = (fields: object, choice: object = {}, more: object = {}) =>
  data({ id: "c1", model: "m-2026", choices: [{ index: 0, delta: fields, finish_reason: null, ...choice }], ...more })

const end = (finish_reason: string, more: object = {}) => delta({}, { finish_reason }, more)

const done = "data: [DONE]\n\n"

const figures = { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 }
const usage = { inputTokens: 3, outputTokens: 5 }

const hello = delta({ role: "assistant", content: "" }) + delta({ content: "Grüß" }) + delta({ content: " dich 🌊" })

const tool = (index: number | undefined, fields: object) => delta({ tool_calls: [{ index, ...fields }] })

const calls = [["weather", { city: "Oslo" }], ["time", {}]] as const

const failure = (error: unknown, more: object = {}) => ({ error, ...more })

const invalid = { reason: "InvalidRequest", retryable: false }
const busy = { reason: "Overloaded", retryable: true }

const fixtures: ReadonlyArray<Fixture> = [
  {
    name: "text, as most say it",
    answer: { body: says("Grüß dich", { usage: figures }) },
    expected: { text: "Grüß dich", finish: "stop", usage, model: "test-model-2026" }
  },
  {
    name: "a stream with usage after its end, as OpenAI has it",
    streamed: true,
    answer: sse(hello + end("stop") + data({ id: "c1", choices: [], usage: figures }) + done),
    expected: { text: "Grüß dich 🌊", finish: "stop", usage, model: "m-2026" }
  },
  {
    name: "a stream without role and mark of its end, as vLLM's",
    streamed: true,
    answer: sse(delta({ content: "Hi" }) + end("stop", { usage: figures })),
    expected: { text: "Hi", finish: "stop", usage }
  },
  {
    name: "a stream with line ends of two characters and no mark of its end, as Perplexity's",
    streamed: true,
    answer: sse((hello + end("stop")).replaceAll("\n", "\r\n")),
    expected: { text: "Grüß dich 🌊", finish: "stop" }
  },
  {
    name: "a stream with comments, as OpenRouter's",
    streamed: true,
    answer: sse(
      `: OPENROUTER PROCESSING\n\n${delta({ content: "Hi" })}: OPENROUTER PROCESSING\n\n${end("stop")}${done}`
    ),
    expected: { text: "Hi", finish: "stop" }
  },
  {
    name: "a stream with usage in a corner, as Groq's",
    streamed: true,
    answer: sse(delta({ content: "Hi" }) + end("stop", { x_groq: { id: "r", usage: figures } }) + done),
    expected: { text: "Hi", finish: "stop", usage }
  },
  {
    name: "reasoning in a stream, under either name",
    streamed: true,
    answer: sse(
      delta({ reasoning_content: "Let me" }) + delta({ reasoning: " see." }) + delta({ content: "Yes" }) + end("stop")
    ),
    expected: { text: "Yes", reasoning: "Let me see.", finish: "stop" }
  },
  {
    name: "thinking among the pieces of a text, as Mistral's",
    streamed: true,
    answer: sse(
      delta({ content: [{ type: "thinking", thinking: [{ type: "text", text: "Hm." }] }] }) +
        delta({ content: "Yes" }) + end("stop")
    ),
    expected: { text: "Yes", reasoning: "Hm.", finish: "stop" }
  },
  {
    name: "calls of tools, piece by piece and side by side",
    streamed: true,
    answer: sse(
      tool(0, { id: "a", function: { name: "weather", arguments: "" } }) +
        tool(0, { function: { arguments: "{\"city\":" } }) +
        tool(1, { id: "b", function: { name: "time", arguments: "{}" } }) +
        tool(0, { function: { arguments: "\"Oslo\"}" } }) + end("tool_calls") + done
    ),
    expected: { calls, finish: "toolCalls" }
  },
  {
    name: "calls of tools with an empty name after the first piece, as Mistral's",
    streamed: true,
    answer: sse(
      tool(0, { id: "a", function: { name: "weather", arguments: "" } }) +
        tool(0, { function: { name: "", arguments: "{\"city\":\"Oslo\"}" } }) + end("tool_calls")
    ),
    expected: { calls: [calls[0]], finish: "toolCalls" }
  },
  {
    name: "calls of tools that are not numbered, as some servers'",
    streamed: true,
    answer: sse(
      tool(undefined, { id: "a", function: { name: "weather", arguments: "{\"city\":" } }) +
        tool(undefined, { function: { arguments: "\"Oslo\"}" } }) +
        tool(undefined, { id: "b", function: { name: "time", arguments: "{}" } }) + end("stop")
    ),
    expected: { calls, finish: "toolCalls" }
  },
  {
    name: "calls of tools whole and without ids",
    answer: {
      body: says(null, {
        choices: [{
          message: {
            content: null,
            tool_calls: [
              { function: { name: "weather", arguments: "{\"city\":\"Oslo\"}" } },
              { function: { name: "time", arguments: "" } }
            ]
          },
          finish_reason: "tool_calls"
        }]
      })
    },
    expected: { calls, finish: "toolCalls" }
  },
  {
    name: "a structured answer",
    answer: { body: says("{\"n\":1}") },
    expected: { text: "{\"n\":1}", finish: "stop" }
  },
  {
    name: "cut at the limit",
    streamed: true,
    answer: sse(delta({ content: "The capital" }) + end("length") + done),
    expected: { text: "The capital", finish: "length" }
  },
  {
    name: "a refusal in pieces",
    streamed: true,
    answer: sse(delta({ refusal: "I can't" }) + delta({ refusal: " help." }) + end("stop") + done),
    expected: { reason: "Refused", retryable: false }
  },
  {
    name: "an answer that a filter cut off",
    streamed: true,
    answer: sse(delta({ content: "First" }) + end("content_filter") + done),
    expected: { reason: "Refused", retryable: false }
  },
  {
    name: "a filter's word inside an answer, as Azure's",
    answer: { body: failure({ code: "content_filter", message: "filtered", status: 400 }) },
    expected: { reason: "Refused", retryable: false }
  },
  {
    name: "an error event in a stream, as Groq's",
    streamed: true,
    answer: sse(
      delta({ content: "Hi" }) +
        `event: error\ndata: ${JSON.stringify(failure({ type: "invalid_request_error", code: "tool_use_failed" }))}\n\n`
    ),
    expected: invalid
  },
  {
    name: "an error chunk in a stream, as OpenRouter's",
    streamed: true,
    answer: sse(delta({ content: "Hi" }) + data(failure({ code: 503, message: "Provider disconnected" }))),
    expected: busy
  },
  {
    name: "an error inside an answer with status 200, as OpenRouter's",
    answer: { body: failure({ code: 429, message: "Rate limited upstream" }, { user_id: "u" }) },
    expected: { reason: "RateLimited", retryable: true }
  },
  {
    name: "400 with a number for a code, as OpenRouter's",
    answer: { status: 400, body: failure({ code: 400, message: "maximum context length is 8192 tokens" }) },
    expected: { reason: "ContextTooLong", retryable: false }
  },
  {
    name: "400 for a wrong key, with an error in words, as xAI's",
    answer: {
      status: 400,
      body: { code: "Client specified an invalid argument", error: "Incorrect API key provided" }
    },
    expected: { reason: "Authentication", retryable: false }
  },
  {
    name: "401 in one word, as Ollama's cloud",
    answer: { status: 401, body: "Unauthorized" },
    expected: { reason: "Authentication", retryable: false }
  },
  {
    name: "402 of an account without credit, as OpenRouter's and DeepSeek's",
    answer: { status: 402, body: failure({ code: 402, message: "Insufficient credits" }) },
    expected: { reason: "QuotaExhausted", retryable: false }
  },
  {
    name: "404 of a model nobody has",
    answer: { status: 404, body: failure({ message: "The model `m` does not exist", code: "model_not_found" }) },
    expected: { reason: "ModelNotFound", retryable: false }
  },
  {
    name: "422 with a detail, as Mistral's",
    answer: { status: 422, body: { detail: [{ type: "extra_forbidden", loc: ["body", "seed"] }] } },
    expected: invalid
  },
  {
    name: "429 that says how long",
    answer: { status: 429, headers: { "retry-after-ms": "1500" }, body: failure({ message: "slow down" }) },
    expected: { reason: "RateLimited", retryable: true, retryAfterMs: 1500 }
  },
  {
    name: "429 of an account that has run dry",
    answer: { status: 429, body: failure({ code: "insufficient_quota", message: "no credit" }) },
    expected: { reason: "QuotaExhausted", retryable: false }
  },
  {
    name: "500 of a server that is told not to be asked again",
    answer: { status: 500, headers: { "x-should-retry": "false" }, body: failure({ message: "no" }) },
    expected: { reason: "ServerError", retryable: false }
  },
  {
    name: "503 in plain text, of a proxy",
    answer: { status: 503, body: "upstream connect error or disconnect/reset before headers" },
    expected: busy
  },
  {
    name: "a page with status 200",
    answer: { body: "<html>Welcome</html>" },
    expected: { reason: "InvalidResponse", retryable: true }
  }
]

describe("answers of OpenAI-compatible endpoints", () => {
  play(fixtures, (server) => OpenAiCompatible.layer(options(server)))
  cut(
    fixtures,
    ChatCompletions.make({
      provider: "loopback",
      model: "test-model",
      capabilities: ChatCompletions.capabilities,
      maxTokensField: "max_tokens",
      streamUsage: true
    })
  )
})
