/**
 * Limits of the call path, where they meet an endpoint and a machine. `npm run bench:limits`
 *
 * Bars: an endpoint that answers 429 above 20 in flight, 60 callers, 300 calls of 50 ms, nothing known in advance:
 * nothing lost, at most a tenth of the requests refused, at most 1.3 times the 750 ms that are possible, or 1.3 times
 * what a bound of 20 takes where the machine itself is slower than that. A stubbed call costs at most 6 us more with a bound and at most 20 us more with a rate limit that never waits.
 */
import { LM } from "@effect-dspy/core"
import { NodeTransport } from "@effect-dspy/pipelines/node"
import { OpenAiCompatible } from "@effect-dspy/providers"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { fork } from "node:child_process"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { median, micros } from "./Measure.ts"
import { reply, stub } from "./Work.ts"

const cap = 20
const latency = 50
const self = fileURLToPath(import.meta.url)

/** The endpoint, in a process of its own. */
const serve = (): void => {
  const counts = { sent: 0, refused: 0 }
  let active = 0
  const body = JSON.stringify({
    id: "1",
    object: "chat.completion",
    created: 1,
    model: "m",
    choices: [{ index: 0, message: { role: "assistant", content: reply }, finish_reason: "stop" }],
    usage: { prompt_tokens: 500, completion_tokens: 60, total_tokens: 560 }
  })
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      counts.sent++
      if (active >= cap) {
        counts.refused++
        response.writeHead(429, { "retry-after-ms": "50" }).end("{}")
        return
      }
      active++
      setTimeout(() => {
        active--
        response.writeHead(200, { "content-type": "application/json" }).end(body)
      }, latency)
    })
  })
  process.on("message", () => {
    process.send?.({ ...counts })
    counts.sent = counts.refused = 0
  })
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port))
}

if (process.argv[2] === "serve") serve()
else await measure()

async function measure(): Promise<void> {
  const child = fork(self, ["serve"], { execArgv: process.execArgv })
  const told = <A>() => new Promise<A>((resolve) => child.once("message", (message) => resolve(message as A)))
  const port = await told<number>()
  const ask = LM.generate({ messages: [{ role: "user", content: "hello" }] })
  const callers = Effect.forEach(Array.from({ length: 300 }), () => Effect.exit(ask), { concurrency: 60 })
  const layer = (decorator: LM.Decorator) =>
    OpenAiCompatible.layerHttp({ provider: "loopback", model: "m", baseUrl: `http://127.0.0.1:${port}/v1` }).pipe(
      LM.decorate(decorator),
      Layer.provide(NodeTransport.layer)
    )

  const contenders = [
    ["told the 20", LM.decorator.resilient({ concurrency: cap })],
    ["adaptive", LM.decorator.resilient({ concurrency: { adaptive: true } })],
    ["bound of 64", LM.decorator.resilient()]
  ] as const
  const bars: Array<readonly [string, boolean]> = []
  const runs = contenders.map(() =>
    new Array<{ readonly wall: number; readonly lost: number; readonly refused: number }>()
  )
  // The first round warms up; taking turns shares out what else the machine has to do.
  for (let round = 0; round < 8; round++) {
    for (const [index, [, decorator]] of contenders.entries()) {
      const [took, exits] = await Effect.runPromise(Effect.provide(Effect.timed(callers), layer(decorator)))
      const counts = told<{ readonly sent: number; readonly refused: number }>()
      child.send("counts")
      const { refused, sent } = await counts
      const wall = Duration.toMillis(took) / (300 / cap * latency)
      if (round > 0) runs[index]?.push({ wall, lost: exits.filter(Exit.isFailure).length, refused: refused / sent })
    }
  }
  let possible = 1
  for (const [index, [name]] of contenders.entries()) {
    const own = runs[index] ?? []
    const wall = median(own.map((run) => run.wall))
    const lost = Math.max(...own.map((run) => run.lost))
    const refused = Math.max(...own.map((run) => run.refused))
    console.log(
      `cap of ${cap}, ${name}: ${wall.toFixed(2)}x the ideal wall, ${lost} lost, ${
        (100 * refused).toFixed(1)
      } % refused`
    )
    if (name === "told the 20") possible = Math.max(1, wall)
    if (name === "adaptive") {
      bars.push(
        ["wall at most 1.3x", wall <= 1.3 * possible],
        ["nothing lost", lost === 0],
        ["at most 10 % refused", refused <= 0.1]
      )
    }
  }
  child.kill()

  const plain = stub(() => reply)
  const request: LM.Request = { messages: [], output: { _tag: "Text" }, settings: {} }
  const decorated = (name: string, decorator: LM.Decorator) => {
    const lm = Effect.runSync(decorator(plain))
    const run = (times: number) => {
      let left = times
      return Effect.runPromise(
        Effect.whileLoop({ while: () => left-- > 0, body: () => lm.generate(request), step: () => {} })
      )
    }
    return { name, run }
  }
  const costs = await micros([
    decorated("plain", (lm) => Effect.succeed(lm)),
    decorated("concurrency", LM.decorator.concurrency(64)),
    decorated("concurrency, adaptive", LM.decorator.concurrency({ adaptive: true })),
    decorated("rate limit", LM.decorator.rateLimit({ requests: 1e9, tokens: 5e10, per: "1 minute" })),
    decorated("rate limit, adaptive", LM.decorator.rateLimit({ requests: 1e9, per: "1 minute", adaptive: true }))
  ], { times: 5000, rounds: 15 })
  const base = costs.get("plain") ?? 0
  console.log(`plain: ${base.toFixed(1)} us a call`)
  for (const [name, cost] of costs) {
    if (name === "plain") continue
    const more = cost - base
    console.log(`${name}: ${more.toFixed(1)} us more`)
    bars.push([name, more <= (name.startsWith("concurrency") ? 6 : 20)])
  }

  const missed = bars.filter(([, held]) => !held).map(([name]) => name)
  if (missed.length > 0) {
    console.error(`missed: ${missed.join("; ")}`)
    process.exitCode = 1
  }
}
