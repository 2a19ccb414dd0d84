import { LM } from "@effect-dspy/core"
import { OpenAiCompatible, RetryAfter } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Schedule } from "effect"
import { ask, options, reply, serve } from "./server.ts"

const now = Date.UTC(2026, 10, 24, 12, 0, 0)

const read = (headers: { readonly [name: string]: string }, body?: unknown) => {
  const wait = RetryAfter.read(headers, body, now)
  return wait === undefined ? undefined : Duration.toMillis(wait)
}

const retryInfo = (retryDelay: unknown) => ({
  error: {
    code: 429,
    status: "RESOURCE_EXHAUSTED",
    details: [
      { "@type": "type.googleapis.com/google.rpc.QuotaFailure", violations: [] },
      { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay }
    ]
  }
})

describe("RetryAfter.read", () => {
  it("reads retry-after in seconds", () => {
    assert.strictEqual(read({ "retry-after": "2" }), 2000)
    assert.strictEqual(read({ "retry-after": " 2 " }), 2000)
    assert.strictEqual(read({ "retry-after": "0" }), 0)
    assert.strictEqual(read({ "retry-after": "0.5" }), 500)
    assert.strictEqual(read({ "retry-after": "86400" }), 86_400_000)
  })

  it("reads retry-after-ms, before retry-after", () => {
    assert.strictEqual(read({ "retry-after-ms": "1500" }), 1500)
    assert.strictEqual(read({ "retry-after-ms": "1500", "retry-after": "7" }), 1500)
    assert.strictEqual(read({ "retry-after-ms": "soon", "retry-after": "7" }), 7000)
  })

  it("reads the three forms of an HTTP date", () => {
    assert.strictEqual(read({ "retry-after": "Tue, 24 Nov 2026 12:00:30 GMT" }), 30_000)
    assert.strictEqual(read({ "retry-after": "Tuesday, 24-Nov-26 12:00:30 GMT" }), 30_000)
    assert.strictEqual(read({ "retry-after": "Tue Nov 24 12:00:30 2026" }), 30_000)
    assert.strictEqual(read({ "retry-after": "Tue, 24 Nov 2026 12:00:00 GMT" }), 0)
    assert.strictEqual(read({ "retry-after": "Tue, 24 Nov 2026 11:00:00 GMT" }), 0)
  })

  it("reads Google's RetryInfo, also from a list of errors, after the headers", () => {
    assert.strictEqual(read({}, retryInfo("34.4s")), 34_400)
    assert.strictEqual(read({}, [retryInfo("34.4s")]), 34_400)
    assert.strictEqual(read({ "retry-after": "2" }, retryInfo("34.4s")), 2000)
    assert.strictEqual(read({ "retry-after": "soon" }, retryInfo("34.4s")), 34_400)
  })

  it("ignores what says nothing", () => {
    const garbage = [
      "",
      " ",
      "soon",
      "-5",
      "-0.5",
      "NaN",
      "Infinity",
      "1e999",
      "5 minutes",
      "soon 5",
      "12:30",
      "2s",
      "12:00:00",
      "2026-13-45T99:99:99Z"
    ]
    for (const text of garbage) {
      assert.strictEqual(read({ "retry-after": text }), undefined, `retry-after: ${text}`)
      assert.strictEqual(read({ "retry-after-ms": text }), undefined, `retry-after-ms: ${text}`)
    }
    for (const delay of ["-3s", "34", "s", "fast", 34, null, { seconds: 34 }]) {
      assert.strictEqual(read({}, retryInfo(delay)), undefined, JSON.stringify(delay))
    }
    for (const body of [undefined, null, "text", [], {}, { error: "text" }, { error: { details: {} } }, [null]]) {
      assert.strictEqual(read({}, body), undefined, JSON.stringify(body))
    }
  })
})

describe("Retry-After over the wire", () => {
  const eager = Schedule.spaced("1 millis")

  it.live("is waited for in full before the next request", () =>
    Effect.gen(function*() {
      const at: Array<number> = []
      const server = yield* serve((_request, index) => {
        at.push(performance.now())
        return index === 0 ? { status: 429, headers: { "retry-after": "1" } } : reply("ok")
      })
      const live = OpenAiCompatible.layer(options(server)).pipe(LM.retry({ schedule: eager }))
      yield* Effect.provide(ask, live)
      const [first = 0, second = 0] = at
      // Timers and the two clocks may differ by a millisecond.
      assert.isAtLeast(second - first, 999)
      assert.isBelow(second - first, 3000)
      assert.strictEqual(server.started, 2)
    }))

  it.live("beyond the deadline fails the call at once, and says how long", () =>
    Effect.gen(function*() {
      const server = yield* serve([{ status: 503, headers: { "retry-after": "90" } }, reply("never asked")])
      const live = Layer.orDie(OpenAiCompatible.layer(options(server))).pipe(LM.retry({ schedule: eager }))
      const [took, error] = yield* Effect.timed(Effect.flip(ask)).pipe(
        LM.withSettings({ timeout: "20 seconds" }),
        Effect.provide(live)
      )
      assert.strictEqual(error.reason._tag, "Overloaded")
      assert.strictEqual(Duration.toSeconds(error.retryAfter ?? 0), 90)
      assert.isBelow(Duration.toMillis(took), 2000)
      assert.strictEqual(server.started, 1)
    }))

  it.live("in the body, as Google's compatible endpoint gives it, counts too", () =>
    Effect.gen(function*() {
      const server = yield* serve([{ status: 429, body: [retryInfo("34.4s")] }])
      const error = yield* Effect.flip(ask).pipe(Effect.provide(Layer.orDie(OpenAiCompatible.layer(options(server)))))
      assert.strictEqual(error.reason._tag, "RateLimited")
      assert.strictEqual(Duration.toMillis(error.retryAfter ?? 0), 34_400)
    }))

  it.live("on an answer that is good means nothing", () =>
    Effect.gen(function*() {
      const server = yield* serve([{ ...reply("ok"), headers: { "retry-after": "60" } }])
      const live = OpenAiCompatible.layer(options(server)).pipe(LM.retry())
      const [took] = yield* Effect.timed(Effect.provide(ask, live))
      assert.isBelow(Duration.toMillis(took), 2000)
    }))
})
