/**
 * OpenAI's own SDK, as a second reader of Chat Completions and of Responses: it makes of the same bytes what we make of
 * them.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { APIError, OpenAI } from "openai"
import { said } from "./exchange.ts"
import { answerOf, isStream, liveOf, recorded, replay, speaks } from "./recorded.ts"
import { serve } from "./server.ts"
import { type Recording, recordingsAt } from "./shared.ts"

/** What the SDK reads, in the form of ours. */
interface Read {
  readonly text: string
  readonly refusal: string
  readonly calls: ReadonlyArray<readonly [string | undefined, unknown]>
  readonly cut: boolean
  readonly tokens: number | undefined
  readonly model: string | undefined
}

// No arguments are an object without keys.
const parse = (text: string | undefined): unknown => {
  if (text === undefined || text.trim() === "") return {}
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const asked = { model: "asked", messages: [{ role: "user" as const, content: "hello" }] }

// Piece by piece: what the SDK puts together of them it only does for streams that are OpenAI's to the letter.
const chatStream = async (sdk: OpenAI): Promise<Read> => {
  const read = { text: "", refusal: "", finish: "", tokens: undefined as number | undefined, model: "" }
  const calls: Array<{ name: string; text: string }> = []
  for await (const { choices, model, usage } of await sdk.chat.completions.create({ ...asked, stream: true })) {
    read.model ||= model
    read.tokens = usage?.prompt_tokens ?? read.tokens
    const choice = choices?.[0]
    if (choice === undefined) continue
    const { content, refusal, tool_calls } = choice.delta ?? {}
    read.text += content ?? ""
    read.refusal += refusal ?? ""
    read.finish = choice.finish_reason ?? read.finish
    for (const { function: called, index } of tool_calls ?? []) {
      const call = calls[index] ??= { name: "", text: "" }
      call.name += called?.name ?? ""
      call.text += called?.arguments ?? ""
    }
  }
  return { ...read, calls: calls.map(({ name, text }) => [name, parse(text)]), cut: read.finish === "length" }
}

const chat = async (sdk: OpenAI, streamed: boolean): Promise<Read> => {
  if (streamed) return chatStream(sdk)
  const found = await sdk.chat.completions.create(asked)
  const choice = found.choices?.[0]
  const calls = (choice?.message.tool_calls ?? []).map((call) =>
    call.type === "function"
      ? [call.function.name, parse(call.function.arguments)] as const
      : [undefined, call] as const
  )
  // The form before tools.
  const old = choice?.message.function_call
  return {
    text: choice?.message.content ?? "",
    refusal: choice?.message.refusal ?? "",
    calls: old ? [...calls, [old.name, parse(old.arguments)]] : calls,
    cut: choice?.finish_reason === "length",
    tokens: found.usage?.prompt_tokens,
    model: found.model
  }
}

const responses = async (sdk: OpenAI, streamed: boolean): Promise<Read> => {
  const question = { model: "asked", input: "hello" }
  const found = streamed
    ? await sdk.responses.stream(question).finalResponse()
    : await sdk.responses.create(question)
  const parts = found.output.flatMap((item) => item.type === "message" ? item.content : [])
  return {
    text: parts.map((part) => part.type === "output_text" ? part.text : "").join(""),
    refusal: parts.map((part) => part.type === "refusal" ? part.refusal : "").join(""),
    calls: found.output.flatMap((item) => item.type === "function_call" ? [[item.name, parse(item.arguments)]] : []),
    cut: found.status === "incomplete",
    tokens: found.usage?.input_tokens,
    model: found.model
  }
}

const read = (recording: Recording) =>
  Effect.gen(function*() {
    const server = yield* serve([answerOf(recording)])
    const sdk = new OpenAI({ apiKey: "k", baseURL: server.url, maxRetries: 0 })
    const words = speaks(recording) === "chat" ? chat : responses
    return yield* Effect.promise(() =>
      words(sdk, isStream(recording)).catch((error: unknown) => error instanceof Error ? error : Promise.reject(error))
    )
  })

describe.skipIf(recordingsAt === undefined)("OpenAI's SDK reads the same", () => {
  const expected = {
    chat: { answers: 65, streams: 16, refused: 3, failures: 14, calls: 37, others: 1 },
    responses: { answers: 19, streams: 2, refused: 0, failures: 6, calls: 10, others: 0 }
  } as const
  for (const words of ["chat", "responses"] as const) {
    const counts = expected[words]
    it.live(`in recorded ${words}`, () =>
      Effect.gen(function*() {
        const seen = { answers: 0, streams: 0, refused: 0, failures: 0, calls: 0, others: 0 }
        for (const recording of recorded((one) => speaks(one) === words)) {
          const { id } = recording
          const ours = yield* replay(recording, liveOf(recording))
          const theirs = yield* read(recording)
          if (theirs instanceof Error && !(theirs instanceof APIError)) {
            // Its `[DONE]` is followed by a space.
            assert.match(id, /stream-text-with-reasoning-1\.sse#0$/)
            seen.others++
            continue
          }
          if (theirs instanceof APIError) {
            assert.strictEqual(ours._tag, "Failure", `${id}: ${theirs.message}`)
            seen.failures++
            continue
          }
          if (ours._tag === "Failure") {
            assert.strictEqual(ours.failure.reason._tag, "Refused", id)
            assert.notStrictEqual(theirs.refusal, "", id)
            seen.refused++
            continue
          }
          if (ours.success === undefined) return assert.fail(id)
          const { calls = [], finish, model, text = "", usage } = said(ours.success)
          assert.deepStrictEqual([text, calls, finish === "length"], [theirs.text, theirs.calls, theirs.cut], id)
          assert.strictEqual(model, theirs.model, id)
          if (theirs.tokens !== undefined) assert.strictEqual(usage?.inputTokens, theirs.tokens, id)
          seen.answers++
          seen.calls += calls.length
          if (isStream(recording)) seen.streams++
        }
        assert.deepStrictEqual(seen, counts)
      }), 30_000)
  }
})
