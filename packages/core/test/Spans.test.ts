import { Content, LM, LMErrorReason, Predict, ReAct, Signature, Spans, Tool } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, Schema, Stream } from "effect"
import { attributes, recording, shape } from "./spans.ts"
import { mood, timed } from "./support.ts"

const answer = { label: "pos", score: 0.9 } as const
const call = mood({ text: "PLANTED-PROMPT" })
const retried = LM.retry({ schedule: Schedule.spaced("1 second") })

/** The spans of a program, as it runs under a virtual clock. */
const spansOf = Effect.fnUntraced(function*<A, E>(program: Effect.Effect<A, E>) {
  const { layer, spans } = recording()
  yield* timed(Effect.exit(Effect.provide(program, layer)))
  return spans
})

const priced = TestLM.completion({
  content: [{ type: "text", text: JSON.stringify(answer) }],
  id: "chatcmpl-1",
  usage: {
    calls: 1,
    inputTokens: 100,
    cachedTokens: 60,
    cacheWriteTokens: 10,
    outputTokens: 20,
    reasoningTokens: 15,
    costUsd: 0.25
  }
})

describe("the span of a call", () => {
  it.effect("is one, and speaks the language of the conventions", () =>
    Effect.gen(function*() {
      const settings = { temperature: 0.5, topP: 0.9, maxTokens: 300, seed: 7, stop: ["."] }
      const spans = yield* spansOf(
        call.pipe(LM.withSettings(settings), Effect.provide(TestLM.layer([priced], { latency: "2 seconds" })))
      )
      assert.deepStrictEqual(shape(spans), [{ name: "chat scripted", parent: undefined, at: 0, to: 2 }])
      assert.strictEqual(spans[0]?.kind, "client")
      assert.deepStrictEqual(attributes(spans[0]), {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "test",
        "gen_ai.request.model": "scripted",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.max_tokens": 300,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ["."],
        "gen_ai.output.type": "json",
        "gen_ai.response.model": "scripted",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 60,
        "gen_ai.usage.cache_creation.input_tokens": 10,
        "gen_ai.usage.reasoning.output_tokens": 15,
        "effect_dspy.usage.cost_usd": 0.25,
        "effect_dspy.attempts": 1,
        "effect_dspy.predictor": "Mood",
        "effect_dspy.signature": "Mood",
        "effect_dspy.path": "Mood"
      })
    }))

  it.effect("has its requests below it as soon as there are two, each with the time it took", () =>
    Effect.gen(function*() {
      const lm = TestLM.layer(["no JSON", new LMErrorReason.Overloaded({}), answer], { latency: "2 seconds" })
      const spans = yield* spansOf(Effect.provide(call, retried(lm)))
      const parent = "chat scripted"
      assert.deepStrictEqual(shape(spans), [
        { name: "chat scripted", parent: undefined, at: 0, to: 7 },
        { name: "chat scripted", parent, at: 0, to: 2 },
        { name: "chat scripted", parent, at: 2, to: 4, failed: true },
        { name: "chat scripted", parent, at: 5, to: 7 }
      ])
      assert.deepStrictEqual(spans.map((span) => attributes(span)["effect_dspy.attempt"]), [undefined, 1, 2, 3])
      assert.deepStrictEqual(
        spans.map((span) => attributes(span)["error.type"]),
        [undefined, undefined, "Overloaded", undefined]
      )
    }))

  it.effect("tells of a hedge, of a failure, and of an interruption as what they are", () =>
    Effect.gen(function*() {
      const hedged = LM.hedge({ delay: "1 second" })
      const lm = TestLM.layer([TestLM.after("4 seconds", answer), TestLM.after("1 second", answer)])
      const pair = yield* spansOf(Effect.provide(call, hedged(lm)))
      assert.sameDeepMembers(shape(pair), [
        { name: "chat scripted", parent: undefined, at: 0, to: 2 },
        { name: "chat scripted", parent: "chat scripted", at: 0, to: 2 },
        { name: "chat scripted", parent: "chat scripted", at: 1, to: 2 }
      ])
      const refused = yield* spansOf(Effect.provide(call, TestLM.layer([new LMErrorReason.Refused({})])))
      assert.deepStrictEqual(refused.map((span) => attributes(span)["error.type"]), ["Refused"])
      assert.deepStrictEqual(shape(refused).map(({ failed }) => failed), [true])
      const left = yield* spansOf(
        Effect.timeoutOption(call, "3 seconds").pipe(Effect.provide(TestLM.layer(() => TestLM.never)))
      )
      assert.deepStrictEqual(shape(left).map(({ at, failed, to }) => [Number(to) - at, failed]), [[3, undefined]])
      assert.isUndefined(attributes(left[0])["error.type"])
    }))

  it.effect("is right for calls that run side by side", () =>
    Effect.gen(function*() {
      const lm = TestLM.layer((request) =>
        TestLM.after(`${request.call?.input.text} seconds` as `${number} seconds`, answer)
      )
      const one = (text: string) => Effect.withSpan(mood({ text }), text)
      const spans = yield* spansOf(
        Effect.forEach(["3", "1", "2"], one, { concurrency: 3 }).pipe(Effect.provide(lm))
      )
      assert.sameDeepMembers(
        shape(spans).flatMap(({ name, parent, to }) => name === "chat scripted" ? [[parent, to]] : []),
        [["3", 3], ["1", 1], ["2", 2]]
      )
    }))

  it.effect("says when a streamed answer began", () =>
    Effect.gen(function*() {
      const tell = Predict.make(
        Signature.make("Tell", { input: { about: Schema.String }, output: { story: Schema.String } })
      )
      const lm = TestLM.layer([TestLM.streamed(["{\"story\":", "\"Twice.\"}"], { interval: "2 seconds" })])
      const spans = yield* spansOf(Stream.runDrain(Predict.stream(tell, { about: "tides" })).pipe(Effect.provide(lm)))
      const [span] = spans.map(attributes)
      assert.strictEqual(spans.length, 1)
      assert.strictEqual(span?.["gen_ai.request.stream"], true)
      assert.isNumber(span?.["gen_ai.response.time_to_first_chunk"])
    }))

  it.effect("holds no word of prompt and reply, unless content is shown; then as the redactor leaves it", () =>
    Effect.gen(function*() {
      const lm = () => TestLM.layer(["PLANTED-REPLY", answer])
      const silent = yield* spansOf(Effect.provide(call, lm()))
      assert.notInclude(JSON.stringify(silent.map(attributes)), "PLANTED")
      const shown = yield* spansOf(
        call.pipe(Content.show({ redact: (text) => text.replaceAll("PLANTED", "***") }), Effect.provide(lm()))
      )
      const [whole, , second] = shown.map(attributes)
      assert.include(String(whole?.["gen_ai.input.messages"]), "***-PROMPT")
      assert.include(String(second?.["gen_ai.input.messages"]), "***-REPLY")
      assert.deepStrictEqual(JSON.parse(String(whole?.["gen_ai.output.messages"])), [
        { role: "assistant", parts: [{ type: "text", content: JSON.stringify(answer) }], finish_reason: "stop" }
      ])
      assert.notInclude(JSON.stringify(shown.map(attributes)), "PLANTED")
    }))

  it.effect("stands for all requests only where nobody asks for more", () =>
    Effect.gen(function*() {
      const all = yield* spansOf(call.pipe(Spans.settings({ requests: "all" }), Effect.provide(TestLM.layer([answer]))))
      assert.deepStrictEqual(shape(all).map(({ parent }) => parent), [undefined, "chat scripted"])
      const byHand = yield* spansOf(Effect.provide(LM.generate({ messages: [] }), TestLM.layer(["x"])))
      assert.deepStrictEqual(byHand.map(({ name }) => name), ["chat scripted"])
    }))
})

