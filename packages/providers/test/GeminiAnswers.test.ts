import { Gemini, GenerateContent, Quirks } from "@effect-dspy/providers"
import { describe } from "@effect/vitest"
import { cut, play } from "./exchange.ts"
import { answers as fixtures } from "./fixtures/gemini.ts"
import { options } from "./gemini.ts"

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
