import { Gemini } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Failed, failed, said } from "./exchange.ts"
import { options } from "./gemini.ts"
import { at, isStream, recorded, replay, values } from "./recorded.ts"
import { type Recording, recordingsAt } from "./shared.ts"

const all = recorded(({ provider }) => provider === "gemini" || provider === "vertex-gemini")

/** What each recorded failure is, labelled by hand. */
const failures: { readonly [id: string]: Failed } = {
  // "You exceeded your current quota", which says when to come back.
  "handles_context_length_exceeded_errors.yml#0": { reason: "RateLimited", retryable: true, retryAfterMs: 48_000 },
  "google-429-retry-info.json#0": { reason: "RateLimited", retryable: true, retryAfterMs: 34_400 },
  // "API key not valid", with status 400.
  "gemini_api_error.yml#0": { reason: "Authentication", retryable: false },
  "gemini_safety_error.yml#0": { reason: "ModelNotFound", retryable: false },
  // An answer that a filter took away.
  "test_google_model_safety_settings.yaml#0": { reason: "Refused", retryable: false }
}

const labelOf = ({ id }: Recording) => Object.keys(failures).find((label) => id.endsWith(label))

interface RecordedPart {
  readonly text?: string
  readonly thought?: boolean
  readonly thoughtSignature?: string
  readonly functionCall?: { readonly name: string; readonly args: unknown }
}

const partsOf = (recording: Recording): ReadonlyArray<RecordedPart> =>
  values(recording).flatMap((value) => {
    const parts = at(value, "candidates", 0, "content", "parts")
    return Array.isArray(parts) ? parts as ReadonlyArray<RecordedPart> : []
  })

const last = (recording: Recording, ...path: ReadonlyArray<string | number>) =>
  values(recording).map((value) => at(value, ...path)).findLast((value) => value !== undefined)

const play = (recording: Recording) =>
  replay(
    recording,
    (server) => Gemini.layer(options(server, { model: "asked" })),
    recording.status === null && labelOf(recording) !== undefined ? { status: 429 } : {}
  )

describe.skipIf(recordingsAt === undefined)("recorded exchanges with Gemini", () => {
  it.live("that are answers lose nothing", () =>
    Effect.gen(function*() {
      const seen = { answers: 0, streams: 0, texts: 0, thoughts: 0, calls: 0, signatures: 0, cached: 0, cut: 0 }
      for (const recording of all.filter((one) => labelOf(one) === undefined)) {
        const { id } = recording
        const result = yield* play(recording)
        if (result._tag === "Failure") return assert.fail(`${id}: ${result.failure.message}`)
        const found = said(result.success)
        const parts = partsOf(recording)
        const text = parts.filter((part) => part.thought !== true).map((part) => part.text ?? "").join("")
        const reasoning = parts.filter((part) => part.thought === true).map((part) => part.text ?? "").join("")
        const calls = parts.flatMap(({ functionCall: call }) => call === undefined ? [] : [[call.name, call.args]])
        const signatures = parts.flatMap(({ thoughtSignature: signature }) =>
          signature === undefined ? [] : [signature]
        )
        assert.deepStrictEqual(
          [found.text ?? "", found.reasoning ?? "", found.calls ?? []],
          [text, reasoning, calls],
          id
        )
        assert.deepStrictEqual(
          (found.metadata ?? []).map((metadata) => at(metadata, "gemini", "thoughtSignature")),
          signatures,
          id
        )
        const reason = last(recording, "candidates", 0, "finishReason")
        const finish = reason === "MAX_TOKENS" ? "length" : calls.length > 0 ? "toolCalls" : "stop"
        assert.strictEqual(found.finish, finish, id)
        const total = last(recording, "usageMetadata", "totalTokenCount")
        const { cachedTokens, inputTokens = 0, outputTokens = 0, reasoningTokens } = found.usage ?? {}
        assert.strictEqual(inputTokens + outputTokens, total, id)
        assert.strictEqual(cachedTokens, last(recording, "usageMetadata", "cachedContentTokenCount"), id)
        assert.strictEqual(reasoningTokens, last(recording, "usageMetadata", "thoughtsTokenCount"), id)
        assert.strictEqual(found.model, last(recording, "modelVersion"), id)
        seen.answers++
        if (isStream(recording)) seen.streams++
        if (text !== "") seen.texts++
        if (reasoning !== "") seen.thoughts++
        seen.calls += calls.length
        seen.signatures += signatures.length
        if (cachedTokens !== undefined) seen.cached++
        if (finish === "length") seen.cut++
      }
      // What the recordings hold, counted apart: a test that sees less has lost some.
      assert.deepStrictEqual(seen, {
        answers: 23,
        streams: 7,
        texts: 14,
        thoughts: 3,
        calls: 11,
        signatures: 10,
        cached: 1,
        cut: 1
      })
    }))

  it.live("that are failures have the right reason", () =>
    Effect.gen(function*() {
      const labels = new Set(Object.keys(failures))
      for (const recording of all) {
        const label = labelOf(recording)
        if (label === undefined) continue
        labels.delete(label)
        const result = yield* play(recording)
        if (result._tag === "Success") return assert.fail(`${recording.id} succeeded`)
        assert.deepStrictEqual(failed(result.failure), failures[label], recording.id)
      }
      assert.deepStrictEqual([...labels], [], "labels without a recording")
    }))
})
