/**
 * Tools in our words and in those of `effect/ai`: its toolkits for our agents, our steps for its models.
 *
 * ```ts
 * import { ReAct, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { AiTools } from "@effect-dspy/providers/ai"
 * import { Effect, Schema } from "effect"
 * import { Tool, Toolkit } from "effect/ai"
 *
 * const Weather = Toolkit.make(Tool.make("weather", {
 *   description: "The weather of a city.",
 *   parameters: Schema.Struct({ city: Schema.String }),
 *   success: Schema.Struct({ degrees: Schema.Finite })
 * }))
 * const WeatherLive = Weather.toLayer({ weather: () => Effect.succeed({ degrees: -3 }) })
 *
 * const ask = ReAct.make(
 *   Signature.make("Ask", { input: { question: Schema.String }, output: { answer: Schema.Finite } }),
 *   { tools: AiTools.fromToolkit(Weather) }
 * )
 * const script = [TestLM.calls(["weather", { city: "Oslo" }]), TestLM.calls(["submit", { answer: -3 }])]
 * const program = ask({ question: "How cold is it in Oslo?" })
 * await Effect.runPromise(Effect.provide(program, [WeatherLive, TestLM.layer(script)])) // => { answer: -3 }
 * ```
 */
import type * as Step from "@effect-dspy/core/Step"
import * as Tool from "@effect-dspy/core/Tool"
import type { AiError } from "effect/ai/AiError"
import * as AiTool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

/**
 * One of their tools as one of ours. It fails, or tells the model of its failures, as its `failureMode` says, and it
 * needs the handler that the toolkit's layer provides.
 */
export type FromTool<T extends AiTool.Any, R = never> = T extends AiTool.Any ? Tool.Tool<
    T["name"],
    T["failureMode"] extends "return" ? "return" : "fail",
    AiTool.HandlerError<T> | AiError,
    AiTool.Handler<T["name"]> | AiTool.HandlerServices<T> | R
  >
  : never

/**
 * - `approve`: asked before each run of a tool that needs approval; without it no such tool runs
 *
 * @category models
 */
export interface Options<R> {
  readonly approve?: (tool: string, argument: unknown) => Effect.Effect<boolean, never, R>
}

/**
 * The tools of a toolkit, for `ReAct`. Wrong arguments go back to the model, whatever a tool's failure mode: they are
 * the model's. Tools that a provider runs itself can't be ours, and throw.
 *
 * @category conversions
 */
export const fromToolkit = <Tools extends Record<string, AiTool.Any>, R = never>(
  toolkit: Toolkit.Toolkit<Tools>,
  options: Options<R> = {}
): ReadonlyArray<FromTool<Tools[keyof Tools], R>> => {
  const { approve } = options
  return Object.values(toolkit.tools).map((tool) => {
    if (AiTool.isProviderDefined(tool)) throw new TypeError(`${tool.name}: a tool that the provider runs itself`)
    const made = Tool.fromJsonSchema<string, Tool.FailurePolicy, unknown, unknown>(tool.name, {
      description: AiTool.getDescription(tool) ?? tool.name,
      parameters: { ...AiTool.getJsonSchema(tool), type: "object" },
      onFailure: tool.failureMode === "error" ? "fail" : "return",
      run: (argument) => run(toolkit as unknown as Toolkit.Toolkit<Record<string, AiTool.Any>>, tool.name, argument),
      approve: (argument) =>
        Effect.flatMap(
          needsApproval(tool, argument),
          (needed): Effect.Effect<boolean, never, R> =>
            needed ? approve?.(tool.name, argument) ?? Effect.succeed(false) : Effect.succeed(true)
        )
    })
    // What a tool of theirs is called, fails with and needs stands in its type, and nowhere at run time.
    return made as unknown as FromTool<Tools[keyof Tools], R>
  })
}

/**
 * A failure of a step, for a model or a program: its kind and its message, which of our own errors shows neither
 * prompts nor keys.
 *
 * @category errors
 */
export class StepFailure
  extends Schema.TaggedError<StepFailure>("@effect-dspy/providers/ai/StepFailure")("StepFailure", {
    step: Schema.String,
    error: Schema.String,
    message: Schema.String
  })
{}

/**
 * A step as a tool of `effect/ai`: `tool` for `Toolkit.make`, `handler` for `toolkit.toLayer`.
 *
 * @category models
 */
export interface FromStep<Name extends string, I, O, R, Mode extends AiTool.FailureMode> {
  readonly tool: AiTool.Tool<Name, {
    readonly parameters: Schema.Codec<I, unknown>
    readonly success: Schema.Codec<O, unknown>
    readonly failure: typeof StepFailure
    readonly failureMode: Mode
  }, R>
  readonly handler: (input: I) => Effect.Effect<O, StepFailure, R>
}

