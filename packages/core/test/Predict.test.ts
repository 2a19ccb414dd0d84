import { Adapter, ChainOfThought, ChatAdapter, JsonAdapter, LM, Message, Predict, Signature } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Option, References, Schema } from "effect"
import { Mood, mood, prompt } from "./support.ts"

const answer = { label: "pos", score: 0.9 } as const

/** Replies that say the same: only their form differs. */
const readable: ReadonlyArray<readonly [form: string, reply: string]> = [
  ["clean", "{\"label\": \"pos\", \"score\": 0.9}"],
  ["fenced", "```json\n{\"label\": \"pos\", \"score\": 0.9}\n```"],
  ["wrapped in prose", "Sure! Here it is: {\"label\": \"pos\", \"score\": 0.9} Anything else?"],
  ["with a fence in prose", "The mood:\n\n```\n{\"label\": \"pos\", \"score\": 0.9}\n```\n\nI am quite sure."],
  ["with trailing commas", "{\"label\": \"pos\", \"score\": 0.9,}"],
  ["with single quotes", "{'label': 'pos', 'score': 0.9}"],
  ["after a thought", "<think>{\"label\": \"neg\"}?</think>{\"label\": \"pos\", \"score\": 0.9}"],
  ["with more keys", "{\"label\": \"pos\", \"score\": 0.9, \"confidence\": \"high\"}"],
  ["with an example before it", "Not {\"label\": \"maybe\"} but {\"label\": \"pos\", \"score\": 0.9}"],
  ["with markers", "[[ ## label ## ]]\npos\n\n[[ ## score ## ]]\n0.9\n\n[[ ## completed ## ]]"]
]

describe("rescue before re-ask", () => {
  for (const adapter of [JsonAdapter.adapter, ChatAdapter.adapter]) {
    for (const [form, reply] of readable) {
      it.effect(`${adapter.name}: a reply ${form} costs one call`, () =>
        Effect.gen(function*() {
          const { lm, recorder } = TestLM.make([reply, answer])
          const output = yield* Predict.make(Mood, { adapter })({ text: "hi" }).pipe(Effect.provideService(LM, lm))
          assert.deepStrictEqual(output, answer)
          assert.strictEqual(recorder.started, 1)
        }))
    }
  }

  it.effect("the answer of a reasoning model is its text, not its reasoning", () =>
    Effect.gen(function*() {
      const reply = TestLM.completion({
        content: [
          { type: "reasoning", text: "{\"label\": \"neg\", \"score\": 0}" },
          { type: "text", text: "{\"label\": \"pos\"," },
          { type: "text", text: "\"score\": 0.9}" }
        ]
      })
      assert.deepStrictEqual(yield* Effect.provide(mood({ text: "hi" }), TestLM.layer([reply])), answer)
    }))
})

describe("the output", () => {
  it.effect("is plain: it compares, spreads and serializes", () =>
    Effect.gen(function*() {
      const output = yield* mood({ text: "hi" })
      assert.deepStrictEqual(output, { label: "pos", score: 0.9 })
      assert.strictEqual(Object.getPrototypeOf(output), Object.prototype)
      assert.deepStrictEqual({ ...output, more: 1 }, { label: "pos", score: 0.9, more: 1 })
      assert.strictEqual(JSON.stringify(output), "{\"label\":\"pos\",\"score\":0.9}")
    }).pipe(Effect.provide(TestLM.layer([{ ...answer, unknown: "dropped" }]))))

  it.effect("has the types its schema says", () =>
    Effect.gen(function*() {
      const when = Predict.make(Signature.make("When", {
        input: { text: Schema.String },
        output: { due: Schema.Date, size: Schema.BigInt, note: Schema.optionalKey(Schema.String) }
      }))
      const output = yield* Effect.provide(
        when({ text: "hi" }),
        TestLM.layer(["{\"due\":\"2026-03-01\",\"size\":\"12\"}"])
      )
      assert.deepStrictEqual(output, { due: new Date("2026-03-01"), size: 12n })
    }))

  it.effect("of a chain of thought has the reasoning first", () =>
    Effect.gen(function*() {
      const think = ChainOfThought.make(Mood)
      const { lm, recorder } = TestLM.make([{ reasoning: "It says so.", ...answer }])
      const output = yield* Effect.provideService(think({ text: "hi" }), LM, lm)
      assert.deepStrictEqual(Object.keys(output), ["reasoning", "label", "score"])
      assert.match(recorder.requests.map(prompt).join(), /- reasoning [^]*- label /)
      assert.strictEqual(think.name, "Mood")
      assert.deepStrictEqual(Object.keys(think.output.fields), ["reasoning", "label", "score"])
    }))

  it("of a chain of thought can't have a reasoning of its own", () => {
    const own = Signature.make("Own", { input: { text: Schema.String }, output: { reasoning: Schema.Int } })
    assert.throws(() => ChainOfThought.make(own), "Own: it has a field `reasoning` of its own; take Predict")
  })
})

