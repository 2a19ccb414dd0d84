import { ChatCompletions, OpenAiCompatible } from "@effect-dspy/providers"
import { describe } from "@effect/vitest"
import { cut, play } from "./exchange.ts"
import { answers as fixtures } from "./fixtures/chat.ts"
import { options } from "./server.ts"

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
