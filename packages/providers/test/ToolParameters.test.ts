/**
 * The parameters of a request's own tools: said in what each endpoint takes, and its calls brought back to what the
 * tool asked for, whole and while they are written.
 */
import { LM, LMError, Message, type Request } from "@effect-dspy/core"
import * as Completion from "@effect-dspy/core/Completion"
import { Anthropic, Gemini, Ollama, OpenAi, OpenAiCompatible } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type JsonSchema, type Layer, Redacted, Stream } from "effect"
import { events } from "./fixtures/fixture.ts"
import * as gemini from "./gemini.ts"
import { type Answer, serve, type Server } from "./server.ts"

const parameters: JsonSchema.JsonSchema = {
  type: "object",
  properties: {
    q: { type: "string", pattern: "^a" },
    n: { type: "integer", minimum: 1 },
    tags: { type: "object", additionalProperties: { type: "number" } },
    any: {},
    span: {
      type: "array",
      prefixItems: [{ type: "string" }, { type: "integer" }],
      items: { type: "boolean" },
      minItems: 1
    }
  },
  required: ["q", "tags", "any", "span"]
}

/** What the tool is called with, whoever is asked. */
const wanted = { q: "abc", tags: { "ä \"b\"": 1.5 }, any: [1, { deep: null }], span: ["x", 2, true, false] }

const lookUp: Request.Tool = { name: "look_up", description: "Looks it up.", parameters }
const plain: Request.Tool = { name: "plain", description: "", parameters: { type: "object", properties: {} } }

// What was sent is looked into without a type: another than expected fails the test.
// oxlint-disable-next-line typescript/no-explicit-any
type Sent = any

interface Vendor {
  readonly live: (server: Server) => Layer.Layer<LM, unknown>
  /** The tool as it was sent: its parameters, and what holds the model to them. */
  readonly tool: (json: Sent) => { readonly parameters: Sent; readonly strict: unknown }
  /** The wanted arguments in the endpoint's form. */
  readonly args: object
  readonly answer: (args: object) => Answer
  readonly stream: (args: object) => Answer
}

const apiKey = Redacted.make("key")
const pairs = [{ key: "ä \"b\"", value: 1.5 }]
const parts = { item1: "x", item2: 2, rest: [true, false] }
const text = JSON.stringify(wanted.any)
const thirds = (args: object): ReadonlyArray<string> => {
  const json = JSON.stringify(args)
  return [json.slice(0, 20), json.slice(20, 55), json.slice(55)]
}

const chatCall = (index: number, args: string) => ({
  index,
  ...(args.startsWith("{") ? { id: "call_1", type: "function" } : {}),
  function: { ...(args.startsWith("{") ? { name: "look_up" } : {}), arguments: args }
})
const chunk = (delta: object, finish_reason: string | null = null) => ({
  type: "",
  id: "c1",
  model: "m",
  choices: [{ index: 0, delta, finish_reason }]
})
const responsesCall = (args: object) => ({
  type: "function_call",
  id: "fc_1",
  call_id: "call_1",
  name: "look_up",
  arguments: JSON.stringify(args),
  status: "completed"
})
const response = (args: object) => ({
  id: "resp_1",
  object: "response",
  status: "completed",
  model: "gpt-5-mini",
  output: [responsesCall(args)],
  usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 }
})

