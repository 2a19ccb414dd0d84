/**
 * A worker process for the bench: `touch` writes down when it started, `five` asks a stub five things, `article`
 * asks an endpoint at `LM_URL`.
 */
import { LM } from "@effect-dspy/core"
import { Worker, WorkerMain } from "@effect-dspy/pipelines/jobs"
import { NodeTransport } from "@effect-dspy/pipelines/node"
import { OpenAiCompatible } from "@effect-dspy/providers"
import { Effect, Layer } from "effect"
import { Article, article, Five, store, stub, Touch, Trivial } from "./Work.ts"

const { CONCURRENCY = "50", DB = ":memory:", LM_URL } = process.env

const ask = (content: string) => LM.generate({ messages: [{ role: "user", content }] })

const handlers = [
  Touch.toLayer(() => Effect.sync(() => performance.timeOrigin + performance.now())),
  Trivial.toLayer(() => Effect.void),
  Five.toLayer(({ n }) =>
    Effect.forEach([1, 2, 3, 4, 5], (step) => ask(`${n}/${step}`), { concurrency: 1, discard: true })
  ),
  Article.toLayer(({ n }) => article((step, millis) => Effect.asVoid(ask(`${millis} ${n}/${step}`))))
]

const model = LM_URL === undefined
  ? stub
  : OpenAiCompatible.layerHttp({ baseUrl: LM_URL, model: "loopback" }).pipe(Layer.provide(NodeTransport.layer))

WorkerMain.run(
  Worker.layer(handlers, { queues: { default: Number(CONCURRENCY) } }).pipe(
    Layer.provide(model),
    Layer.provide(store(DB)),
    Layer.merge(Layer.effectDiscard(Effect.sync(() => process.send?.("up"))))
  )
)

process.on("message", () => {
  const { system, user } = process.cpuUsage()
  process.send?.({ cpu: user + system, peak: process.resourceUsage().maxRSS * 1024, now: process.memoryUsage.rss() })
})
