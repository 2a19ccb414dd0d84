/**
 * What a call over the wire costs this process beyond its transport. `npm run bench:transport`
 *
 * The endpoint answers at once, from another process; 64 calls are in flight. Counted is processor time of this
 * process, which a busy machine disturbs less than the clock. Plain effect with undici does the same work by
 * hand: the same prompt, one request with the span off, the answer parsed and decoded.
 *
 * Bars: a predictor call at most 1.3x that, with every decorator at most 1.6x.
 */
import { LM } from "@effect-dspy/core"
import { NodeTransport } from "@effect-dspy/pipelines/node"
import { OpenAiCompatible } from "@effect-dspy/providers"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { fork } from "node:child_process"
import { join } from "node:path"
import { type Contender, micros } from "./Measure.ts"
import { answer, body, content, decodeReply, describe, reply } from "./Work.ts"

const server = fork(join(import.meta.dirname, "server.mjs"), [answer(reply)])
const port = await new Promise<number>((resolve) => server.once("message", (message) => resolve(Number(message))))
const baseUrl = `http://127.0.0.1:${port}/v1`

const concurrency = 64

/** Runs a call many times, 64 at once. */
const flood = <E, R>(call: Effect.Effect<unknown, E, R>, times: number): Effect.Effect<void, E, R> => {
  let left = times
  const worker = Effect.whileLoop({ while: () => left-- > 0, body: () => call, step: () => {} })
  return Effect.forEach(Array.from({ length: concurrency }), () => worker, { concurrency: "unbounded", discard: true })
}

const contender = <R, E>(
  name: string,
  call: Effect.Effect<unknown, unknown, R>,
  layer: Layer.Layer<R, E>
): Contender => {
  const runtime = ManagedRuntime.make(layer)
  return { name, run: (times) => runtime.runPromise(flood(call, times)) }
}

const decodeAnswer = Schema.decodeUnknownEffect(Schema.Struct({
  model: Schema.String,
  choices: Schema.NonEmptyArray(Schema.Struct({ message: Schema.Struct({ content: Schema.String }) })),
  usage: Schema.Struct({ prompt_tokens: Schema.Int, completion_tokens: Schema.Int })
}))

const spanOff = Context.make(HttpClient.TracerDisabledWhen, () => true).pipe(
  Context.add(HttpClient.TracerPropagationEnabled, false)
)

/** No two calls ask the same: a cache would answer the second. */
let asked = 0
const another = (): string => `${content} ${asked++}`

/** The call as somebody writes it who has effect and a client, and no library. */
const plain = Effect.gen(function*() {
  const client = yield* HttpClient.HttpClient
  const response = yield* client.execute(
    HttpClientRequest.post(`${baseUrl}/chat/completions`).pipe(
      HttpClientRequest.bearerToken("sk-bench"),
      HttpClientRequest.bodyText(body(another()), "application/json")
    )
  )
  const { choices: [{ message }] } = yield* decodeAnswer(yield* response.json)
  return yield* Effect.fromResult(decodeReply(JSON.parse(message.content)))
}).pipe(Effect.provideContext(spanOff))

const options = { provider: "bench", model: "stub", baseUrl, apiKey: Redacted.make("sk-bench") }
const over = (client: Layer.Layer<HttpClient.HttpClient>) => Layer.provide(OpenAiCompatible.layerHttp(options), client)
const call = Effect.suspend(() => describe({ content: another() }))

const Breaker = Layer.provide(
  CircuitBreaker.layer({ tripPolicy: CircuitBreaker.consecutive(5), openDuration: "30 seconds" }),
  CircuitBreaker.layerStoreMemory()
)
// Limits that are never reached: measured is what keeping to them costs.
const resilient = LM.resilient({
  timeout: "1 minute",
  concurrency: { adaptive: true },
  rateLimit: { requests: 1e9, tokens: 1e10, per: "1 minute", adaptive: true }
})

const undici = "effect + undici"
const contenders: ReadonlyArray<Contender> = [
  contender(undici, plain, NodeTransport.layer),
  contender("Predict, undici", call, over(NodeTransport.layer)),
  contender(
    "Predict, undici, every decorator",
    call,
    over(NodeTransport.layer).pipe(
      resilient,
      LM.circuitBreaker(),
      // The endpoint is never slow enough for a second request: measured is what waiting for one costs.
      LM.hedge({ delay: "1 minute" }),
      LM.fallback([over(NodeTransport.layer)]),
      LM.cache({ capacity: 1000 }),
      Layer.provide(Breaker)
    )
  ),
  contender("effect + fetch", plain, FetchHttpClient.layer),
  contender("Predict, fetch", call, over(FetchHttpClient.layer))
]

const took = await micros(contenders, { times: 2000, rounds: 9, clock: "processor" })
server.disconnect()

const base = took.get(undici) ?? 0
const bars: { readonly [name: string]: string } = {
  "Predict, undici": "at most 1.3x",
  "Predict, undici, every decorator": "at most 1.6x"
}
console.log(`processor time a call, ${concurrency} in flight, medians of 9 rounds\n`)
for (const [name, time] of took) {
  console.log(
    `${name.padEnd(36)} ${`${time.toFixed(0)} us`.padStart(8)} ${`${(time / base).toFixed(2)}x`.padStart(7)}   ${
      bars[name] ?? ""
    }`
  )
}
process.exit()
