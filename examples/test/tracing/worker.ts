/** A worker process that sends its spans and metrics to a collector. */
import { LM, Metrics } from "@effect-dspy/core"
import { Worker, WorkerMain } from "@effect-dspy/pipelines/jobs"
import { OpenAiCompatible } from "@effect-dspy/providers"
import { Layer, Schedule } from "effect"
import { Document, document, store, telemetry } from "./pipeline.ts"

const { COLLECTOR = "", DB = "", ENCODING = "", LM_URL = "" } = process.env

const model = OpenAiCompatible.layer({ model: "m", baseUrl: LM_URL }).pipe(
  LM.retry({ schedule: Schedule.spaced("20 millis") })
)

WorkerMain.run(
  Worker.layer([Document.toLayer(document)], { queues: { default: 2 } }).pipe(
    Layer.provide([store(DB), model]),
    Layer.provide(Metrics.layer),
    Layer.provide(telemetry("worker", COLLECTOR, ENCODING))
  )
)
