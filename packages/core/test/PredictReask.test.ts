import { ChatAdapter, JsonAdapter, LM, LMErrorReason, Predict, PredictError, Signature } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schedule, Schema } from "effect"
import { Mood, mood, timed } from "./support.ts"

const answer = { label: "pos", score: 0.9 } as const
const call = mood({ text: "hi" })
const overloaded = new LMErrorReason.Overloaded({})
const retried = LM.retry({ schedule: Schedule.spaced("1 millis") })

/** Runs a call that fails, and gives its OutputError. */
const failing = <A, E>(self: Effect.Effect<A, E, LM>, lm: LM.Service) =>
  Effect.gen(function*() {
    const error: unknown = yield* Effect.flip(Effect.provideService(self, LM, lm))
    return error instanceof PredictError.OutputError ? error : assert.fail(String(error))
  })

describe("a reply of the wrong type", () => {
  for (const adapter of [JsonAdapter.adapter, ChatAdapter.adapter]) {
    it.effect(`${adapter.name}: is asked for again with the reply and what was expected`, () =>
      Effect.gen(function*() {
        const bad = "{\"label\": \"meh\", \"score\": \"high\"}"
        const { lm, recorder } = TestLM.make([bad, answer])
        const output = yield* Effect.provideService(Predict.make(Mood, { adapter })({ text: "hi" }), LM, lm)
        assert.deepStrictEqual(output, answer)
        const [first, second] = recorder.requests
        assert.strictEqual(recorder.started, 2)
        assert.deepStrictEqual(second?.messages.slice(0, 2), first?.messages)
        const [reply, feedback, ...more] = second?.messages.slice(2) ?? []
        assert.deepStrictEqual(reply, { role: "assistant", content: bad })
        assert.strictEqual(feedback?.role, "user")
        assert.include(feedback?.content, "- label: expected \"pos\" | \"neg\"")
        assert.include(feedback?.content, "- score: expected number")
        assert.deepStrictEqual(more, [])
        assert.strictEqual(second?.output, first?.output)
        assert.strictEqual(second?.call, first?.call)
      }))
  }

  it.effect("names missing fields, and places deep inside", () =>
    Effect.gen(function*() {
      const extract = Predict.make(Signature.make("Extract", {
        input: { text: Schema.String },
        output: { facts: Schema.Array(Schema.Struct({ claim: Schema.String })), title: Schema.String }
      }))
      const { lm, recorder } = TestLM.make([
        { facts: [{ claim: "a" }, { claim: 2 }] },
        { facts: [], title: "t" }
      ])
      yield* Effect.provideService(extract({ text: "hi" }), LM, lm)
      const feedback = recorder.requests[1]?.messages.at(-1)?.content
      assert.include(feedback, "- facts[1].claim: expected string")
      assert.include(feedback, "- title: expected a value, but the field is missing")
    }))

  it.effect("the model is told which of its own keys was wrong, the error is not", () =>
    Effect.gen(function*() {
      const count = Predict.make(Signature.make("Count", {
        input: { text: Schema.String },
        output: { words: Schema.Record(Schema.String, Schema.Int) }
      }))
      const { lm, recorder } = TestLM.make(() => ({ words: { secretword: "many" } }))
      const error = yield* failing(count({ text: "hi" }), lm)
      assert.include(recorder.requests[1]?.messages.at(-1)?.content, "words.secretword: expected number")
      assert.deepStrictEqual(error.issues, [{ path: ["words", "*"], expected: "number" }])
    }))

  it.effect("only the last reply goes back", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(["{\"label\": \"first\"}", "{\"label\": \"second\"}", answer])
      yield* Effect.provideService(call, LM, lm)
      assert.deepStrictEqual(recorder.requests.map((request) => request.messages.length), [2, 4, 4])
      const third = JSON.stringify(recorder.requests[2]?.messages)
      assert.include(third, "second")
      assert.notInclude(third, "first")
    }))

  it.effect("with no attempt left is an OutputError that says everything but the reply", () =>
    Effect.gen(function*() {
      const cost = (inputTokens: number) => ({ calls: 1, inputTokens, outputTokens: 5, costUsd: 0.01 })
      const reply = (text: string, inputTokens: number) =>
        TestLM.completion({ content: [{ type: "text", text }], usage: cost(inputTokens) })
      const { lm } = TestLM.make([reply("{}", 10), reply("no", 20), reply("{\"label\": \"pos\"}", 30)], {
        provider: "acme",
        model: "a-1"
      })
      const error = yield* failing(call, lm)
      assert.deepInclude(error, { signature: "Mood", provider: "acme", model: "a-1", attempts: 3, isRetryable: true })
      assert.deepStrictEqual(error.usage, { calls: 3, inputTokens: 60, outputTokens: 15, costUsd: 0.03 })
      assert.deepStrictEqual(error.issues, [{ path: ["score"], expected: "a value, but the field is missing" }])
      assert.strictEqual(
        error.message,
        "Mood: no usable output from acme/a-1 in 3 attempts: score: expected a value, but the field is missing"
      )
      assert.strictEqual(PredictError.OutputError.reveal(error), "{\"label\": \"pos\"}")
    }))
})