const vendors: { readonly [name: string]: Vendor } = {
  "OpenAI's Responses": {
    live: (server) => OpenAi.layer({ model: "gpt-5-mini", apiKey, baseUrl: server.url }),
    tool: (json) => json.tools[0],
    args: { q: "abc", n: null, tags: pairs, any: text, span: parts },
    answer: (args) => ({ body: response(args) }),
    stream: (args) =>
      events([
        { type: "response.created", response: { ...response(args), status: "in_progress", output: [] } },
        { type: "response.output_item.added", output_index: 0, item: { ...responsesCall(args), arguments: "" } },
        ...thirds(args).map((delta) => ({
          type: "response.function_call_arguments.delta",
          output_index: 0,
          item_id: "fc_1",
          delta
        })),
        { type: "response.output_item.done", output_index: 0, item: responsesCall(args) },
        { type: "response.completed", response: response(args) }
      ])
  },
  "Chat Completions": {
    live: (server) => OpenAiCompatible.layer({ model: "m", apiKey, baseUrl: server.url }),
    tool: (json) => json.tools[0].function,
    args: { q: "abc", n: null, tags: pairs, any: text, span: parts },
    answer: (args) => ({
      body: {
        id: "c1",
        model: "m",
        choices: [{
          index: 0,
          finish_reason: "tool_calls",
          message: {
            role: "assistant",
            content: null,
            tool_calls: [{
              id: "call_1",
              type: "function",
              function: { name: "look_up", arguments: JSON.stringify(args) }
            }]
          }
        }]
      }
    }),
    stream: (args) =>
      events([
        ...thirds(args).map((piece) => chunk({ tool_calls: [chatCall(0, piece)] })),
        chunk({}, "tool_calls")
      ])
  },
  "Anthropic": {
    live: (server) => Anthropic.layer({ model: "claude-sonnet-4-5", apiKey, baseUrl: server.url }),
    tool: (json) => ({ parameters: json.tools[0].input_schema, strict: json.tools[0].strict }),
    args: { q: "abc", tags: pairs, any: text, span: parts },
    answer: (args) => ({
      body: {
        id: "msg_1",
        type: "message",
        role: "assistant",
        model: "claude-sonnet-4-5",
        content: [{ type: "tool_use", id: "toolu_1", name: "look_up", input: args }],
        stop_reason: "tool_use",
        usage: { input_tokens: 1, output_tokens: 1 }
      }
    }),
    stream: (args) =>
      events([
        {
          type: "message_start",
          message: {
            id: "msg_1",
            type: "message",
            role: "assistant",
            model: "claude-sonnet-4-5",
            content: [],
            usage: { input_tokens: 1, output_tokens: 1 }
          }
        },
        {
          type: "content_block_start",
          index: 0,
          content_block: { type: "tool_use", id: "toolu_1", name: "look_up", input: {} }
        },
        ...thirds(args).map((partial_json) => ({
          type: "content_block_delta",
          index: 0,
          delta: { type: "input_json_delta", partial_json }
        })),
        { type: "content_block_stop", index: 0 },
        { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 2 } },
        { type: "message_stop" }
      ])
  },
  "Gemini": {
    live: (server) => Gemini.layer(gemini.options(server)),
    tool: (json) => ({ parameters: json.tools[0].functionDeclarations[0].parametersJsonSchema, strict: undefined }),
    args: { ...wanted, any: text },
    answer: (args) => ({ body: gemini.body([{ functionCall: { name: "look_up", args } }]) }),
    stream: (args) => gemini.events([gemini.piece([{ functionCall: { name: "look_up", args } }], "STOP")])
  },
  "Ollama": {
    live: (server) => Ollama.layer({ model: "qwen3", baseUrl: server.url }),
    tool: (json) => json.tools[0].function,
    args: { ...wanted, span: parts },
    answer: (args) => ({
      body: {
        model: "qwen3",
        message: { role: "assistant", content: "", tool_calls: [{ function: { name: "look_up", arguments: args } }] },
        done: true,
        done_reason: "stop"
      }
    }),
    stream: (args) => ({
      headers: { "content-type": "application/x-ndjson" },
      body: [
        {
          model: "qwen3",
          message: { role: "assistant", content: "", tool_calls: [{ function: { name: "look_up", arguments: args } }] },
          done: false
        },
        { model: "qwen3", message: { role: "assistant", content: "" }, done: true, done_reason: "stop" }
      ].map((line) => `${JSON.stringify(line)}\n`).join("")
    })
  }
}

const request = { messages: [Message.user("hello")], tools: [lookUp, plain] }

const called = (completion: Completion.Completion) =>
  Completion.toolCalls(completion).map(({ arguments: args, name }) => [name, args] as const)

