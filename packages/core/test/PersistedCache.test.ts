import { Completion, LM, Message } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { KeyValueStore, Persistence } from "effect/persistence"
import { TestClock } from "effect/testing"
import { mood } from "./support.ts"

const answer = { label: "pos", score: 0.9 } as const

const ask = (text: string, options: Partial<LM.Request> = {}) =>
  LM.generate({ messages: [Message.user(text)], ...options })

/** A store as a plain map, and the layer that brings it. */
const memory = (over: Partial<KeyValueStore.KeyValueStore> = {}) => {
  const map = new Map<string, string>()
  const store = KeyValueStore.makeStringOnly({
    get: (key) => Effect.sync(() => map.get(key)),
    set: (key, value) => Effect.sync(() => void map.set(key, value)),
    remove: (key) => Effect.sync(() => void map.delete(key)),
    clear: Effect.sync(() => map.clear()),
    clearPrefix: () => Effect.void,
    size: Effect.sync(() => map.size),
    keys: Effect.sync(() => [...map.keys()]),
    ...over
  })
  return {
    map,
    Store: Persistence.layerBackingKvs.pipe(Layer.provide(Layer.succeed(KeyValueStore.KeyValueStore, store)))
  }
}

const failing = Effect.fail(new KeyValueStore.KeyValueStoreError({ message: "disk full", method: "get" }))

/** A program on a test LM of its own behind the store, as another process would have it. */
const on = (
  Store: Layer.Layer<Persistence.BackingPersistence>,
  script: TestLM.Script,
  options: { readonly cache?: LM.PersistedCacheOptions; readonly endpoint?: string } = {}
) => {
  const { lm, recorder } = TestLM.make(script)
  const Live = Layer.succeed(LM, options.endpoint === undefined ? lm : { ...lm, endpoint: options.endpoint }).pipe(
    LM.persistedCache(options.cache),
    Layer.provide(Store)
  )
  return { recorder, run: <A, E>(self: Effect.Effect<A, E, LM>) => Effect.provide(self, Live) }
}

describe("LM.persistedCache", () => {
  it.effect("an answer survives the process", () =>
    Effect.gen(function*() {
      const { Store } = memory()
      const first = on(Store, [answer])
      const second = on(Store, [])
      assert.deepStrictEqual(yield* first.run(mood({ text: "hi" })), answer)
      assert.deepStrictEqual(yield* second.run(mood({ text: "hi" })), answer)
      assert.strictEqual(first.recorder.started + second.recorder.started, 1)
    }))

  it.effect("the same prompt to another base URL or key is another", () =>
    Effect.gen(function*() {
      const { Store } = memory()
      for (const endpoint of ["https://a.example/v1#1", "https://b.example/v1#1", "https://a.example/v1#2"]) {
        const { recorder, run } = on(Store, [endpoint], { endpoint })
        assert.strictEqual(Completion.text(yield* run(Effect.andThen(ask("hi"), ask("hi")))), endpoint)
        assert.strictEqual(recorder.started, 1)
      }
    }))

  it.effect("only accepted answers are stored", () =>
    Effect.gen(function*() {
      const { Store, map } = memory()
      const bad = on(Store, ["garbage"])
      yield* Effect.flip(bad.run(mood({ text: "hi" }).pipe(LM.withSettings({ attempts: 1 }))))
      assert.strictEqual(map.size, 0)
      yield* on(Store, [answer]).run(mood({ text: "hi" }))
      assert.strictEqual(map.size, 1)
    }))

  it.effect("50 identical calls in flight read the store once and are one request", () =>
    Effect.gen(function*() {
      let reads = 0
      const { Store } = memory({ get: () => Effect.sync(() => void reads++) })
      const { recorder, run } = on(Store, ["ok"])
      const calls = Effect.all(Array.from({ length: 50 }, () => ask("hi")), { concurrency: "unbounded" })
      const answers = yield* run(calls)
      assert.strictEqual(answers.filter((answer) => answer.replayed).length, 49)
      assert.strictEqual(recorder.started, 1)
      assert.strictEqual(reads, 1)
    }))

  it.effect("neither keys nor names of the store show a prompt", () =>
    Effect.gen(function*() {
      const { Store, map } = memory()
      yield* on(Store, ["ok"]).run(ask("PLANTED-PROMPT"))
      assert.match([...map.keys()].join(), /[0-9a-f]{64}$/)
      assert.notInclude([...map].flat().join(), "PLANTED")
    }))

  it.effect("answers go after their time to live", () =>
    Effect.gen(function*() {
      const { Store } = memory()
      const { recorder, run } = on(Store, () => "ok", { cache: { timeToLive: "1 hour" } })
      const counts = Effect.forEach([0, 3_599_999, 1], (wait) =>
        Effect.gen(function*() {
          yield* TestClock.adjust(wait)
          yield* ask("hi")
          return recorder.started
        }))
      assert.deepStrictEqual(yield* run(counts), [1, 1, 2])
    }))

  it.effect("a store that fails, or holds something else, does not fail the call", () =>
    Effect.gen(function*() {
      const broken = memory({ get: () => failing, set: () => failing })
      assert.strictEqual(Completion.text(yield* on(broken.Store, ["ok"]).run(ask("hi"))), "ok")
      const { Store, map } = memory()
      yield* on(Store, ["ok"]).run(ask("hi"))
      for (const [key, value] of map) map.set(key, value.replace("\"stop\"", "\"whatever\""))
      assert.strictEqual(Completion.text(yield* on(Store, ["anew"]).run(ask("hi"))), "anew")
    }))

  it.effect("what is logged of a store that fails shows neither the prompt nor the store's words", () =>
    Effect.gen(function*() {
      const words = Effect.fail(
        new KeyValueStore.KeyValueStoreError({
          message: "PLANTED-PATH",
          method: "get",
          cause: new Error("PLANTED-CAUSE")
        })
      )
      const { Store } = memory({ get: () => words, set: () => words })
      const logged: Array<string> = []
      const logger = Logger.map(Logger.formatJson, (line) => void logged.push(line))
      yield* on(Store, ["PLANTED-ANSWER"]).run(ask("PLANTED-PROMPT")).pipe(Effect.provide(Logger.layer([logger])))
      assert.strictEqual(logged.length, 2)
      assert.include(logged.join(), "the cache could not be read")
      assert.notInclude(logged.join(), "PLANTED")
    }))
})
