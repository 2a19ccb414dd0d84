/**
 * A request fitted to what an endpoint can do, before a protocol puts it in its own words.
 *
 * What every protocol would decide is decided here, once: which settings can be sent, how the model is held to
 * a schema, whether that takes a tool it must call or words in the prompt, and what differs from the wish.
 * A protocol then only writes down what the plan says.
 */
import type { Adjustment } from "@effect-dspy/core/Completion"
import * as Request from "@effect-dspy/core/LM/Request"
import type { Settings } from "@effect-dspy/core/LM/Settings"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import type { Message } from "@effect-dspy/core/Message"
import type { JsonSchema } from "effect/JsonSchema"
import * as Result from "effect/Result"
import * as Capabilities from "./Capabilities.ts"
import type { Encoded, Restoring } from "./Protocol.ts"

/**
 * A schema in the subset an endpoint takes; `strict` where it takes all of it, `restore` where an answer has to
 * be brought back to the shape of the schema it was made from, and `touched` what of it.
 *
 * @category models
 */
export interface Lowered {
  readonly schema: JsonSchema
  readonly strict: boolean
  readonly restore?: ((json: unknown) => unknown) | undefined
  readonly touched?: ReadonlySet<string>
}

/**
 * Writes a schema for an endpoint, or says what in it no answer could ever match.
 *
 * @category models
 */
export interface Lower {
  (schema: JsonSchema): Result.Result<Lowered, { readonly feature: string; readonly field?: string }>
}

/**
 * The form of the answer, where the endpoint is told: by a schema, or to be any JSON. The schema's name is of letters,
 * digits, `_` and `-`, 64 at most, as endpoints want it.
 *
 * @category models
 */
export type Format =
  | { readonly _tag: "Schema"; readonly name: string; readonly schema: JsonSchema; readonly strict: boolean }
  | { readonly _tag: "AnyJson" }

/**
 * A tool as it is written: `strict` where the endpoint can be held to its parameters.
 *
 * @category models
 */
export interface Tool extends Request.Tool {
  readonly strict: boolean
}

/**
 * - `messages`: with the output's words where the model has to be told so
 * - `tools`: those of the request, their parameters in the endpoint's form, and the one whose arguments are the answer;
 *   empty for none
 * - `toolChoice`: absent where it need not be said
 * - `reasons`: whether the model will reason
 * - `how`: what goes along with the body
 *
 * @category models
 */
export interface Plan {
  readonly messages: ReadonlyArray<Message>
  readonly settings: Settings
  readonly tools: ReadonlyArray<Tool>
  readonly toolChoice: Request.ToolChoice | undefined
  readonly format: Format | undefined
  readonly reasons: boolean
  readonly how: Omit<Encoded, "body">
}

/**
 * - `lower`: writes schemas for the endpoint, those of tools too; asked once per schema
 * - `loose`: whether the endpoint takes schemas as a hint that it can't hold the model to; else the next way is taken
 * - `lowerTool`: writes the parameters of the tool whose arguments are the answer; default `lower`
 * - `without`, `bounds`: settings the protocol has no word for, and the numbers it allows
 * - `instructed`: the ways in which the model is also told in words; default those without a schema
 *
 * @category models
 */
export interface Options {
  readonly capabilities: Capabilities.Capabilities
  readonly lower: Lower
  readonly loose?: boolean
  readonly lowerTool?: Lower
  readonly without?: ReadonlyArray<Capabilities.Setting>
  readonly bounds?: Capabilities.Bounds
  readonly instructed?: ReadonlyArray<Request.Mode>
}

/**
 * Builds the function that plans requests to one model; it fails with what can't be asked there.
 *
 * ```ts
 * import { Capabilities, Plan } from "@effect-dspy/providers"
 * import { Result } from "effect"
 *
 * const plan = Plan.make({
 *   capabilities: { ...Capabilities.all, structuredOutput: ["tool"] },
 *   lower: (schema) => Result.succeed({ schema, strict: true })
 * })
 * const output = { _tag: "Json", name: "Answer", schema: { type: "object" }, instruction: "Reply with JSON." } as const
 * const planned = Result.getOrThrow(plan({ messages: [], output, settings: {} }))
 * planned.toolChoice // => { tool: "give_output" }
 * planned.how.adjustments // => []
 * ```
 *
 * @category constructors
 */