for (const [name, vendor] of Object.entries(vendors)) {
  describe(`the tools of ${name}`, () => {
    it.live("are said in its form, and their calls come back in the tool's", () =>
      Effect.gen(function*() {
        const server = yield* serve([vendor.answer(vendor.args)])
        const completion = yield* Effect.provide(LM.generate(request), vendor.live(server))
        const { parameters: sent, strict } = vendor.tool(server.requests[0]?.json)
        assert.deepStrictEqual(called(completion), [["look_up", wanted]])
        assert.strictEqual(completion.finishReason, "toolCalls")
        // Closed, and what can't be said as a keyword said in words.
        assert.strictEqual(sent.additionalProperties, false)
        assert.deepStrictEqual(sent.properties.q, { type: "string", description: "matches the pattern ^a" })
        assert.strictEqual(strict, name === "Gemini" || name === "Ollama" ? undefined : true)
      }))

    it.live("are called piece by piece in the tool's form, too", () =>
      Effect.gen(function*() {
        const server = yield* serve([vendor.stream(vendor.args)])
        const read = yield* Effect.provide(Stream.runCollect(LM.stream(request)), vendor.live(server))
        const last = read.at(-1)
        if (last?.type !== "finish") return assert.fail("a stream without an end")
        assert.deepStrictEqual(called(last.completion), [["look_up", wanted]])
        const pieces = read.flatMap((part) => part.type === "toolInput" ? [part.text] : []).join("")
        if (pieces !== "") assert.deepStrictEqual(JSON.parse(pieces), wanted)
        for (const part of read) if (part.type === "toolCall") assert.deepStrictEqual(part.call.arguments, wanted)
      }))

    it.live("that nothing can be called with are refused before anything is sent, the field by its name", () =>
      Effect.gen(function*() {
        const server = yield* serve([])
        const impossible: Request.Tool = {
          name: "impossible",
          description: "",
          parameters: {
            type: "object",
            properties: { a: { type: "object", properties: { b: { not: {} } }, required: ["b"] } },
            required: ["a"]
          }
        }
        const ask = LM.generate({ ...request, tools: [lookUp, impossible] })
        const failure = yield* Effect.flip(Effect.provide(ask, vendor.live(server)))
        if (!(failure instanceof LMError.LMError)) return assert.fail(String(failure))
        assert.deepInclude(failure.reason, { _tag: "Unsupported", field: "impossible.a.b" })
        assert.isFalse(failure.isRetryable)
        assert.strictEqual(server.started, 0)
      }))
  })
}

describe("tools that a model can't be held to", () => {
  const deep = (levels: number): JsonSchema.JsonSchema =>
    levels === 0 ? { type: "string" } : { type: "object", properties: { x: deep(levels - 1) }, required: ["x"] }

  it.live("are sent as they are, and called as they are", () =>
    Effect.gen(function*() {
      const tool = { name: "look_up", description: "", parameters: deep(12) }
      const vendor = vendors["OpenAI's Responses"]
      const args = { x: { y: [{ key: "k", value: 1 }] } }
      if (vendor === undefined) return assert.fail()
      const server = yield* serve([vendor.answer(args)])
      const ask = LM.generate({ messages: request.messages, tools: [tool] })
      const completion = yield* Effect.provide(ask, vendor.live(server))
      assert.deepStrictEqual(called(completion), [["look_up", args]])
      const { parameters: sent, strict } = vendor.tool(server.requests[0]?.json)
      assert.deepStrictEqual([sent, strict], [tool.parameters, false])
    }))

  it.live("by Anthropic are those of a request with too many that are", () =>
    Effect.gen(function*() {
      const many = (count: number) => Array.from({ length: count }, (_, index) => ({ ...plain, name: `t${index}` }))
      const vendor = vendors.Anthropic
      if (vendor === undefined) return assert.fail()
      for (const [count, strict] of [[20, true], [21, undefined]] as const) {
        const server = yield* serve([vendor.answer({})])
        const ask = LM.generate({ messages: request.messages, tools: many(count) })
        yield* Effect.provide(ask, vendor.live(server))
        assert.strictEqual(vendor.tool(server.requests[0]?.json).strict, strict)
      }
    }))

  it.live("are told so by no profile that answers by no schema", () =>
    Effect.gen(function*() {
      const vendor = vendors["Chat Completions"]
      if (vendor === undefined) return assert.fail()
      const server = yield* serve([vendor.answer(vendor.args)])
      const layer = OpenAiCompatible.layer({
        model: "m",
        apiKey,
        baseUrl: server.url,
        capabilities: { structuredOutput: ["json"] }
      })
      assert.deepStrictEqual(called(yield* Effect.provide(LM.generate(request), layer)), [["look_up", wanted]])
      assert.isUndefined(vendor.tool(server.requests[0]?.json).strict)
    }))
})
