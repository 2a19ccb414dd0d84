import { Gemini, GenerateContent, Quirks } from "@effect-dspy/providers"
import { describe } from "@effect/vitest"
import { cut, type Fixture, play } from "./exchange.ts"
import { body, candidate, error, events, options, piece, thought, time, weather } from "./gemini.ts"

const usage = { inputTokens: 8, outputTokens: 4 }
const thoughtful = { inputTokens: 8, outputTokens: 24, reasoningTokens: 20 }
const signed = { metadata: [{ gemini: { thoughtSignature: "c2lnbg==" } }] }

const greeting = [{ text: "Grüß" }, { text: " dich 🌊" }]

const refused = { reason: "Refused", retryable: false }

const fixtures: ReadonlyArray<Fixture> = [
  {
    name: "text",
    answer: { body: body(greeting) },
    expected: { text: "Grüß dich 🌊", finish: "stop", usage, model: "gemini-2.5-flash" }
  },
  {
    name: "thoughts beside the text",
    answer: { body: body([thought, { text: "Yes" }]) },
    expected: { text: "Yes", reasoning: "Let me see.", finish: "stop", usage }
  },
  {
    name: "usage with thoughts, cache and the results of Google's tools",
    answer: {
      body: body([{ text: "x" }], {
        usageMetadata: {
          promptTokenCount: 8,
          cachedContentTokenCount: 6,
          toolUsePromptTokenCount: 2,
          candidatesTokenCount: 4,
          thoughtsTokenCount: 20,
          totalTokenCount: 34
        }
      })
    },
    expected: {
      text: "x",
      finish: "stop",
      usage: { inputTokens: 10, cachedTokens: 6, outputTokens: 24, reasoningTokens: 20 }
    }
  },
  {
    name: "text without usage, id or model",
    answer: { body: { candidates: [candidate([{ text: "x" }])] } },
    expected: { text: "x", finish: "stop", model: "gemini-2.5-flash" }
  },
  {
    name: "text that does not say why it ended",
    answer: { body: { candidates: [{ content: { parts: [{ text: "x" }] } }] } },
    expected: { text: "x", finish: "stop" }
  },
  {
    name: "a stream",
    streamed: true,
    answer: events([piece([{ text: "Grüß" }]), piece([{ text: " dich 🌊" }], "STOP")]),
    expected: { text: "Grüß dich 🌊", finish: "stop", usage: thoughtful, model: "gemini-2.5-flash" }
  },
  {
    name: "a stream of thoughts and text, with a signature at its end",
    streamed: true,
    answer: events([
      piece([thought]),
      piece([{ text: "Yes" }]),
      piece([{ text: "", thoughtSignature: "c2lnbg==" }], "STOP")
    ]),
    expected: { text: "Yes", reasoning: "Let me see.", ...signed, finish: "stop", usage: thoughtful }
  },
  {
    name: "a stream asked for without alt=sse: a list",
    streamed: true,
    answer: { body: [piece([{ text: "Grüß" }]), piece([{ text: " dich 🌊" }], "STOP")] },
    expected: { text: "Grüß dich 🌊", finish: "stop", usage: thoughtful }
  },
  {
    name: "calls of tools side by side, the first one signed",
    answer: { body: body([weather, time]) },
    expected: { calls: [["weather", { city: "Oslo" }], ["time", {}]], ...signed, finish: "toolCalls", usage }
  },
  {
    name: "calls of tools in a stream",
    streamed: true,
    answer: events([piece([thought]), piece([weather]), piece([time], "STOP")]),
    expected: {
      reasoning: "Let me see.",
      calls: [["weather", { city: "Oslo" }], ["time", {}]],
      ...signed,
      finish: "toolCalls",
      usage: thoughtful
    }
  },
  {
    name: "a call without arguments",
    answer: { body: body([{ functionCall: { name: "time" } }]) },
    expected: { calls: [["time", {}]], finish: "toolCalls", usage }
  },
  {
    name: "a structured answer",
    answer: { body: body([{ text: "{\"n\":" }, { text: "1}" }]) },
    expected: { text: "{\"n\":1}", finish: "stop", usage }
  },
  {
    name: "reasons that come as numbers",
    answer: { body: body([{ text: "x" }], {}, 2) },
    expected: { text: "x", finish: "length", usage }
  },
  {
    name: "cut at the limit",
    answer: { body: body([{ text: "The capital of" }], {}, "MAX_TOKENS") },
    expected: { text: "The capital of", finish: "length", usage }
  },
  {
    name: "cut at the limit while thinking",
    answer: { body: body([], {}, "MAX_TOKENS") },
    expected: { finish: "length", usage }
  },
  {
    name: "cut at the limit in a stream",
    streamed: true,
    answer: events([piece([{ text: "The" }]), piece([{ text: " capital" }], "MAX_TOKENS")]),
    expected: { text: "The capital", finish: "length", usage: thoughtful }
  },
  {
    name: "a call that went wrong is no refusal",
    answer: { body: body([], {}, "MALFORMED_FUNCTION_CALL") },
    expected: { finish: "other", usage }
  },
  ...["SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"].map((reason): Fixture => ({
    name: `refused for ${reason}`,
    answer: { body: body([], {}, reason) },
    expected: refused
  })),
  {
    name: "refused in the middle of a stream",
    streamed: true,
    answer: events([piece([{ text: "First, take" }]), piece([], "SAFETY")]),
    expected: refused
  },
  {
    name: "a prompt that was refused",
    answer: { body: { promptFeedback: { blockReason: "PROHIBITED_CONTENT" }, usageMetadata: { promptTokenCount: 4 } } },
    expected: refused
  },
  {
    name: "a prompt that was refused, in a stream",
    streamed: true,
    answer: events([{ promptFeedback: { blockReason: "SAFETY", blockReasonMessage: "no" } }]),
    expected: refused
  },
  {
    name: "an answer of nobody",
    answer: { body: { candidates: [] } },
    expected: { reason: "InvalidResponse", retryable: true }
  },
  { name: "a page", answer: { body: "<html>Sorry</html>" }, expected: { reason: "InvalidResponse", retryable: true } },
  {
    name: "400 for a wrong key",
    answer: {
      status: 400,
      body: error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", [{
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        reason: "API_KEY_INVALID",
        domain: "googleapis.com"
      }])
    },
    expected: { reason: "Authentication", retryable: false }
  },
  {
    name: "400 for a wrong request",
    answer: {
      status: 400,
      body: error(400, "INVALID_ARGUMENT", "Invalid JSON payload received. Unknown name \"foo\".")
    },
    expected: { reason: "InvalidRequest", retryable: false }
  },
  {
    name: "400 for too long a prompt",
    answer: {
      status: 400,
      body: error(
        400,
        "INVALID_ARGUMENT",
        "The input token count (1100001) exceeds the maximum number of tokens allowed (1048576)."
      )
    },
    expected: { reason: "ContextTooLong", retryable: false }
  },
  {
    name: "401",
    answer: { status: 401, body: error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.") },
    expected: { reason: "Authentication", retryable: false }
  },
  {
    name: "403",
    answer: { status: 403, body: error(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers.") },
    expected: { reason: "Permission", retryable: false }
  },
  {
    name: "404",
    answer: { status: 404, body: error(404, "NOT_FOUND", "models/gemini-9 is not found for API version v1beta.") },
    expected: { reason: "ModelNotFound", retryable: false }
  },
  {
    name: "429 that says how long",
    answer: {
      status: 429,
      body: error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", [{
        "@type": "type.googleapis.com/google.rpc.RetryInfo",
        retryDelay: "34.4s"
      }])
    },
    expected: { reason: "RateLimited", retryable: true, retryAfterMs: 34_400 }
  },
  {
    name: "429 in a list, as streams without alt=sse have it",
    streamed: true,
    answer: {
      status: 429,
      body: [
        error(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", [{
          "@type": "type.googleapis.com/google.rpc.RetryInfo",
          retryDelay: "2s"
        }])
      ]
    },
    expected: { reason: "RateLimited", retryable: true, retryAfterMs: 2000 }
  },
  {
    name: "500",
    answer: { status: 500, body: error(500, "INTERNAL", "An internal error has occurred.") },
    expected: { reason: "ServerError", retryable: true }
  },
  {
    name: "503",
    answer: { status: 503, body: error(503, "UNAVAILABLE", "The model is overloaded. Please try again later.") },
    expected: { reason: "Overloaded", retryable: true }
  },
  {
    name: "504",
    answer: { status: 504, body: error(504, "DEADLINE_EXCEEDED", "Deadline expired.") },
    expected: { reason: "ServerError", retryable: true }
  },
  {
    name: "a failure in the middle of a stream",
    streamed: true,
    answer: events([
      piece([{ text: "The" }]),
      error(503, "UNAVAILABLE", "The model is overloaded.", [{ retryDelay: "3s" }])
    ]),
    expected: { reason: "Overloaded", retryable: true, retryAfterMs: 3000 }
  },
  {
    name: "a stream that stops",
    streamed: true,
    answer: events([piece([{ text: "The" }])]),
    expected: { reason: "StreamCut", retryable: true }
  },
  {
    name: "a stream whose connection breaks",
    streamed: true,
    answer: events([piece([{ text: "The" }]), piece([{ text: " end" }], "STOP")], { cut: "inside" }),
    expected: { reason: "StreamCut", retryable: true }
  }
]

const dialect: GenerateContent.Dialect = {
  provider: "loopback",
  model: "gemini-2.5-flash",
  capabilities: { ...GenerateContent.capabilities, ...Quirks.of("gemini-2.5-flash") },
  auth: "key",
  signedCalls: false
}

describe("Gemini answers", () => {
  play(fixtures, (server) => Gemini.layer(options(server)))
  cut(fixtures, GenerateContent.make(dialect))
})
