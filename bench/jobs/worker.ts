/** A worker process for the bench: `touch` writes down when it started, `five` asks a stub five things. */
import { LM } from "@effect-dspy/core"
import { Worker, WorkerMain } from "@effect-dspy/pipelines/jobs"
import { Effect, Layer } from "effect"
import { Five, store, stub, Touch, Trivial } from "./jobs.ts"

const handlers = [
  Touch.toLayer(() => Effect.sync(() => performance.timeOrigin + performance.now())),
  Trivial.toLayer(() => Effect.void),
  Five.toLayer(({ n }) =>
    Effect.forEach(
      [1, 2, 3, 4, 5],
      (step) => LM.generate({ messages: [{ role: "user", content: `${n}/${step}` }] }),
      { concurrency: 1, discard: true }
    )
  )
]

WorkerMain.run(
  Worker.layer(handlers, { queues: { default: Number(process.env["CONCURRENCY"] ?? "50") } }).pipe(
    Layer.provide(stub),
    Layer.provide(store(process.env["DB"] ?? ":memory:")),
    Layer.merge(Layer.effectDiscard(Effect.sync(() => process.send?.("up"))))
  )
)

process.on("message", () => process.send?.(process.cpuUsage()))
