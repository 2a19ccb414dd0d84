/**
 * An LM as a `LanguageModel` of `effect/ai`: under `Chat`, with toolkits, beside any code written for it.
 *
 * Each call is one logical call of the LM: its decorators and middleware apply, `LM.Settings` are those around the
 * caller, attempts and the total timeout are counted.
 */
import type { Completion, Content } from "@effect-dspy/core/Completion"
import { LM } from "@effect-dspy/core/LM"
import type { Output, Tool as LMTool, ToolChoice } from "@effect-dspy/core/LM/Request"
import type { Part } from "@effect-dspy/core/LM/Sink"
import * as LMError from "@effect-dspy/core/LMError"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Response from "effect/ai/Response"
import * as Tool from "effect/ai/Tool"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Answers from "./Answers.ts"
import * as Failures from "./Failures.ts"
import * as Turns from "./Turns.ts"

/**
 * The LM in scope as a `LanguageModel`.
 *
 * @category constructors
 */
export const make: Effect.Effect<LanguageModel.LanguageModel, never, LM> = Effect.flatMap(LM, (lm) => {
  const fail = (method: string) => (reason: Reason.Reason) =>
    Failures.toAiError(method)(LMError.make(lm.provider, lm.model, reason))
  const ask = (options: LanguageModel.ProviderOptions, method: string) =>
    Effect.mapError(Effect.fromResult(toRequest(options)), fail(method))
  return LanguageModel.make({
    generateText: (options) =>
      Effect.flatMap(ask(options, "generateText"), (request) =>
        Effect.mapBoth(LM.generate(request), {
          onFailure: Failures.toAiError("generateText"),
          onSuccess: Answers.toParts
        })).pipe(Effect.provideService(LM, lm)),
    streamText: (options) =>
      Stream.unwrap(Effect.map(ask(options, "streamText"), (request) => streamed(request))).pipe(
        Stream.provideService(LM, lm)
      )
  })
})

/**
 * The LM of a layer as a `LanguageModel`.
 *
 * @category layers
 */
export const layer: Layer.Layer<LanguageModel.LanguageModel, never, LM> = Layer.effect(
  LanguageModel.LanguageModel,
  make
)

const streamed = (request: Question): Stream.Stream<Response.StreamPartEncoded, AiError.AiError, LM> =>
  Stream.suspend(() => {
    const blocks = new Blocks()
    return LM.stream(request).pipe(
      Stream.mapError(Failures.toAiError("streamText")),
      Stream.flatMap((part) =>
        part.type === "restart"
          ? Stream.fail(AiError.make({ module: "AiBridge", method: "streamText", reason: restarted() }))
          : Stream.fromIterable(blocks.push(part))
      )
    )
  })

// What was streamed cannot be taken back here, and text of two attempts would be nobody's answer.
const restarted = () =>
  new AiError.InternalProviderError({ description: "another attempt began after parts of the answer were streamed" })

interface Question {
  readonly messages: Parameters<typeof LM.generate>[0]["messages"]
  readonly output?: Output
  readonly tools?: ReadonlyArray<LMTool>
  readonly toolChoice?: ToolChoice
}

const toRequest = (options: LanguageModel.ProviderOptions): Result.Result<Question, Reason.Unsupported> => {
  const { prompt, responseFormat, toolChoice, tools } = options
  const own = tools.find(Tool.isProviderDefined)
  if (own !== undefined) return Result.fail(new Reason.Unsupported({ feature: `the provider's own tool ${own.name}` }))
  return Result.map(Turns.fromPrompt(prompt), (messages) => ({
    messages,
    ...(responseFormat.type === "json" ? { output: toOutput(responseFormat) } : undefined),
    ...(tools.length === 0 ? undefined : { tools: tools.map(toTool), toolChoice: toChoice(toolChoice) })
  }))
}

// A schema and a tool are declared once and used for many calls.
const schemas = new WeakMap<Schema.Top, ReturnType<typeof Tool.getJsonSchema>>()
const known = new WeakMap<Tool.Any, LMTool>()

const toOutput = ({ objectName, schema }: { readonly objectName: string; readonly schema: Schema.Top }): Output => {
  const jsonSchema = schemas.get(schema) ?? LanguageModel.defaultCodecTransformer(schema).jsonSchema
  schemas.set(schema, jsonSchema)
  return {
    _tag: "Json",
    name: objectName,
    schema: jsonSchema,
    instruction: `Reply with one JSON object that matches this schema, and nothing else:\n${JSON.stringify(jsonSchema)}`
  }
}

const toTool = (tool: Tool.Any): LMTool => {
  const found = known.get(tool) ?? {
    name: tool.name,
    description: Tool.getDescription(tool) ?? "",
    parameters: Tool.getJsonSchema(tool)
  }
  known.set(tool, found)
  return found
}

// effect has already left out the tools that are not in `oneOf`.
const toChoice = (choice: LanguageModel.ProviderOptions["toolChoice"]): ToolChoice =>
  typeof choice === "object" && "oneOf" in choice ? choice.mode ?? "auto" : choice

/**
 * The blocks of a streamed answer: `effect/ai` wants each text to have a name, a beginning and an end.
 *
 * Blocks end with the answer, because what an endpoint wants back with them is known only then.
 */
class Blocks {
  private readonly begun: Array<{ readonly id: string; readonly type: "text" | "reasoning" }> = []
  private readonly inputs = new Set<string>()
  /** The block being written: text after a tool call begins another one. */
  private current: "text" | "reasoning" | undefined

  push(part: Exclude<Part, { readonly type: "restart" }>): Array<Response.StreamPartEncoded> {
    switch (part.type) {
      case "text":
      case "reasoning":
        return this.write(part.type, part.text)
      case "toolInput": {
        this.current = undefined
        const delta = { type: "tool-params-delta", id: part.id, delta: part.text } as const
        if (this.inputs.has(part.id)) return [delta]
        this.inputs.add(part.id)
        return [{ type: "tool-params-start", id: part.id, name: part.name }, delta]
      }
      case "toolCall": {
        this.current = undefined
        const call = Answers.toPart(part.call)
        if (call.type !== "tool-call") return []
        return this.inputs.delete(part.call.id) ? [{ type: "tool-params-end", id: part.call.id }, call] : [call]
      }
      case "finish":
        return [...this.end(part.completion), ...Answers.closing(part.completion)]
    }
  }

  private write(type: "text" | "reasoning", delta: string): Array<Response.StreamPartEncoded> {
    const opening: Array<Response.StreamPartEncoded> = []
    if (this.current !== type) {
      const block = { id: String(this.begun.length), type }
      this.begun.push(block)
      this.current = type
      opening.push({ type: `${type}-start`, id: block.id })
    }
    return [...opening, { type: `${type}-delta`, id: String(this.begun.length - 1), delta }]
  }

  private end({ content }: Completion): Array<Response.StreamPartEncoded> {
    const written = content.filter((part) => part.type !== "toolCall")
    // Metadata goes with its part only where the parts are those that were streamed.
    const same = written.length === this.begun.length && this.begun.every(({ type }, at) => written[at]?.type === type)
    const of = (at: number): Content | undefined => same ? written[at] : undefined
    return this.begun.map(({ id, type }, at) => ({ type: `${type}-end`, id, ...Answers.toMetadata(of(at)) }))
  }
}
