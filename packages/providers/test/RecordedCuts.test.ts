/**
 * The bytes of every recorded answer, cut at every position, none left out: into two pieces, and off.
 *
 * They go through the transport, the framing and the protocol (`pieces`); what a protocol made of the same events
 * before is remembered (`remembering`). Over a socket they are cut at some places, in `AllRecordings`.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { isDeepStrictEqual } from "node:util"
import { failed, said } from "./exchange.ts"
import { type Delivered, readBody, readStream } from "./pieces.ts"
import { answerOf, isStream, protocolOf, recorded, streamText } from "./recorded.ts"
import { remembering } from "./remembering.ts"
import { type Recording, recordingsAt } from "./shared.ts"

// Nearly a million errors are made here, and the stack of each would take longer than all the rest. A test that fails
// says which recording it was, and where it was cut.
Error.stackTraceLimit = 0

const streams = recorded(isStream)
const bodies = recorded((recording) => !isStream(recording))

const bytesOf = (recording: Recording): Uint8Array => {
  const { responseJson } = recording
  const text = responseJson === undefined || responseJson === null
    ? streamText(recording)
    : JSON.stringify(responseJson, undefined, 2)
  return new TextEncoder().encode(text)
}

const piecesOf = (bytes: Uint8Array, at: number) => ({ pieces: [bytes.subarray(0, at), bytes.subarray(at)] })

/** A recorded stream as a whole, and what reads it when it is cut. */
const opened = (recording: Recording, bytes: Uint8Array) =>
  Effect.gen(function*() {
    const protocol = protocolOf(recording)
    const whole = yield* readStream(protocol, { pieces: [bytes] })
    const known = yield* remembering(protocol, bytes)
    return { bytes, whole, read: (delivered: Delivered) => readStream(known, delivered) }
  })

type Heard = Effect.Success<ReturnType<typeof readStream>>

// What was handed on before a failure depends on the pieces; an answer does not.
const heard = ({ emitted, result }: Heard) =>
  Result.isSuccess(result) ? [emitted, said(result.success)] : failed(result.failure)

const reasonOf = (result: Heard["result"]) => Result.isFailure(result) ? result.failure.reason._tag : "none"

const cut = { reason: "StreamCut", retryable: true }

/** An assertion's own comparison takes longer than reading an answer does. */
const same = (found: unknown, expected: unknown, { id }: Recording, at: number) => {
  if (!isDeepStrictEqual(found, expected)) assert.deepStrictEqual(found, expected, `${id} at ${at}`)
}

