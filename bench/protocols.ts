/**
 * What a streamed call costs in each protocol. `npm run bench:protocols`
 *
 * An endpoint in another process streams one answer of 1,000 tokens in the words of each vendor, an event a token:
 * written one by one, as models have it, and all at once, which leaves little beside reading them. Counted is processor
 * time of this process, protocols in turn.
 */
import { Predict } from "@effect-dspy/core"
import { NodeTransport } from "@effect-dspy/pipelines/node"
import { Anthropic, Gemini, Ollama, OpenAi, OpenAiCompatible } from "@effect-dspy/providers"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { fork } from "node:child_process"
import { join } from "node:path"
import { type Contender, micros } from "./Measure.ts"
import { content, describe, replyOf } from "./Work.ts"

const answer = replyOf(1000)
const count = Math.ceil(answer.length / 4)
const call = Stream.runDrain(Predict.stream(describe, { content }))

const layers = (origin: string) => {
  const options = { model: "stub", baseUrl: `${origin}/v1`, apiKey: Redacted.make("sk-bench") }
  return {
    "Chat Completions": OpenAiCompatible.layerHttp({ ...options, provider: "bench" }),
    "Responses": OpenAi.layerHttp(options),
    "Messages": Anthropic.layerHttp(options),
    "generateContent": Gemini.layerHttp(options),
    "Ollama": Ollama.layerHttp({ model: "stub", baseUrl: origin })
  }
}

console.log(`a streamed answer of ${count} tokens, processor time of 1,000, medians of 25 rounds\n`)
for (const [arrival, more] of [["one by one", []], ["all at once", ["whole"]]] as const) {
  const server = fork(join(import.meta.dirname, "tokens.mjs"), [answer, ...more])
  const port = await new Promise<number>((resolve) => server.once("message", (message) => resolve(Number(message))))
  const contenders = Object.entries(layers(`http://127.0.0.1:${port}`)).map(([name, layer]): Contender => {
    const runtime = ManagedRuntime.make(Layer.provide(layer, NodeTransport.layer))
    return {
      name,
      run: async (times) => {
        for (let index = 0; index < times; index++) await runtime.runPromise(call)
      }
    }
  })
  const took = await micros(contenders, { times: 10, rounds: 25, clock: "processor" })
  server.disconnect()
  const [chat = 0] = took.values()
  console.log(`events ${arrival}`)
  for (const [name, time] of took) {
    console.log(
      `  ${name.padEnd(20)} ${`${(time / count).toFixed(2)} ms`.padStart(9)} ${
        `${(time / chat).toFixed(2)}x`.padStart(7)
      }`
    )
  }
}
process.exit()
