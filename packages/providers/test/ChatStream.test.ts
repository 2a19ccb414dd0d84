import { LM, Message, Predict, Signature } from "@effect-dspy/core"
import { OpenAiCompatible } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { type Answer, options, serve, until } from "./server.ts"

/** A stream as servers write it: an event a chunk, then the mark of its end. */
const framed = (chunks: ReadonlyArray<unknown>): string =>
  [...chunks.map((chunk) => JSON.stringify(chunk)), "[DONE]"].map((data) => `data: ${data}\n\n`).join("")

const events = (chunks: ReadonlyArray<unknown>, more: Partial<Answer> = {}): Answer => ({
  headers: { "content-type": "text/event-stream" },
  chunked: true,
  body: framed(chunks),
  ...more
})

const delta = (fields: object, choice: object = {}) => ({
  id: "chatcmpl-1",
  model: "test-model-2026",
  choices: [{ index: 0, delta: fields, finish_reason: null, ...choice }]
})

const hello = [
  delta({ role: "assistant", content: "" }),
  delta({ content: "Grüß" }),
  delta({ content: " 🌊" }),
  delta({}, { finish_reason: "stop" }),
  { id: "chatcmpl-1", choices: [], usage: { prompt_tokens: 3, completion_tokens: 5 } }
]

const request = { messages: [Message.user("hello")] }

/** The parts of one streamed call against a server that gives these answers. */
const parts = (answers: ReadonlyArray<Answer>, more: Partial<OpenAiCompatible.Options> = {}) =>
  Effect.gen(function*() {
    const server = yield* serve(answers)
    const found = yield* LM.stream(request).pipe(
      Stream.runCollect,
      Effect.provide(OpenAiCompatible.layer(options(server, more)))
    )
    return { server, found }
  })

describe("a streamed answer", () => {
  it.live("is read whatever stands beside its text, in whichever chunk it stands", () =>
    Effect.gen(function*() {
      const { found } = yield* parts([events([
        // Who answers is said late, by some not at the beginning.
        { choices: [{ index: 0, delta: { content: "a" } }] },
        delta({ content: "b", refusal: null, tool_calls: null, audio: null }),
        delta({ content: "c", reasoning_content: "hm" }),
        delta({
          content: "d",
          tool_calls: [{ index: 0, id: "t1", function: { name: "look", arguments: "{\"at\":1}" } }]
        }),
        { ...delta({ content: "e" }), usage: { prompt_tokens: 3, completion_tokens: 5 } },
        { ...delta({ content: "f" }), error: null, usage: null },
        delta({ content: "g" }, { finish_reason: "tool_calls" })
      ])])
      const said = found.flatMap((part) => part.type === "text" ? [part.text] : [])
      assert.deepStrictEqual(said, ["a", "b", "c", "d", "e", "f", "g"])
      const last = found.at(-1)
      assert.deepStrictEqual(last?.type === "finish" ? last.completion : undefined, {
        content: [
          { type: "reasoning", text: "hm" },
          { type: "text", text: "abcdefg" },
          { type: "toolCall", id: "t1", name: "look", arguments: { at: 1 } }
        ],
        finishReason: "toolCalls",
        usage: { calls: 1, inputTokens: 3, outputTokens: 5 },
        provider: "loopback",
        model: "test-model-2026",
        id: "chatcmpl-1"
      })
      const failed = yield* Effect.flip(parts([events([
        delta({ content: "a" }),
        { ...delta({ content: "b" }), error: { message: "overloaded", code: 503 } }
      ])]))
      assert.strictEqual(failed._tag === "LMError" ? failed.reason._tag : failed._tag, "Overloaded")
    }))

  it.live("is asked for with its usage, and comes in pieces", () =>
    Effect.gen(function*() {
      const { found, server } = yield* parts([events(hello)])
      assert.deepInclude(server.requests[0]?.json, { stream: true, stream_options: { include_usage: true } })
      assert.deepStrictEqual(found.map((part) => part.type), ["text", "text", "finish"])
      const last = found.at(-1)
      assert.deepStrictEqual(last?.type === "finish" ? last.completion : undefined, {
        content: [{ type: "text", text: "Grüß 🌊" }],
        finishReason: "stop",
        usage: { calls: 1, inputTokens: 3, outputTokens: 5 },
        provider: "loopback",
        model: "test-model-2026",
        id: "chatcmpl-1"
      })
    }))

  it.live("has its tool calls put together", () =>
    Effect.gen(function*() {
      const call = (index: number, fields: object) => delta({ tool_calls: [{ index, ...fields }] })
      const { found } = yield* parts([events([
        call(0, { id: "a", function: { name: "add", arguments: "" } }),
        call(0, { function: { arguments: "{\"x\":" } }),
        call(1, { id: "b", function: { name: "now", arguments: "" } }),
        call(0, { function: { arguments: "1}" } }),
        delta({}, { finish_reason: "tool_calls" })
      ])])
      assert.deepStrictEqual(found.map((part) => part.type), ["toolInput", "toolInput", "finish"])
      const last = found.at(-1)
      assert.deepStrictEqual(last?.type === "finish" ? last.completion.content : undefined, [
        { type: "toolCall", id: "a", name: "add", arguments: { x: 1 } },
        { type: "toolCall", id: "b", name: "now", arguments: {} }
      ])
    }))

  it.live("that breaks off is cut, wherever it does", () =>
    Effect.gen(function*() {
      const short = events(hello.slice(0, 3), { body: `data: ${JSON.stringify(hello[1])}\n\n` })
      for (const answer of [short, events(hello, { cut: "inside" })]) {
        const failure = yield* Effect.flip(parts([answer]))
        assert.strictEqual(failure._tag === "LMError" ? failure.reason._tag : failure._tag, "StreamCut")
      }
    }))

  it.live("may bring an error, with its reason", () =>
    Effect.gen(function*() {
      const failing = events([hello[1], { error: { code: 529, type: "overloaded_error", message: "Overloaded" } }])
      const failure = yield* Effect.flip(parts([failing]))
      assert.strictEqual(failure._tag === "LMError" ? failure.reason._tag : failure._tag, "Overloaded")
    }))

  it.live("is read when the server answers in one piece all the same", () =>
    Effect.gen(function*() {
      const whole = { choices: [{ message: { content: "Hi" }, finish_reason: "stop" }] }
      const { found } = yield* parts([{ body: whole }])
      assert.deepStrictEqual(found.map((part) => part.type), ["text", "finish"])
    }))

  it.live("left early closes its socket", () =>
    Effect.gen(function*() {
      const server = yield* serve([events(hello, { pause: 60_000 })])
      yield* LM.stream(request).pipe(
        Stream.take(1),
        Stream.runDrain,
        Effect.provide(OpenAiCompatible.layer(options(server)))
      )
      yield* until(() => server.closed === 1)
      assert.strictEqual(server.closed, 1)
    }))

  it.live("cut at any byte and in any chunks says the same", () =>
    Effect.gen(function*() {
      const bytes = new TextEncoder().encode(framed(hello).replaceAll("\n", "\r\n"))
      const cuts = Array.from({ length: bytes.byteLength - 1 }, (_, index) => index + 1)
      const server = yield* serve((_, index) => ({
        ...events([]),
        body: bytes,
        cutAt: cuts[index] ?? 1
      }))
      const live = OpenAiCompatible.layer(options(server))
      const texts = yield* Effect.forEach(cuts, () =>
        LM.stream(request).pipe(
          Stream.filter((part) => part.type === "text"),
          Stream.runFold(() => "", (text, part) => text + part.text)
        ), { concurrency: 4 }).pipe(Effect.provide(live))
      assert.deepStrictEqual([...new Set(texts)], ["Grüß 🌊"])
    }))
})

