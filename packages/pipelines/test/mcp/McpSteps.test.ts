/**
 * Our server, heard by the official SDK's client: over stdio as a child process, over HTTP on loopback.
 */
import { TestLM } from "@effect-dspy/core/testing"
import { McpSteps } from "@effect-dspy/pipelines/mcp"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Context, Effect, Layer, type Scope } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import { fileURLToPath } from "node:url"
import { model, tools } from "./served.ts"

const connected = (transport: Transport) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client({ name: "official", version: "1.0.0" })
      await client.connect(transport)
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

const stdio = Effect.suspend(() =>
  connected(
    new StdioClientTransport({
      command: process.execPath,
      args: ["--conditions=@effect-dspy/source", fileURLToPath(new URL("server.ts", import.meta.url))],
      stderr: "ignore"
    })
  )
)

/** A client over HTTP, and what the model behind the server saw. */
const http = Effect.gen(function*() {
  const app = HttpRouter.serve(
    McpSteps.layerHttp({ name: "test", version: "1.0.0", instructions: "Summaries.", path: "/mcp", tools }),
    { disableLogger: true, disableListenLog: true }
  )
  const services = yield* Layer.build(
    app.pipe(
      Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
      Layer.provideMerge(model)
    )
  )
  const url = `${HttpServer.formatAddress(Context.get(services, HttpServer.HttpServer).address)}/mcp`
  // The SDK's own types do not agree under exactOptionalPropertyTypes.
  const transport = new StreamableHTTPClientTransport(new URL(url)) as Transport
  return { client: yield* connected(transport), recorder: Context.get(services, TestLM.TestLM), url }
})

const textOf = (result: unknown): string =>
  (result as { readonly content: ReadonlyArray<{ readonly text: string }> }).content.map(({ text }) => text).join()

const suite = (name: string, connect: Effect.Effect<Client, unknown, Scope.Scope>) => {
  describe(`served over ${name}`, () => {
    it.live("introduces itself and lists its tools with both schemas", () =>
      Effect.gen(function*() {
        const client = yield* connect
        assert.deepInclude(client.getServerVersion(), { name: "test", version: "1.0.0" })
        assert.strictEqual(client.getInstructions(), "Summaries.")
        const { tools } = yield* Effect.promise(() => client.listTools())
        assert.deepStrictEqual(tools.map((tool) => tool.name), [
          "summarize",
          "review",
          "noisy",
          "buggy",
          "refused",
          "slow",
          "add"
        ])
        const [summarize, review, , , , slow, add] = tools
        assert.strictEqual(summarize?.description, "Summarizes a text.")
        assert.deepStrictEqual(summarize?.inputSchema.required, ["text"])
        assert.deepInclude(summarize?.inputSchema.properties?.text, { type: "string" })
        assert.deepStrictEqual(summarize?.outputSchema?.required, ["summary", "score", "day"])
        assert.includeMembers(Object.keys(review?.outputSchema?.properties ?? {}), ["summary", "stars"])
        assert.strictEqual(slow?.inputSchema.type, "object")
        assert.isUndefined(add?.outputSchema)
      }).pipe(Effect.scoped))

    it.live("runs predictors, pipelines, code and tools", () =>
      Effect.gen(function*() {
        const client = yield* connect
        const call = (name: string, args: Record<string, unknown>) =>
          Effect.promise(() => client.callTool({ name, arguments: args }))
        const summary = { summary: "Short.", score: 0.5, day: "2026-01-02T00:00:00.000Z" }
        const one = yield* call("summarize", { text: "Long.", limit: 3 })
        // The client has checked it against the output schema.
        assert.deepStrictEqual(one.structuredContent, summary)
        assert.deepStrictEqual(JSON.parse(textOf(one)), summary)
        const two = yield* call("review", { text: "Long." })
        assert.deepInclude(two.structuredContent, { summary: "Short.", stars: 4 })
        assert.deepStrictEqual((yield* call("noisy", {})).structuredContent, { ok: true })
        assert.strictEqual(textOf(yield* call("add", { a: 1, b: 2 })), "3")
      }).pipe(Effect.scoped))

    it.live("says what is wrong, and no more than that", () =>
      Effect.gen(function*() {
        const client = yield* connect
        const failure = (name: string, args: Record<string, unknown>) =>
          Effect.map(Effect.promise(() => client.callTool({ name, arguments: args })), (result) => {
            assert.isTrue(result.isError)
            return textOf(result)
          })
        assert.match(yield* failure("summarize", { text: 7 }), /^Wrong arguments:\n- text: expected string/)
        assert.match(yield* failure("summarize", {}), /- text: .*missing/)
        assert.match(yield* failure("refused", { text: "a secret" }), /^test\/scripted: /)
        assert.strictEqual(yield* failure("buggy", {}), "The call failed.")
      }).pipe(Effect.scoped))
  })
}

suite("stdio", stdio)
suite("http", Effect.map(http, ({ client }) => client))

describe("a call that is cancelled", () => {
  it.live("is interrupted, and so is the model", () =>
    Effect.gen(function*() {
      const { client, recorder } = yield* http
      const controller = new AbortController()
      const call = client.callTool({ name: "slow", arguments: {} }, undefined, { signal: controller.signal })
      const ended = call.then(() => "answered", () => "cancelled")
      const until = (condition: () => boolean) =>
        Effect.gen(function*() {
          while (!condition()) yield* Effect.sleep("5 millis")
        }).pipe(Effect.timeout("10 seconds"))
      yield* until(() => recorder.started === 1)
      controller.abort()
      assert.strictEqual(yield* Effect.promise(() => ended), "cancelled")
      yield* until(() => recorder.interrupted === 1)
    }).pipe(Effect.scoped))

  it.live("browsers are refused", () =>
    Effect.gen(function*() {
      const { url } = yield* http
      const response = yield* Effect.promise(() =>
        fetch(url, {
          method: "POST",
          headers: {
            origin: "https://evil.example",
            "content-type": "application/json",
            accept: "application/json, text/event-stream"
          },
          body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} })
        })
      )
      assert.strictEqual(response.status, 403)
    }).pipe(Effect.scoped))
})
