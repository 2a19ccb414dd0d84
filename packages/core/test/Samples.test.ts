import {
  BestOfN,
  Ensemble,
  LM,
  LMErrorReason,
  Majority,
  Message,
  MultiChainComparison,
  Parallel,
  Parameters,
  Predict,
  Signature,
  Step,
  Trace
} from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Result, Schema } from "effect"
import { TestClock } from "effect/testing"
import { timed } from "./support.ts"

const Guess = Signature.make("Guess", { input: { question: Schema.String }, output: { answer: Schema.String } })
const guess = Predict.make(Guess)
const question = { question: "?" }

/** A run on the virtual clock, with what the model saw of it. */
const run = <A, E>(program: Effect.Effect<A, E, LM>, script: TestLM.Script, options: TestLM.Options = {}) =>
  Effect.gen(function*() {
    const { exit, ms } = yield* timed(
      Effect.exit(Effect.gen(function*() {
        const value = yield* Effect.exit(program)
        return { value, recorder: yield* TestLM.TestLM }
      })).pipe(Effect.provide(TestLM.layer(script, options)))
    )
    const { recorder, value } = yield* yield* exit
    return { value, ms, recorder }
  })

const answers = (...texts: ReadonlyArray<string>) => texts.map((answer) => ({ answer }))

describe("BestOfN", () => {
  const length = BestOfN.make(guess, { n: 5, reward: (_, { answer }) => answer.length })

  it.effect("takes as long as one sample, each with a rollout of its own", () =>
    Effect.gen(function*() {
      const { ms, recorder, value } = yield* run(length(question), answers("a", "bbb", "cc", "ddd", "e"), {
        latency: "200 millis"
      })
      assert.deepStrictEqual(value, Exit.succeed({ answer: "bbb" }))
      assert.strictEqual(ms, 200)
      assert.deepStrictEqual(recorder.requests.map(({ settings }) => [settings.rollout, settings.temperature]), [
        [0, 1],
        [1, 1],
        [2, 1],
        [3, 1],
        [4, 1]
      ])
    }))

  it.effect("interrupts the rest as soon as one is good enough", () =>
    Effect.gen(function*() {
      const soon = BestOfN.make(guess, { n: 5, reward: (_, { answer }) => answer.length, threshold: 2 })
      const { ms, recorder, value } = yield* run(
        soon(question),
        answers("a", "bbb", "cc", "d", "e").map((reply, index) => TestLM.after(100 * (index + 1), reply))
      )
      assert.deepStrictEqual(value, Exit.succeed({ answer: "bbb" }))
      assert.strictEqual(ms, 200)
      assert.deepInclude(recorder, { finished: 2, interrupted: 3 })
    }))

  it.effect("is bounded, and starts no more when it is decided", () =>
    Effect.gen(function*() {
      const two = BestOfN.make(guess, { n: 6, concurrency: 2, reward: () => Effect.succeed(1), threshold: 1 })
      const { recorder } = yield* run(two(question), () => ({ answer: "x" }), { latency: "1 second" })
      assert.deepInclude(recorder, { maxInFlight: 2, started: 2 })
    }))

  it.effect("leaves failed samples out, and fails when all do", () =>
    Effect.gen(function*() {
      const refused = new LMErrorReason.Refused({})
      const some = yield* run(length(question), [refused, { answer: "ok" }, refused, refused, refused])
      assert.deepStrictEqual(some.value, Exit.succeed({ answer: "ok" }))
      const none = yield* run(Effect.flip(length(question)), () => refused)
      assert.deepInclude(yield* none.value, { _tag: "LMError" })
    }))

  it.effect("keeps samples of samples apart, and its name", () =>
    Effect.gen(function*() {
      const nested = BestOfN.make(BestOfN.make(guess, { n: 2, reward: () => 1 }), { n: 2, reward: () => 1 })
      const { recorder } = yield* run(nested(question), () => ({ answer: "x" }))
      assert.strictEqual(new Set(recorder.requests.map(({ settings }) => settings.rollout)).size, 4)
      const { recorder: tuned } = yield* run(
        Parameters.provide({ Final: { instructions: "Guess well." } })(
          length.named?.("Final")(question) ?? Effect.die("")
        ),
        () => ({ answer: "x" })
      )
      assert.match(Message.text(tuned.requests[0]?.messages[0]), /^Guess well\./)
    }))

  it.effect("interrupted from outside is interrupted within", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(length(question))
        yield* Effect.sleep("1 second")
        yield* Fiber.interrupt(fiber)
        return (yield* TestLM.TestLM).interrupted
      }).pipe(Effect.provide(TestLM.layer(() => TestLM.never)))
      const fiber = yield* Effect.forkChild(program)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), 5)
    }))
})

