/** Recorded exchanges served again, byte for byte, over a loopback socket. */
import { LM } from "@effect-dspy/core"
import {
  Anthropic,
  AnthropicMessages,
  ChatCompletions,
  Gemini,
  GenerateContent,
  Ollama,
  OllamaChat,
  OpenAi,
  OpenAiCompatible,
  Responses
} from "@effect-dspy/providers"
import { Effect, Layer, Redacted } from "effect"
import type { Protocol } from "../src/Protocol.ts"
import { ask } from "./exchange.ts"
import * as gemini from "./gemini.ts"
import { type Answer, options, serve, type Server } from "./server.ts"
import { type Recording, recordings, recordingsAt } from "./shared.ts"

/** The recordings of some endpoint, or those that are wanted; none where the machine has none. */
export const recorded = (wanted: string | ((recording: Recording) => boolean)): ReadonlyArray<Recording> =>
  recordingsAt === undefined
    ? []
    : recordings().filter(typeof wanted === "string" ? ({ endpoint }) => endpoint === wanted : wanted)

/** Whose words a recording is in. One that is filed under Ollama's own API speaks OpenAI's. */
export const speaks = ({ endpoint, responseJson }: Recording) =>
  endpoint === "messages" || endpoint === "responses"
    ? endpoint
    : endpoint === "generateContent" || endpoint === "streamGenerateContent"
    ? "gemini"
    : endpoint === "native" && at(responseJson, "choices") === undefined
    ? "ollama"
    : "chat"

const loopback = { provider: "loopback", model: "asked" }

/** Reads what was recorded. */
export const protocolOf = (recording: Recording): Protocol => {
  switch (speaks(recording)) {
    case "messages":
      return AnthropicMessages.make({ ...loopback, capabilities: AnthropicMessages.capabilities, maxTokens: 8192 })
    case "responses":
      return Responses.make({ ...loopback, capabilities: Responses.capabilities, store: false })
    case "gemini":
      return GenerateContent.make({
        ...loopback,
        capabilities: GenerateContent.capabilities,
        auth: "key",
        signedCalls: false
      })
    case "ollama":
      return OllamaChat.make({
        ...loopback,
        capabilities: OllamaChat.capabilities,
        keepAlive: undefined,
        contextLength: undefined
      })
    case "chat":
      return ChatCompletions.make({
        ...loopback,
        capabilities: ChatCompletions.capabilities,
        maxTokensField: "max_tokens",
        streamUsage: true
      })
  }
}

/** Asks a server in the words of a recording. */
export const liveOf = (recording: Recording) => (server: Server): Layer.Layer<LM, unknown> => {
  const asked = { model: "asked", provider: recording.provider, baseUrl: server.url, apiKey: Redacted.make("key") }
  switch (speaks(recording)) {
    case "messages":
      return Anthropic.layer(asked)
    case "responses":
      return OpenAi.layer(asked)
    case "gemini":
      return Gemini.layer(gemini.options(server, { model: "asked" }))
    case "ollama":
      return Ollama.layer({ model: "asked", baseUrl: server.url })
    case "chat":
      return OpenAiCompatible.layer(options(server, { provider: recording.provider }))
  }
}

/** Whether it came as a stream; Google's may be a list. */
export const isStream = ({ features, responseText, uri }: Recording): boolean =>
  (features.includes("stream") && typeof responseText === "string" && responseText !== "") ||
  (uri ?? "").includes(":stream")

export const isError = ({ responseJson, status }: Recording): boolean =>
  (status ?? 200) >= 400 || (responseJson?.error !== undefined && responseJson.error !== null)

/** The text of a stream as it came: one that was kept as JSON lines gets its framing back. */
export const streamText = ({ endpoint, framing, responseText }: Recording): string => {
  if (framing?.startsWith("json-lines") !== true) return responseText ?? ""
  const named = endpoint === "messages" || endpoint === "responses"
  const event = (line: string) => named ? `event: ${String(at(JSON.parse(line), "type"))}\n` : ""
  return (responseText ?? "").split("\n").filter((line) => line !== "").map((line) => `${event(line)}data: ${line}\n\n`)
    .join("")
}

/** What the endpoint answered. */
export const answerOf = (recording: Recording): Answer => {
  const { responseHeaders, responseJson, status } = recording
  const headers = Object.entries(responseHeaders ?? {}).filter(([name]) => !/length|encoding|connection/i.test(name))
  return {
    status: status ?? (isError(recording) ? 400 : 200),
    headers: Object.fromEntries(headers),
    body: responseJson ?? streamText(recording),
    chunked: isStream(recording)
  }
}

/** Asks for what was recorded, as it was asked for: in one piece, or as a stream. */
export const replay = (
  recording: Recording,
  live: (server: Server) => Layer.Layer<LM, unknown>,
  more: Partial<Answer> = {}
) =>
  Effect.gen(function*() {
    const server = yield* serve([{ ...answerOf(recording), ...more }])
    const asked = ask(isStream(recording))
    return yield* Effect.result(Effect.provide(asked, Layer.orDie(live(server)).pipe(LM.timeout("5 seconds"))))
  })

/** The values an answer consists of: one, or those of the events of a stream. */
export const values = ({ responseJson, responseText }: Recording): ReadonlyArray<unknown> => {
  if (responseJson !== undefined && responseJson !== null) {
    return Array.isArray(responseJson) ? responseJson as ReadonlyArray<unknown> : [responseJson]
  }
  const lines = (responseText ?? "").split(/\r?\n/).map((line) => line.replace(/^data: */, ""))
  return lines.filter((line) => line.startsWith("{")).map((line): unknown => JSON.parse(line))
}

/** What is under a path of keys and indices. */
export const at = (value: unknown, ...path: ReadonlyArray<string | number>): unknown =>
  path.reduce<unknown>(
    (found, key) =>
      typeof found === "object" && found !== null ? (found as { readonly [key: string]: unknown })[key] : undefined,
    value
  )

/** The texts under a path in each value, put together. */
export const joined = (all: ReadonlyArray<unknown>, ...path: ReadonlyArray<string | number>): string =>
  all.map((value) => at(value, ...path)).filter((text) => typeof text === "string").join("")
