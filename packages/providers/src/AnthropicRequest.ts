/**
 * Requests in the words of Anthropic's Messages.
 */
import type { Adjustment } from "@effect-dspy/core/Completion"
import type * as Request from "@effect-dspy/core/LM/Request"
import type { Settings } from "@effect-dspy/core/LM/Settings"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import * as Result from "effect/Result"
import type { Dialect } from "./AnthropicMessages.ts"
import * as AnthropicTurns from "./AnthropicTurns.ts"
import type { Effort } from "./Capabilities.ts"
import * as Plan from "./Plan.ts"
import type { Encoded } from "./Protocol.ts"
import * as AnthropicSchema from "./schema/AnthropicSchema.ts"
import * as Size from "./schema/Size.ts"

/**
 * Writes request bodies.
 *
 * @category encoding
 */
export const encoder = (
  dialect: Dialect
): (request: Request.Request, streaming: boolean) => Result.Result<Encoded, Reason.Reason> => {
  const { capabilities, promptCache } = dialect
  const plan = Plan.make({
    capabilities,
    lower: AnthropicSchema.encode,
    // An answer as a tool's arguments is for models that can't be held to schemas, and for schemas that none can be
    // held to.
    lowerTool: (schema) => Result.succeed({ schema, strict: false }),
    without: ["seed"],
    bounds: { temperature: [0, 1] }
  })
  // Models that can be held to schemas in their answers can be so in their calls.
  const holds = capabilities.structuredOutput.includes("native")
  const cache = promptCache === undefined
    ? undefined
    : { type: "ephemeral", ...(promptCache === "5m" ? undefined : { ttl: promptCache }) }
  return (request, streaming) => {
    const planned = plan(request)
    if (Result.isFailure(planned)) return Result.fail(planned.failure)
    const { format, how, messages, settings, toolChoice, tools } = planned.success
    const turns = AnthropicTurns.write(messages, { provider: dialect.provider, stable: request.stable ?? 0, cache })
    if (Result.isFailure(turns)) return Result.fail(turns.failure)
    const { callsUnthought, lateSystem, system, uploads } = turns.success

    const thought = think(dialect, settings, callsUnthought)
    const stop = settings.stop?.filter((one) => one.trim() !== "")
    const deviations: Array<Adjustment> = []
    if (thought === "impossible") deviations.push({ feature: "reasoningEffort", action: "dropped" })
    if (stop?.length !== settings.stop?.length) deviations.push({ feature: "stop", action: "white space dropped" })
    if (lateSystem) deviations.push({ feature: "messages", action: "system turn as the user's" })
    const [first] = deviations
    if (first !== undefined && capabilities.onUnsupported === "fail") {
      return Result.fail(new Reason.Unsupported({ feature: `${first.feature} (${first.action})` }))
    }

    const { allowance, effort, thinking } = thought === "impossible" ? thoughtless : thought
    const config = {
      effort,
      format: format?._tag === "Schema" ? { type: "json_schema", schema: format.schema } : undefined
    }
    return Result.succeed({
      ...how,
      adjustments: [...how.adjustments, ...deviations],
      ...(uploads ? { headers: { "anthropic-beta": "files-api-2025-04-14" } } : undefined),
      body: JSON.stringify({
        model: dialect.model,
        max_tokens: settings.maxTokens ?? dialect.maxTokens + allowance,
        system: system.length === 0 ? undefined : system,
        messages: turns.success.messages,
        tools: tools.length === 0 ? undefined : tools.map((one) => tool(holds && areHeld(tools), one)),
        tool_choice: toolChoice === undefined ? undefined : choice(toolChoice, how.outputTool),
        output_config: config.effort === undefined && config.format === undefined ? undefined : config,
        thinking,
        temperature: settings.temperature,
        top_p: settings.topP,
        stop_sequences: stop === undefined || stop.length === 0 ? undefined : stop,
        stream: streaming ? true : undefined
      })
    })
  }
}

interface Thought {
  readonly thinking: unknown
  readonly effort: string | undefined
  readonly allowance: number
}

const thoughtless: Thought = { thinking: undefined, effort: undefined, allowance: 0 }

// Tokens of thought. The least the endpoint takes is 1,024.
const budgets: { readonly [effort in Effort]: number } = {
  none: 0,
  minimal: 1024,
  low: 2048,
  medium: 8192,
  high: 16_384
}

const think = (
  { capabilities, reasoningText }: Dialect,
  { maxTokens, reasoningEffort: effort }: Settings,
  callsUnthought: boolean
): Thought | "impossible" => {
  if (effort === undefined) return thoughtless
  if (effort === "none") {
    return capabilities.reasoning === "asked" ? thoughtless : { ...thoughtless, thinking: { type: "disabled" } }
  }
  const display = reasoningText === true ? { display: "summarized" } : undefined
  if (capabilities.effortAs === "word") {
    return { thinking: { type: "adaptive", ...display }, effort, allowance: budgets[effort] }
  }
  // A model that counts wants to see the thoughts that led to calls whose results it is given.
  if (callsUnthought) return "impossible"
  const budget = maxTokens === undefined ? budgets[effort] : Math.min(budgets[effort], Math.floor(maxTokens / 2))
  if (budget < 1024) return "impossible"
  return { thinking: { type: "enabled", budget_tokens: budget, ...display }, effort: undefined, allowance: budget }
}

// A model can be held to so many tools at once, and to so many properties of theirs that may be absent or alike.
const areHeld = (tools: ReadonlyArray<Plan.Tool>): boolean => {
  const sizes = tools.filter(({ strict }) => strict).map(({ parameters }) => Size.measure(parameters))
  const sum = (of: "optional" | "unions") => sizes.reduce((all, size) => all + size[of], 0)
  return sizes.length <= 20 && sum("optional") <= 24 && sum("unions") <= 16
}

const tool = (held: boolean, { description, name, parameters, strict }: Plan.Tool) => ({
  name,
  description: description === "" ? undefined : description,
  input_schema: { type: "object", ...parameters },
  strict: held && strict ? true : undefined
})

const choice = (wish: Request.ToolChoice, outputTool: string | undefined): unknown => {
  if (typeof wish !== "object") return { type: wish === "required" ? "any" : wish }
  // The answer is one call, so no second one may stand beside it.
  const once = wish.tool === outputTool ? { disable_parallel_tool_use: true } : undefined
  return { type: "tool", name: wish.tool, ...once }
}
