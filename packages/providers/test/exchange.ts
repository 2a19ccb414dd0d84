/**
 * Exchanges with an endpoint as data: what it answers, and what we make of it.
 *
 * A fixture is played over a loopback socket, and its bytes are cut at every position without one.
 */
import { LM, LMError, Message } from "@effect-dspy/core"
import * as Completion from "@effect-dspy/core/Completion"
import { assert, it } from "@effect/vitest"
import { type Config, Duration, Effect, Layer, Result, Stream } from "effect"
import type { Protocol } from "../src/Protocol.ts"
import { readStream } from "./pieces.ts"
import { type Answer, serve, type Server } from "./server.ts"

/**
 * What an answer says, in our words: what is not named is not there. `calls` are name and arguments; `metadata`
 * that of the parts which have some.
 */
export interface Said {
  readonly text?: string
  readonly reasoning?: string
  readonly calls?: ReadonlyArray<readonly [name: string, args: unknown]>
  readonly metadata?: ReadonlyArray<unknown>
  readonly finish: Completion.FinishReason
  readonly usage?: Omit<Completion.Completion["usage"], "calls">
  readonly model?: string
}

/** What a failure is: the tag of its reason, whether to try again, and when. */
export interface Failed {
  readonly reason: string
  readonly retryable: boolean
  readonly retryAfterMs?: number
}

/** - `streamed`: it is asked for as a stream */
export interface Fixture {
  readonly name: string
  readonly streamed?: boolean
  readonly answer: Answer
  readonly expected: Said | Failed
}

export const said = (completion: Completion.Completion): Said => {
  const text = Completion.text(completion)
  const reasoning = completion.content.flatMap((part) => part.type === "reasoning" ? [part.text] : []).join("")
  const calls = Completion.toolCalls(completion).map(({ arguments: args, name }) => [name, args] as const)
  const metadata = completion.content.flatMap((part) => part.metadata === undefined ? [] : [part.metadata])
  const { calls: _, ...usage } = completion.usage
  return {
    ...(text === "" ? {} : { text }),
    ...(reasoning === "" ? {} : { reasoning }),
    ...(calls.length === 0 ? {} : { calls }),
    ...(metadata.length === 0 ? {} : { metadata }),
    finish: completion.finishReason,
    ...(Object.keys(usage).length === 0 ? {} : { usage }),
    model: completion.model
  }
}

export const failed = (error: LMError.LMError): Failed => ({
  reason: error.reason._tag,
  retryable: error.isRetryable,
  ...(error.retryAfter === undefined ? {} : { retryAfterMs: Duration.toMillis(error.retryAfter) })
})

/** Asks for one answer, whole or as a stream; the parts of a stream must say what its end says. */
export const ask = (streamed: boolean, request: Partial<LM.Request> = {}) => {
  const asked = { messages: [Message.user("hello")], ...request }
  if (!streamed) return LM.generate(asked)
  return Effect.flatMap(Stream.runCollect(LM.stream(asked)), (parts) =>
    Effect.sync(() => {
      const last = parts.at(-1)
      if (last?.type !== "finish") return assert.fail("a stream without an end")
      // What came before a restart is void.
      const live = parts.slice(parts.findLastIndex((part) => part.type === "restart") + 1)
      const texts = (type: "text" | "reasoning") =>
        live.flatMap((part) => part.type === type ? [part.text] : []).join("")
      const { reasoning = "", text = "" } = said(last.completion)
      assert.deepStrictEqual([texts("text"), texts("reasoning")], [text, reasoning])
      return last.completion
    }))
}

const outcome = (result: Result.Result<Completion.Completion, LMError.LMError>, model: string | undefined) => {
  if (Result.isFailure(result)) return failed(result.failure)
  const { model: answeredBy, ...rest } = said(result.success)
  return model === undefined ? rest : { ...rest, model: answeredBy }
}

type Live = (server: Server) => Layer.Layer<LM, Config.ConfigError>

/** Registers a test for each fixture, over a socket. */
export const play = (fixtures: ReadonlyArray<Fixture>, live: Live) => {
  for (const { answer, expected, name, streamed = false } of fixtures) {
    it.live(name, () =>
      Effect.gen(function*() {
        const server = yield* serve([answer])
        const layer = Layer.orDie(live(server)).pipe(LM.timeout("5 seconds"))
        const result = yield* Effect.result(Effect.provide(ask(streamed), layer))
        assert.deepStrictEqual(outcome(result, "finish" in expected ? expected.model : undefined), expected)
        assert.strictEqual(server.started, 1)
      }))
  }
}

const bytesOf = (body: Answer["body"]): Uint8Array =>
  body instanceof Uint8Array
    ? body
    : new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body))

/** Registers the tests that cut every streamed fixture: into pieces, and off. */
export const cut = (fixtures: ReadonlyArray<Fixture>, protocol: Protocol) => {
  const streams = fixtures.filter(({ streamed }) => streamed === true)

  it("in two pieces at every byte, or byte by byte, they say the same", () =>
    Effect.runPromise(Effect.gen(function*() {
      for (const { answer, name } of streams) {
        if ((answer.status ?? 200) !== 200) continue
        const bytes = bytesOf(answer.body)
        // What was handed on before a failure depends on the pieces; an answer does not.
        const heard = (found: Effect.Success<ReturnType<typeof readStream>>) => [
          Result.isSuccess(found.result) ? found.emitted : [],
          outcome(found.result, "")
        ]
        const whole = heard(yield* readStream(protocol, { pieces: [bytes] }))
        const same = (pieces: ReadonlyArray<Uint8Array>, where: string) =>
          Effect.map(readStream(protocol, { pieces }), (found) =>
            assert.deepStrictEqual(heard(found), whole, `${name}, ${where}`))
        for (let at = 1; at < bytes.byteLength; at++) {
          yield* same([bytes.subarray(0, at), bytes.subarray(at)], `at ${at}`)
        }
        yield* same(
          Array.from(bytes, (byte) =>
            Uint8Array.of(byte)),
          "byte by byte"
        )
      }
    })), 60_000)

  it("broken off at any byte they are cut, unless all was said before", () =>
    Effect.runPromise(Effect.gen(function*() {
      let cuts = 0
      for (const { answer, expected, name } of streams) {
        if ((answer.status ?? 200) !== 200 || !("finish" in expected)) continue
        const bytes = bytesOf(answer.body)
        let complete = false
        for (let end = 0; end < bytes.byteLength; end++) {
          const { result } = yield* readStream(protocol, { pieces: [bytes.subarray(0, end)] })
          if (Result.isSuccess(result)) {
            complete = true
            const { text = "" } = said(result.success)
            assert.strictEqual(text, expected.text ?? "", `${name}, at ${end}`)
            continue
          }
          cuts++
          assert.isFalse(complete, `${name}, at ${end}: complete, and then not`)
          assert.deepStrictEqual(failed(result.failure), { reason: "StreamCut", retryable: true }, `${name}, at ${end}`)
        }
      }
      assert.isAbove(cuts, 100)
    })), 60_000)
}
