import * as Completion from "@effect-dspy/core/Completion"
import { OpenAiCompatible } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import type * as HttpClient from "effect/http/HttpClient"
import { inspect } from "node:util"
import { gzipSync } from "node:zlib"
import { clients } from "./clients.ts"
import { type Answer, ask, options, reply, says, serve, until } from "./server.ts"

const MB = 1024 * 1024

const suite = (name: string, client: Layer.Layer<HttpClient.HttpClient>) => {
  const live = (baseUrl: string, apiKey = Redacted.make("sk")) =>
    Layer.orDie(Layer.provide(
      OpenAiCompatible.layerHttp({ provider: "loopback", model: "test-model", baseUrl, apiKey }),
      client
    ))

  describe(`one POST over ${name}`, () => {
    const text = (answer: Answer) =>
      Effect.gen(function*() {
        const server = yield* serve([answer])
        return Completion.text(yield* Effect.provide(ask, live(server.url)))
      })

    const failure = (answer: Answer) =>
      Effect.gen(function*() {
        const server = yield* serve([answer])
        const error = yield* Effect.flip(Effect.provide(ask, live(server.url)))
        return { error, reason: error.reason }
      })

    it.live("reads an answer whole, however it comes", () =>
      Effect.gen(function*() {
        const words = "Füße 🎉 ".repeat(20_000)
        assert.strictEqual(yield* text(reply(words)), words)
        assert.strictEqual(yield* text({ ...reply(words), chunked: true }), words)
        assert.strictEqual(yield* text({ ...reply(words), pause: 20 }), words)
        assert.strictEqual(yield* text({ ...reply(words), pause: 20, chunked: true }), words)
      }))

    it.live("an empty answer is InvalidResponse", () =>
      Effect.gen(function*() {
        for (const chunked of [true, false]) {
          const { error, reason } = yield* failure({ body: "", chunked })
          assert.deepInclude(reason, { _tag: "InvalidResponse", status: 200 })
          assert.isTrue(error.isRetryable)
        }
      }))

    it.live("a page instead of an answer is InvalidResponse", () =>
      Effect.gen(function*() {
        const body = "<!doctype html><title>Welcome to nginx!</title>"
        const { reason } = yield* failure({ headers: { "content-type": "text/html" }, body })
        assert.deepInclude(reason, { _tag: "InvalidResponse", status: 200 })
      }))

    it.live("success without an answer is InvalidResponse", () =>
      Effect.gen(function*() {
        for (const status of [201, 204, 304]) {
          const { reason } = yield* failure({ status, chunked: true })
          assert.deepInclude(reason, { _tag: "InvalidResponse", status })
        }
      }))

    it.live("an answer that breaks off is StreamCut, with and without a length", () =>
      Effect.gen(function*() {
        for (const chunked of [true, false]) {
          const { error, reason } = yield* failure({ ...reply("x".repeat(1000)), cut: "inside", pause: 20, chunked })
          assert.strictEqual(reason._tag, "StreamCut")
          assert.isTrue(error.isRetryable)
        }
      }))

    it.live("a failure that breaks off keeps its status", () =>
      Effect.gen(function*() {
        const { reason } = yield* failure({ status: 500, body: "x".repeat(1000), cut: "inside", pause: 20 })
        assert.deepInclude(reason, { _tag: "ServerError", status: 500 })
      }))

    it.live("a socket closed instead of an answer is Network", () =>
      Effect.gen(function*() {
        const { error, reason } = yield* failure({ cut: "before" })
        assert.strictEqual(reason._tag, "Network")
        assert.isTrue(error.isRetryable)
      }))

    it.live("nobody there is Network, with the system's word for it", () =>
      Effect.gen(function*() {
        const { url } = yield* Effect.scoped(serve([]))
        const error = yield* Effect.flip(Effect.provide(ask, live(url)))
        assert.deepInclude(error.reason, { _tag: "Network", code: "ECONNREFUSED" })
        assert.strictEqual(error.message, "loopback/test-model: the connection failed (ECONNREFUSED)")
      }))

    it.live("a key is sent without the line break at the end of its file", () =>
      Effect.gen(function*() {
        const server = yield* serve([reply("yes")])
        yield* Effect.provide(ask, live(server.url, Redacted.make("sk-very-secret\n")))
        assert.strictEqual(server.requests[0]?.headers.authorization, "Bearer sk-very-secret")
      }))

    it.live("a key that no header takes is Network, and not told", () =>
      Effect.gen(function*() {
        const server = yield* serve([])
        const error = yield* Effect.flip(Effect.provide(ask, live(server.url, Redacted.make("sk-very\nsecret"))))
        assert.strictEqual(error.reason._tag, "Network")
        assert.notMatch(`${inspect(error, { depth: 9 })} ${JSON.stringify(error)} ${error.stack}`, /very|secret/)
        assert.lengthOf(server.requests, 0)
      }))

    it.live("a base URL that is none is a bug, found when the layer is built", () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(Effect.provide(ask, live("not a url")))
        assert.include(String(exit), "no URL: not a url")
      }))

    it.live("a redirect is not followed: nobody named that host", () =>
      Effect.gen(function*() {
        const elsewhere = yield* serve([reply("stolen")])
        const server = yield* serve([{ status: 308, headers: { location: elsewhere.url } }])
        const error = yield* Effect.flip(Effect.provide(ask, live(server.url)))
        assert.deepInclude(error.reason, { _tag: "InvalidResponse", status: 308 })
        assert.lengthOf(elsewhere.requests, 0)
      }))

    it.live("more than 32 MB is no answer: it is not read, and the connection is closed", () =>
      Effect.gen(function*() {
        const body = new Uint8Array(80 * MB).fill(32)
        for (const [status, expected] of [[200, "InvalidResponse"], [500, "ServerError"]] as const) {
          for (const chunked of [true, false]) {
            const server = yield* serve([{ status, body, chunked }])
            // The client stays, so that it is not its end that closes the connection.
            yield* Effect.provide(
              Effect.gen(function*() {
                const { reason } = yield* Effect.flip(ask)
                assert.deepInclude(reason, { _tag: expected, status })
                yield* until(() => server.closed === 1)
                assert.strictEqual(server.closed, 1, `${status}, ${chunked ? "chunked" : "with a length"}`)
              }),
              live(server.url)
            )
            assert.isBelow(server.bytes, (chunked ? 60 : 20) * MB)
          }
        }
      }))

    it.live("an answer just below the limit is read", () =>
      Effect.gen(function*() {
        const words = "x".repeat(31 * MB)
        for (const chunked of [true, false]) {
          const read = yield* text({ ...reply(words), chunked })
          assert.strictEqual(read.length, words.length)
        }
      }))

    it.live("connections are used again", () =>
      Effect.gen(function*() {
        for (const chunked of [true, false]) {
          const server = yield* serve(() => ({ ...reply("x"), chunked }))
          const connections = yield* ask.pipe(
            Effect.repeat({ times: 4 }),
            Effect.map(() => server.connections),
            Effect.provide(live(server.url))
          )
          assert.strictEqual(server.finished, 5)
          assert.strictEqual(connections, 1)
        }
      }))
  })
}