describe.skipIf(recordingsAt === undefined)("recorded streams", () => {
  it("are all here, with characters and ends of lines to cut through", () => {
    // Chat Completions, Ollama, Gemini, Responses, Messages.
    assert.lengthOf(streams, 17 + 4 + 7 + 4 + 2)
    const seen = { bytes: 0, insideCharacters: 0, insideCrLf: 0 }
    for (const bytes of streams.map(bytesOf)) {
      seen.bytes += bytes.byteLength
      for (const [index, byte] of bytes.entries()) {
        if ((byte & 0xc0) === 0x80) seen.insideCharacters++
        if (byte === 10 && bytes[index - 1] === 13) seen.insideCrLf++
      }
    }
    assert.deepStrictEqual(seen, { bytes: 245_421, insideCharacters: 50, insideCrLf: 10 })
  })

  it.live("in two pieces, wherever they are cut, say the same", () =>
    Effect.gen(function*() {
      let cuts = 0
      for (const recording of streams) {
        const { bytes, read, whole } = yield* opened(recording, bytesOf(recording))
        const expected = heard(whole)
        for (let at = 1; at < bytes.byteLength; at++) {
          cuts++
          same(heard(yield* read(piecesOf(bytes, at))), expected, recording, at)
        }
      }
      assert.strictEqual(cuts, 245_421 - streams.length)
    }), 300_000)

  it.live("with CRLF at the ends of their lines, cut between the two, say the same", () =>
    Effect.gen(function*() {
      let cuts = 0
      for (const recording of streams) {
        const text = new TextDecoder().decode(bytesOf(recording))
        const { whole } = yield* opened(recording, bytesOf(recording))
        const { bytes, read } = yield* opened(recording, new TextEncoder().encode(text.replace(/\r?\n/g, "\r\n")))
        for (const [index, byte] of bytes.entries()) {
          if (byte !== 10) continue
          cuts++
          same(heard(yield* read(piecesOf(bytes, index))), heard(whole), recording, index)
        }
      }
      assert.strictEqual(cuts, 2147)
    }))

  it.live("that end early are cut, unless all was said before", () =>
    Effect.gen(function*() {
      const seen = { cut: 0, complete: 0, failed: 0 }
      for (const recording of streams) {
        const { bytes, read, whole } = yield* opened(recording, bytesOf(recording))
        let complete = false
        for (let end = 0; end < bytes.byteLength; end++) {
          const { emitted, result } = yield* read({ pieces: [bytes.subarray(0, end)] })
          if (Result.isSuccess(result)) {
            complete = true
            seen.complete++
            // Usage comes last: where it didn't, nothing is known of it but the call.
            const { calls } = result.success.usage
            const expected = Result.map(whole.result, ({ usage, ...said }) => ({
              ...said,
              usage: isDeepStrictEqual(result.success.usage, { calls }) ? { calls } : usage
            }))
            same({ emitted, result }, { emitted: whole.emitted, result: expected }, recording, end)
            continue
          }
          assert.isFalse(complete, `${recording.id} at ${end}: complete, and then not`)
          if (Result.isFailure(whole.result) && reasonOf(result) === reasonOf(whole.result)) seen.failed++
          else {
            seen.cut++
            same(failed(result.failure), cut, recording, end)
          }
        }
      }
      assert.deepStrictEqual(seen, { cut: 238_952, complete: 4416, failed: 2053 })
    }), 300_000)

  it.live("whose connection breaks are cut, wherever it does", () =>
    Effect.gen(function*() {
      const seen = { cut: 0, failed: 0 }
      for (const recording of streams) {
        const { bytes, read, whole } = yield* opened(recording, bytesOf(recording))
        for (let end = 0; end < bytes.byteLength; end++) {
          const found = yield* read({ pieces: [bytes.subarray(0, end)], broken: true })
          // One that told of a failure before it broke has failed with that.
          if (Result.isFailure(whole.result) && reasonOf(found.result) === reasonOf(whole.result)) seen.failed++
          else {
            seen.cut++
            same(heard(found), cut, recording, end)
          }
        }
      }
      assert.deepStrictEqual(seen, { cut: 243_372, failed: 2049 })
    }), 300_000)
})

describe.skipIf(recordingsAt === undefined)("recorded answers in one piece", () => {
  const read = (recording: Recording, bytes: Uint8Array) => {
    const protocol = protocolOf(recording)
    const { status = 200 } = answerOf(recording)
    return {
      status,
      inPieces: (at: number) => readBody(protocol, { status, ...piecesOf(bytes, at) }),
      until: (end: number, broken: boolean) => readBody(protocol, { status, pieces: [bytes.subarray(0, end)], broken })
    }
  }
  const heard = (result: Heard["result"]) => Result.isSuccess(result) ? said(result.success) : failed(result.failure)

  it.live("that come in two, wherever they are cut, say the same", () =>
    Effect.gen(function*() {
      let cuts = 0
      for (const recording of bodies) {
        const bytes = bytesOf(recording)
        const { inPieces, until } = read(recording, bytes)
        const whole = heard(yield* until(bytes.byteLength, false))
        for (let at = 1; at < bytes.byteLength; at++) {
          cuts++
          same(heard(yield* inPieces(at)), whole, recording, at)
        }
      }
      assert.strictEqual(cuts, 144_551 - bodies.length)
    }), 300_000)

  it.live("are none where they end early or break off, and a status is not forgotten", () =>
    Effect.gen(function*() {
      const seen = { unfinished: 0, failed: 0 }
      for (const recording of bodies) {
        const bytes = bytesOf(recording)
        const { status, until } = read(recording, bytes)
        // What an error says beside its status may tell more of it.
        const whole = reasonOf(yield* until(bytes.byteLength, false))
        const bare = reasonOf(yield* until(0, false))
        for (let end = 0; end < bytes.byteLength; end++) {
          const broken = reasonOf(yield* until(end, true))
          const short = reasonOf(yield* until(end, false))
          if (status === 200) {
            seen.unfinished++
            same([broken, short], ["StreamCut", "InvalidResponse"], recording, end)
          } else {
            seen.failed++
            same([broken, short], [bare, short === bare ? bare : whole], recording, end)
          }
        }
      }
      assert.deepStrictEqual(seen, { unfinished: 136_257, failed: 8294 })
    }), 300_000)
})