/**
 * A predictor, a pipeline or another step as a tool that models of `effect/ai` call. What the step needs (its own LM,
 * say) is needed where the toolkit is used.
 *
 * - `failureMode`: whether a failure is told to the model (`return`, the default) or ends the call (`error`)
 *
 * ```ts
 * import { Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { AiBridge, AiTools } from "@effect-dspy/providers/ai"
 * import { Effect, Layer, Schema } from "effect"
 * import { LanguageModel, Toolkit } from "effect/ai"
 *
 * const mood = AiTools.fromStep(
 *   "mood",
 *   Predict.make(Signature.make("Mood", { input: { text: Schema.String }, output: { mood: Schema.String } })),
 *   { description: "Tells the mood of a text." }
 * )
 * const toolkit = Toolkit.make(mood.tool)
 *
 * const program = Effect.map(
 *   LanguageModel.generateText({ prompt: "Is 'What a day!' happy?", toolkit }),
 *   ({ toolResults }) => toolResults.map(({ result }) => result)
 * )
 * const Model = TestLM.layer([TestLM.calls(["mood", { text: "What a day!" }]), { mood: "happy" }])
 * const Live = Layer.mergeAll(toolkit.toLayer({ mood: mood.handler }), Layer.provideMerge(AiBridge.toLanguageModel, Model))
 * await Effect.runPromise(Effect.provide(program, Live)) // => [{ mood: "happy" }]
 * ```
 *
 * @category conversions
 */
export const fromStep = <const Name extends string, I, O, E, R, const Mode extends AiTool.FailureMode = "return">(
  name: Name,
  step: Step.Step<I, O, E, R>,
  options: { readonly description: string; readonly failureMode?: Mode }
): FromStep<Name, I, O, R, Mode> => ({
  tool: AiTool.make(name, {
    description: options.description,
    parameters: Schema.toCodecJson(step.input),
    success: Schema.toCodecJson(step.output),
    failure: StepFailure,
    failureMode: options.failureMode ?? "return"
    // Parameters and result are the step's own fields, and needs are declared in types only.
  }) as unknown as FromStep<Name, I, O, R, Mode>["tool"],
  handler: (input) => Effect.mapError(step(input), (error) => failure(step.name, error))
})

const failure = (step: string, error: unknown): StepFailure =>
  new StepFailure({
    step,
    error: typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : "Error",
    message: error instanceof Error && error.message !== "" ? error.message : "The step failed."
  })

const needsApproval = (tool: AiTool.Any, argument: unknown): Effect.Effect<boolean, never, unknown> => {
  const { needsApproval: declared } = tool
  if (typeof declared !== "function") return Effect.succeed(declared === true)
  // Services of a schema are those of its tool.
  const decode = Schema.decodeUnknownEffect(tool.parametersSchema as Schema.Codec<unknown, unknown, unknown>)
  return Effect.matchEffect(decode(argument), {
    // Never run: its arguments go back to the model.
    onFailure: () => Effect.succeed(false),
    onSuccess: (params) => {
      const needed = declared(params, { toolCallId: "", messages: [] })
      return Effect.isEffect(needed) ? needed : Effect.succeed(needed)
    }
  })
}

const run = (
  toolkit: Toolkit.Toolkit<Record<string, AiTool.Any>>,
  name: string,
  argument: unknown
): Effect.Effect<Tool.Answer, unknown, unknown> =>
  Effect.gen(function*() {
    const { handle } = yield* toolkit
    const results = yield* handle(name, argument, undefined, { errors: "all" })
    // Those before the last are preliminary.
    const last = yield* Effect.fromOption(yield* Stream.runLast(results))
    return answer(last)
  }).pipe(Effect.catchCause((cause: Cause.Cause<unknown>) => {
    const found = Cause.findFail(cause)
    const isWrong = Result.isSuccess(found) &&
      Option.contains(Context.getOption(Cause.reasonAnnotations(found.success), Toolkit.FailureOrigin), "parameters")
    return isWrong ? Effect.succeed(wrong(found.success.error)) : Effect.failCause(cause)
  }))

const answer = (result: AiTool.HandlerResult<AiTool.Any>): Tool.Answer => {
  const { encodedResult, failureOrigin, isFailure, modelOutput } = result
  if (isFailure && failureOrigin === "parameters") return wrong(result.result)
  const texts = modelOutput?.flatMap((part) => part.type === "text" ? [part.text] : [])
  const content = texts === undefined || texts.length === 0
    ? typeof encodedResult === "string" ? encodedResult : JSON.stringify(encodedResult) ?? ""
    : texts.join("\n")
  return { content, isError: isFailure }
}

// The words of their validation, which name what was expected and never what was there.
const wrong = (error: unknown): Tool.Answer => {
  const { reason } = error as AiError
  const description = reason._tag === "ToolParameterValidationError" ? reason.description : ""
  return { content: `Wrong arguments:\n${description}`, isError: true }
}
