import { Embedder, LMError, LMErrorReason, Retriever, Usage } from "@effect-dspy/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"

/** A text as a point: how many vowels and how many consonants it has; `purpose` is written down. */
const letters = (model = "letters") => {
  const purposes: Array<Embedder.Purpose> = []
  const count = (text: string, pattern: RegExp) => text.match(pattern)?.length ?? 0
  const embedder = Embedder.make({
    provider: "test",
    model,
    batching: { delay: 0 },
    embedMany: (texts, purpose) =>
      Effect.sync(() => {
        purposes.push(purpose)
        return {
          vectors: texts.map((text) => Float32Array.of(count(text, /[aeiou]/g), count(text, /[^aeiou]/g))),
          usage: { inputTokens: texts.length }
        }
      })
  })
  return { purposes, layer: Layer.succeed(Embedder.Embedder, embedder) }
}

const documents = [
  { id: "vowels", text: "aeiou", metadata: { page: 1 } },
  { id: "mixed", text: "banana" },
  { id: "consonants", text: "rhythm" }
]

const live = Retriever.layer(Retriever.index(documents))

describe("Retriever", () => {
  it.effect("gives the passages that are closest, with their scores and what was kept with them", () =>
    Effect.gen(function*() {
      const { layer, purposes } = letters()
      const found = yield* Retriever.retrieve("aaaa", { k: 2 }).pipe(Effect.provide(Layer.provide(live, layer)))
      assert.deepStrictEqual(found, [
        { id: "vowels", text: "aeiou", metadata: { page: 1 }, score: 1 },
        { id: "mixed", text: "banana", score: 3 / Math.sqrt(18) }
      ])
      assert.deepStrictEqual(purposes, ["document", "query"])
    }))

  it.effect("gives five unless told otherwise", () =>
    Effect.gen(function*() {
      const many = Array.from({ length: 9 }, (_, at) => ({ id: String(at), text: "a" }))
      const retriever = Retriever.layer(Retriever.index(many)).pipe(Layer.provide(letters().layer))
      assert.lengthOf(yield* Effect.provide(Retriever.retrieve("a"), retriever), 5)
    }))

  it.effect("embeds the documents once, and counts every request", () =>
    Effect.gen(function*() {
      const { layer, purposes } = letters()
      const questions = Effect.forEach(["a", "b", "c"], (text) => Retriever.retrieve(text), {
        concurrency: "unbounded"
      })
      const [, usage] = yield* Usage.track(Effect.provide(questions, Layer.provide(live, layer)))
      assert.deepStrictEqual(purposes, ["document", "query"])
      assert.deepStrictEqual(usage, { calls: 2, inputTokens: 6 })
    }))

  it.effect("will not search vectors of another model", () =>
    Effect.gen(function*() {
      const index = yield* Effect.provide(Retriever.index(documents), letters("old").layer)
      const failure = yield* Effect.flip(
        Effect.provide(
          Retriever.retrieve("a"),
          Layer.provide(Retriever.layer(Effect.succeed(index)), letters("new").layer)
        )
      )
      assert.strictEqual(failure._tag, "IndexMismatch")
      assert.strictEqual(
        failure.message,
        "the index was made with test/old and cannot be searched with test/new; make it again"
      )
    }))

  it.effect("fails as its embedder does, when it is made and when it is asked", () =>
    Effect.gen(function*() {
      const overloaded = LMError.make("test", "letters", new LMErrorReason.Overloaded({}))
      const failing = (when: Embedder.Purpose) =>
        Layer.succeed(
          Embedder.Embedder,
          Embedder.make({
            provider: "test",
            model: "letters",
            batching: { delay: 0 },
            embedMany: (texts, purpose) =>
              purpose === when
                ? Effect.fail(overloaded)
                : Effect.succeed({ vectors: texts.map(() => Float32Array.of(1)), usage: {} })
          })
        )
      for (const when of ["document", "query"] as const) {
        const failure = yield* Effect.flip(
          Effect.provide(Retriever.retrieve("a"), Layer.provide(live, failing(when)))
        )
        assert.strictEqual(failure, overloaded)
      }
    }))

  it.effect("can be anything that retrieves", () =>
    Effect.gen(function*() {
      const down = new Retriever.RetrieverError({ retriever: "engine", problem: "it is down", isRetryable: true })
      const engine = Layer.succeed(Retriever.Retriever, Retriever.Retriever.of({ retrieve: () => Effect.fail(down) }))
      const failure = yield* Effect.flip(Effect.provide(Retriever.retrieve("a"), engine))
      assert.strictEqual(failure.message, "engine: it is down")
    }))
})
