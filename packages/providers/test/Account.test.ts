import { Completion, LM, Message } from "@effect-dspy/core"
import { OpenAiCompatible } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import { KeyValueStore, Persistence } from "effect/persistence"
import { options, reply, serve } from "./server.ts"

const ask = Effect.map(LM.generate({ messages: [Message.user("hello")] }), Completion.text)

const live = (options: OpenAiCompatible.Options) =>
  Layer.orDie(Layer.provide(OpenAiCompatible.layerHttp(options), FetchHttpClient.layer))

const endpointOf = (given: Partial<OpenAiCompatible.Options>) =>
  Effect.map(
    Layer.build(live({ provider: "p", model: "m", baseUrl: "https://a.example/v1/", ...given })),
    (context) => Context.get(context, LM).endpoint
  )

const key = (text: string) => Redacted.make(text)

describe("the account of an endpoint", () => {
  it.live("one cache for all: another base URL or another key is another question", () =>
    Effect.gen(function*() {
      const here = yield* serve((_, index) => reply(`here ${index}`))
      const there = yield* serve((_, index) => reply(`there ${index}`))
      const store = yield* Layer.build(Persistence.layerBackingKvs.pipe(Layer.provide(KeyValueStore.layerMemory)))
      // A layer of its own each time: what they share is the store.
      const answer = (given: OpenAiCompatible.Options) =>
        ask.pipe(Effect.provide(live(given).pipe(LM.persistedCache())), Effect.provideContext(store))
      const answers = yield* Effect.forEach(
        [options(here), options(here), options(there), options(here, { apiKey: key("sk-another") }), options(there)],
        answer,
        { concurrency: 1 }
      )
      assert.deepStrictEqual(answers, ["here 0", "here 0", "there 0", "here 1", "there 0"])
    }))

  it.effect("is told apart by base URL, key and headers, and shows none of the last two", () =>
    Effect.gen(function*() {
      const givens: ReadonlyArray<Partial<OpenAiCompatible.Options>> = [
        { apiKey: key("sk-PLANTED-1") },
        { apiKey: key("sk-PLANTED-2") },
        { apiKey: key("sk-PLANTED-1"), baseUrl: "https://b.example/v1" },
        { apiKey: key("sk-PLANTED-1"), headers: { "openai-project": "PLANTED" } },
        { apiKey: Effect.succeed(key("sk-PLANTED-3")), headers: { "openai-project": "PLANTED" } }
      ]
      const endpoints = yield* Effect.forEach(givens, endpointOf, { concurrency: 1 })
      assert.strictEqual(new Set(endpoints).size, givens.length)
      for (const endpoint of endpoints) assert.match(endpoint, /^https:\/\/[ab]\.example\/v1#[0-9a-f]{12}$/)
      // The same again, however its base URL is written.
      assert.strictEqual(
        endpoints[0],
        yield* endpointOf({ apiKey: key("sk-PLANTED-1"), baseUrl: "https://a.example/v1" })
      )
    }))
})
