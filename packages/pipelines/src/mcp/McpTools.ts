/**
 * The tools of an MCP server as tools of ours, for `ReAct` and whatever takes a `Tool`.
 *
 * A model is shown a tool's own JSON schema, arguments are checked against it, and what is wrong with them goes back to
 * the model. Text of a result is what the model is told; a result without text is told as its structured
 * content. A failure goes back to the model or ends the call, by `onFailure`, like that of any tool.
 *
 * ```ts no-run
 * import { ReAct, Signature } from "@effect-dspy/core"
 * import { McpTools } from "@effect-dspy/pipelines/mcp"
 * import { OpenAi } from "@effect-dspy/providers"
 * import * as NodeServices from "@effect/platform-node/NodeServices"
 * import { Effect, Schema } from "effect"
 * import { ChildProcess } from "effect/process"
 *
 * const Ask = Signature.make("Ask", { input: { question: Schema.String }, output: { answer: Schema.String } })
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const files = ChildProcess.make("npx", ["@modelcontextprotocol/server-filesystem", "."])
 *   const ask = ReAct.make(Ask, { tools: yield* McpTools.stdio(files) })
 *   return yield* ask({ question: "What is this folder about?" })
 * }))
 * await Effect.runPromise(program.pipe(Effect.provide([OpenAi.layer({ model: "gpt-5-mini" }), NodeServices.layer])))
 * ```
 */
import * as Tool from "@effect-dspy/core/Tool"
import * as McpClient from "effect/ai/McpClient"
import { McpClientError } from "effect/ai/McpClientError"
import * as McpProtocol from "effect/ai/McpProtocol"
import type * as McpSchema from "effect/ai/McpSchema"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as ChildProcess from "effect/process/ChildProcess"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type * as Scope from "effect/Scope"
import * as Arguments from "./Arguments.ts"
import * as McpToolError from "./McpToolError.ts"

/**
 * - `prefix`: before every name, so that tools of two servers can stand side by side
 * - `onFailure`, `timeout`: as of any tool
 * - `approve`: asked before each call, with the name the server knows and the arguments
 *
 * @category models
 */
export interface Options<Policy extends Tool.FailurePolicy, R> {
  readonly prefix?: string
  readonly onFailure?: Policy
  readonly timeout?: Duration.Input
  readonly approve?: (
    tool: string,
    argument: { readonly [name: string]: unknown }
  ) => Effect.Effect<boolean, never, R>
}

/**
 * How the client introduces itself, and the protocol it speaks (default `McpProtocol.v2025_11_25`).
 *
 * @category models
 */
export interface ClientOptions {
  readonly client?: { readonly name: string; readonly version: string }
  readonly protocol?: McpProtocol.ProtocolAdapter<McpClient.ProtocolVersion>
}

/**
 * The tools a connected client can call now. Ask again to hear of changes.
 *
 * Names are made ones that every model endpoint takes: letters, digits, `_` and `-`, 64 at most.
 *
 * @category constructors
 */
export const fromClient: <const Policy extends Tool.FailurePolicy = "return", R = never>(
  client: McpClient.McpClient,
  options?: Options<Policy, R>
) => Effect.Effect<ReadonlyArray<Tool.Tool<string, Policy, McpToolError.McpToolError, R>>, McpClientError> = Effect.fn(
  "McpTools.fromClient"
)(
  function*<Policy extends Tool.FailurePolicy, R>(client: McpClient.McpClient, options: Options<Policy, R> = {}) {
    const names = new Set<string>()
    return (yield* client.listTools()).map((tool) => {
      const name = shownAs(`${options.prefix ?? ""}${tool.name}`, names)
      names.add(name)
      return make(client, tool, name, options)
    })
  }
)

/**
 * Starts a server as a child process and gives its tools. The process ends with the scope.
 *
 * @category constructors
 */
export const stdio = <const Policy extends Tool.FailurePolicy = "return", R = never>(
  command: ChildProcess.Command,
  options: Options<Policy, R> & ClientOptions = {}
): Effect.Effect<
  ReadonlyArray<Tool.Tool<string, Policy, McpToolError.McpToolError, R>>,
  McpClientError,
  ChildProcessSpawner | Scope.Scope
