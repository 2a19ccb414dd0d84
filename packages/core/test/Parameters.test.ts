import { LM, Message, Parameters, Predict } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Random } from "effect"
import { Mood, mood, timed } from "./support.ts"

const answer = { label: "pos", score: 0.9 } as const

/** What the requests of a program were told to do: the first line of the system turn. */
const told = <A, E>(program: Effect.Effect<A, E, LM>) =>
  Effect.gen(function*() {
    const { lm, recorder } = TestLM.make(() => answer)
    yield* Effect.provideService(program, LM, lm)
    return recorder.requests.map((request) => Message.text(request.messages[0]).split("\n")[0])
  })

const say = (instructions: string): Parameters.Entry => ({ instructions })

describe("settings of a call", () => {
  it.effect("layer defaults, then LM.Settings, then the predictor's options, then Parameters", () =>
    Effect.gen(function*() {
      const seen: Array<LM.Settings> = []
      const lm = LM.make({
        provider: "p",
        model: "m",
        defaults: { temperature: 1, topP: 1, maxTokens: 1, seed: 1 },
        generate: (request) =>
          Effect.sync(() => {
            seen.push(request.settings)
            const text = JSON.stringify(answer)
            return {
              content: [{ type: "text", text }],
              finishReason: "stop",
              usage: { calls: 1 },
              provider: "p",
              model: "m"
            }
          })
      })
      const predictor = Predict.make(Mood, { settings: { maxTokens: 3, seed: 3 } })
      yield* predictor({ text: "hi" }).pipe(
        Parameters.provide({ Mood: { settings: { seed: 4 } } }),
        LM.withSettings({ topP: 2, maxTokens: 2, seed: 2 }),
        Effect.provide(Layer.succeed(LM, lm))
      )
      assert.deepStrictEqual(seen, [{ temperature: 1, topP: 2, maxTokens: 3, seed: 4 }])
    }))

  it.effect("attempts and timeout come from all of them too", () =>
    Effect.gen(function*() {
      const sends = (options: LM.Settings, parameters: Parameters.Parameters, outer: LM.Settings) =>
        Effect.gen(function*() {
          const { lm, recorder } = TestLM.make(() => "bad")
          yield* Predict.make(Mood, { settings: options })({ text: "hi" }).pipe(
            Parameters.provide(parameters),
            LM.withSettings(outer),
            Effect.exit,
            Effect.provideService(LM, lm)
          )
          return recorder.started
        })
      assert.strictEqual(yield* sends({}, {}, {}), 3)
      assert.strictEqual(yield* sends({}, {}, { attempts: 2 }), 2)
      assert.strictEqual(yield* sends({ attempts: 4 }, {}, { attempts: 2 }), 4)
      assert.strictEqual(yield* sends({ attempts: 4 }, { Mood: { settings: { attempts: 1 } } }, { attempts: 2 }), 1)
      const slow = Predict.make(Mood, { settings: { timeout: "3 seconds" } })({ text: "hi" })
      const { exit, ms } = yield* timed(
        slow.pipe(LM.withSettings({ timeout: "1 second" }), Effect.provide(TestLM.layer(() => TestLM.never)))
      )
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(ms, 3000)
    }))
})

