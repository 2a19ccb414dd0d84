/** What the test and its worker process have in common: a pipeline as a job, its store, and where its spans go. */
import { Predict, Signature, Spans } from "@effect-dspy/core"
import { Pipeline } from "@effect-dspy/pipelines"
import { Job } from "@effect-dspy/pipelines/jobs"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { Layer, Schema } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"

const text = Schema.String
const title = Predict.make(Signature.make("Title", { input: { content: text }, output: { title: text } }))
const summary = Predict.make(
  Signature.make("Summary", { input: { content: text, title: text }, output: { summary: text } })
)

export const document = Pipeline.make("Document", { input: { content: text }, steps: { title, summary } })
export const Document = Job.fromStep(document)

export const store = (filename: string) => Sqlite.layer({ filename, poll: "100 millis" })

/** Spans and metrics to a collector, in the encoding of choice. */
export const telemetry = (serviceName: string, baseUrl: string, encoding: string) => {
  const exporter = encoding === "json" ? Otlp.layerJson : Otlp.layerProtobuf
  return exporter({ baseUrl, resource: { serviceName } }).pipe(
    Layer.provide(FetchHttpClient.layer),
    Layer.merge(Spans.layer({ http: true }))
  )
}
