/** Spans and metrics of a job over two processes, as an OTLP collector receives them. */
import { Job } from "@effect-dspy/pipelines/jobs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as collecting from "./tracing/collector.ts"
import { Document, store, telemetry } from "./tracing/pipeline.ts"

/** A model that is overloaded once, and remembers the headers it was sent. */
const endpoint = () =>
  new Promise<{ readonly url: string; readonly headers: Array<string>; readonly close: () => void }>((resolve) => {
    const headers: Array<string> = []
    let failures = 1
    const server = createServer((request, response) => {
      headers.push(...Object.keys(request.headers))
      let body = ""
      request.on("data", (chunk) => body += chunk).on("end", () => {
        const isSummary = body.includes("summary")
        if (isSummary && failures-- > 0) return void response.writeHead(503).end("{}")
        const content = JSON.stringify(isSummary ? { summary: "PLANTED-REPLY" } : { title: "PLANTED-REPLY" })
        response.setHeader("content-type", "application/json")
        response.end(JSON.stringify({
          id: "chatcmpl-7",
          model: "m-0925",
          choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
          usage: { prompt_tokens: 11, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 5 } }
        }))
      })
    })
    server.listen(0, "127.0.0.1", () =>
      resolve({
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
        headers,
        close: () => {
          server.close()
          server.closeAllConnections()
        }
      }))
  })

/** The spans below `parent`, with those below them, by name. */
const tree = (spans: ReadonlyArray<collecting.Span>, parent: string | undefined): ReadonlyArray<unknown> =>
  spans.filter(({ parentSpanId }) => parentSpanId === parent).map(({ failed, name, service, spanId }) => {
    const below = tree(spans, spanId)
    return [`${service}: ${name}${failed ? " (failed)" : ""}`, ...(below.length === 0 ? [] : [below])]
  })

const traced = async (encoding: "json" | "protobuf") => {
  const directory = mkdtempSync(join(tmpdir(), "effect-dspy-trace-"))
  const collector = await collecting.listen()
  const model = await endpoint()
  const DB = join(directory, "jobs.db")
  const child = spawn(
    process.execPath,
    ["--conditions=@effect-dspy/source", join(import.meta.dirname, "tracing/worker.ts")],
    {
      env: { ...process.env, COLLECTOR: collector.url, DB, ENCODING: encoding, LM_URL: model.url },
      stdio: ["ignore", "ignore", "inherit"]
    }
  )
  try {
    const program = Effect.gen(function*() {
      const id = yield* Job.enqueue(Document, { content: "PLANTED-PROMPT" }).pipe(Effect.withSpan("upload"))
      return yield* Job.result(Document, id)
    })
    const Live = Layer.merge(store(DB), telemetry("app", collector.url, encoding))
    await Effect.runPromise(Effect.provide(program, Live))
    child.kill("SIGTERM")
    if (child.exitCode === null) await once(child, "exit")
    return { collector, model }
  } finally {
    child.kill("SIGKILL")
    collector.close()
    model.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

describe.each(["json", "protobuf"] as const)("a job traced over two processes (%s)", (encoding) => {
  it("is one tree, from who sent it to each HTTP exchange", async () => {
    const { collector, model } = await traced(encoding)
    // Statements of the store are effect's own spans.
    const spans = collector.spans.filter(({ name }) => name !== "sqlite")
    assert.strictEqual([...collector.types].join(), encoding === "json" ? "application/json" : "application/x-protobuf")
    assert.strictEqual(new Set(spans.map(({ traceId }) => traceId)).size, 1)
    const chat = "worker: chat m"
    const post = "worker: POST"
    assert.deepStrictEqual(tree(spans, undefined), [["app: upload", [["app: send default", [[
      "worker: process default",
      [["worker: invoke_workflow Document", [
        ["worker: step title", [[chat, [[chat, [[post]]]]]]],
        ["worker: step summary", [[chat, [[`${chat} (failed)`, [[`${post} (failed)`]]], [chat, [[post]]]]]]]
      ]]]
    ]]]]]])
    assert.deepInclude(
      spans.filter(({ attributes }) => attributes["effect_dspy.predictor"] === "summary")[0]?.attributes,
      {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "compatible",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-0925",
        "gen_ai.response.id": "chatcmpl-7",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.cache_read.input_tokens": 5,
        "server.address": "127.0.0.1",
        "effect_dspy.attempts": 2
      }
    )
    assert.deepStrictEqual(
      spans.filter(({ name }) => name === "POST").map(({ attributes }) => attributes["http.response.status_code"]),
      [200, 503, 200]
    )
    assert.notInclude(spans.map(({ text }) => text).join(), "PLANTED")
    assert.notInclude(model.headers, "traceparent")
    assert.includeMembers([...collector.metrics], ["gen_ai.client.operation.duration", "effect_dspy.job.duration"])
  }, 30_000)
})
