/**
 * The worker process of `flight`, as users run it: built packages and plain JavaScript, so that its memory is that of
 * a worker and not of a compiler beside it. One call a job.
 */
import { LM } from "@effect-dspy/core"
import { Job, Worker, WorkerMain } from "@effect-dspy/pipelines/jobs"
import { NodeTransport } from "@effect-dspy/pipelines/node"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { OpenAiCompatible } from "@effect-dspy/providers"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import process from "node:process"

const { CONCURRENCY, DB, LM_URL } = process.env

// The same job as in `Work.ts`.
const Wait = Job.make("wait", { payload: { n: Schema.Int }, timeout: "2 minutes" })

WorkerMain.run(
  Worker.layer([
    Wait.toLayer(({ n }) => Effect.asVoid(LM.generate({ messages: [{ role: "user", content: `${n}` }] })))
  ], { queues: { default: Number(CONCURRENCY) } }).pipe(
    Layer.provide(OpenAiCompatible.layerHttp({ baseUrl: LM_URL, model: "loopback" })),
    Layer.provide(NodeTransport.layer),
    Layer.provide(Sqlite.layer({ filename: DB })),
    Layer.merge(Layer.effectDiscard(Effect.sync(() => process.send?.("up"))))
  )
)

process.on("message", () => {
  const { system, user } = process.cpuUsage()
  process.send?.({ cpu: user + system, peak: process.resourceUsage().maxRSS * 1024, now: process.memoryUsage.rss() })
})
