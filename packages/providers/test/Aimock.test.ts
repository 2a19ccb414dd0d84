/**
 * Every protocol and a few profiles against a mock of all vendors that was written by somebody else, over sockets:
 * plain, streamed, with tools, under limits and with faults. Nothing hangs, nothing is lost, every failure is typed.
 */
import { LLMock } from "@copilotkit/aimock"
import { LM, LMError, Message } from "@effect-dspy/core"
import * as Completion from "@effect-dspy/core/Completion"
import { Anthropic, Gemini, Ollama, OpenAi, OpenAiCompatible, Profiles } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Schedule, Stream } from "effect"
import { answer, until } from "./server.ts"

const apiKey = Redacted.make("mock")

const endpoints: { readonly [name: string]: (url: string) => Layer.Layer<LM, unknown> } = {
  "OpenAI's Responses": (url) => OpenAi.layer({ model: "gpt-5-mini", apiKey, baseUrl: `${url}/v1` }),
  "Chat Completions": (url) => OpenAiCompatible.layer({ model: "gpt-4o", apiKey, baseUrl: `${url}/v1` }),
  "Anthropic": (url) => Anthropic.layer({ model: "claude-sonnet-4-5", apiKey, baseUrl: url }),
  "Gemini": (url) => Gemini.layer({ model: "gemini-2.5-flash", apiKey, baseUrl: `${url}/v1beta` }),
  "Gemini of Vertex AI": (url) =>
    Gemini.layer({
      model: "gemini-2.5-flash",
      apiKey,
      auth: "bearer",
      baseUrl: `${url}/v1/projects/p/locations/l/publishers/google`
    }),
  "Ollama": (url) => Ollama.layer({ model: "qwen3", baseUrl: url }),
  "OpenRouter": (url) =>
    OpenAiCompatible.layer({
      profile: Profiles.openrouter,
      model: "meta-llama/llama-3.3-70b",
      apiKey,
      baseUrl: `${url}/api/v1`
    }),
  "Azure OpenAI": (url) => OpenAiCompatible.layer({ profile: Profiles.azure, model: "mine", apiKey, baseUrl: url })
}

/** Anything longer than a packet, so that streams come in many pieces. */
const story = Array.from({ length: 60 }, (_, index) => `Grüße Nr. ${index} 🌊`).join(", ")

const calls = [
  { name: "weather", arguments: "{\"city\":\"Oslo\"}" },
  { name: "time", arguments: "{\"zone\":\"CET\",\"exact\":true}" }
]

const tools = calls.map(({ name }) => ({ name, description: "", parameters: { type: "object", properties: {} } }))

/** A mock that lives as long as the scope; more than one in a process share state that is not ours. */
const mock = Effect.acquireRelease(
  Effect.promise(async () => {
    const made = new LLMock({ port: 0, journalMaxEntries: 0, chunkSize: 7 })
    made.onMessage("story", { content: story })
    made.onMessage("tools", { toolCalls: calls })
    made.onMessage("capital", { content: "{\"answer\":\"Paris\"}" })
    made.onMessage("broken", { content: story }, { truncateAfterChunks: 3, latency: 20 })
    made.onMessage("slow", { content: story }, { latency: 10_000 })
    await made.start()
    return made
  }),
  (made) => Effect.promise(() => made.stop())
)

const ask = (text: string, streamed: boolean, more: Partial<LM.Request> = {}) => {
  const request = { messages: [Message.user(text)], ...more }
  if (!streamed) return LM.generate(request)
  return Effect.flatMap(Stream.runCollect(LM.stream(request)), (parts) =>
    Effect.sync(() => {
      const last = parts.at(-1)
      if (last?.type !== "finish") return assert.fail("a stream without an end")
      const live = parts.slice(parts.findLastIndex((part) => part.type === "restart") + 1)
      const text = live.map((part) => part.type === "text" ? part.text : "").join("")
      assert.strictEqual(text, Completion.text(last.completion))
      return last.completion
    }))
}

const asked = (made: LLMock) => made.getRequests().filter(({ method }) => method === "POST").length

const live = (made: LLMock, of: (url: string) => Layer.Layer<LM, unknown>) => Layer.orDie(of(made.url))

const retryable = ["RateLimited", "Overloaded", "ServerError", "Network", "InvalidResponse", "StreamCut", "Timeout"]