export const make = (options: Options) => {
  const { capabilities, instructed = ["json", "prompt"] } = options
  const lower = once(options.lower)
  const lowerTool = options.lowerTool === undefined ? lower : once(options.lowerTool)
  const writeTools = writing(lower)
  return (request: Request.Request): Result.Result<Plan, Reason.Unsupported> => {
    const missing = Capabilities.missing(capabilities, request)
    if (missing !== undefined) return Result.fail(missing)
    const fitted = Capabilities.fit(capabilities, request.settings, options)
    if (Result.isFailure(fitted)) return Result.fail(fitted.failure)
    const { reasons } = fitted.success
    const canChoose = capabilities.toolChoice === "unlessReasoning" ? !reasons : capabilities.toolChoice
    const chosen = choose(canChoose, capabilities.onUnsupported, request)
    if (Result.isFailure(chosen)) return Result.fail(chosen.failure)
    const { settings } = fitted.success
    const { output } = request
    const adjustments = [...fitted.success.adjustments, ...chosen.success.adjustments]
    const { toolChoice } = chosen.success
    const callable = writeTools(chosen.success.tools)
    if (Result.isFailure(callable)) return Result.fail(callable.failure)
    const { restoring, tools } = callable.success
    const plain: Plan = {
      messages: request.messages,
      settings,
      tools,
      toolChoice,
      format: undefined,
      reasons,
      how: { adjustments, ...(restoring.size === 0 ? undefined : { toolArguments: restoring }) }
    }
    if (output._tag === "Text") return Result.succeed(plain)
    const native = lower(output.schema)
    // What nothing matches would be asked for in vain, in words as well.
    if (Result.isFailure(native)) return Result.fail(new Reason.Unsupported(native.failure))
    const modes = Capabilities.modes(capabilities, request)
    for (const mode of modes) {
      // An answer by a tool is forced, or may not come.
      if (mode === "tool" && !canChoose) continue
      const written = mode === "native" ? native : mode === "tool" ? lowerTool(output.schema) : undefined
      if (written !== undefined && Result.isFailure(written)) {
        return Result.fail(new Reason.Unsupported(written.failure))
      }
      if (mode === "native" && !native.success.strict && options.loose !== true) continue
      const how = {
        ...plain.how,
        mode,
        adjustments: mode === capabilities.structuredOutput[0]
          ? adjustments
          : [...adjustments, { feature: "output", action: mode }],
        ...(written?.success.restore === undefined ? undefined : { restore: written.success.restore }),
        ...(written?.success.touched === undefined ? undefined : { touched: written.success.touched })
      }
      const base: Plan = {
        ...plain,
        how,
        messages: instructed.includes(mode) ? Request.withInstruction(request) : request.messages
      }
      if (written === undefined) {
        return Result.succeed(mode === "json" ? { ...base, format: { _tag: "AnyJson" } } : base)
      }
      const { schema, strict } = written.success
      return Result.succeed(
        mode === "native"
          ? { ...base, format: { _tag: "Schema", name: nameOf(output.name), schema, strict } }
          : asTool(base, { description: output.instruction, parameters: schema, strict })
      )
    }
    return Result.fail(new Reason.Unsupported({ feature: "this form of output" }))
  }
}

const once = (lower: Lower): Lower => {
  const lowered = new WeakMap<JsonSchema, ReturnType<Lower>>()
  return (schema) => {
    const known = lowered.get(schema)
    if (known !== undefined) return known
    const made = lower(schema)
    lowered.set(schema, made)
    return made
  }
}

const nameOf = (name: string): string => name.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 64)

/** The name of the tool a model must call to answer, where its arguments are the answer. */
const outputTool = "give_output"

const asTool = (plan: Plan, tool: Omit<Tool, "name">): Plan => {
  const { toolChoice, tools } = plan
  // A caller that demands a call of one of its own tools wants no answer yet.
  if (toolChoice === "required" || typeof toolChoice === "object") return plan
  let name = outputTool
  while (tools.some((tool) => tool.name === name)) name += "_"
  return {
    ...plan,
    tools: [...tools, { ...tool, name }],
    // Beside other tools, the model may call those first.
    toolChoice: tools.length === 0 || toolChoice === "none" ? { tool: name } : "required",
    how: { ...plan.how, outputTool: name }
  }
}

interface Callable {
  readonly tools: ReadonlyArray<Tool>
  readonly restoring: ReadonlyMap<string, Restoring>
}

// What the endpoint can't be held to is sent as it is: parameters guide a model, and whoever answers calls checks them.
const writing = (lower: Lower) => {
  const written = new WeakMap<ReadonlyArray<Request.Tool>, Result.Result<Callable, Reason.Unsupported>>()
  const write = (tools: ReadonlyArray<Request.Tool>): Result.Result<Callable, Reason.Unsupported> => {
    const callable: Array<Tool> = []
    const restoring = new Map<string, Restoring>()
    for (const tool of tools) {
      const lowered = lower(tool.parameters)
      if (Result.isFailure(lowered)) {
        const { feature, field } = lowered.failure
        const where = field === undefined || field === "" ? tool.name : `${tool.name}.${field}`
        return Result.fail(
          new Reason.Unsupported({ feature: `${feature}, among the parameters of a tool`, field: where })
        )
      }
      const { restore, schema, strict, touched } = lowered.success
      callable.push({ ...tool, parameters: strict ? schema : tool.parameters, strict })
      if (strict && restore !== undefined) restoring.set(tool.name, { restore, touched })
    }
    return Result.succeed({ tools: callable, restoring })
  }
  return (tools: ReadonlyArray<Request.Tool>) => {
    let result = written.get(tools)
    if (result === undefined) {
      result = write(tools)
      written.set(tools, result)
    }
    return result
  }
}

interface Chosen {
  readonly tools: ReadonlyArray<Request.Tool>
  readonly toolChoice: Request.ToolChoice | undefined
  readonly adjustments: ReadonlyArray<Adjustment>
}

/** One value, so that what is made of it is kept. */
const none: ReadonlyArray<Request.Tool> = []

const choose = (
  canChoose: boolean,
  onUnsupported: Capabilities.Capabilities["onUnsupported"],
  { toolChoice, tools = none }: Request.Request
): Result.Result<Chosen, Reason.Unsupported> => {
  if (canChoose || toolChoice === undefined || toolChoice === "auto" || tools.length === 0) {
    return Result.succeed({ tools, toolChoice: tools.length === 0 ? undefined : toolChoice, adjustments: [] })
  }
  // Tools that are not shown can't be called.
  if (toolChoice === "none") return Result.succeed({ tools: none, toolChoice: undefined, adjustments: [] })
  return onUnsupported === "fail"
    ? Result.fail(new Reason.Unsupported({ feature: "the tool choice" }))
    : Result.succeed({ tools, toolChoice: undefined, adjustments: [{ feature: "toolChoice", action: "dropped" }] })
}
