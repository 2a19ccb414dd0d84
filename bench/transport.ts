/**
 * What a call over the wire costs this process beyond its transport. `npm run bench:transport`
 *
 * The endpoint answers at once, from another process; 64 calls are in flight. Counted is processor time of this
 * process, which a busy machine disturbs less than the clock. Plain effect with undici does the same work by
 * hand: the same request, byte for byte, with the span off, the answer parsed and decoded.
 *
 * Bars: a predictor call at most 1.3x that, with every decorator of `LM.resilient` at most 1.6x. Limits on the first
 * token and between tokens have the answer streamed, so they are measured beside a stream that is read by hand.
 */
import { LM } from "@effect-dspy/core"
import { NodeTransport } from "@effect-dspy/pipelines/node"
import { OpenAiCompatible } from "@effect-dspy/providers"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { fork } from "node:child_process"
import { join } from "node:path"
import { type Contender, micros } from "./Measure.ts"
import { answer, answerStream, content, decodeReply, describe, reply } from "./Work.ts"

const server = fork(join(import.meta.dirname, "server.mjs"), [answer(reply), answerStream(reply)])
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

const options = { provider: "bench", model: "stub", baseUrl, apiKey: Redacted.make("sk-bench") }
const over = (client: Layer.Layer<HttpClient.HttpClient>) => Layer.provide(OpenAiCompatible.layerHttp(options), client)

/** What the library sends, to write the same by hand. */
const sent = await Effect.runPromise(Effect.gen(function*() {
  let text = ""
  const spy = HttpClient.make((request) =>
    Effect.suspend(() => {
      if (request.body._tag === "Uint8Array") text = new TextDecoder().decode(request.body.body)
      return Effect.interrupt
    })
  )
  yield* Effect.exit(
    Effect.provide(describe({ content }), over(Layer.succeed(HttpClient.HttpClient, spy)))
  )
  return JSON.parse(text) as { readonly messages: ReadonlyArray<object> }
}))

const byHand = (text: string): string =>
  JSON.stringify({ ...sent, messages: [sent.messages[0], { role: "user", content: `[[ ## content ## ]]\n${text}` }] })

const post = (body: string) =>
  HttpClientRequest.post(`${baseUrl}/chat/completions`).pipe(
    HttpClientRequest.bearerToken("sk-bench"),
    HttpClientRequest.bodyText(body, "application/json")
  )

/** The call as somebody writes it who has effect and a client, and no library. */
const plain = Effect.gen(function*() {
  const client = yield* HttpClient.HttpClient
  const response = yield* client.execute(post(byHand(another())))
  const { choices: [{ message }] } = yield* decodeAnswer(yield* response.json)
  return yield* Effect.fromResult(decodeReply(JSON.parse(message.content)))
}).pipe(Effect.provideContext(spanOff))

const decodeChunk = Schema.decodeUnknownResult(Schema.Struct({
  choices: Schema.NonEmptyArray(
    Schema.Struct({ delta: Schema.Struct({ content: Schema.optionalKey(Schema.String) }) })
  )
}))

/** The same with an answer that is read as a stream of events. */
const plainStream = Effect.gen(function*() {
  const client = yield* HttpClient.HttpClient
  const body = byHand(another())
  const response = yield* client.execute(post(`${body.slice(0, -1)},"stream":true}`))
  let text = ""
  const parser = Sse.makeParser((event) => {
    if (event._tag !== "Event" || event.data === "[DONE]") return
    const { choices: [{ delta }] } = Result.getOrThrow(decodeChunk(JSON.parse(event.data)))
    text += delta.content ?? ""
  })
  yield* response.stream.pipe(Stream.decodeText(), Stream.runForEach((piece) => Effect.sync(() => parser.feed(piece))))
  return yield* Effect.fromResult(decodeReply(JSON.parse(text)))
}).pipe(Effect.provideContext(spanOff))

const call = Effect.suspend(() => describe({ content: another() }))

const Breaker = Layer.provide(
  CircuitBreaker.layer({ tripPolicy: CircuitBreaker.consecutive(5), openDuration: "30 seconds" }),
  CircuitBreaker.layerStoreMemory()
)
/** All there is, with limits that are never reached: measured is what keeping to them costs. */
const everything = {
  price: [{ "bench/stub": { input: 1, output: 4 } }],
  budget: { calls: 1e9, tokens: 1e12, usd: 1e6 },
  timeout: { attempt: "1 minute" },
  concurrency: { adaptive: true },
  rateLimit: { requests: 1e9, tokens: 1e10, per: "1 minute", adaptive: true },
  circuitBreaker: true,
  // The endpoint is never slow enough for a second request: measured is what waiting for one costs.
  hedge: { delay: "1 minute" },
  fallback: [over(NodeTransport.layer)],
  cache: { capacity: 1000 }
} as const
const watched = {
  ...everything,
  timeout: { attempt: "1 minute", firstToken: "1 minute", betweenTokens: "1 minute" }
} as const

/** effect's own client for undici, set like `NodeTransport`. */
const Undici = NodeHttpClient.layerUndiciOptions({
  allowH2: false,
  connect: { timeout: 10_000 },
  keepAliveTimeout: 30_000,
  keepAliveMaxTimeout: 10 * 60_000
})

const undici = "effect + undici"
const streamed = "effect + undici, stream"
const contenders: ReadonlyArray<Contender> = [
  contender(undici, plain, Undici),
  contender("effect + NodeTransport", plain, NodeTransport.layer),
  contender("Predict", call, over(NodeTransport.layer)),
  contender(
    "Predict, every decorator",
    call,
    over(NodeTransport.layer).pipe(LM.resilient(everything), Layer.provide(Breaker))
  ),
  contender(streamed, plainStream, Undici),
  contender("effect + NodeTransport, stream", plainStream, NodeTransport.layer),
  contender(
    "  every decorator, token limits",
    call,
    over(NodeTransport.layer).pipe(LM.resilient(watched), Layer.provide(Breaker))
  ),
  contender("effect + fetch", plain, FetchHttpClient.layer),
  contender("Predict, fetch", call, over(FetchHttpClient.layer))
]

const took = await micros(contenders, { times: 2000, rounds: 15, clock: "processor" })
server.disconnect()

const bars: { readonly [name: string]: string } = {
  "Predict": "at most 1.3x",
  "Predict, every decorator": "at most 1.6x",
  "  every decorator, token limits": "of the stream"
}
console.log(`processor time a call, ${concurrency} in flight, medians of 15 rounds\n`)
for (const [name, time] of took) {
  const base = took.get(name === "  every decorator, token limits" ? streamed : undici) ?? 0
  console.log(
    `${name.padEnd(36)} ${`${time.toFixed(0)} us`.padStart(8)} ${`${(time / base).toFixed(2)}x`.padStart(7)}   ${
      bars[name] ?? ""
    }`
  )
}
process.exit()