describe("Majority", () => {
  it.effect("gives what most say, and stops when it is decided", () =>
    Effect.gen(function*() {
      const sure = Majority.make(guess, { n: 5 })
      const replies = answers("Oslo", "oslo.", "Bergen", " OSLO ", "Bergen")
      const { ms, recorder, value } = yield* run(
        sure(question),
        replies.map((reply, index) => TestLM.after(100 * (index + 1), reply))
      )
      assert.deepStrictEqual(value, Exit.succeed({ answer: "Oslo" }))
      assert.strictEqual(ms, 400)
      assert.strictEqual(recorder.interrupted, 1)
    }))

  it("breaks ties by the first, and votes on what it is told to", () => {
    const outputs = [{ city: "A", why: 1 }, { city: "B", why: 2 }, { city: "b", why: 3 }, { city: "a", why: 4 }]
    assert.deepStrictEqual(Majority.vote(outputs, ({ city }) => city), outputs[0])
    assert.deepStrictEqual(Majority.vote(outputs), outputs[0])
    assert.isUndefined(Majority.vote([]))
  })
})

describe("Ensemble", () => {
  const step = (name: string, answer: string, delay: number) =>
    Step.make(name, {
      input: { question: Schema.String },
      output: { answer: Schema.String },
      run: () => Effect.delay(answer === "" ? Effect.fail(name) : Effect.succeed({ answer }), delay)
    })

  it.effect("runs side by side and reduces in the order of the steps", () =>
    Effect.gen(function*() {
      const all = Ensemble.make("All", [step("A", "a", 300), step("B", "b", 100), step("C", "b", 200)], {
        reduce: (outputs) => ({ answer: outputs.map((output) => output.answer).join() })
      })
      const { exit, ms } = yield* timed(Effect.exit(all(question)))
      assert.deepStrictEqual(yield* exit, Exit.succeed({ answer: "a,b,b" }))
      assert.strictEqual(ms, 300)
      const most = Ensemble.make("Most", [step("A", "a", 1), step("B", "b", 1), step("C", "b", 1)])
      assert.deepStrictEqual(yield* yield* (yield* timed(Effect.exit(most(question)))).exit, { answer: "b" })
    }))

  it.effect("fails at the first failure too many", () =>
    Effect.gen(function*() {
      const steps = [step("A", "", 100), step("B", "b", 300), step("C", "", 200)] as const
      const strict = yield* timed(Effect.exit(Ensemble.make("All", steps)(question)))
      assert.deepStrictEqual(yield* strict.exit, Exit.fail("A"))
      assert.strictEqual(strict.ms, 100)
      const lenient = yield* timed(Effect.exit(Ensemble.make("Any", steps, { minimum: 1 })(question)))
      assert.deepStrictEqual(yield* lenient.exit, Exit.succeed({ answer: "b" }))
    }))
})

describe("MultiChainComparison", () => {
  it.effect("thinks side by side, and compares in the order of the samples", () =>
    Effect.gen(function*() {
      const compared = MultiChainComparison.make(Guess, { n: 3 })
      const thought = (text: string, ms: number) => TestLM.after(ms, { reasoning: `because ${text}`, answer: text })
      const { ms, recorder, value } = yield* run(Trace.collect(compared(question)), [
        thought("a", 300),
        thought("b", 100),
        "nonsense",
        "nonsense",
        "nonsense",
        TestLM.after(1000, { rationale: "b is right", answer: "b" })
      ])
      const [output, events] = yield* value
      assert.deepStrictEqual(output, { rationale: "b is right", answer: "b" })
      assert.strictEqual(ms, 1300)
      const last = recorder.requests.at(-1)
      assert.deepStrictEqual(last?.call?.input.attempts, [
        { reasoning: "because a", answer: { answer: "a" } },
        { reasoning: "because b", answer: { answer: "b" } }
      ])
      assert.deepStrictEqual([...new Set(events.map((event) => event.path))], ["Guess/attempt", "Guess/compare"])
    }))
})

describe("Parallel", () => {
  it.effect("gives what became of each pair, in order and bounded", () =>
    Effect.gen(function*() {
      const other = Predict.make(Signature.make("Other", { input: { n: Schema.Int }, output: { m: Schema.Int } }))
      const { recorder, value } = yield* run(
        Parallel.run([[guess, question], [other, { n: 1 }], [guess, question]], { concurrency: 2 }),
        { Guess: { answer: "x" }, Other: new LMErrorReason.Refused({}) },
        { latency: "1 second" }
      )
      const [first, second, third] = yield* value
      assert.deepStrictEqual([first, third], [Result.succeed({ answer: "x" }), Result.succeed({ answer: "x" })])
      assert.isTrue(Result.isFailure(second))
      assert.strictEqual(recorder.maxInFlight, 2)
    }))
})
