import { LM, Parameters, Predict, Signature, Step, Trace } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { mood } from "./support.ts"

/** A step that publishes its fields one by one, and can be named. */
const early = (
  name: string
): Step.Step<{ readonly text: string }, { readonly size: number; readonly loud: string }> => {
  const run = ({ text }: { readonly text: string }) => Effect.succeed({ size: text.length, loud: text.toUpperCase() })
  const step = Step.callable(run, {
    name,
    input: Schema.Struct({ text: Schema.String }),
    output: Schema.Struct({ size: Schema.Int, loud: Schema.String }),
    named: early,
    stepwise: (input, publish) =>
      Effect.map(run(input), (output) => {
        publish("size", output.size)
        publish("loud", output.loud)
        return output
      })
  })
  return step
}

/** What a step publishes, and what it gives in the end. */
const published = <I, O, E>(step: Step.Step<I, O, E>, input: I) =>
  Effect.gen(function*() {
    const fields: Array<readonly [string, unknown]> = []
    const output = yield* step.stepwise?.(input, (field, value) => fields.push([field, value])) ??
      Effect.succeed("none")
    return { fields, output }
  })

describe("Step.make", () => {
  const half = Step.make("Half", {
    input: { n: Schema.Int },
    output: { half: Schema.Finite },
    run: ({ n }) => n < 0 ? Effect.fail("negative") : Effect.succeed({ half: n / 2 })
  })

  it.effect("makes a callable that knows its name and its fields", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* half({ n: 3 }), { half: 1.5 })
      assert.strictEqual(yield* Effect.flip(half({ n: -1 })), "negative")
      assert.strictEqual(half.name, "Half")
      assert.deepStrictEqual(Object.keys(half.input.fields), ["n"])
      assert.deepStrictEqual(Object.keys(half.output.fields), ["half"])
      assert.isUndefined(half.named)
      assert.isUndefined(half.stepwise)
    }))

  it("does not touch the function it is given", () => {
    const run = ({ n }: { readonly n: number }) => Effect.succeed({ half: n / 2 })
    const step = Step.make("Other", { input: { n: Schema.Int }, output: { half: Schema.Finite }, run })
    assert.strictEqual(run.name, "run")
    assert.notStrictEqual<unknown>(step, run)
    assert.isFalse(Object.isFrozen(run))
  })

  it("makes a value that can't be changed, and can be piped", () => {
    assert.isTrue(Object.isFrozen(half))
    assert.throws(() => Object.assign(half, { name: "Other" }), TypeError)
    assert.strictEqual(half.pipe((step) => step.name, (name) => name.length), 4)
  })
})

describe("Step.mapInput", () => {
  const renamed = early("Early").pipe(Step.mapInput({ text: "title" }))

  it.effect("feeds a field from one of another name", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* renamed({ title: "abc" }), { size: 3, loud: "ABC" })
      assert.deepStrictEqual(Object.keys(renamed.input.fields), ["title"])
      assert.deepStrictEqual(Object.keys(renamed.output.fields), ["size", "loud"])
      assert.strictEqual(renamed.name, "Early")
    }))

  it.effect("leaves the other fields alone, whatever they are called", () =>
    Effect.gen(function*() {
      const join = Step.make("Join", {
        input: { a: Schema.String, b: Schema.String, constructor: Schema.String },
        output: { all: Schema.String },
        run: (input) => Effect.succeed({ all: `${input.a}-${input.b}-${input.constructor}` })
      }).pipe(Step.mapInput({ a: "b", b: "a" }))
      assert.deepStrictEqual(yield* join({ a: "1", b: "2", constructor: "3" }), { all: "2-1-3" })
      assert.sameMembers(Object.keys(join.input.fields), ["a", "b", "constructor"])
    }))

  it.effect("does not make up fields that are not there", () =>
    Effect.gen(function*() {
      const keys = Step.make("Keys", {
        input: { a: Schema.optionalKey(Schema.String), b: Schema.String },
        output: { keys: Schema.Array(Schema.String) },
        run: (input) => Effect.succeed({ keys: Object.keys(input) })
      }).pipe(Step.mapInput({ a: "x" }))
      assert.deepStrictEqual(yield* keys({ b: "1" }), { keys: ["b"] })
    }))

  it.effect("passes named and stepwise through", () =>
    Effect.gen(function*() {
      const other = renamed.named?.("Other")
      assert.strictEqual(other?.name, "Other")
      assert.deepStrictEqual(Object.keys(other?.input.fields ?? {}), ["title"])
      assert.deepStrictEqual(yield* published(other ?? renamed, { title: "abc" }), {
        fields: [["size", 3], ["loud", "ABC"]],
        output: { size: 3, loud: "ABC" }
      })
    }))
})