describe("a forced tool", () => {
  const rate = Predict.make(Signature.make("Rate", {
    input: { text: Schema.String },
    output: { stars: Schema.Int }
  }))

  it.live("gives its arguments as the answer", () =>
    Effect.gen(function*() {
      const call = { id: "a", type: "function", function: { name: "give_output", arguments: "{\"stars\":4}" } }
      const answer = { choices: [{ message: { content: null, tool_calls: [call] }, finish_reason: "tool_calls" }] }
      const server = yield* serve([{ body: answer }])
      const live = OpenAiCompatible.layer(options(server, { capabilities: { structuredOutput: ["tool"] } }))
      assert.deepStrictEqual(yield* Effect.provide(rate({ text: "good" }), live), { stars: 4 })
      assert.deepInclude(server.requests[0]?.json, {
        tool_choice: { type: "function", function: { name: "give_output" } }
      })
    }))

  it.live("is the next way where the endpoint refuses the schema, for this call only", () =>
    Effect.gen(function*() {
      const call = { id: "a", type: "function", function: { name: "give_output", arguments: "{\"stars\":4}" } }
      const answer = { choices: [{ message: { content: null, tool_calls: [call] }, finish_reason: "tool_calls" }] }
      const refusal = {
        error: { message: "response_format json_schema is not supported", type: "invalid_request_error" }
      }
      const server = yield* serve([{ status: 400, body: refusal }, { body: answer }, { status: 400, body: refusal }, {
        body: answer
      }])
      yield* Effect.gen(function*() {
        yield* rate({ text: "good" })
        yield* rate({ text: "good" })
      }).pipe(Effect.provide(OpenAiCompatible.layer(options(server))))
      const formats = server.requests.map(({ json }) => json.response_format !== undefined)
      assert.deepStrictEqual(formats, [true, false, true, false])
    }))
})