for (const [name, client] of clients) suite(name, client)

describe("compressed answers", () => {
  const packed = (bytes: string | Uint8Array): Answer => ({
    headers: { "content-type": "application/json", "content-encoding": "gzip" },
    body: gzipSync(bytes)
  })

  const live = (answer: Answer) =>
    Effect.map(serve([answer]), (server) => Layer.orDie(OpenAiCompatible.layer(options(server))))

  it.live("are unpacked by fetch", () =>
    Effect.gen(function*() {
      for (const chunked of [true, false]) {
        const layer = yield* live({ ...packed(JSON.stringify(says("Füße 🎉".repeat(1000)))), chunked })
        assert.strictEqual(Completion.text(yield* Effect.provide(ask, layer)), "Füße 🎉".repeat(1000))
      }
    }))

  it.live("are bounded by their size unpacked", () =>
    Effect.gen(function*() {
      const layer = yield* live(packed(new Uint8Array(64 * MB)))
      const error = yield* Effect.flip(Effect.provide(ask, layer))
      assert.deepInclude(error.reason, { _tag: "InvalidResponse", status: 200 })
      assert.notProperty(error.reason, "detail")
    }))

  it.live("that are broken are StreamCut", () =>
    Effect.gen(function*() {
      const layer = yield* live({ ...packed(""), body: "{\"choices\":[]}" })
      const error = yield* Effect.flip(Effect.provide(ask, layer))
      assert.strictEqual(error.reason._tag, "StreamCut")
    }))
})
