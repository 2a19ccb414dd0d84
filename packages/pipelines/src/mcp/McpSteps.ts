/**
 * Predictors, pipelines and other steps served as tools over the Model Context Protocol.
 *
 * A step's input fields are the parameters. Its output comes as structured content, and as the same in text. Wrong
 * arguments and failures are results that say so, for the model that called; a bug is logged, and reported as a failure
 * without details. A client that cancels interrupts the step, which closes the model's socket.
 *
 * ```ts no-run
 * import { Predict, Signature } from "@effect-dspy/core"
 * import { McpSteps } from "@effect-dspy/pipelines/mcp"
 * import { OpenAi } from "@effect-dspy/providers"
 * import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
 * import * as NodeStdio from "@effect/platform-node/NodeStdio"
 * import { Layer, Schema } from "effect"
 *
 * const summarize = Predict.make(Signature.make("summarize", {
 *   instructions: "Summarize the text in one sentence.",
 *   input: { text: Schema.String },
 *   output: { summary: Schema.String }
 * }))
 *
 * const Server = McpSteps.layerStdio({
 *   name: "writer",
 *   version: "1.0.0",
 *   tools: [McpSteps.tool(summarize, { description: "Summarizes a text." })]
 * })
 * NodeRuntime.runMain(Layer.launch(Server.pipe(Layer.provide([OpenAi.layer({ model: "gpt-5-mini" }), NodeStdio.layer]))))
 * ```
 */
import type * as Step from "@effect-dspy/core/Step"
import * as StructSchema from "@effect-dspy/core/StructSchema"
import * as Tool from "@effect-dspy/core/Tool"
import * as McpProtocol from "effect/ai/McpProtocol"
import * as McpSchema from "effect/ai/McpSchema"
import * as McpServer from "effect/ai/McpServer"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpRouter from "effect/http/HttpRouter"
import type * as JsonSchema from "effect/JsonSchema"
import * as Layer from "effect/Layer"
import type { Stdio } from "effect/Stdio"

/**
 * A tool as it is served. `output` is the JSON schema of its result, for tools whose result is an object.
 *
 * @category models
 */
export interface Served<out E, out R> {
  readonly tool: Tool.Tool<string, Tool.FailurePolicy, E, R>
  readonly output?: JsonSchema.JsonSchema
}

/**
 * - `name`, `version`: how the server introduces itself; `instructions`: what a client's model is told of it
 * - `tools`: see `tool`; a tool made by `Tool.make` is served as `{ tool }`
 *
 * @category models
 */
export interface Options<E, R> {
  readonly name: string
  readonly version: string
  readonly instructions?: string
  readonly tools: ReadonlyArray<Served<E, R>>
}

/**
 * A step as a tool to be served.
 *
 * - `description`: what a model reads of it
 * - `timeout`: of one call; a step that takes longer is interrupted
 *
 * @category constructors
 */
export const tool = <I, O, E, R>(
  step: Step.Step<I, O, E, R>,
  options: { readonly description: string; readonly timeout?: Duration.Input }
): Served<E, R> => ({ tool: Tool.fromStep(step, options), output: StructSchema.make(step.output) })

/**
 * Registers tools with an MCP server that is there already. What they need is taken from where the layer is built.
 *
 * @category layers
 */
export const layer = <E, R>(tools: ReadonlyArray<Served<E, R>>): Layer.Layer<never, never, McpServer.McpServer | R> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const server = yield* McpServer.McpServer
    const services = yield* Effect.context<R>()
    for (const served of tools) yield* register(server, served, services)
  }))

/**
 * A server over standard input and output, for clients that start it as a child process. What is logged or printed
 * goes to standard error: on standard output it would break the protocol.
 *
 * @category layers
 */
export const layerStdio = <E, R>(options: Options<E, R>): Layer.Layer<never, never, Stdio | R> =>
  McpServer.layerStdio({ ...about(options), registrations: layer(options.tools) }).pipe(
    Layer.provide(onStandardError),
    Layer.orDie
    // Nothing is required of a request, so nothing is left but what the tools need.
  ) as unknown as Layer.Layer<never, never, Stdio | R>

/**
 * A server over HTTP, at a path of effect's router. Requests from browsers are refused unless their origin is among
 * `allowedOrigins`; who may call is up to the router's middleware.
 *
 * @category layers
 */
export const layerHttp = <E, R>(
  options: Options<E, R> & {
    readonly path: HttpRouter.PathInput
    readonly allowedOrigins?: ReadonlyArray<string>
  }
): Layer.Layer<never, never, HttpRouter.HttpRouter | R> =>
  Layer.orDie(McpServer.layerHttp({
    ...about(options),
    path: options.path,
    allowedOrigins: options.allowedOrigins,
    // A client that says goodbye has its calls interrupted.
    allowSessionTermination: true,
    registrations: layer(options.tools)
    // As above.
  })) as unknown as Layer.Layer<never, never, HttpRouter.HttpRouter | R>

const about = <E, R>({ instructions, name, version }: Options<E, R>) => ({
  name,
  version,
  instructions,
  protocols: [
    McpProtocol.v2026_07_28,
    McpProtocol.v2025_11_25,
    McpProtocol.v2025_06_18,
    McpProtocol.v2025_03_26
  ] as const
})

const onStandardError = Layer.effect(
  Console.Console,
  Effect.map(Console.Console, (console) => {
    const error = console.error.bind(console)
    return Object.assign(Object.create(console), { log: error, info: error, debug: error })
  })
)

const register = <E, R>(
  server: McpServer.McpServer["Service"],
  { output, tool: { call, described } }: Served<E, R>,
  services: Context.Context<R>
): Effect.Effect<void> =>
  server.addTool({
    tool: new McpSchema.Tool({
      name: described.name,
      description: described.description,
      inputSchema: { ...described.parameters, type: "object" },
      ...(output === undefined ? undefined : { outputSchema: output })
    }),
    annotations: Context.empty(),
    handle: (payload: unknown) =>
      call(payload ?? {}).pipe(
        Effect.map((answer) => resultOf(answer, output !== undefined)),
        Effect.catchCause(failed),
        // The request's own services (its span, its log level) go before those of the layer.
        Effect.updateContext((request: Context.Context<never>) => Context.merge(services, request))
      )
  })

const resultOf = ({ content, isError }: Tool.Answer, isObject: boolean): McpSchema.CallToolResult =>
  new McpSchema.CallToolResult({
    content: [{ type: "text", text: content }],
    ...(isError ? { isError } : undefined),
    // The text is the object, as the tool has just written it.
    ...(isError || !isObject ? undefined : { structuredContent: JSON.parse(content) })
  })

const failed = (cause: Cause.Cause<unknown>): Effect.Effect<McpSchema.CallToolResult> => {
  if (Cause.hasInterrupts(cause)) return Effect.interrupt
  const error = Cause.squash(cause)
  const isTyped = Cause.hasFails(cause)
  const said = isTyped && error instanceof Error && error.message !== "" ? error.message : "The call failed."
  const result = resultOf({ content: said, isError: true }, false)
  return isTyped ? Effect.succeed(result) : Effect.as(Effect.logError("A served tool failed", cause), result)
}
