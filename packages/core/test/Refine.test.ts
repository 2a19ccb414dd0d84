import { Embedder, Example, KnnFewShot, LMErrorReason, Message, Parameters, Predict, Refine } from "@effect-dspy/core"
import { Signature, Step } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

const Name = Signature.make("Name", {
  instructions: "Name it.",
  input: { of: Schema.String },
  output: { name: Schema.String }
})
const name = Predict.make(Name)
const Check = Predict.make(Signature.make("Check", { input: { name: Schema.String }, output: { ok: Schema.Boolean } }))

/** Two predictors in one step: advice must find the right one. */
const naming = Step.make("Naming", {
  input: { of: Schema.String },
  output: { name: Schema.String },
  run: (input) => Parameters.within("Naming")(Effect.tap(name(input), Check))
})

const shorter = (of: string, feedback?: string) => (_: unknown, output: { readonly name: string }) => ({
  score: output.name === of ? 1 : 0,
  ...(feedback === undefined ? undefined : { feedback })
})

const advise = (advice: string, predictor = "Naming/Name") => ({
  discussion: "too long",
  advice: [{ predictor, advice }, { predictor: "Nobody", advice: "?" }]
})

describe("Refine", () => {
  const refine = Refine.make(naming, { n: 3, threshold: 1, reward: shorter("Ada", "names have 3 letters") })

  it.effect("tells each predictor what to do better, and shows the adviser what it did", () =>
    Effect.gen(function*() {
      const { output, requests } = yield* Effect.gen(function*() {
        const output = yield* refine({ of: "a cat" })
        return { output, requests: (yield* TestLM.TestLM).requests }
      }).pipe(Effect.provide(TestLM.layer({
        Name: [{ name: "Aurelia" }, { name: "Adam" }, { name: "Ada" }],
        Check: { ok: true },
        OfferFeedback: [advise("Be brief."), advise("Even briefer.")]
      })))
      assert.deepStrictEqual(output, { name: "Ada" })
      const of = (signature: string) => requests.filter((request) => request.call?.signature.name === signature)
      const systems = of("Name").map((request) => Message.text(request.messages[0]).split("\n\nInput fields")[0])
      assert.deepStrictEqual(systems, [
        "Name it.",
        "Name it.\n\nAdvice: Be brief.",
        "Name it.\n\nAdvice: Even briefer."
      ])
      assert.isFalse(of("Check").some((request) => Message.text(request.messages[0]).includes("Advice")))
      const [first] = of("OfferFeedback")
      assert.deepStrictEqual(first?.call?.input, {
        calls: [
          { predictor: "Naming/Name", instructions: "Name it.", input: { of: "a cat" }, output: { name: "Aurelia" } },
          {
            predictor: "Naming/Check",
            instructions: "Given `name`, produce `ok`.",
            input: { name: "Aurelia" },
            output: { ok: true }
          }
        ],
        score: 0,
        wanted: 1,
        feedback: "names have 3 letters"
      })
      assert.deepStrictEqual(of("Name").map(({ settings }) => settings.rollout), [undefined, 1, 2])
    }))

  it.effect("ends with the first that is good enough, or with the best", () =>
    Effect.gen(function*() {
      const count = (script: TestLM.Script) =>
        Effect.gen(function*() {
          const output = yield* Refine.make(naming, {
            n: 3,
            threshold: -3,
            reward: (_, { name }) => Effect.succeed(-name.length)
          })({ of: "a cat" })
          return [output.name, (yield* TestLM.TestLM).started]
        }).pipe(Effect.provide(TestLM.layer(script)))
      const others = { Check: { ok: true }, OfferFeedback: () => advise("Be brief.") }
      assert.deepStrictEqual(yield* count({ Name: [{ name: "Ada" }], ...others }), ["Ada", 2])
      const never = [{ name: "Aurelia" }, { name: "Adam" }, { name: "Alexandra" }]
      assert.deepStrictEqual(yield* count({ Name: never, ...others }), ["Adam", 8])
    }))

  it.effect("goes on without advice, and over attempts that fail", () =>
    Effect.gen(function*() {
      const refused = new LMErrorReason.Refused({})
      const script = (names: ReadonlyArray<TestLM.Reply>) =>
        TestLM.layer({ Name: names, Check: { ok: true }, OfferFeedback: () => refused })
      const program = refine({ of: "a cat" })
      assert.deepStrictEqual(
        yield* Effect.provide(program, script([{ name: "Aurelia" }, refused, { name: "Ada" }])),
        { name: "Ada" }
      )
      const failure = yield* Effect.flip(Effect.provide(program, script([refused, refused, refused])))
      assert.strictEqual(failure._tag, "LMError")
    }))

  it.effect("adds to instructions that were tuned", () =>
    Effect.gen(function*() {
      const recorder = yield* Effect.gen(function*() {
        yield* Parameters.provide({ Name: { instructions: "Name it well." } })(refine({ of: "a cat" }))
        return yield* TestLM.TestLM
      }).pipe(Effect.provide(TestLM.layer({
        Name: [{ name: "Aurelia" }, { name: "Ada" }],
        Check: { ok: true },
        OfferFeedback: () => advise("Be brief.")
      })))
      const names = recorder.requests.filter((request) => request.call?.signature.name === "Name")
      assert.match(Message.text(names[1]?.messages[0]), /^Name it well\.\n\nAdvice: Be brief\./)
    }))
})

describe("KnnFewShot", () => {
  const examples = ["red apple", "green apple", "fast car", "slow car", "old house"].map((of, index) =>
    Example.make({ of }, { name: `N${index}` })
  )
  /** Which words a text has: near texts share words. */
  const words = ["red", "green", "apple", "fast", "slow", "car", "old", "house"]
  let requests = 0
  const embedder = Embedder.make({
    provider: "test",
    model: "words",
    embedMany: (texts) =>
      Effect.sync(() => {
        requests++
        return {
          vectors: texts.map((text) => Float32Array.from(words.map((word) => text.includes(word) ? 1 : 0))),
          usage: {}
        }
      })
  })

  it.live("shows the nearest examples, the nearest last, and embeds the others once", () =>
    Effect.gen(function*() {
      const demosOf = (request: { readonly call?: { readonly demos: ReadonlyArray<Example.Any> } }) =>
        request.call?.demos.map((demo) => demo.input.of)
      const recorder = yield* Effect.gen(function*() {
        const near = yield* KnnFewShot.make(name, { examples, k: 2 })
        yield* near({ of: "a red apple pie" })
        yield* near({ of: "a slow car" })
        yield* name({ of: "a slow car" })
        return yield* TestLM.TestLM
      }).pipe(
        Effect.provideService(Embedder.Embedder, embedder),
        Effect.provide(TestLM.layer(() => ({ name: "x" })))
      )
      assert.deepStrictEqual(recorder.requests.map(demosOf), [
        ["green apple", "red apple"],
        ["fast car", "slow car"],
        []
      ])
      assert.strictEqual(requests, 3)
    }))
})