describe("what was wrong with a reply", () => {
  const once = LM.withSettings({ attempts: 1 })
  const reason = (reply: TestLM.Reply) =>
    Effect.map(failing(once(call), TestLM.make([reply]).lm), (error) => error.reason)

  it.effect("Empty: no text", () =>
    Effect.gen(function*() {
      const thought = TestLM.completion({ content: [{ type: "reasoning", text: "Hm." }] })
      for (const reply of ["", " \n\t", TestLM.completion({ content: [] }), thought]) {
        assert.strictEqual((yield* reason(reply))._tag, "Empty")
      }
    }))

  it.effect("Truncated: cut at the token limit, however complete it looks", () =>
    Effect.gen(function*() {
      for (const reply of ["{\"label\": \"po", JSON.stringify(answer), ""]) {
        assert.strictEqual((yield* reason(TestLM.truncated(reply)))._tag, "Truncated")
      }
    }))

  it.effect("Unreadable: no output fields to be found", () =>
    Effect.gen(function*() {
      for (const reply of ["I would rather not.", "42", "[]", "{\"label\": \"pos\", \"score\": 0."]) {
        assert.strictEqual((yield* reason(reply))._tag, "Unreadable", reply)
      }
    }))

  it.effect("Invalid: read, but wrong; garbage never becomes 0, null or empty text", () =>
    Effect.gen(function*() {
      const replies = [
        { label: "pos" },
        { label: "pos", score: null },
        { label: "pos", score: "" },
        { label: "pos", score: "0.9" },
        { label: "pos", score: true },
        { label: "Pos", score: 1 },
        { label: ["pos"], score: 1 }
      ]
      for (const reply of replies) assert.strictEqual((yield* reason(reply))._tag, "Invalid", JSON.stringify(reply))
    }))

  it.effect("an error that only more tokens can heal is not retryable", () =>
    Effect.gen(function*() {
      assert.isFalse((yield* failing(call, TestLM.make([TestLM.truncated("{")]).lm)).isRetryable)
      assert.isTrue((yield* failing(once(call), TestLM.make([""]).lm)).isRetryable)
    }))
})

describe("an empty reply", () => {
  it.effect("is asked for again as it was: there is nothing to comment on", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(["", answer])
      assert.deepStrictEqual(yield* Effect.provideService(call, LM, lm), answer)
      assert.deepStrictEqual(recorder.requests[1]?.messages, recorder.requests[0]?.messages)
    }))
})

describe("a cut reply", () => {
  it.effect("fails at once: the same limit would cut it again", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([TestLM.truncated("{"), answer])
      const error = yield* failing(call, lm)
      assert.strictEqual(error.reason._tag, "Truncated")
      assert.strictEqual(recorder.started, 1)
    }))

  const limits = (recorder: TestLM.Recorder) => recorder.requests.map((request) => request.settings.maxTokens)

  it.effect("is asked for again with more tokens, without the cut reply", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([TestLM.truncated("{"), answer])
      const output = yield* call.pipe(
        LM.withSettings({ maxTokens: 10, retryMaxTokens: 100, temperature: 1 }),
        Effect.provideService(LM, lm)
      )
      assert.deepStrictEqual(output, answer)
      assert.deepStrictEqual(limits(recorder), [10, 100])
      assert.strictEqual(recorder.requests[1]?.settings.temperature, 1)
      assert.deepStrictEqual(recorder.requests[1]?.messages, recorder.requests[0]?.messages)
    }))

  it.effect("cut again at the higher limit, is not asked for a third time", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(() => TestLM.truncated("{"))
      const error = yield* failing(LM.withSettings({ maxTokens: 10, retryMaxTokens: 100, attempts: 5 })(call), lm)
      assert.strictEqual(error.reason._tag, "Truncated")
      assert.deepStrictEqual(limits(recorder), [10, 100])
    }))

  it.effect("the higher limit stays for the attempts after it", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([TestLM.truncated("{"), "garbage", "", answer])
      yield* call.pipe(
        LM.withSettings({ maxTokens: 10, retryMaxTokens: 100, attempts: 4 }),
        Effect.provideService(LM, lm)
      )
      assert.deepStrictEqual(limits(recorder), [10, 100, 100, 100])
    }))

  it.effect("a limit that is not higher is no reason to ask again", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([TestLM.truncated("{"), answer])
      yield* failing(LM.withSettings({ maxTokens: 100, retryMaxTokens: 100 })(call), lm)
      assert.strictEqual(recorder.started, 1)
    }))

  it.effect("the layer's defaults count", () =>
    Effect.gen(function*() {
      const sent: Array<number | undefined> = []
      const lm = LM.make({
        provider: "p",
        model: "m",
        defaults: { maxTokens: 10, retryMaxTokens: 100 },
        generate: ({ settings }) =>
          Effect.sync(() => {
            sent.push(settings.maxTokens)
            const cut = settings.maxTokens === 10
            return {
              content: [{ type: "text", text: cut ? "{" : JSON.stringify(answer) }],
              finishReason: cut ? "length" : "stop",
              usage: { calls: 1 },
              provider: "p",
              model: "m"
            }
          })
      })
      assert.deepStrictEqual(yield* Effect.provideService(call, LM, lm), answer)
      assert.deepStrictEqual(sent, [10, 100])
    }))
})

