/**
 * Answers as Google writes them.
 */
import { Redacted } from "effect"
import type { Gemini } from "../src/index.ts"
import type { Answer, Server } from "./server.ts"

export const options = (server: Server, more: Partial<Gemini.Options> = {}): Gemini.Options => ({
  provider: "loopback",
  model: "gemini-2.5-flash",
  baseUrl: server.url,
  apiKey: Redacted.make("very-secret"),
  ...more
})

export const candidate = (parts: ReadonlyArray<object>, finishReason: string | number | undefined = "STOP") => ({
  content: { role: "model", parts },
  ...(finishReason === undefined ? {} : { finishReason }),
  index: 0
})

export const body = (parts: ReadonlyArray<object>, more: object = {}, finishReason: string | number = "STOP") => ({
  candidates: [candidate(parts, finishReason)],
  usageMetadata: { promptTokenCount: 8, candidatesTokenCount: 4, totalTokenCount: 12 },
  modelVersion: "gemini-2.5-flash",
  responseId: "abc",
  ...more
})

/** Events as Google writes them. */
export const events = (chunks: ReadonlyArray<object>, more: Partial<Answer> = {}): Answer => ({
  headers: { "content-type": "text/event-stream" },
  chunked: true,
  body: chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\r\n\r\n`).join(""),
  ...more
})

export const piece = (parts: ReadonlyArray<object>, finishReason?: string) => ({
  candidates: [{
    content: { role: "model", parts },
    ...(finishReason === undefined ? {} : { finishReason }),
    index: 0
  }],
  usageMetadata: { promptTokenCount: 8, candidatesTokenCount: 4, thoughtsTokenCount: 20, totalTokenCount: 32 },
  modelVersion: "gemini-2.5-flash",
  responseId: "abc"
})

export const error = (code: number, status: string, message: string, details?: ReadonlyArray<object>) => ({
  error: { code, message, status, ...(details === undefined ? {} : { details }) }
})

export const thought = { text: "Let me see.", thought: true }
export const weather = { functionCall: { name: "weather", args: { city: "Oslo" } }, thoughtSignature: "c2lnbg==" }
export const time = { functionCall: { name: "time", args: {} } }
