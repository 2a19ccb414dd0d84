/**
 * A worker process for tests that kill it. `process` asks the loopback model five things, one after the other,
 * and writes each into a log the moment it is sure that the answer is stored.
 */
import { LM, LMError, LMErrorReason, Message } from "@effect-dspy/core"
import { Worker, WorkerMain } from "@effect-dspy/pipelines/jobs"
import { Effect, Layer } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { appendFileSync } from "node:fs"
import { Process, steps, store } from "./job.ts"

const { CONCURRENCY = "10", DB = "", DRAIN = "10 seconds", LM_URL = "", LOG = "" } = process.env

const log = (line: string) => Effect.sync(() => appendFileSync(LOG, `${Date.now()} ${line}\n`))

const loopback = Layer.effect(
  LM,
  Effect.map(HttpClient.HttpClient, (client) =>
    LM.make({
      provider: "loopback",
      model: "loopback",
      endpoint: LM_URL,
      generate: (request) =>
        HttpClientRequest.post(LM_URL).pipe(
          HttpClientRequest.bodyText(Message.text(request.messages[0])),
          client.execute,
          Effect.flatMap((response) => response.text),
          Effect.map((text) => ({
            content: [{ type: "text" as const, text }],
            finishReason: "stop" as const,
            usage: { calls: 1 },
            provider: "loopback",
            model: "loopback"
          })),
          Effect.mapError(() => LMError.make("loopback", "loopback", new LMErrorReason.Network({})))
        )
    }))
).pipe(Layer.provide(FetchHttpClient.layer))

const handler = Process.toLayer(({ key }) =>
  Effect.gen(function*() {
    yield* log(`started ${key}`)
    const answers = yield* Effect.forEach(steps, (step) =>
      LM.generate({ messages: [{ role: "user", content: `${key}/${step}` }] }).pipe(
        Effect.tap((answer) =>
          answer.replayed ? Effect.void : log(`stored ${key}/${step}`)
        )
      ), { concurrency: 1 })
    yield* log(`finished ${key}`)
    return answers.length
  })
)

WorkerMain.run(
  Worker.layer([handler], { queues: { default: Number(CONCURRENCY) }, drain: DRAIN as "10 seconds" }).pipe(
    Layer.provide(loopback),
    Layer.provide(store(DB)),
    Layer.merge(Layer.effectDiscard(log(`up ${process.pid}`)))
  )
)
