import { ChainOfThought, JsonAdapter, LM, Predict } from "@effect-dspy/core"
import { OpenAiCompatible } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { type Answer, options, reply, serve } from "./server.ts"
import { specsAt } from "./shared.ts"
import { signature } from "./signatures.ts"
import { type Json, specification } from "./specification.ts"

const chat = () => specification("openai-chat-responses.slice.json", "CreateChatCompletionRequest")

const settings: ReadonlyArray<LM.Settings> = [
  {},
  { temperature: 0, seed: 1 },
  { temperature: 1.3, topP: 0.5, maxTokens: 100 },
  { stop: ["END"], reasoningEffort: "minimal" },
  { stop: ["\n", "a", "b", "c"], reasoningEffort: "none", maxTokens: 1, rollout: 4 },
  { reasoningEffort: "high", timeout: "1 minute", retryMaxTokens: 9 }
]

const dialects: ReadonlyArray<Partial<OpenAiCompatible.Options>> = [
  {},
  { maxTokensField: "max_completion_tokens" },
  { capabilities: { structuredOutput: ["json"] } },
  { capabilities: { structuredOutput: ["tool"] } },
  { capabilities: { structuredOutput: ["prompt"] } }
]

/** The bodies sent for one signature: the question, and the question again after an answer of no use. */
const bodies = (seed: number) =>
  Effect.gen(function*() {
    const useless: Answer = reply("I'd rather not say.")
    const server = yield* serve([useless, useless])
    const made = signature(seed)
    const predict = seed % 3 === 0 ? ChainOfThought.make(made) : Predict.make(made, { adapter: JsonAdapter.adapter })
    yield* Effect.flip(predict({ topic: "The \"sea\" 🌊\n" })).pipe(
      LM.withSettings({ ...settings[seed % settings.length], attempts: 2 }),
      Effect.provide(Layer.orDie(OpenAiCompatible.layer(options(server, dialects[seed % dialects.length]))))
    )
    return server.requests.map((request) => request.json)
  })

describe.skipIf(specsAt === undefined)("OpenAI's specification", () => {
  it.live("takes every request body", () =>
    Effect.gen(function*() {
      const problems = chat()
      for (let seed = 0; seed < 36; seed++) {
        const sent = yield* bodies(seed)
        assert.strictEqual(sent.length, 2)
        for (const body of sent) assert.strictEqual(problems(body), "", `seed ${seed}`)
      }
    }))

  it.live("would not take others", () =>
    Effect.gen(function*() {
      const problems = chat()
      const [body] = yield* bodies(1)
      const format = { type: "json_schema", json_schema: { schema: {}, strict: true } }
      const wrong: { readonly [what: string]: Json } = {
        "a role nobody has": { messages: [{ role: "bot", content: "x" }] },
        "no messages": { messages: [] },
        "a temperature in words": { temperature: "hot" },
        "too many stops": { stop: ["a", "b", "c", "d", "e"] },
        "an effort nobody knows": { reasoning_effort: "heroic" },
        "a schema without a name": { response_format: format },
        "a key of our own": { maxTokens: 5 }
      }
      for (const [what, change] of Object.entries(wrong)) {
        assert.notStrictEqual(problems({ ...body, ...change }), "", what)
      }
    }))
})
