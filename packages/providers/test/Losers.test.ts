/**
 * Samples that lost are closed on the wire, not only forgotten.
 */
import { BestOfN, Majority } from "@effect-dspy/core"
import { OpenAiCompatible } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { clients } from "./clients.ts"
import { type Answer, answer, options, reply, type Seen, serve, until } from "./server.ts"

const yes = reply("{\"answer\":\"yes\"}")

describe.each(clients)("over %s", (_, client) => {
  const check = <A, E>(
    call: Effect.Effect<A, E, Layer.Success<ReturnType<typeof OpenAiCompatible.layer>>>,
    script: (request: Seen, index: number) => Answer,
    expected: { readonly started: number; readonly closed: number }
  ) =>
    Effect.gen(function*() {
      const server = yield* serve(script)
      const live = Layer.orDie(Layer.provide(OpenAiCompatible.layerHttp(options(server)), client))
      return yield* Effect.gen(function*() {
        const output = yield* call
        yield* until(() => server.closed >= expected.closed && server.inFlight === 0)
        assert.deepStrictEqual(
          { started: server.started, closed: server.closed, inFlight: server.inFlight },
          { ...expected, inFlight: 0 }
        )
        return output
      }).pipe(Effect.provide(live))
    })

  // Before the status line and in the middle of the body: where a sample can be when another one has won.
  for (const hang of [{ delay: Infinity }, { ...yes, pause: Infinity }, { ...yes, pause: Infinity, chunked: true }]) {
    it.live(`BestOfN closes four sockets when the first answer meets the threshold (${JSON.stringify(hang)})`, () =>
      Effect.gen(function*() {
        const best = BestOfN.make(answer, { n: 5, reward: () => 1, threshold: 1 })
        const output = yield* check(
          best({ question: "why?" }),
          // All five are there before one is answered.
          (_, index) => index === 4 ? { ...yes, delay: 100 } : hang,
          { started: 5, closed: 4 }
        )
        assert.deepStrictEqual(output, { answer: "yes" })
      }))
  }

  it.live("Majority closes the rest when it is decided", () =>
    Effect.gen(function*() {
      const output = yield* check(
        Majority.make(answer, { n: 5 })({ question: "why?" }),
        (_, index) => index >= 2 ? { ...yes, delay: 100 } : { delay: Infinity },
        { started: 5, closed: 2 }
      )
      assert.deepStrictEqual(output, { answer: "yes" })
    }))
})
