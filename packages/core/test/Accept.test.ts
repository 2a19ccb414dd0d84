import { Adapter, type Completion, JsonAdapter, LM, Predict } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Mood, mood } from "./support.ts"

const answer = { label: "pos", score: 0.9 } as const
const good = JSON.stringify(answer)

/** Middleware that keeps what is accepted, as a memo or a cache does. */
const memo = () => {
  const kept: Array<Completion.Completion> = []
  const judged: Array<boolean | undefined> = []
  const middleware: LM.Middleware = (request, _lm, next) =>
    Effect.tap(next(request), (completion) =>
      Effect.sync(() => {
        const accepted = request.accept?.(completion)
        judged.push(accepted)
        if (accepted === true) kept.push(completion)
      }))
  return { kept, judged, middleware }
}

/** The JSON adapter, and the texts it was given to read. */
const reading = () => {
  const texts: Array<string> = []
  const adapter = Adapter.make("reading", (signature) => {
    const format = JsonAdapter.adapter.format(signature)
    return {
      ...format,
      read: (text) => {
        texts.push(text)
        return format.read(text)
      }
    }
  })
  return { adapter, texts }
}

describe("accept", () => {
  it.effect("says no to every reply that can't be used, and yes to the one that can", () =>
    Effect.gen(function*() {
      const { judged, kept, middleware } = memo()
      const replies = ["garbage", "", "{\"label\": \"meh\"}", `So: ${good}`]
      yield* mood({ text: "hi" }).pipe(
        LM.withSettings({ attempts: 4 }),
        LM.around(middleware),
        Effect.provide(TestLM.layer(replies))
      )
      assert.deepStrictEqual(judged, [false, false, false, true])
      assert.deepStrictEqual(kept.map((completion) => completion.content), [[{ type: "text", text: `So: ${good}` }]])
    }))

  it.effect("says no to a cut reply that looks complete", () =>
    Effect.gen(function*() {
      const { judged, middleware } = memo()
      const call = mood({ text: "hi" }).pipe(
        LM.around(middleware),
        Effect.provide(TestLM.layer([TestLM.truncated(good)]))
      )
      yield* Effect.exit(call)
      assert.deepStrictEqual(judged, [false])
    }))

  it.effect("and the predictor read a completion once between them", () =>
    Effect.gen(function*() {
      const { adapter, texts } = reading()
      const { judged, middleware } = memo()
      // Middleware upon middleware: all ask.
      const output = yield* Predict.make(Mood, { adapter })({ text: "hi" }).pipe(
        LM.around(middleware),
        LM.around(middleware),
        LM.around(middleware),
        Effect.provide(TestLM.layer(["garbage", good]))
      )
      assert.deepStrictEqual(output, answer)
      assert.deepStrictEqual(judged, [false, false, false, true, true, true])
      assert.deepStrictEqual(texts, ["garbage", good])
    }))

  it.effect("judges the completion it is given, not the one before", () =>
    Effect.gen(function*() {
      const completion = (text: string): Completion.Completion => ({
        content: [{ type: "text", text }],
        finishReason: "stop",
        usage: { calls: 1 },
        provider: "p",
        model: "m"
      })
      const judged: Array<boolean | undefined> = []
      const middleware: LM.Middleware = (request) =>
        Effect.sync(() => {
          const [bad, fine] = [completion("garbage"), completion(good)]
          for (const candidate of [bad, fine, bad]) judged.push(request.accept?.(candidate))
          return fine
        })
      const call = mood({ text: "hi" }).pipe(LM.around(middleware), Effect.provide(TestLM.layer([])))
      assert.deepStrictEqual(yield* call, answer)
      assert.deepStrictEqual(judged, [false, true, false])
    }))

  it.effect("a replayed answer costs no attempt", () =>
    Effect.gen(function*() {
      const { kept, middleware } = memo()
      const call = mood({ text: "hi" })
      yield* call.pipe(LM.around(middleware), Effect.provide(TestLM.layer([answer])))
      const replay: LM.Middleware = (request, _lm, next) => {
        const [completion] = kept
        return completion === undefined ? next(request) : Effect.succeed({ ...completion, replayed: true })
      }
      const { lm, recorder } = TestLM.make([])
      assert.deepStrictEqual(yield* call.pipe(LM.around(replay), Effect.provideService(LM, lm)), answer)
      assert.strictEqual(recorder.started, 0)
    }))
})