> => connect(McpClient.stdio({ command, protocol: options.protocol ?? McpProtocol.v2025_11_25 }), options)

/**
 * Connects to a server over HTTP and gives its tools. The session ends with the scope.
 *
 * @category constructors
 */
export const http = <const Policy extends Tool.FailurePolicy = "return", R = never>(
  url: string | URL,
  options: Options<Policy, R> & ClientOptions & { readonly headers?: { readonly [name: string]: string } } = {}
): Effect.Effect<
  ReadonlyArray<Tool.Tool<string, Policy, McpToolError.McpToolError, R>>,
  McpClientError,
  HttpClient.HttpClient | Scope.Scope
> =>
  connect(
    McpClient.http({ url, headers: options.headers, protocol: options.protocol ?? McpProtocol.v2025_11_25 }),
    options
  )

const connect = <Policy extends Tool.FailurePolicy, R, R2>(
  transport: Effect.Effect<McpClient.Transport, McpClientError, R2>,
  options: Options<Policy, R> & ClientOptions
) =>
  Effect.flatMap(
    transport,
    (connected) =>
      McpClient.make(options.client ?? { name: "effect-dspy", version: "0.1.0" }).pipe(
        Effect.provideService(McpClient.Transport, connected),
        Effect.flatMap((client) => fromClient(client, options))
      )
  )

/** The longest name that all endpoints take. */
const longest = 64

const shownAs = (name: string, taken: ReadonlySet<string>): string => {
  const plain = name.replace(/[^a-zA-Z0-9_-]/g, "_").slice(0, longest)
  for (let count = 2, candidate = plain;; count++) {
    if (!taken.has(candidate)) return candidate
    const suffix = `_${count}`
    candidate = `${plain.slice(0, longest - suffix.length)}${suffix}`
  }
}

const make = <Policy extends Tool.FailurePolicy, R>(
  client: McpClient.McpClient,
  tool: McpSchema.Tool,
  name: string,
  { approve, onFailure, timeout }: Options<Policy, R>
): Tool.Tool<string, Policy, McpToolError.McpToolError, R> => {
  const { $schema: _, ...parameters } = tool.inputSchema
  const check = Arguments.check(tool.inputSchema)
  return Tool.fromJsonSchema<string, Policy, McpToolError.McpToolError, R>(name, {
    description: tool.description ?? tool.title ?? tool.name,
    parameters,
    ...(onFailure === undefined ? undefined : { onFailure }),
    ...(timeout === undefined ? undefined : { timeout }),
    ...(approve === undefined ? undefined : { approve: (argument) => approve(tool.name, argument) }),
    failure: (error) => error.reason === "ToolError" ? McpToolError.McpToolError.reveal(error) : error.message,
    run: (argument) => {
      const wrong = check(argument)
      if (wrong !== undefined) return Effect.succeed({ content: wrong, isError: true })
      return Effect.matchEffect(client.callTool({ tool, arguments: argument }), {
        onSuccess: (result) => {
          const content = textOf(result)
          return result.isError === true
            ? Effect.fail(McpToolError.make(tool.name, "ToolError", content))
            : Effect.succeed<Tool.Answer>({ content, isError: false })
        },
        onFailure: (error) => {
          const { reason } = error
          return reason._tag === "ProtocolError" && reason.code === invalidParams
            ? Effect.succeed<Tool.Answer>({ content: `Wrong arguments: ${reason.description ?? ""}`, isError: true })
            : Effect.fail(McpToolError.fromClient(tool.name, error))
        }
      })
    }
  })
}

/** The code of JSON-RPC for it. */
const invalidParams = -32602

const textOf = ({ content, structuredContent }: McpSchema.CallToolResult): string => {
  const texts = content.map((block) => {
    switch (block.type) {
      case "text":
        return block.text
      case "resource_link":
        return `${block.title ?? block.name}: ${block.uri}`
      case "resource":
        return "text" in block.resource ? block.resource.text : `(${block.resource.uri}: not text, left out)`
      default:
        return `(${block.mimeType}: not text, left out)`
    }
  })
  return texts.length === 0 && structuredContent !== undefined ? JSON.stringify(structuredContent) : texts.join("\n")
}