for (const [name, of] of Object.entries(endpoints)) {
  describe.concurrent(`${name}, mocked`, () => {
    it.live("gives text, plain and streamed", () =>
      Effect.gen(function*() {
        const made = yield* mock
        for (const streamed of [false, true]) {
          const completion = yield* Effect.provide(ask("a story", streamed), live(made, of))
          assert.strictEqual(Completion.text(completion), story)
          assert.strictEqual(completion.finishReason, "stop")
        }
        assert.strictEqual(asked(made), 2)
      }))

    it.live("calls tools side by side, plain and streamed", () =>
      Effect.gen(function*() {
        const made = yield* mock
        for (const streamed of [false, true]) {
          const completion = yield* Effect.provide(ask("tools", streamed, { tools }), live(made, of))
          const called = Completion.toolCalls(completion)
          assert.deepStrictEqual(
            called.map((call) => [call.name, call.arguments]),
            calls.map((call) => [call.name, JSON.parse(call.arguments) as unknown])
          )
          assert.strictEqual(new Set(called.map(({ id }) => id)).size, 2)
          const results = called.map(({ id, name }) => ({ type: "toolResult", id, name, content: "ok" } as const))
          const messages = [
            Message.user("tools"),
            Message.assistant(completion.content),
            Message.tool(results),
            Message.user("a story")
          ]
          const end = yield* Effect.provide(ask("", streamed, { messages, tools }), live(made, of))
          assert.strictEqual(Completion.text(end), story)
        }
      }))

    it.live("answers a signature", () =>
      Effect.gen(function*() {
        const made = yield* mock
        const output = yield* Effect.provide(answer({ question: "The capital of France?" }), live(made, of))
        assert.deepStrictEqual(output, { answer: "Paris" })
        assert.strictEqual(asked(made), 1)
      }))

    it.live("a stream that is broken off is cut", () =>
      Effect.gen(function*() {
        const made = yield* mock
        const failure = yield* Effect.flip(Effect.provide(ask("broken", true), live(made, of)))
        assert.strictEqual(failure.reason._tag, "StreamCut")
      }))

    it.live("whoever is left early is let go", () =>
      Effect.gen(function*() {
        const made = yield* mock
        const layer = live(made, of).pipe(LM.timeout("100 millis"))
        const failure = yield* Effect.flip(Effect.provide(ask("slow", true), layer))
        assert.deepInclude(failure.reason, { _tag: "Timeout", kind: "attempt" })
        yield* until(() => asked(made) === 1)
        assert.strictEqual(asked(made), 1)
      }))

    it.live(
      "a storm of 429 ends with every call answered, and none asked for before its time",
      () =>
        Effect.gen(function*() {
          const made = yield* mock
          made.setChaos({ rateLimitRate: 0.3 })
          const names = Array.from({ length: 24 }, (_, index) => `story number ${index} of all`)
          const found = yield* Effect.forEach(names, (name, index) => ask(name, index % 2 === 0), {
            concurrency: 12
          }).pipe(LM.withSettings({ attempts: 20 }), Effect.provide(live(made, of).pipe(LM.retry())))
          for (const completion of found) assert.strictEqual(Completion.text(completion), story)
          const journal = made.getRequests()
          const refused = journal.filter(({ response }) => response.status === 429)
          assert.strictEqual(journal.length, names.length + refused.length)
          // The mock asks to wait for a second each time.
          for (const name of names) {
            const tries = journal.filter(({ body }) => JSON.stringify(body).includes(name))
            assert.isNotEmpty(tries)
            for (const [index, { timestamp }] of tries.entries()) {
              const before = tries[index - 1]
              if (before !== undefined) assert.isAtLeast(timestamp - before.timestamp, 990, name)
            }
          }
        }),
      60_000
    )

    it.live("under chaos every call ends, and what fails says why", () =>
      Effect.gen(function*() {
        const made = yield* mock
        made.setChaos({ dropRate: 0.15, malformedRate: 0.15, disconnectRate: 0.15 })
        const count = 60
        const once = live(made, of).pipe(LM.timeout("10 seconds"))
        const results = yield* Effect.forEach(
          Array.from({ length: count }, (_, index) => index % 2 === 0),
          (streamed) => Effect.result(ask("a story", streamed)),
          { concurrency: 12 }
        ).pipe(Effect.provide(once))
        assert.strictEqual(results.length, count)
        assert.strictEqual(made.getRequests().length, count)
        for (const result of results) {
          if (result._tag === "Success") {
            assert.strictEqual(Completion.text(result.success), story)
            continue
          }
          assert.instanceOf(result.failure, LMError.LMError)
          assert.include(retryable, result.failure.reason._tag)
          assert.isTrue(result.failure.isRetryable)
        }
        // With retries nothing is lost.
        const all = yield* Effect.forEach(
          Array.from({ length: count }, (_, index) => index % 2 === 0),
          (streamed) => ask("a story", streamed),
          { concurrency: 12 }
        ).pipe(
          LM.withSettings({ attempts: 30 }),
          Effect.provide(once.pipe(LM.retry({ schedule: Schedule.spaced("1 millis") })))
        )
        for (const completion of all) assert.strictEqual(Completion.text(completion), story)
      }), 60_000)
  })
}