describe("the span of an agent", () => {
  it.effect("has its requests and tools below it", () =>
    Effect.gen(function*() {
      const double = Tool.make("double", {
        description: "",
        parameters: { n: Schema.Finite },
        success: Schema.Finite,
        run: ({ n }) => Effect.succeed(2 * n)
      })
      const agent = ReAct.make(
        Signature.make("Sum", { input: { question: Schema.String }, output: { sum: Schema.Finite } }),
        { tools: [double] }
      )
      const tool = (name: string, args: Schema.Json) =>
        TestLM.completion({
          content: [{ type: "toolCall", id: "t", name, arguments: args }],
          finishReason: "toolCalls",
          usage: { calls: 1, inputTokens: 10 }
        })
      const lm = TestLM.layer([tool("double", { n: 2 }), tool("submit", { sum: 4 })])
      const spans = yield* spansOf(Effect.provide(agent({ question: "2 + 2?" }), lm))
      const parent = "invoke_agent Sum"
      assert.deepStrictEqual(shape(spans).map(({ name, parent }) => [name, parent]), [
        ["invoke_agent Sum", undefined],
        ["chat scripted", parent],
        ["execute_tool double", parent],
        ["chat scripted", parent]
      ])
      assert.deepInclude(attributes(spans[0]), {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "Sum",
        "gen_ai.usage.input_tokens": 20,
        "effect_dspy.attempts": 2
      })
      assert.deepInclude(attributes(spans[2]), { "gen_ai.tool.name": "double", "gen_ai.tool.call.id": "t" })
    }))
})

describe("traceparent", () => {
  it("is read as it is written, and nothing else is", () => {
    const text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
    const span = Spans.fromTraceparent(text)
    assert.deepStrictEqual([span?.sampled, span && Spans.toTraceparent(span)], [false, text])
    for (const wrong of ["", "00-x-y-01", text.slice(0, 40), text.toUpperCase().replaceAll("0", "G")]) {
      assert.isUndefined(Spans.fromTraceparent(wrong), wrong)
    }
  })
})
