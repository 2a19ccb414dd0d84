/**
 * Google's own SDK, as a second reader: it makes of the same bytes what we make of them.
 */
import { Gemini } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { type GenerateContentResponse, GoogleGenAI } from "@google/genai"
import { Effect } from "effect"
import { ask, said } from "./exchange.ts"
import { body, events, options, piece, thought, time, weather } from "./gemini.ts"
import { isError, isStream, recorded, replay, streamText } from "./recorded.ts"
import { type Answer, serve } from "./server.ts"
import { recordingsAt } from "./shared.ts"

/** What the SDK reads, in the form of ours. */
const read = (answer: Answer, streamed: boolean) =>
  Effect.gen(function*() {
    const server = yield* serve([answer])
    const sdk = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: new URL(server.url).origin, apiVersion: "v1" } })
    const asked = { model: "asked", contents: "hello" }
    const responses = yield* Effect.promise(async () => {
      if (!streamed) return [await sdk.models.generateContent(asked)]
      const all: Array<GenerateContentResponse> = []
      for await (const response of await sdk.models.generateContentStream(asked)) all.push(response)
      return all
    })
    const parts = responses.flatMap(({ candidates }) => candidates?.[0]?.content?.parts ?? [])
    const texts = (ofThought: boolean) =>
      parts.filter(({ thought: isThought }) => (isThought === true) === ofThought).map(({ text }) => text ?? "").join(
        ""
      )
    const usage = responses.findLast(({ usageMetadata }) => usageMetadata !== undefined)?.usageMetadata
    return {
      text: texts(false),
      reasoning: texts(true),
      calls: responses.flatMap(({ functionCalls }) => functionCalls ?? []).map(({ args, name }) => [name, args ?? {}]),
      signatures: parts.flatMap(({ thoughtSignature }) => thoughtSignature === undefined ? [] : [thoughtSignature]),
      finish: responses.findLast(({ candidates }) => candidates?.[0]?.finishReason !== undefined)?.candidates?.[0]
        ?.finishReason,
      tokens: usage?.totalTokenCount,
      model: responses.findLast(({ modelVersion }) => modelVersion !== undefined)?.modelVersion
    }
  })

type Read = Effect.Success<ReturnType<typeof read>>

const agree = (theirs: Read, found: ReturnType<typeof said>, what: string) => {
  const { calls = [], metadata = [], reasoning = "", text = "", usage } = found
  const signatures = metadata.map((one) => (one as { readonly gemini: { readonly thoughtSignature: string } }).gemini)
  assert.deepStrictEqual(
    { text, reasoning, calls, signatures: signatures.map(({ thoughtSignature }) => thoughtSignature) },
    { text: theirs.text, reasoning: theirs.reasoning, calls: theirs.calls, signatures: theirs.signatures },
    what
  )
  const stopped = found.finish === "length" ? "MAX_TOKENS" : "STOP"
  assert.strictEqual(stopped, theirs.finish, what)
  assert.strictEqual((usage?.inputTokens ?? 0) + (usage?.outputTokens ?? 0), theirs.tokens ?? 0, what)
  assert.strictEqual(found.model, theirs.model, what)
}

describe("Google's SDK reads the same", () => {
  it.live("in what is written by hand", () =>
    Effect.gen(function*() {
      const answers: ReadonlyArray<readonly [answer: Answer, streamed: boolean]> = [
        [{ body: body([{ text: "Grüß" }, { text: " dich 🌊" }]) }, false],
        [{ body: body([thought, weather, time]) }, false],
        [{ body: body([{ text: "The" }], {}, "MAX_TOKENS") }, false],
        [events([piece([thought]), piece([{ text: "Grüß" }]), piece([{ text: " dich 🌊" }], "STOP")]), true],
        [events([piece([weather]), piece([time], "STOP")]), true],
        [events([piece([{ text: "Yes" }]), piece([{ text: "", thoughtSignature: "c2lnbg==" }], "STOP")]), true]
      ]
      for (const [index, [answer, streamed]] of answers.entries()) {
        const server = yield* serve([answer])
        const ours = yield* Effect.provide(ask(streamed), Gemini.layer(options(server)))
        agree(yield* read(answer, streamed), said(ours), `answer ${index}`)
      }
    }))

  it.live.skipIf(recordingsAt === undefined)("in what was recorded", () =>
    Effect.gen(function*() {
      const all = recorded(({ provider }) => provider === "gemini" || provider === "vertex-gemini")
      const seen = { answers: 0, streams: 0, refused: 0, lists: 0 }
      for (const recording of all.filter((one) => !isError(one))) {
        const streamed = isStream(recording)
        // The SDK asks for events; a list it can't read.
        if (Array.isArray(recording.responseJson)) {
          seen.lists++
          continue
        }
        const ours = yield* replay(recording, (server) => Gemini.layer(options(server, { model: "asked" })))
        const theirs = yield* read({ body: recording.responseJson ?? streamText(recording) }, streamed)
        if (ours._tag === "Failure") {
          assert.deepStrictEqual([ours.failure.reason._tag, theirs.finish], ["Refused", "SAFETY"], recording.id)
          seen.refused++
          continue
        }
        // Numbers for enums are given as they are by the SDK.
        const finish = Number(theirs.finish) === 1 ? "STOP" : theirs.finish
        agree({ ...theirs, finish: finish as Read["finish"] }, said(ours.success), recording.id)
        seen.answers++
        if (streamed) seen.streams++
      }
      assert.deepStrictEqual(seen, { answers: 19, streams: 3, refused: 1, lists: 4 })
    }))
})