describe("the input", () => {
  // A caller whose types lie, as JSON from outside does.
  const untyped = mood as unknown as (input: unknown) => ReturnType<typeof mood>

  it.effect("that is wrong fails before anything is sent, with all issues", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make([])
      for (const input of [{ text: 5 }, {}, null, "hi"]) {
        const error = yield* Effect.flip(Effect.provideService(untyped(input), LM, lm))
        assert.strictEqual(error._tag, "InputError")
      }
      const error = yield* Effect.flip(Effect.provideService(untyped({ text: 5 }), LM, lm))
      assert.deepInclude(error, {
        _tag: "InputError",
        signature: "Mood",
        isRetryable: false,
        issues: [{ path: ["text"], expected: "string" }]
      })
      assert.strictEqual(recorder.started, 0)
    }))

  it.effect("is shown as its JSON form; text as it is", () =>
    Effect.gen(function*() {
      const plan = Predict.make(Signature.make("Plan", {
        input: {
          notes: Schema.String,
          from: Schema.Date,
          tags: Schema.Array(Schema.String),
          more: Schema.optional(Schema.Int)
        },
        output: { text: Schema.String }
      }))
      const { lm, recorder } = TestLM.make([{ text: "ok" }])
      yield* plan({ notes: "a \"b\"\nc", from: new Date(0), tags: ["x"] }).pipe(Effect.provideService(LM, lm))
      const [request] = recorder.requests
      const turn = request?.messages.at(-1)
      assert.strictEqual(turn?.role, "user")
      assert.strictEqual(
        turn?.content,
        "[[ ## notes ## ]]\na \"b\"\nc\n\n[[ ## from ## ]]\n1970-01-01T00:00:00.000Z\n\n[[ ## tags ## ]]\n[\"x\"]"
      )
      assert.deepStrictEqual(request?.call?.input, {
        notes: "a \"b\"\nc",
        from: "1970-01-01T00:00:00.000Z",
        tags: ["x"]
      })
    }))

  it.effect("may be none, and no turn is empty", () =>
    Effect.gen(function*() {
      const joke = Predict.make(Signature.make("Joke", { input: {}, output: { text: Schema.String } }))
      for (const adapter of [JsonAdapter.adapter, ChatAdapter.adapter]) {
        const { lm, recorder } = TestLM.make([{ text: "ha" }])
        yield* joke({}).pipe(Effect.provideService(LM, lm), Effect.provideService(Adapter.Current, adapter))
        const messages = recorder.requests.flatMap((request) => request.messages)
        assert.deepStrictEqual(messages.map((message) => message.role), ["system", "user"])
        for (const message of messages) assert.notStrictEqual(Message.text(message).trim(), "")
      }
    }))
})

describe("a predictor", () => {
  it("says what it is", () => {
    assert.strictEqual(mood.name, "Mood")
    assert.strictEqual(mood.signature, Mood)
    assert.deepStrictEqual(Object.keys(mood.input.fields), ["text"])
    assert.deepStrictEqual(Object.keys(mood.output.fields), ["label", "score"])
    assert.strictEqual(mood.pipe((step) => step.name), "Mood")
  })

  it("named differs in name only", () => {
    const other = mood.named("Other")
    assert.strictEqual(other.name, "Other")
    assert.strictEqual(other.signature, Mood)
    assert.strictEqual(mood.name, "Mood")
    assert.strictEqual(other.named("Third").name, "Third")
  })

  it.effect("asks anew each time it is run", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(() => answer)
      const call = mood({ text: "hi" })
      yield* Effect.provideService(Effect.andThen(call, call), LM, lm)
      assert.strictEqual(recorder.started, 2)
    }))

  it.effect("uses the nearest LM", () =>
    Effect.gen(function*() {
      const inner = Effect.provide(mood({ text: "hi" }), TestLM.layer([{ label: "neg", score: 1 }]))
      const both = yield* Effect.all([mood({ text: "hi" }), inner]).pipe(Effect.provide(TestLM.layer([answer])))
      assert.deepStrictEqual(both.map((output) => output.label), ["pos", "neg"])
    }))

  it.effect("interrupted, interrupts its request", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(() => TestLM.never)
      const fiber = yield* Effect.forkChild(Effect.provideService(mood({ text: "hi" }), LM, lm))
      yield* Effect.yieldNow
      assert.strictEqual(recorder.inFlight, 1)
      yield* Fiber.interrupt(fiber)
      assert.deepInclude(recorder, { started: 1, interrupted: 1, inFlight: 0 })
      const exit = Option.fromUndefinedOr(fiber.pollUnsafe())
      assert.isTrue(Option.isSome(exit) && Exit.hasInterrupts(exit.value))
    }))

  it.effect("interrupted wherever it stands, leaves no request behind", () =>
    Effect.gen(function*() {
      // A fiber yields every 30 operations here; the operations before the call move that point through it.
      for (let before = 0; before < 60; before++) {
        const { lm, recorder } = TestLM.make(() => TestLM.never)
        let call: Effect.Effect<unknown, unknown, LM> = mood({ text: "hi" })
        for (let i = 0; i < before; i++) {
          const inner = call
          call = Effect.suspend(() => inner)
        }
        const fiber = Effect.runFork(call.pipe(
          Effect.provideService(References.MaxOpsBeforeYield, 30),
          Effect.provideService(LM, lm)
        ))
        yield* Fiber.interrupt(fiber)
        for (let i = 0; i < 10; i++) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        assert.strictEqual(recorder.inFlight, 0, `${before} operations before the call`)
      }
    }))

  it.effect("works on any LM, also one that LM.make did not build", () =>
    Effect.gen(function*() {
      const made = TestLM.make([]).lm
      const replay = LM.wrap(made, () =>
        Effect.succeed({
          content: [{ type: "text", text: "garbage" }],
          finishReason: "stop",
          usage: { calls: 1 },
          provider: "p",
          model: "m"
        }))
      const error = yield* Effect.flip(Effect.provide(mood({ text: "hi" }), Layer.succeed(LM, replay)))
      assert.deepInclude(error, { _tag: "OutputError", attempts: 0 })
    }))
})