describe("one budget", () => {
  it.effect("for retries and re-asks together: a 503, then bad, then bad are 3 requests", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([overloaded, "bad", "worse", answer])
      const { exit } = yield* timed(Effect.provide(call, Layer.succeed(LM, lm).pipe(retried)))
      const error = yield* Effect.flip(exit)
      assert.deepInclude(error, { _tag: "OutputError", attempts: 3 })
      assert.deepInclude(recorder, { started: 3, failed: 1, finished: 2 })
    }))

  it.effect("a bad reply, then 503s: the failure is the endpoint's", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(["bad", overloaded, overloaded, answer])
      const { exit } = yield* timed(Effect.provide(call, Layer.succeed(LM, lm).pipe(retried)))
      const error = yield* Effect.flip(exit)
      assert.strictEqual(error._tag, "LMError")
      assert.strictEqual(recorder.started, 3)
    }))

  it.effect("is exact, whatever is stacked", () =>
    Effect.gen(function*() {
      const faults: ReadonlyArray<TestLM.Reply> = [overloaded, "bad", "", "{}"]
      for (const attempts of [1, 2, 3, 7]) {
        for (const shift of [0, 1, 2, 3]) {
          let index = shift
          const { lm, recorder } = TestLM.make(() => faults[index++ % faults.length] ?? "")
          const Stacked = Layer.succeed(LM, lm).pipe(retried, LM.resilient(), retried)
          const { exit } = yield* timed(Effect.provide(call, Stacked).pipe(LM.withSettings({ attempts })))
          assert.isTrue(Exit.isFailure(exit))
          assert.strictEqual(recorder.started, attempts, `${attempts} attempts, shift ${shift}`)
        }
      }
    }))

  it.effect("each call has its own", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(["bad", "bad", answer, "bad", "bad", answer])
      yield* Effect.provideService(Effect.andThen(call, call), LM, lm)
      assert.strictEqual(recorder.started, 6)
    }))

  it.effect("what cannot get better is not asked again", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([new LMErrorReason.Refused({}), answer])
      const { exit } = yield* timed(Effect.provide(call, Layer.succeed(LM, lm).pipe(retried)))
      assert.strictEqual((yield* Effect.flip(exit))._tag, "LMError")
      assert.strictEqual(recorder.started, 1)
    }))

  it.effect("re-asks are on without LM.retry, transport retries are not", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(["bad", overloaded, answer])
      const error = yield* Effect.flip(Effect.provideService(call, LM, lm))
      assert.strictEqual(error._tag, "LMError")
      assert.strictEqual(recorder.started, 2)
    }))

  it.effect("the total timeout holds across re-asks", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(() => "bad", { latency: "4 seconds" })
      const { exit, ms } = yield* timed(
        call.pipe(LM.withSettings({ timeout: "10 seconds", attempts: 9 }), Effect.provideService(LM, lm))
      )
      const error = yield* Effect.flip(exit)
      assert.strictEqual(ms, 10_000)
      if (error._tag !== "LMError") return assert.fail(error._tag)
      assert.deepInclude(error.reason, { _tag: "Timeout", kind: "total" })
      assert.deepInclude(recorder, { started: 3, finished: 2, interrupted: 1, inFlight: 0 })
    }))
})
