/** The limits of the call path over real sockets, and shared through a real Redis where one answers. */
import { LM } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { OpenAiCompatible } from "@effect-dspy/providers"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { randomUUID } from "node:crypto"
import { connect } from "node:net"
import { ask, options, reply, serve } from "./server.ts"

describe("LM.concurrency over the wire", () => {
  it.live("an endpoint that takes 20 at once: 300 calls by 60 callers, nothing known before, nothing lost", () =>
    Effect.gen(function*() {
      let refused = 0
      let active = 0
      const server = yield* serve(() => {
        if (active >= 20) {
          refused++
          return { status: 429, headers: { "retry-after-ms": "50" }, body: { error: { message: "too many" } } }
        }
        active++
        setTimeout(() => active--, 50)
        return { ...reply("ok"), delay: 50 }
      })
      const Live = OpenAiCompatible.layerHttp(options(server)).pipe(
        LM.resilient({ concurrency: { adaptive: true } }),
        Layer.provide(NodeHttpClient.layerUndici)
      )
      const exits = yield* Effect.forEach(Array.from({ length: 300 }), () => Effect.exit(ask), { concurrency: 60 })
        .pipe(
          Effect.provide(Live)
        )
      assert.strictEqual(exits.filter(Exit.isFailure).length, 0)
      assert.isAtMost(refused, 0.1 * server.started)
    }))
})

const redis = { host: "127.0.0.1", port: 6379 }

const answers = await new Promise<boolean>((resolve) => {
  const socket = connect(redis)
  const end = (found: boolean) => {
    socket.destroy()
    resolve(found)
  }
  socket.setTimeout(1000, () => end(false)).on("connect", () => end(true)).on("error", () => end(false))
})

describe.skipIf(!answers)("LM.rateLimit over Redis", () => {
  const Store = RateLimiter.layerStoreRedis({ prefix: `effect-dspy-test:${randomUUID()}:` }).pipe(
    Layer.provide(NodeRedis.layer({ socket: redis }))
  )

  it.live("two workers keep to one limit, and settle their tokens in it", () =>
    Effect.gen(function*() {
      const sentAt: Array<number> = []
      const noting: LM.Decorator = (lm) =>
        Effect.succeed(LM.wrap(lm, (request) =>
          Effect.flatMap(Clock.currentTimeMillis, (ms) => {
            sentAt.push(ms)
            return lm.generate(request)
          })))
      const used = TestLM.completion({ content: [], usage: { calls: 1, inputTokens: 2, outputTokens: 8 } })
      const worker = Effect.suspend(() =>
        Effect.forEach(Array.from({ length: 15 }), () => ask, { concurrency: "unbounded", discard: true }).pipe(
          Effect.provide(
            TestLM.layer(() => used).pipe(
              LM.decorate(noting),
              LM.rateLimit({
                requests: 1200,
                tokens: 1_200_000,
                per: "1 minute",
                burst: 1,
                adaptive: true,
                key: "account"
              })
            )
          )
        )
      )
      yield* Effect.all([worker, worker], { concurrency: 2 }).pipe(Effect.provide(Store))
      sentAt.sort((a, b) => a - b)
      assert.lengthOf(sentAt, 30)
      // Every 50 ms one; the first may be sent late, which brings it nearer to the second.
      const span = (sentAt.at(-1) ?? 0) - (sentAt[0] ?? 0)
      assert.isAtLeast(span, 28 * 50)
    }))
})
