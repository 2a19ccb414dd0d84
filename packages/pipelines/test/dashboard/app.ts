/** An app with jobs of every kind, its worker and its dashboard, in one process. */
import { Content, Events, type LM, LMError, LMErrorReason, Predict, Signature, Step } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { Pipeline } from "@effect-dspy/pipelines"
import { Dashboard } from "@effect-dspy/pipelines/dashboard"
import { type Handlers, Job, Worker } from "@effect-dspy/pipelines/jobs"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { Effect, Layer, Schedule, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpServer } from "effect/http"

export const token = "nobody-guesses-this-one"

const Title = Signature.make("Title", { input: { content: Schema.String }, output: { title: Schema.String } })
const Keywords = Signature.make("Keywords", {
  input: { content: Schema.String },
  output: { keywords: Schema.Array(Schema.String) }
})
const Summary = Signature.make("Summary", {
  input: { content: Schema.String, title: Schema.String },
  output: { summary: Schema.String }
})
const words = Step.make("CountWords", {
  input: { summary: Schema.String },
  output: { words: Schema.Int },
  run: ({ summary }) => Effect.succeed({ words: summary.split(" ").length })
})
const DocumentPipeline = Pipeline.make("Document", {
  input: { content: Schema.String },
  steps: { title: Predict.make(Title), keywords: Predict.make(Keywords), summary: Predict.make(Summary), words }
})

export const Document = Job.make("document", {
  payload: { content: Schema.String },
  queue: "llm",
  success: Schema.Int,
  retry: Schedule.spaced("1 hour")
})

/** Fails until it is told not to. */
export const Fragile = Job.make("fragile", { payload: { note: Schema.String }, maxAttempts: 1 })

/** Asks a server for something that takes long. */
export const Ask = Job.make("ask", { payload: { url: Schema.String } })

export const world = { broken: true }

/**
 * What models say: quick answers, and a summary that is written slowly.
 */
const replies: TestLM.Script = {
  Title: TestLM.after("120 millis", { title: "On tides" }),
  Keywords: TestLM.after("400 millis", { keywords: ["moon", "sea"] }),
  Summary: (request) => written(String(request.call?.input["content"]))
}

// What a document brings in as markup, its summary repeats.
const written = (content: string) => {
  const words = content.startsWith("<")
    ? Array.from({ length: 40 }, () => `${JSON.stringify(content).slice(1, -1)} `)
    : "The sea rises twice a day because the moon draws it. ".repeat(4).split(/(?<= )/)
  return TestLM.streamed([`{"summary": "`, ...words, `"}`], { interval: "100 millis" })
}

const summarize = (content: string) =>
  Effect.map(Effect.provideService(DocumentPipeline({ content }), Step.Streaming, true), ({ words }) => words)

const handlers: ReadonlyArray<Layer.Layer<never, never, Handlers.Handlers | LM | HttpClient.HttpClient>> = [
  Document.toLayer(({ content }) => summarize(content)),
  Fragile.toLayer(({ note }) =>
    Effect.suspend(() =>
      world.broken
        ? Effect.fail(
          new LMError.LMError({
            provider: "test",
            model: note,
            reason: new LMErrorReason.Authentication()
          })
        )
        : Effect.void
    )
  ),
  Ask.toLayer(({ url }) => Effect.andThen(Job.progress("asking"), HttpClient.get(url)))
]

/** The app; its address is that of the `HttpServer`. */
export const app = (options: Partial<Dashboard.Options> = {}) =>
  Layer.mergeAll(
    Dashboard.layer({ port: 0, token, ...options }),
    Worker.layer(handlers, { queues: { llm: 4, default: 4 }, drain: 0 })
  ).pipe(
    Layer.provideMerge(Sqlite.memory({ poll: "250 millis" })),
    Layer.provide([TestLM.layer(replies), FetchHttpClient.layer, Content.layer()]),
    Layer.provide(Events.layer)
  )

export const address = HttpServer.addressFormattedWith(Effect.succeed)
