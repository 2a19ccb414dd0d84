/**
 * What a streamed call costs. `npm run bench:stream`
 *
 * First in this process: a text field of 1 MB, in pieces of 16 characters, from the model's parts to the events of
 * `Predict.stream`, and one of 2 MB. Then over the wire: an endpoint in another process streams answers of 250, 1,000
 * and 4,000 tokens, an event each. Plain effect on the same transport does the same by hand (`ByHand.ts`): it reads the
 * events, extends a partial answer with each, and decodes the whole. Counted is processor time of this process.
 *
 * Bars: twice the length at most 2.2x; a streamed token at most 1.5x of by hand.
 */
import { type Adapter, ChatAdapter, JsonAdapter, LM, Predict, Signature } from "@effect-dspy/core"
import { NodeTransport } from "@effect-dspy/pipelines/node"
import { OpenAiCompatible } from "@effect-dspy/providers"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { fork } from "node:child_process"
import { join } from "node:path"
import { partial } from "./ByHand.ts"
import { type Contender, micros } from "./Measure.ts"
import { content, decodeReply, Describe, replyOf } from "./Work.ts"

// --- One long field.

const Story = Signature.make("Story", { input: { about: Schema.String }, output: { story: Schema.String } })
const sentence = "The sea went out, and \"nobody\" knew why.\n"

/** A model that writes a text, a piece of 16 characters at a time. */
const writer = (text: string): LM.Service => {
  const pieces = text.match(/[^]{1,16}/g) ?? []
  return LM.make({
    provider: "stub",
    model: "stub",
    generate: (_, emit) =>
      Effect.as(
        Effect.forEach(pieces, (piece) => emit?.([{ type: "text", text: piece }]) ?? Effect.void, {
          concurrency: 1,
          discard: true
        }),
        {
          content: [{ type: "text", text }],
          finishReason: "stop",
          usage: { calls: 1 },
          provider: "stub",
          model: "stub"
        }
      )
  })
}

const long = (
  name: string,
  adapter: Adapter.Adapter,
  write: (story: string) => string,
  length: number
): Contender => {
  const story = Predict.make(Story, { adapter })
  const lm = writer(write(sentence.repeat(Math.ceil(length / sentence.length))))
  const call = Effect.provideService(Stream.runDrain(Predict.stream(story, { about: "tides" })), LM, lm)
  return {
    name,
    run: async (times) => {
      for (let index = 0; index < times; index++) await Effect.runPromise(call)
    }
  }
}

const megabyte = 1024 * 1024
console.log("one text field, processor time of a call, medians of 9 rounds\n")
for (
  const [name, adapter, write] of [
    ["JSON", JsonAdapter.adapter, (story: string) => JSON.stringify({ story })],
    ["sections", ChatAdapter.adapter, (story: string) => `[[ ## story ## ]]\n${story}\n[[ ## completed ## ]]\n`]
  ] as const
) {
  const took = await micros([
    long(`${name}, 1 MB`, adapter, write, megabyte),
    long(`${name}, 2 MB`, adapter, write, 2 * megabyte)
  ], { times: 1, rounds: 9, clock: "processor" })
  const [one = 0] = took.values()
  for (const [name, time] of took) {
    const times = `${(time / one).toFixed(2)}x`
    console.log(`${name.padEnd(28)} ${(time / 1000).toFixed(0).padStart(6)} ms ${times.padStart(7)}   at most 2.2x`)
  }
}
console.log()

// --- Tokens over the wire.

const [system] = JsonAdapter.adapter.format(Describe).prefix(Describe.instructions, [])
const body = JSON.stringify({
  model: "stub",
  messages: [system, { role: "user", content: `[[ ## content ## ]]\n${content}` }],
  stream: true,
  stream_options: { include_usage: true }
})
const decodeOutput = (value: unknown) => Effect.fromResult(decodeReply(value))

const spanOff = Context.make(HttpClient.TracerDisabledWhen, () => true).pipe(
  Context.add(HttpClient.TracerPropagationEnabled, false)
)

/** How many partial answers were handed out. */
let partials = 0

const byHand = (baseUrl: string) =>
  Effect.gen(function*() {
    const client = yield* HttpClient.HttpClient
    const request = HttpClientRequest.post(`${baseUrl}/chat/completions`).pipe(
      HttpClientRequest.bearerToken("sk-bench"),
      HttpClientRequest.bodyText(body, "application/json")
    )
    const extend = partial()
    let whole: unknown
    yield* HttpClientResponse.stream(client.execute(request)).pipe(
      Stream.decodeText(),
      Stream.pipeThroughChannel(Sse.decode()),
      Stream.runForEachArray((events) =>
        Effect.sync(() => {
          for (const { data } of events) {
            if (data === "[DONE]") continue
            const piece = JSON.parse(data).choices[0]?.delta.content
            if (!piece) continue
            whole = extend(piece)
            partials++
          }
        })
      )
    )
    return yield* decodeOutput(whole)
  }).pipe(Effect.provideContext(spanOff))

const describe = Predict.make(Describe)
const streamed = Stream.runForEachArray(Predict.stream(describe, { content }), (events) =>
  Effect.sync(() => {
    for (const { _tag } of events) if (_tag === "Delta" || _tag === "Element") partials++
  }))

console.log("streamed answers, processor time of 1,000 tokens, medians of 7 rounds\n")
for (const tokens of [250, 1000, 4000]) {
  const answer = replyOf(tokens)
  const count = Math.ceil(answer.length / 4)
  const server = fork(join(import.meta.dirname, "tokens.mjs"), [answer])
  const port = await new Promise<number>((resolve) => server.once("message", (message) => resolve(Number(message))))
  const baseUrl = `http://127.0.0.1:${port}/v1`
  const options = { provider: "bench", model: "stub", baseUrl, apiKey: Redacted.make("sk-bench") }
  const handed = new Map<string, number>()
  const contender = <E, R, E2>(
    name: string,
    call: Effect.Effect<unknown, E, R>,
    layer: Layer.Layer<R, E2>
  ): Contender => {
    const runtime = ManagedRuntime.make(layer)
    return {
      name,
      run: async (times) => {
        partials = 0
        for (let index = 0; index < times; index++) await runtime.runPromise(call)
        handed.set(name, partials / times)
      }
    }
  }
  const took = await micros([
    contender("by hand, effect", byHand(baseUrl), NodeTransport.layer),
    contender(
      "Predict.stream",
      streamed,
      Layer.provide(OpenAiCompatible.layerHttp(options), NodeTransport.layer)
    )
  ], { times: Math.ceil(20_000 / tokens), rounds: 7, clock: "processor" })
  server.disconnect()
  const [floor = 0] = took.values()
  console.log(`${count} tokens`)
  for (const [name, time] of took) {
    const ms = `${(time / count).toFixed(2)} ms`
    console.log(
      `  ${name.padEnd(28)} ${ms.padStart(9)} ${`${(time / floor).toFixed(2)}x`.padStart(7)}   ${
        (handed.get(name) ?? 0).toFixed(0)
      } partials`
    )
  }
}
process.exit()
