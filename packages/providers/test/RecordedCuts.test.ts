/** The recorded bytes of streams, cut into pieces and cut off. */
import { ChatCompletions, GenerateContent, OllamaChat } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import type { Protocol } from "../src/Protocol.ts"
import { failed, readPieces, said } from "./exchange.ts"
import { isStream, recorded, streamText } from "./recorded.ts"
import { folder, type Recording } from "./shared.ts"

const loopback = { provider: "loopback", model: "asked" }

const protocolOf = ({ endpoint }: Recording): Protocol =>
  endpoint === "native"
    ? OllamaChat.make({
      ...loopback,
      capabilities: OllamaChat.capabilities,
      keepAlive: undefined,
      contextLength: undefined
    })
    : endpoint === "chat"
    ? ChatCompletions.make({
      ...loopback,
      capabilities: ChatCompletions.capabilities,
      maxTokensField: "max_tokens",
      streamUsage: true
    })
    : GenerateContent.make({
      ...loopback,
      capabilities: GenerateContent.capabilities,
      auth: "key",
      signedCalls: false
    })

const streams = recorded((recording) =>
  ["chat", "native", "generateContent", "streamGenerateContent"].includes(recording.endpoint) && isStream(recording)
)

const bytesOf = (recording: Recording): Uint8Array => {
  const { responseJson } = recording
  const text = responseJson === undefined || responseJson === null
    ? streamText(recording)
    : JSON.stringify(responseJson, undefined, 2)
  return new TextEncoder().encode(text)
}

/** Every position of a short stream, and of a long one as many as there is time for, none like another. */
const positions = (length: number): ReadonlyArray<number> => {
  const step = Math.max(1, Math.floor(length / 1500) * 7 - 6)
  return Array.from({ length: Math.floor((length - 1) / step) }, (_, index) => 1 + index * step)
}

describe.skipIf(folder === undefined)("recorded streams", () => {
  it("are all here", () => {
    assert.lengthOf(streams, 17 + 4 + 7)
  })

  it.live("in two pieces, wherever they are cut, say the same", () =>
    Effect.gen(function*() {
      let cuts = 0
      for (const recording of streams) {
        const protocol = protocolOf(recording)
        const bytes = bytesOf(recording)
        const whole = yield* readPieces(protocol, [bytes])
        if (Result.isFailure(whole.result)) return assert.fail(`${recording.id}: ${whole.result.failure.message}`)
        const expected = said(whole.result.success)
        for (const at of positions(bytes.byteLength)) {
          cuts++
          const { emitted, result } = yield* readPieces(protocol, [bytes.subarray(0, at), bytes.subarray(at)])
          if (Result.isFailure(result)) return assert.fail(`${recording.id} at ${at}: ${result.failure.message}`)
          assert.deepStrictEqual([emitted, said(result.success)], [whole.emitted, expected], `${recording.id} at ${at}`)
        }
      }
      assert.isAbove(cuts, 10_000)
    }), 120_000)

  it.live("broken off are cut, unless all was said before", () =>
    Effect.gen(function*() {
      const seen = { cut: 0, complete: 0 }
      for (const recording of streams) {
        const protocol = protocolOf(recording)
        const bytes = bytesOf(recording)
        const { emitted } = yield* readPieces(protocol, [bytes])
        for (const end of positions(bytes.byteLength)) {
          const found = yield* readPieces(protocol, [bytes.subarray(0, end)])
          if (Result.isSuccess(found.result)) {
            seen.complete++
            assert.strictEqual(found.emitted, emitted, `${recording.id} at ${end}`)
          } else {
            seen.cut++
            assert.deepStrictEqual(failed(found.result.failure), { reason: "StreamCut", retryable: true }, recording.id)
          }
        }
      }
      assert.isAbove(seen.cut, 10_000)
      assert.isAbove(seen.complete, 100)
    }), 120_000)
})
