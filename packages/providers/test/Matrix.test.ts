/**
 * The fixtures written by hand cover every protocol with every kind of answer and every shape of error it has: what one
 * is, is seen by what it gives.
 */
import type { Completion } from "@effect-dspy/core/Completion"
import { assert, describe, it } from "@effect/vitest"
import type { Fixture, Said } from "./exchange.ts"
import * as anthropic from "./fixtures/anthropic.ts"
import * as chat from "./fixtures/chat.ts"
import type { Fixtures } from "./fixtures/fixture.ts"
import * as gemini from "./fixtures/gemini.ts"
import * as ollama from "./fixtures/ollama.ts"
import * as responses from "./fixtures/responses.ts"

/** One fixture, by what it gives. */
interface Case {
  readonly name: string
  readonly streamed: boolean
  readonly reason?: string
  readonly text?: string
  readonly calls?: number
  readonly finish?: string | undefined
}

const isSaid = (expected: Fixture["expected"]): expected is Said => "finish" in expected

const ofList = (fixtures: ReadonlyArray<Fixture>): ReadonlyArray<Case> =>
  fixtures.map(({ expected, name, streamed = false }) => ({
    name,
    streamed,
    ...(isSaid(expected)
      ? { text: expected.text ?? "", calls: expected.calls?.length ?? 0, finish: expected.finish }
      : { reason: expected.reason })
  }))

const ofTables = (answers: ReadonlyArray<Fixtures>, streams: Fixtures): ReadonlyArray<Case> =>
  [...answers, streams].flatMap((table) =>
    Object.entries(table).map(([name, { gives }]): Case => {
      const streamed = table === streams
      if ("reason" in gives) return { name, streamed, reason: gives.reason }
      const { content = [], finishReason }: Partial<Completion> = gives
      return {
        name,
        streamed,
        text: content.map((part) => part.type === "text" ? part.text : "").join(""),
        calls: content.filter((part) => part.type === "toolCall").length,
        finish: finishReason
      }
    })
  )

const cases = {
  "Chat Completions": ofList(chat.answers),
  "Gemini": ofList(gemini.answers),
  "Ollama": ofList(ollama.answers),
  "Anthropic": ofTables([anthropic.answers, anthropic.errors], anthropic.streams),
  "Responses": ofTables([responses.answers, responses.errors], responses.streams)
}

const isRecord = (text: string | undefined): boolean => {
  try {
    const json: unknown = JSON.parse(text ?? "")
    return typeof json === "object" && json !== null
  } catch {
    return false
  }
}

const kinds: { readonly [kind: string]: (one: Case) => boolean } = {
  "text": (one) => !one.streamed && one.finish === "stop" && one.text !== "" && !isRecord(one.text),
  "stream": (one) => one.streamed && one.finish === "stop" && one.text !== "",
  "tools, several at once": (one) => !one.streamed && (one.calls ?? 0) > 1,
  "tools in a stream": (one) => one.streamed && (one.calls ?? 0) > 1,
  "structured": (one) => isRecord(one.text),
  // Ollama has no word for one: it is what the model says.
  "refusal": (one) => one.reason === "Refused" || one.name === "a refusal in the model's own words",
  "cut by max tokens": (one) => one.finish === "length"
}

/** By protocol, those reasons its vendors have a shape for; a proxy may answer for each of them. */
const everywhere = [
  "Authentication",
  "ContextTooLong",
  "InvalidRequest",
  "InvalidResponse",
  "ModelNotFound",
  "Overloaded",
  "RateLimited",
  "ServerError",
  "StreamCut"
]
const errors: { readonly [K in keyof typeof cases]: ReadonlyArray<string> } = {
  "Chat Completions": [...everywhere, "Permission", "QuotaExhausted"],
  // Its word for an empty account is that of its rate limits.
  "Gemini": [...everywhere, "Permission"],
  // Who is let in is a matter of its cloud, which says no more than that.
  "Ollama": everywhere,
  "Anthropic": [...everywhere, "Permission", "QuotaExhausted"],
  "Responses": [...everywhere, "Permission", "QuotaExhausted"]
}

describe("fixtures written by hand", () => {
  it("are more than 60, of different names", () => {
    const all = Object.entries(cases).flatMap(([protocol, some]) =>
      some.map(({ name, streamed }) => `${protocol}, ${name}, ${streamed}`)
    )
    assert.isAtLeast(all.length, 60)
    assert.strictEqual(new Set(all).size, all.length)
  })

  for (const [protocol, some] of Object.entries(cases)) {
    for (const [kind, is] of Object.entries(kinds)) {
      it(`of ${protocol} have ${kind}`, () => {
        assert.isTrue(some.some(is))
      })
    }
    for (const reason of errors[protocol as keyof typeof cases]) {
      it(`of ${protocol} fail with ${reason}`, () => {
        assert.isTrue(some.some((one) => one.reason === reason))
      })
    }
    it(`of ${protocol} fail in the middle of a stream`, () => {
      const failures = some.filter((one) => one.streamed && one.reason !== undefined && one.reason !== "StreamCut")
      assert.isNotEmpty(failures)
    })
  }
})
