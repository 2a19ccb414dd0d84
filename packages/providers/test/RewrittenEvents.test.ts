/**
 * Events of streams, written differently: other escapes, another order of keys, spaces, keys nobody has heard of. What
 * they say is the same, whichever way through a reader they take.
 */
import { LMError } from "@effect-dspy/core"
import type { Part } from "@effect-dspy/core/LM/Sink"
import { AnthropicMessages, ChatCompletions, GenerateContent, OllamaChat, Responses } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import * as Framing from "../src/Framing.ts"
import type { Protocol } from "../src/Protocol.ts"
import * as anthropic from "./fixtures/anthropic.ts"
import * as chat from "./fixtures/chat.ts"
import * as gemini from "./fixtures/gemini.ts"
import * as ollama from "./fixtures/ollama.ts"
import * as responses from "./fixtures/responses.ts"
import type { Answer } from "./server.ts"

/** A small generator of random numbers (mulberry32), so that every run sees the same values. */
const seeded = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
}

type Random = () => number

const oneOf = (random: Random, texts: ReadonlyArray<string>): string => texts[Math.floor(random() * texts.length)] ?? ""

/** Each character as itself where that is allowed, or escaped; a surrogate pair is two escapes. */
const quoted = (random: Random, text: string): string => {
  const units = text.split("").map((unit) => {
    const hex = unit.charCodeAt(0).toString(16).padStart(4, "0")
    if (random() < 0.2) return `\\u${random() < 0.5 ? hex : hex.toUpperCase()}`
    return unit === "/" && random() < 0.5 ? "\\/" : JSON.stringify(unit).slice(1, -1)
  })
  return `"${units.join("")}"`
}

