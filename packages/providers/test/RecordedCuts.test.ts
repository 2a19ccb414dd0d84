/** The recorded bytes of streams, cut into pieces and cut off. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { failed, readPieces, said } from "./exchange.ts"
import { isStream, protocolOf, recorded, streamText } from "./recorded.ts"
import { type Recording, recordingsAt } from "./shared.ts"

const streams = recorded(isStream)

const bytesOf = (recording: Recording): Uint8Array => {
  const { responseJson } = recording
  const text = responseJson === undefined || responseJson === null
    ? streamText(recording)
    : JSON.stringify(responseJson, undefined, 2)
  return new TextEncoder().encode(text)
}

// What was handed on before a failure depends on the pieces; an answer does not.
const heard = ({ emitted, result }: Effect.Success<ReturnType<typeof readPieces>>) =>
  Result.isSuccess(result) ? [emitted, said(result.success)] : failed(result.failure)

/** Every position of a short stream, and of a long one as many as there is time for, none like another. */
const positions = (length: number): ReadonlyArray<number> => {
  const step = Math.max(1, Math.floor(length / 1500) * 7 - 6)
  return Array.from({ length: Math.floor((length - 1) / step) }, (_, index) => 1 + index * step)
}

describe.skipIf(recordingsAt === undefined)("recorded streams", () => {
  it("are all here", () => {
    // Chat Completions, Ollama, Gemini, Responses, Messages.
    assert.lengthOf(streams, 17 + 4 + 7 + 4 + 2)
  })

  it.live("in two pieces, wherever they are cut, say the same", () =>
    Effect.gen(function*() {
      let cuts = 0
      for (const recording of streams) {
        const protocol = protocolOf(recording)
        const bytes = bytesOf(recording)
        const whole = heard(yield* readPieces(protocol, [bytes]))
        for (const at of positions(bytes.byteLength)) {
          cuts++
          const found = yield* readPieces(protocol, [bytes.subarray(0, at), bytes.subarray(at)])
          assert.deepStrictEqual(heard(found), whole, `${recording.id} at ${at}`)
        }
      }
      assert.isAbove(cuts, 10_000)
    }), 120_000)

  it.live("broken off are cut, unless all was said before", () =>
    Effect.gen(function*() {
      const seen = { cut: 0, complete: 0, failed: 0 }
      for (const recording of streams) {
        const protocol = protocolOf(recording)
        const bytes = bytesOf(recording)
        const { emitted, result } = yield* readPieces(protocol, [bytes])
        for (const end of positions(bytes.byteLength)) {
          const found = yield* readPieces(protocol, [bytes.subarray(0, end)])
          if (Result.isSuccess(found.result)) {
            seen.complete++
            assert.strictEqual(found.emitted, emitted, `${recording.id} at ${end}`)
          } else if (Result.isFailure(result) && found.result.failure.reason._tag === result.failure.reason._tag) {
            seen.failed++
          } else {
            seen.cut++
            assert.deepStrictEqual(failed(found.result.failure), { reason: "StreamCut", retryable: true }, recording.id)
          }
        }
      }
      assert.isAbove(seen.cut, 10_000)
      assert.isAbove(seen.complete, 100)
      assert.isAbove(seen.failed, 10)
    }), 120_000)
})
