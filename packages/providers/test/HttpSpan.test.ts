import { Spans } from "@effect-dspy/core"
import { OpenAiCompatible } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Tracer } from "effect"
import { ask, options, reply, serve } from "./server.ts"

/** One call with these settings: its spans, and the headers the endpoint saw. */
const traced = Effect.fnUntraced(function*(settings: Spans.Options) {
  const server = yield* serve([{ ...reply("hello") }])
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  yield* ask.pipe(
    Spans.settings(settings),
    Effect.provide([OpenAiCompatible.layer(options(server)), Layer.succeed(Tracer.Tracer, tracer)])
  )
  return { spans, headers: server.requests[0]?.headers ?? {} }
})

const traceHeaders = (headers: object) => Object.keys(headers).filter((name) => /trace|b3|baggage/.test(name))

describe("the HTTP exchange of a traced call", () => {
  it.live("has no span and sends no trace headers, unless asked", () =>
    Effect.gen(function*() {
      const { headers, spans } = yield* traced({})
      assert.deepStrictEqual(spans.map(({ name }) => name), ["chat test-model"])
      assert.deepStrictEqual(traceHeaders(headers), [])
    }))

  it.live("has a span with method, place and status, and nothing of headers and queries", () =>
    Effect.gen(function*() {
      const { headers, spans } = yield* traced({ http: true })
      assert.deepStrictEqual(spans.map(({ kind, name }) => [name, kind]), [["chat test-model", "client"], [
        "POST",
        "client"
      ]])
      const attributes = Object.fromEntries(spans[1]?.attributes ?? [])
      assert.sameMembers(Object.keys(attributes), [
        "http.request.method",
        "http.response.status_code",
        "server.address",
        "server.port",
        "url.full"
      ])
      assert.strictEqual(attributes["http.response.status_code"], 200)
      assert.deepStrictEqual(traceHeaders(headers), [])
    }))

  it.live("sends the place of its span where that is asked for", () =>
    Effect.gen(function*() {
      for (const http of [false, true]) {
        const { headers, spans } = yield* traced({ propagate: true, http })
        const last = spans.at(-1)
        assert.strictEqual(headers["traceparent"], last && Spans.toTraceparent(last))
        assert.deepStrictEqual(traceHeaders(headers), ["traceparent"])
      }
    }))
})
