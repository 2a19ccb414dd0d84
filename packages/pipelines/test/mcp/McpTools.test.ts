/**
 * Tools of a server by the official SDK: over stdio as a child process, over HTTP on loopback.
 */
import { ReAct, Signature, Tool } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { McpToolError, McpTools } from "@effect-dspy/pipelines/mcp"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Cause, Effect, Exit, Fiber, Schema, Scope } from "effect"
import { FetchHttpClient } from "effect/http"
import { ChildProcess } from "effect/process"
import { randomUUID } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import * as Arguments from "../../src/mcp/Arguments.ts"
import { cancelled, official } from "./official.ts"
import { model } from "./served.ts"

const file = fileURLToPath(new URL("official.ts", import.meta.url))
const command = ChildProcess.make(process.execPath, ["--conditions=@effect-dspy/source", file, "stdio"])

/** The official server over HTTP, one session. */
const listening = Effect.acquireRelease(
  Effect.promise(async () => {
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: () => randomUUID() })
    // The SDK's own types do not agree under exactOptionalPropertyTypes.
    await official().connect(transport as Transport)
    const http = createServer((request, response) => {
      transport.handleRequest(request, response).catch(() => response.destroy())
    })
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
    return { http, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp` }
  }),
  ({ http }) =>
    Effect.sync(() => {
      http.closeAllConnections()
      http.close()
    })
)

const byName = <T extends Tool.Any>(tools: ReadonlyArray<T>) => new Map(tools.map((tool) => [tool.name, tool]))

const call = <T extends Tool.Any>(tools: ReadonlyArray<T>, name: string, args: object = {}) =>
  Tool.execute(byName(tools), { type: "toolCall", id: "1", name, arguments: args as never })

type Tools = Effect.Success<ReturnType<typeof McpTools.stdio<"return">>>

const suite = (name: string, connect: Effect.Effect<Tools, unknown, Scope.Scope>) => {
  describe(`an official server over ${name}`, () => {
    it.live("its tools are shown as the server describes them", () =>
      Effect.gen(function*() {
        const tools = yield* connect
        assert.deepStrictEqual(tools.map((tool) => tool.name), [
          "population",
          "add",
          "files_read_all",
          "broken",
          "slow",
          "exit"
        ])
        const population = tools[0]?.described
        assert.strictEqual(population?.description, "Looks up how many people live in a city.")
        assert.deepInclude(population?.parameters, { type: "object", required: ["city"] })
        assert.deepNestedInclude(population?.parameters, { "properties.city.description": "its name" })
        assert.notProperty(population?.parameters, "$schema")
      }).pipe(Effect.scoped))

    it.live("texts, structured content and everything else become text", () =>
      Effect.gen(function*() {
        const tools = yield* connect
        assert.strictEqual((yield* call(tools, "population", { city: "Oslo" })).content, "717710")
        assert.strictEqual((yield* call(tools, "add", { a: 1, b: 2 })).content, "{\"sum\":3}")
        assert.strictEqual(
          (yield* call(tools, "files_read_all")).content,
          "one\ntwo\nthree: file:///three\n(image/png: not text, left out)"
        )
      }).pipe(Effect.scoped))

    it.live("failures and wrong arguments go back to the model", () =>
      Effect.gen(function*() {
        const tools = yield* connect
        assert.deepInclude(yield* call(tools, "broken"), { content: "out of a secret order", isError: true })
        const wrong = yield* call(tools, "population", { city: 7 })
        assert.isTrue(wrong.isError)
        assert.strictEqual(wrong.content, "Wrong arguments:\n- city: expected string")
        const none = yield* (byName(tools).get("population")?.call("Oslo") ?? Effect.die("no tool"))
        assert.deepStrictEqual(none, { content: "Wrong arguments:\n- expected an object", isError: true })
      }).pipe(Effect.scoped))

    it.live("an agent works with them", () =>
      Effect.gen(function*() {
        const ask = ReAct.make(
          Signature.make("Ask", { input: { question: Schema.String }, output: { answer: Schema.Int } }),
          { tools: yield* connect }
        )
        const program = Effect.gen(function*() {
          const output = yield* ask({ question: "How many people live in Oslo and Bergen?" })
          return { output, requests: (yield* TestLM.TestLM).requests }
        })
        const { output, requests } = yield* Effect.provide(
          program,
          TestLM.layer([
            TestLM.calls(["population", { city: "Oslo" }], ["population", { city: 7 }], ["broken", {}]),
            TestLM.calls(["add", { a: 717_710, b: 0 }]),
            TestLM.calls(["submit", { answer: 717_710 }])
          ])
        )
        assert.deepStrictEqual(output, { answer: 717_710 })
        assert.includeMembers(requests[0]?.tools?.map((tool) => tool.name) ?? [], ["population", "add", "submit"])
        const told = requests[2]?.messages.flatMap((message) => message.role === "tool" ? message.content : [])
        assert.deepStrictEqual(told?.map(({ isError = false }) => isError), [false, true, true, false])
        assert.deepInclude(told?.[3], { content: "{\"sum\":717710}" })
      }).pipe(Effect.scoped))
  })
}

const overStdio = Effect.provide(McpTools.stdio(command), NodeServices.layer)
const overHttp = Effect.gen(function*() {
  const { url } = yield* listening
  return yield* Effect.provide(McpTools.http(url), FetchHttpClient.layer)
})

suite("stdio", overStdio)
suite("http", overHttp)

describe("tools of an MCP server", () => {
  it.live("may end the call with a typed failure that hides the server's words", () =>
    Effect.gen(function*() {
      const tools = yield* Effect.provide(
        McpTools.stdio(command, { onFailure: "fail", prefix: "x__" }),
        NodeServices.layer
      )
      const error = yield* Effect.flip(call(tools, "x__broken"))
      assert.instanceOf(error, McpToolError)
      assert.deepInclude(error, { tool: "broken", reason: "ToolError", isRetryable: false })
      assert.strictEqual(McpToolError.reveal(error), "out of a secret order")
      assert.notInclude(`${error} ${JSON.stringify(error)} ${Cause.pretty(Cause.fail(error))}`, "secret")
      // Wrong arguments are the model's, whatever the policy.
      assert.isTrue((yield* call(tools, "x__population", { city: 7 }).pipe(Effect.result))._tag === "Success")
      const gone = yield* Effect.flip(call(tools, "x__exit"))
      assert.deepInclude(gone, { tool: "exit", reason: "TransportError", isRetryable: true })
      assert.deepInclude(yield* Effect.flip(call(tools, "x__add", { a: 1, b: 1 })), { reason: "TransportError" })
    }).pipe(Effect.scoped))

  it.live("take too long, are not approved, are cancelled", () =>
    Effect.gen(function*() {
      const { url } = yield* listening
      const asked: Array<unknown> = []
      const tools = yield* Effect.provide(
        McpTools.http(url, {
          timeout: "50 millis",
          approve: (tool, argument) =>
            Effect.sync(() => {
              asked.push([tool, argument])
              return tool !== "add"
            })
        }),
        FetchHttpClient.layer
      )
      const before = cancelled.count
      assert.match((yield* call(tools, "slow")).content, /did not answer within 50ms/)
      while (cancelled.count === before) yield* Effect.sleep("5 millis")
      assert.deepInclude(yield* call(tools, "add", { a: 1, b: 2 }), {
        content: "The call was not approved.",
        isError: true
      })
      assert.deepStrictEqual(asked, [["slow", {}], ["add", { a: 1, b: 2 }]])
    }).pipe(Effect.timeout("10 seconds"), Effect.scoped))

  it.live("end with their scope: the process is gone", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const tools = yield* McpTools.stdio(command).pipe(
        Effect.provide(NodeServices.layer),
        Effect.provideService(Scope.Scope, scope)
      )
      const fiber = yield* Effect.forkChild(call(tools, "slow"))
      yield* Effect.sleep("50 millis")
      yield* Scope.close(scope, Exit.void)
      assert.match((yield* Fiber.join(fiber)).content, /could not be called: ClosedError/)
    }))

  it.live("no server, no tools: a typed failure", () =>
    Effect.gen(function*() {
      const none = yield* Effect.flip(Effect.provide(McpTools.http("http://127.0.0.1:1/mcp"), FetchHttpClient.layer))
      assert.strictEqual(none._tag, "McpClientError")
      const command = ChildProcess.make("/no/such/server", [])
      const missing = yield* Effect.flip(Effect.provide(McpTools.stdio(command), NodeServices.layer))
      assert.strictEqual(missing.reason._tag, "TransportError")
    }).pipe(Effect.scoped))

  it.live("are heard from our own server as well", () =>
    Effect.gen(function*() {
      const ours = ChildProcess.make(process.execPath, [
        "--conditions=@effect-dspy/source",
        fileURLToPath(new URL("server.ts", import.meta.url))
      ])
      const tools = yield* Effect.provide(McpTools.stdio(ours), NodeServices.layer)
      const result = yield* call(tools, "summarize", { text: "Long." })
      assert.deepInclude(JSON.parse(result.content), { summary: "Short." })
    }).pipe(Effect.provide(model), Effect.scoped))
})

describe("arguments", () => {
  it("are checked by schemas of both dialects, with definitions; what can't be imported is left to the server", () => {
    const node = { type: "object", properties: { next: { $ref: "#/$defs/Node" } } }
    const check = Arguments.check({
      type: "object",
      properties: { node: { $ref: "#/$defs/Node" } },
      $defs: { Node: node }
    })
    assert.strictEqual(check({ node: { next: { next: 3 } } }), "Wrong arguments:\n- node.next.next: expected Node")
    assert.isUndefined(check({ node: { next: {} }, more: 1 }))
    const old = Arguments.check({
      $schema: "http://json-schema.org/draft-07/schema#",
      type: "object",
      properties: { pair: { type: "array", items: [{ type: "string" }, { type: "number" }] } }
    })
    assert.strictEqual(old({ pair: [1, 2] }), "Wrong arguments:\n- pair[0]: expected string")
    assert.isUndefined(old({ pair: ["one", 2] }))
    const pattern = Arguments.check({ type: "object", properties: { id: { type: "string", pattern: "^(a+)+$" } } })
    assert.isUndefined(pattern({ id: 7 }))
  })
})