/** JSON of the same value on one line, with the keys in any order. */
const written = (random: Random, value: unknown): string => {
  const gap = () => oneOf(random, ["", "", " ", "\t "])
  const joined = (items: ReadonlyArray<string>) => items.map((item) => `${gap()}${item}${gap()}`).join(",")
  if (typeof value === "string") return quoted(random, value)
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${joined(value.map((item) => written(random, item)))}]`
  const entries = Object.entries(value).map((entry) => ({ entry, place: random() }))
  return `{${
    joined(
      entries.toSorted((a, b) => a.place - b.place).map(({ entry: [key, item] }) =>
        `${quoted(random, key)}${gap()}:${gap()}${written(random, item)}`
      )
    )
  }}`
}

/** The text in pieces of up to `most` characters. */
const pieces = (random: Random, text: string, most: number): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (let at = 0; at < text.length;) {
    const end = at + 1 + Math.floor(random() * most)
    found.push(text.slice(at, end))
    at = end
  }
  return found
}

/** What a stream says: its parts, pieces of one text put together, and its end. */
const read = (protocol: Protocol, text: ReadonlyArray<string>) => {
  const parts: Array<Part> = []
  const take = (part: Part) => {
    const last = parts.at(-1)
    if (part.type === "text" && last?.type === "text") {
      parts[parts.length - 1] = { ...part, text: last.text + part.text }
    } else parts.push(part)
  }
  const answer = Framing.read(
    protocol,
    (found) => Effect.sync(() => found.forEach(take)),
    (onText) => Effect.forEach(text, onText, { concurrency: 1, discard: true }),
    (reason) => Effect.fail(LMError.make("loopback", "asked", reason))
  )
  return Effect.runSync(
    Effect.map(
      Effect.result(answer),
      (result) =>
        Result.isSuccess(result) ? { parts, completion: result.success } : { reason: result.failure.reason._tag }
    )
  )
}

const asked = { provider: "loopback", model: "asked" }

const chatProtocol = ChatCompletions.make({
  ...asked,
  capabilities: ChatCompletions.capabilities,
  maxTokensField: "max_tokens",
  streamUsage: true
})

const protocols: { readonly [name: string]: readonly [Protocol, ReadonlyArray<{ readonly answer: Answer }>] } = {
  "Chat Completions": [chatProtocol, chat.answers.filter(({ streamed }) => streamed === true)],
  "Responses": [
    Responses.make({ ...asked, capabilities: Responses.capabilities, store: false }),
    Object.values(responses.streams)
  ],
  "Messages": [
    AnthropicMessages.make({ ...asked, capabilities: AnthropicMessages.capabilities, maxTokens: 8192 }),
    Object.values(anthropic.streams)
  ],
  "generateContent": [
    GenerateContent.make({ ...asked, capabilities: GenerateContent.capabilities, auth: "key", signedCalls: false }),
    gemini.answers.filter(({ streamed }) => streamed === true)
  ],
  "Ollama": [
    OllamaChat.make({
      ...asked,
      capabilities: OllamaChat.capabilities,
      keepAlive: undefined,
      contextLength: undefined
    }),
    ollama.answers.filter(({ streamed }) => streamed === true)
  ]
}

/** The lines with JSON in them written anew, with a key more; all other lines as they are. */
const rewritten = (random: Random, text: string): string =>
  text.split("\n").map((line) => {
    const [, before = "", json = ""] = /^((?:data: ?)?)(\{.*\})\s*$/.exec(line) ?? []
    return json === "" ? line : `${before}${written(random, { ...JSON.parse(json), unheard: { of: ["x"] } })}`
  }).join("\n")

describe("a stream's events, written differently, say the same", () => {
  for (const [name, [protocol, fixtures]] of Object.entries(protocols)) {
    it(name, () => {
      const random = seeded(1)
      let compared = 0
      for (const { answer } of fixtures) {
        const { body } = answer
        if (typeof body !== "string") continue
        const whole = read(protocol, [body])
        for (let time = 0; time < 40; time++) {
          const other = rewritten(random, body)
          assert.deepStrictEqual(read(protocol, pieces(random, other, time % 2 === 0 ? 7 : 400)), whole, other)
          compared++
        }
      }
      assert.isAbove(compared, 200)
    })
  }
})

/** One of the values; `undefined` is a key that is not there. */
const any = (random: Random, ...values: ReadonlyArray<unknown>): unknown => values[Math.floor(random() * values.length)]

const rarely = (random: Random, usual: unknown, ...others: ReadonlyArray<unknown>): unknown =>
  random() < 0.9 ? usual : any(random, ...others)

const words = [
  "a",
  " the",
  "\"",
  "\\",
  "\\u0041",
  "\n",
  "\u0000",
  "ü",
  "🌊",
  "\ud83c",
  "\udf0a",
  "\u2028",
  "{\"a\":",
  ""
]

/** A chunk as Chat Completions has them, or nearly. */
const chunk = (random: Random, more: object): object => {
  const content = any(random, ...words, "word", "word", "word")
  const delta = {
    role: any(random, undefined, "assistant", null),
    content: rarely(random, content, undefined, null, [{ type: "text", text: content }], 5),
    refusal: rarely(random, any(random, undefined, null), "", "no", 5),
    reasoning_content: rarely(random, undefined, null, "hm", 5),
    tool_calls: rarely(random, undefined, null, [], [{ index: 0, id: "t", function: { name: "f", arguments: "{}" } }], [
      5
    ]),
    ...more
  }
  const choice = {
    index: 0,
    delta: rarely(random, delta, null, [], "x"),
    finish_reason: rarely(random, null, undefined, "stop", "length", 5)
  }
  return {
    id: rarely(random, any(random, undefined, "c1"), null, "c2", 5),
    model: rarely(random, any(random, undefined, "m"), null, "n", 5),
    choices: rarely(
      random,
      [choice],
      undefined,
      null,
      [],
      [choice, { ...choice, finish_reason: 5 }],
      [choice, choice],
      [null]
    ),
    error: rarely(random, any(random, undefined, null), { message: "overloaded", code: 503 }),
    usage: rarely(random, any(random, undefined, null), { prompt_tokens: 3, completion_tokens: 5 }, "x"),
    x_groq: rarely(random, undefined, null, { usage: { prompt_tokens: 1 } }, "x")
  }
}

describe("a chunk of Chat Completions that holds text and nothing else", () => {
  it("is read without a schema as it is with one", () => {
    const ends = new Set<string>()
    for (let seed = 0; seed < 3000; seed++) {
      // A key that is not known is ignored, but it is something else beside the text.
      const stream = (more: object) => {
        const random = seeded(seed)
        return Array.from(
          { length: 1 + Math.floor(random() * 6) },
          () => `data: ${JSON.stringify(chunk(random, more))}\n\n`
        )
      }
      const fast = read(chatProtocol, stream({}))
      assert.deepStrictEqual(fast, read(chatProtocol, stream({ unheard: true })), stream({}).join(""))
      ends.add("reason" in fast ? fast.reason : "text")
    }
    assert.deepStrictEqual([...ends].toSorted(), ["InvalidResponse", "Overloaded", "Refused", "StreamCut", "text"])
  })
})
