import { LM } from "@effect-dspy/core"
import { OpenAiCompatible, RateLimitHeaders } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { ask, options, reply, serve } from "./server.ts"
import { recordings, recordingsAt } from "./shared.ts"

const now = Date.UTC(2026, 10, 24, 12, 0, 0)

const reset = (text: string) =>
  RateLimitHeaders.read({ "x-ratelimit-limit-requests": "1", "x-ratelimit-reset-requests": text }, now)?.requests
    ?.resetMs

const resetAt = (text: string) =>
  RateLimitHeaders.read({ "anthropic-ratelimit-tokens-limit": "1", "anthropic-ratelimit-tokens-reset": text }, now)
    ?.tokens?.resetMs

describe("RateLimitHeaders.read", () => {
  it("reads OpenAI's headers", () => {
    assert.deepStrictEqual(
      RateLimitHeaders.read({
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-limit-tokens": "200000",
        "x-ratelimit-remaining-requests": "9999",
        "x-ratelimit-remaining-tokens": "199886",
        "x-ratelimit-reset-requests": "6ms",
        "x-ratelimit-reset-tokens": "34ms"
      }, now),
      {
        requests: { limit: 10_000, remaining: 9999, resetMs: 6 },
        tokens: { limit: 200_000, remaining: 199_886, resetMs: 34 }
      }
    )
  })

  it("reads Anthropic's headers", () => {
    assert.deepStrictEqual(
      RateLimitHeaders.read({
        "anthropic-ratelimit-requests-limit": "4000",
        "anthropic-ratelimit-requests-remaining": "3999",
        "anthropic-ratelimit-requests-reset": "2026-11-24T12:00:15Z",
        "anthropic-ratelimit-tokens-limit": "540000",
        "anthropic-ratelimit-tokens-remaining": "535000",
        "anthropic-ratelimit-tokens-reset": "2026-11-24T12:00:01Z",
        "anthropic-ratelimit-input-tokens-remaining": "7"
      }, now),
      {
        requests: { limit: 4000, remaining: 3999, resetMs: 15_000 },
        tokens: { limit: 540_000, remaining: 535_000, resetMs: 1000 }
      }
    )
  })

  it("reads Go durations, and bare seconds", () => {
    const durations = {
      "0s": 0,
      "12ms": 12,
      "8.64s": 8640,
      "17.399999999s": 17_400,
      "6m0s": 360_000,
      "2m59.56s": 179_560,
      "1h2m3.5s": 3_723_500,
      "1d": 86_400_000,
      "250us": 1,
      "250µs": 1,
      "900ns": 1,
      "3": 3000,
      "0.25": 250
    }
    for (const [text, ms] of Object.entries(durations)) assert.strictEqual(reset(text), ms, text)
  })

  it("reads moments, the past as no time", () => {
    assert.strictEqual(resetAt("2026-11-24T12:00:30Z"), 30_000)
    assert.strictEqual(resetAt("2026-11-24T12:00:30.500Z"), 30_500)
    assert.strictEqual(resetAt("2026-11-24T14:00:30+02:00"), 30_000)
    assert.strictEqual(resetAt("2026-11-24T11:59:00Z"), 0)
  })

  it("keeps what can be read and leaves out the rest", () => {
    for (
      const text of ["", " ", "soon", "-5s", "5 minutes", "1e3", "ms", "5x", "1m?", "2026-11-24", "Infinity", "NaN"]
    ) {
      assert.strictEqual(reset(text), undefined, text)
      assert.strictEqual(resetAt(text), undefined, text)
    }
    assert.strictEqual(resetAt("2026-99-24T12:00:30Z"), undefined)
    assert.deepStrictEqual(
      RateLimitHeaders.read({ "x-ratelimit-limit-requests": "many", "x-ratelimit-remaining-requests": "3" }, now),
      { requests: { remaining: 3 } }
    )
  })

  it("says nothing where the headers say nothing", () => {
    assert.isUndefined(RateLimitHeaders.read({}, now))
    assert.isUndefined(RateLimitHeaders.read({ "x-ratelimit-reset-requests": "1s", "retry-after": "1" }, now))
    assert.isUndefined(RateLimitHeaders.read({ "x-ratelimit-limit-requests": "-1" }, now))
  })

  it.skipIf(recordingsAt === undefined)("reads every recorded answer that has such headers", () => {
    const spoken = recordings().filter(({ responseHeaders }) =>
      Object.keys(responseHeaders ?? {}).some((name) => /ratelimit-(limit|remaining)-(requests|tokens)/.test(name))
    )
    assert.isAbove(spoken.length, 10)
    for (const { id, responseHeaders } of spoken) {
      const limits = RateLimitHeaders.read(responseHeaders ?? {}, now)
      for (const  of of["requests", "tokens"] as const) {
        if (responseHeaders?.[`x-ratelimit-limit-${of}`] === undefined) continue
        const { limit = -1, remaining = -1, resetMs } = limits?.[of] ?? {}
        assert.isTrue(limit >= remaining && remaining >= 0, `${id}: ${of}`)
        // xAI says no more than that.
        const given = responseHeaders[`x-ratelimit-reset-${of}`]
        assert.strictEqual(resetMs === undefined, given === undefined, `${id}: ${of} ${given}`)
      }
    }
  })
})

describe("rate limits over the wire", () => {
  it.live("come with the answer, streamed or not, and LM.rateLimit goes by them", () =>
    Effect.gen(function*() {
      const at: Array<number> = []
      const headers = {
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "3s"
      }
      const server = yield* serve((seen) => {
        at.push(performance.now())
        const chunk = { id: "1", model: "m", choices: [{ index: 0, delta: { content: "ok" }, finish_reason: "stop" }] }
        return seen.json["stream"] === true
          ? { headers, body: `data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n` }
          : { ...reply("ok"), headers }
      })
      const live = OpenAiCompatible.layer(options(server)).pipe(LM.rateLimit({ adaptive: true, per: "1 minute" }))
      const streamed = Stream.runLast(LM.stream({ messages: [{ role: "user", content: "hello" }] }))
      const expected = { requests: { limit: 10, remaining: 0, resetMs: 3000 } }
      const [first, last] = yield* Effect.all([ask, streamed], { concurrency: 1 }).pipe(Effect.provide(live))
      assert.deepStrictEqual(first.rateLimits, expected)
      const finish = Option.getOrThrow(last)
      assert.deepStrictEqual(finish.type === "finish" && finish.completion.rateLimits, expected)
      // One of ten comes back in three tenths of a second. Timers and the two clocks may differ by a millisecond.
      assert.isAtLeast((at[1] ?? 0) - (at[0] ?? 0), 299)
    }))
})