describe("Parameters find a predictor", () => {
  const all = {
    "doc/draft/First": say("path"),
    First: say("name"),
    Mood: say("signature")
  }
  const first = mood.named("First")

  it.effect("by its path, then its name, then its signature's name", () =>
    Effect.gen(function*() {
      const program = Effect.all([
        Parameters.within("doc")(Parameters.within("draft")(first({ text: "hi" }))),
        Parameters.within("draft")(first({ text: "hi" })),
        first({ text: "hi" }),
        mood.named("Second")({ text: "hi" }),
        mood({ text: "hi" })
      ])
      assert.deepStrictEqual(
        yield* told(Parameters.provide(all)(program)),
        ["path", "name", "name", "signature", "signature"]
      )
    }))

  it.effect("and leave all others alone", () =>
    Effect.gen(function*() {
      const parameters = { "doc/First": say("no"), second: say("no"), mood: say("no"), "": say("no") }
      assert.deepStrictEqual(
        yield* told(Parameters.provide(parameters)(first({ text: "hi" }))),
        ["Tell the mood of the text."]
      )
    }))

  it.effect("also when it is called like a member of every object", () =>
    Effect.gen(function*() {
      for (const name of ["constructor", "toString", "hasOwnProperty"]) {
        const call = mood.named(name)({ text: "hi" })
        assert.deepStrictEqual(yield* told(Parameters.provide({ Mood: say("signature") })(call)), ["signature"])
        assert.deepStrictEqual(yield* told(Parameters.provide({ [name]: say("name") })(call)), ["name"])
      }
    }))

  it.effect("two uses of one predictor are tuned apart", () =>
    Effect.gen(function*() {
      const program = Effect.all([
        mood.named("Draft")({ text: "hi" }),
        mood.named("Final")({ text: "hi" }),
        Parameters.within("review")(mood({ text: "hi" }))
      ], { concurrency: "unbounded" })
      const parameters = { Draft: say("Be quick."), Final: say("Be careful."), "review/Mood": say("Be strict.") }
      assert.deepStrictEqual(
        yield* told(Parameters.provide(parameters)(program)),
        ["Be quick.", "Be careful.", "Be strict."]
      )
    }))
})

describe("nested Parameters", () => {
  it.effect("merge key by key and property by property, the inner ones win", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(() => answer)
      const demos = [{ input: { text: "outer" }, output: { label: "neg", score: 0 } }]
      yield* Effect.andThen(mood({ text: "hi" }), mood.named("Other")({ text: "hi" })).pipe(
        Parameters.provide({ Mood: { instructions: "inner", settings: { seed: 2 } } }),
        Parameters.provide({
          Mood: { instructions: "outer", demos, settings: { seed: 1, topP: 1 } },
          Other: say("other")
        }),
        Effect.provideService(LM, lm)
      )
      const [one, other] = recorder.requests
      assert.include(one?.messages[0]?.content, "inner")
      assert.include(one?.messages[1]?.content, "outer")
      assert.deepStrictEqual(one?.settings, { seed: 2, topP: 1 })
      assert.include(other?.messages[0]?.content, "other")
      assert.deepStrictEqual(other?.settings, {})
    }))

  it.effect("end with their program", () =>
    Effect.gen(function*() {
      const call = mood({ text: "hi" })
      const program = Effect.all([Parameters.provide({ Mood: say("inside") })(call), call])
      assert.deepStrictEqual(yield* told(program), ["inside", "Tell the mood of the text."])
    }))
})

describe("candidates side by side", () => {
  it.effect("200 of them, with answers in random order, do not see each other", () =>
    Effect.gen(function*() {
      const candidates = Array.from({ length: 200 }, (_, index) => index)
      const delays = yield* Effect.forEach(candidates, () => Random.nextIntBetween(1, 5000)).pipe(
        Random.withSeed("candidates")
      )
      let asked = 0
      // The model says which candidate asked it, as it reads it in the prompt.
      const lm = TestLM.layer((request) => {
        const own = Number(Message.text(request.messages[0]).match(/candidate (\d+)\./)?.[1])
        const demo = Number(Message.text(request.messages[1]).match(/demo (\d+)$/)?.[1])
        const agrees = own === demo && request.settings.seed === own
        return TestLM.after(delays[asked++ % 200] ?? 0, { label: agrees ? "pos" : "neg", score: own })
      })
      const candidate = (index: number) =>
        // Two calls each: the second starts while others are on their way.
        Effect.all([mood({ text: "a" }), mood.named("Again")({ text: "b" })]).pipe(
          Parameters.provide({
            Mood: {
              instructions: `This is candidate ${index}.`,
              demos: [{ input: { text: `demo ${index}` }, output: { label: "pos", score: 1 } }],
              settings: { seed: index }
            }
          }),
          LM.withSettings({ temperature: index })
        )
      const { exit } = yield* timed(
        Effect.forEach(candidates, candidate, { concurrency: "unbounded" }).pipe(Effect.provide(lm))
      )
      const outputs = yield* exit
      assert.deepStrictEqual(
        outputs,
        candidates.map((score) => [{ label: "pos", score }, { label: "pos", score }] as const)
      )
    }))
})
