import { LM, type PredictError } from "@effect-dspy/core"
import { OpenAiCompatible } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schedule } from "effect"
import type * as HttpClient from "effect/http/HttpClient"
import { clients } from "./clients.ts"
import { type Answer, answer, options, reply, type Seen, serve, type Server, until } from "./server.ts"

/** Long enough for requests to arrive on a busy machine. */
const patience = "120 millis"

const good = reply("{\"answer\":\"yes\"}")

/** Where a call can hang when it is cancelled. */
const hanging: ReadonlyArray<readonly [string, Answer]> = [
  ["before the status line", { delay: Infinity }],
  ["in the middle of the body", { ...good, pause: Infinity }],
  ["in the middle of a chunked body", { ...good, pause: Infinity, chunked: true }]
]

const call = (question: string) => answer({ question })

const asksFor = (request: Seen, question: string) => request.text.includes(`\\n${question}"`)

/** What the server must see in the end: so many started, so many closed before their answers, none left. */
const settled = (server: Server, started: number, closed: number) =>
  Effect.gen(function*() {
    yield* until(() => server.closed >= closed && server.inFlight === 0)
    assert.deepStrictEqual(
      { started: server.started, closed: server.closed, inFlight: server.inFlight },
      { started, closed, inFlight: 0 }
    )
  })

const suite = (name: string, client: Layer.Layer<HttpClient.HttpClient>, place: string, hang: Answer) => {
  const live = (server: Server) => Layer.orDie(Layer.provide(OpenAiCompatible.layerHttp(options(server)), client))

  /** Runs a program; the client stays until the server has seen what it must see. */
  const check = <A, E>(
    script: (request: Seen) => Answer,
    expected: { readonly started: number; readonly closed: number },
    program: (server: Server) => Effect.Effect<A, E, LM>,
    decorate: (layer: Layer.Layer<LM>) => Layer.Layer<LM> = (layer) => layer
  ) =>
    Effect.gen(function*() {
      const server = yield* serve(script)
      return yield* Effect.gen(function*() {
        const result = yield* Effect.result(program(server))
        yield* settled(server, expected.started, expected.closed)
        return result
      }).pipe(Effect.provide(decorate(live(server))))
    })

  const tag = (result: { readonly _tag: string; readonly failure?: PredictError.PredictError }) =>
    result.failure !== undefined && "reason" in result.failure ? result.failure.reason : result

  describe.concurrent(`${name}, hanging ${place}`, () => {
    it.live("the siblings of a call that fails", () =>
      Effect.gen(function*() {
        const questions = Array.from({ length: 10 }, (_, index) => `question ${index}`)
        const result = yield* check(
          (request) => asksFor(request, "question 7") ? { status: 401, delay: 120 } : hang,
          { started: 10, closed: 9 },
          (server) =>
            Effect.forEach(questions, call, { concurrency: 10 }).pipe(
              Effect.tapError(() => Effect.sync(() => assert.strictEqual(server.maxInFlight, 10)))
            ),
          LM.resilient()
        )
        assert.strictEqual(tag(result)._tag, "Authentication")
      }))

    it.live("a request that takes longer than LM.timeout, at every attempt", () =>
      Effect.gen(function*() {
        const result = yield* check(
          () => hang,
          { started: 3, closed: 3 },
          () => call("why?"),
          (layer) => layer.pipe(LM.timeout(patience), LM.retry({ schedule: Schedule.spaced("1 millis") }))
        )
        assert.deepInclude(tag(result), { _tag: "Timeout", kind: "attempt" })
      }))

    it.live("a call that takes longer than its total timeout", () =>
      Effect.gen(function*() {
        const result = yield* check(
          () => hang,
          { started: 1, closed: 1 },
          () => LM.withSettings({ timeout: patience })(call("why?")),
          LM.resilient()
        )
        assert.deepInclude(tag(result), { _tag: "Timeout", kind: "total" })
      }))

    it.live("a program under Effect.timeout", () =>
      Effect.gen(function*() {
        const result = yield* check(
          () => hang,
          { started: 2, closed: 2 },
          () => Effect.timeoutOption(Effect.all([call("why?"), call("how?")], { concurrency: 2 }), patience),
          LM.resilient()
        )
        assert.strictEqual(result._tag, "Success")
      }))

    it.live("the loser of a hedge", () =>
      Effect.gen(function*() {
        let requests = 0
        const result = yield* check(
          () => requests++ === 0 ? hang : good,
          { started: 2, closed: 1 },
          () => call("why?"),
          LM.hedge({ delay: patience })
        )
        assert.strictEqual(result._tag, "Success")
      }))

    it.live("a request that gives no first part in time", () =>
      Effect.gen(function*() {
        const result = yield* check(
          () => hang,
          { started: 1, closed: 1 },
          () => call("why?"),
          LM.timeout({ firstToken: patience })
        )
        assert.deepInclude(tag(result), { _tag: "Timeout", kind: "firstToken" })
      }))

    it.live("a cached question that everybody gave up on", () =>
      Effect.gen(function*() {
        const calls = Effect.all([call("why?"), call("why?"), call("why?")], { concurrency: 3 })
        const result = yield* check(
          () => hang,
          { started: 1, closed: 1 },
          () => Effect.timeoutOption(calls, patience),
          LM.cache()
        )
        assert.strictEqual(result._tag, "Success")
      }))

    it.live("the losers of a race", () =>
      Effect.gen(function*() {
        const result = yield* check(
          (request) => asksFor(request, "fast?") ? { ...good, delay: 120 } : hang,
          { started: 3, closed: 2 },
          () => Effect.raceAll([call("slow?"), call("fast?"), call("slower?")])
        )
        assert.deepInclude(result, { _tag: "Success", success: { answer: "yes" } })
      }))

    it.live("a fiber that is interrupted", () =>
      check(
        () => hang,
        { started: 1, closed: 1 },
        (server) =>
          Effect.gen(function*() {
            const fiber = yield* Effect.forkChild(call("why?"))
            yield* until(() => server.requests.length === 1)
            yield* Effect.sleep("30 millis")
            assert.strictEqual(server.closed, 0)
            yield* Fiber.interrupt(fiber)
          })
      ))

    it.live("calls that wait for a permit are never sent", () =>
      check(
        () => hang,
        { started: 2, closed: 2 },
        () => Effect.timeoutOption(Effect.forEach([1, 2, 3, 4], () => call("why?"), { concurrency: 4 }), patience),
        LM.resilient({ concurrency: 2 })
      ))

    it.live("and the next call on the same client works", () =>
      Effect.gen(function*() {
        const result = yield* check(
          (request) => asksFor(request, "fast?") ? good : hang,
          { started: 2, closed: 1 },
          () => Effect.andThen(Effect.timeoutOption(call("slow?"), patience), call("fast?"))
        )
        assert.strictEqual(result._tag, "Success")
      }))
  })
}

for (const [name, client] of clients) {
  for (const [place, hang] of hanging) suite(name, client, place, hang)
}
