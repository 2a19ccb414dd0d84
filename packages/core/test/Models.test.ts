import { Completion, LM, LMErrorReason, Message, type Price } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Mood, mood } from "./support.ts"

const ask = LM.generate({ messages: [Message.user("hello")] })
const modelOf = Effect.map(ask, (completion) => completion.model)

/** A layer that counts its builds and answers with its own name, readable as text and as a mood. */
const counted = (model: string, builds: Array<string>) =>
  Layer.effect(
    LM,
    Effect.sync(() => {
      builds.push(model)
      return TestLM.make(() => ({ label: model === "strong" ? "pos" : "neg", score: 1 }), { model }).lm
    })
  )

const set = () => {
  const builds: Array<string> = []
  const models = LM.models({ fast: counted("fast", builds), strong: counted("strong", builds) }, { default: "fast" })
  return { builds, models }
}

describe("LM.models", () => {
  it.effect("runs on the default, and a part of the program on another", () =>
    Effect.gen(function*() {
      const { models } = set()
      const program = Effect.all([modelOf, models.use("strong")(modelOf), modelOf, models.use("fast")(modelOf)])
      assert.deepStrictEqual(yield* Effect.provide(program, models.layer), ["fast", "strong", "fast", "fast"])
    }))

  it.effect("each layer is built once, however often its name is used", () =>
    Effect.gen(function*() {
      const { builds, models } = set()
      const uses = Array.from({ length: 20 }, () => models.use("strong")(ask))
      yield* Effect.all(uses, { concurrency: "unbounded" }).pipe(Effect.provide(models.layer))
      assert.deepStrictEqual(builds, ["fast", "strong"])
    }))

  it.effect("a step stays a step, with its fields, its name and its other name", () =>
    Effect.gen(function*() {
      const { models } = set()
      const strong = models.use("strong")(mood)
      assert.strictEqual(strong.name, "Mood")
      assert.strictEqual(strong.input, Mood.input)
      assert.strictEqual(strong.output, Mood.output)
      const renamed = strong.named?.("Final")
      assert.isDefined(renamed)
      assert.strictEqual(renamed.name, "Final")
      const labels = Effect.all([mood({ text: "hi" }), strong({ text: "hi" }), renamed({ text: "hi" })])
      const outputs = yield* Effect.provide(labels, models.layer)
      assert.deepStrictEqual(outputs.map((output) => output.label), ["neg", "pos", "pos"])
    }))

  it.effect("two sets under other names live side by side", () =>
    Effect.gen(function*() {
      const { models } = set()
      const others = LM.models({ draft: counted("draft", []), final: counted("final", []) }, { default: "final" })
      const program = Effect.all([models.use("strong")(modelOf), others.use("draft")(modelOf), modelOf])
      // Both bring a default; the last layer of a merge has it.
      const outcome = yield* Effect.provide(program, Layer.merge(models.layer, others.layer))
      assert.deepStrictEqual(outcome, ["strong", "draft", "final"])
    }))
})

describe("LM.route", () => {
  const fast = TestLM.make(() => "ok", { model: "fast" })
  const strong = TestLM.make(() => "ok", { model: "strong" })
  const layers = { fast: Layer.succeed(LM, fast.lm), strong: Layer.succeed(LM, strong.lm) }

  it.effect("chooses request by request", () =>
    Effect.gen(function*() {
      const Live = LM.route(layers, (request) => (request.settings.maxTokens ?? 0) > 100 ? "strong" : "fast")
      const program = Effect.all([modelOf, LM.withSettings({ maxTokens: 500 })(modelOf)])
      assert.deepStrictEqual(yield* Effect.provide(program, Live), ["fast", "strong"])
    }))

  it.effect("may ask for its choice, sees the models, and fails where that fails", () =>
    Effect.gen(function*() {
      const Live = LM.route(layers, (request, models) =>
        Effect.map(
          models.fast.generate({ ...request, messages: [Message.user("Which one?")] }),
          (answer) => Completion.text(answer) === "ok" ? "strong" as const : "fast" as const
        ))
      assert.strictEqual(yield* Effect.provide(modelOf, Live), "strong")
      const refusing = TestLM.make([new LMErrorReason.Refused({})])
      const Failing = LM.route(
        layers,
        (request) => Effect.as(refusing.lm.generate(request), "fast" as const)
      )
      assert.strictEqual((yield* Effect.flip(Effect.provide(ask, Failing))).reason._tag, "Refused")
    }))

  it.effect("goes by cost; a model without a price is only asked when there is no other", () =>
    Effect.gen(function*() {
      const dear = { "test/fast": { input: 5, output: 5 } }
      const cheap = { "test/strong": { input: 1, output: 1 } }
      const chosen = (...tables: ReadonlyArray<Price.Table>) =>
        Effect.provide(modelOf, LM.route(layers, LM.cheapest(...tables)))
      assert.strictEqual(yield* chosen(dear, cheap), "strong")
      assert.strictEqual(yield* chosen(dear), "fast")
      assert.strictEqual(yield* chosen(cheap), "strong")
      assert.strictEqual(yield* chosen(), "fast")
    }))

  it.effect("one cache over the models keeps their answers apart from those of another route", () =>
    Effect.gen(function*() {
      const [one, other] = [TestLM.make(() => "one"), TestLM.make(() => "other")]
      const route = LM.route(
        { one: Layer.succeed(LM, one.lm), other: Layer.succeed(LM, other.lm) },
        (request) => request.settings.seed === 1 ? "one" : "other"
      ).pipe(LM.cache())
      const seeded = (seed: number) => Effect.map(LM.withSettings({ seed })(ask), Completion.text)
      const program = Effect.all([seeded(1), seeded(2), seeded(1), seeded(2)])
      assert.deepStrictEqual(yield* Effect.provide(program, route), ["one", "other", "one", "other"])
      assert.deepStrictEqual([one.recorder.started, other.recorder.started], [1, 1])
    }))
})
