/**
 * Each of the recorded exchanges, by its name, over a loopback socket: as it was asked for, cut in two at some places,
 * broken off. At every place it is cut in `RecordedCuts`; what its answer says is compared, vendor by vendor, in the
 * other tests of recordings.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { failed, said } from "./exchange.ts"
import { recordingIds } from "./fixtures/recordingIds.ts"
import { answerOf, isError, isStream, liveOf, recorded, replay, speaks } from "./recorded.ts"
import { type Recording, recordingsAt } from "./shared.ts"

const all = recorded(() => true)

const byId = new Map(all.map((recording) => [recording.id, recording]))

const outcome = (result: Effect.Success<ReturnType<typeof replay>>) => {
  if (Result.isFailure(result)) return failed(result.failure)
  return result.success === undefined ? assert.fail("no answer") : said(result.success)
}

/** Ends that are no answers, though their status is 200. */
const isRefusal = ({ features, id, responseJson }: Recording): boolean =>
  features.some((feature) => /refus|error|safety|content_filter/.test(feature)) || /refusal|safety/.test(id) ||
  JSON.stringify(responseJson ?? "").includes("\"refusal\":\"")

/** Seven places in the middle, and those where a character of several bytes is torn apart or a line's end is. */
const places = (bytes: Uint8Array): ReadonlyArray<number> => {
  const spread = Array.from({ length: 7 }, (_, index) => Math.floor((bytes.byteLength * (index + 1)) / 8))
  const inside = [
    bytes.findIndex((byte) => byte >= 0xc0),
    bytes.findLastIndex((byte) => byte >= 0xc0),
    bytes.findIndex((byte, index) => byte === 13 && bytes[index + 1] === 10)
  ].map((at) => at + 1)
  return [...new Set([...spread, ...inside])].filter((at) => at > 0 && at < bytes.byteLength)
}

const bytesOf = (body: unknown): Uint8Array =>
  new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body))

describe("recorded exchanges", () => {
  it.skipIf(recordingsAt === undefined)("are those that are named here, each in somebody's words", () => {
    assert.lengthOf(recordingIds, 164)
    assert.deepStrictEqual(all.map(({ id }) => id).toSorted(), recordingIds.toSorted())
    const count = (words: ReturnType<typeof speaks>) => all.filter((recording) => speaks(recording) === words).length
    const counts = {
      chat: count("chat"),
      responses: count("responses"),
      messages: count("messages"),
      gemini: count("gemini"),
      ollama: count("ollama")
    }
    assert.deepStrictEqual(counts, { chat: 83, responses: 25, messages: 22, gemini: 28, ollama: 6 })
    assert.strictEqual(Object.values(counts).reduce((sum, one) => sum + one), 164)
  })

  for (const id of recordingIds) {
    it.live.skipIf(recordingsAt === undefined)(id, () =>
      Effect.gen(function*() {
        const recording = byId.get(id)
        if (recording === undefined) return assert.fail("not recorded")
        const live = liveOf(recording)
        const whole = outcome(yield* replay(recording, live))
        const isAnswer = "finish" in whole
        if (isAnswer) assert.isFalse(isError(recording))
        else assert.isTrue(isError(recording) || isRefusal(recording), JSON.stringify(whole))
        const bytes = bytesOf(answerOf(recording).body)
        for (const cutAt of places(bytes)) {
          const pieces = outcome(yield* replay(recording, live, { cutAt, chunked: true }))
          assert.deepStrictEqual(pieces, whole, `cut at ${cutAt}`)
        }
        if (!isAnswer) return
        const broken = outcome(yield* replay(recording, live, { cut: "inside" }))
        assert.deepStrictEqual(broken, { reason: "StreamCut", retryable: true })
      }))
  }

  it.skipIf(recordingsAt === undefined)("were streamed or not", () => {
    assert.lengthOf(all.filter(isStream), 34)
  })
})
