import { Ollama, OllamaChat } from "@effect-dspy/providers"
import { describe } from "@effect/vitest"
import { cut, play } from "./exchange.ts"
import { answers as fixtures } from "./fixtures/ollama.ts"

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