describe("Step.mapOutput", () => {
  const renamed = early("Early").pipe(Step.mapOutput({ loud: "title" }))

  it.effect("hands a field on under another name, early and at the end", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* renamed({ text: "abc" }), { size: 3, title: "ABC" })
      assert.deepStrictEqual(Object.keys(renamed.output.fields), ["size", "title"])
      assert.deepStrictEqual(yield* published(renamed, { text: "abc" }), {
        fields: [["size", 3], ["title", "ABC"]],
        output: { size: 3, title: "ABC" }
      })
      assert.strictEqual(renamed.named?.("Other").name, "Other")
      assert.deepStrictEqual(Object.keys(renamed.named?.("Other").output.fields ?? {}), ["size", "title"])
    }))

  it.effect("can swap two names", () =>
    Effect.gen(function*() {
      const swapped = early("Early").pipe(Step.mapOutput({ loud: "size", size: "loud" }))
      assert.deepStrictEqual(yield* swapped({ text: "abc" }), { loud: 3, size: "ABC" })
    }))

  it("refuses to give two fields one name", () => {
    assert.throws(() => early("Early").pipe(Step.mapOutput({ loud: "size" })), TypeError, "Early")
  })
})

describe("Step.omitOutput", () => {
  const shorter = early("Early").pipe(Step.omitOutput("loud"))

  it.effect("leaves a field out, early and at the end", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* shorter({ text: "abc" }), { size: 3 })
      assert.deepStrictEqual(Object.keys(shorter.output.fields), ["size"])
      assert.deepStrictEqual(yield* published(shorter, { text: "abc" }), {
        fields: [["size", 3]],
        output: { size: 3 }
      })
      assert.strictEqual(shorter.named?.("Other").name, "Other")
      assert.deepStrictEqual(Object.keys(shorter.named?.("Other").output.fields ?? {}), ["size"])
    }))
})

describe("a predictor as a step", () => {
  const answer = { label: "pos", score: 1 } as const

  it.effect("keeps its life: parameters and traces know it by its name", () =>
    Effect.gen(function*() {
      const step = mood.pipe(
        Step.mapInput({ text: "title" }),
        Step.mapOutput({ label: "mood" }),
        Step.omitOutput("score")
      )
      const other = step.named?.("Other") ?? step
      const { lm, recorder } = TestLM.make(() => answer)
      const [output, events] = yield* other({ title: "hi" }).pipe(
        Parameters.provide({ Other: { instructions: "Be brief." } }),
        Trace.collect,
        Effect.provideService(LM, lm)
      )
      assert.deepStrictEqual(output, { mood: "pos" })
      assert.deepStrictEqual(events.map((event) => [event.name, event.input]), [["Other", { text: "hi" }]])
      assert.include(recorder.requests[0]?.messages[0]?.content, "Be brief.")
      assert.isDefined(step.stepwise)
    }))

  it.effect("does not change the predictor it comes from", () =>
    Effect.gen(function*() {
      const predictor = Predict.make(Signature.make("S", { input: { a: Schema.String }, output: { b: Schema.String } }))
      predictor.pipe(Step.mapInput({ a: "x" }), Step.mapOutput({ b: "y" }))
      assert.deepStrictEqual(yield* Effect.provide(predictor({ a: "1" }), TestLM.layer([{ b: "2" }])), { b: "2" })
      assert.deepStrictEqual(Object.keys(predictor.input.fields), ["a"])
    }))
})
