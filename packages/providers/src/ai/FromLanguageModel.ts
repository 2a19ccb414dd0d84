/**
 * A `LanguageModel` of `effect/ai` as an LM: any provider written for effect, under our predictors and decorators.
 *
 * The life of a request:
 * 1. Its messages become a prompt, its tools a toolkit that only declares them: calling tools is up to whoever asked.
 * 2. A form of output is asked for as an object by its schema; a `LanguageModel` that can't take the schema is asked in
 *    words. With tools it is always words, because an object leaves no room for a call.
 * 3. Settings that `effect/ai` has no word for are handed to `configure`; without it they are dropped and named in
 *    `Completion.adjustments`.
 * 4. The answer's parts become a completion; an object that did not fit the schema is handed on as text, for the
 *    adapter to read.
 */
import type { Adjustment, Completion, Content } from "@effect-dspy/core/Completion"
import { LM } from "@effect-dspy/core/LM"
import * as Request from "@effect-dspy/core/LM/Request"
import type { Emit, Part } from "@effect-dspy/core/LM/Sink"
import * as LMError from "@effect-dspy/core/LMError"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import type * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Model from "effect/ai/Model"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import * as Tool from "effect/ai/Tool"
import type * as Toolkit from "effect/ai/Toolkit"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as JsonSchema from "effect/JsonSchema"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as SchemaRepresentation from "effect/SchemaRepresentation"
import * as Stream from "effect/Stream"
import * as Answers from "./Answers.ts"
import * as Failures from "./Failures.ts"
import * as Turns from "./Turns.ts"

/**
 * - `provider`, `model`: who is named in errors; default what `Model.make` says, or `effect-ai`
 * - `configure`: runs a call with the settings of a request, by the provider's own means
 * - `settings`: defaults of this LM, under everything nearer
 *
 * @category models
 */
export interface Options {
  readonly provider?: string
  readonly model?: string
  readonly configure?: (
    settings: LM.Settings
  ) => <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly settings?: LM.Settings
}

/**
 * The `LanguageModel` in scope as an LM.
 *
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<LM.Service, never, LanguageModel.LanguageModel> =>
  Effect.gen(function*() {
    const language = yield* LanguageModel.LanguageModel
    const named = Option.getOrUndefined(yield* Effect.serviceOption(Model.ProviderName))
    const provider = options.provider ?? named ?? "effect-ai"
    const model = options.model ?? Option.getOrUndefined(yield* Effect.serviceOption(Model.ModelName)) ?? "unknown"
    const fail = (reason: Reason.Reason) => Effect.fail(LMError.make(provider, model, reason))
    const failure = (error: AiError.AiError) =>
      Effect.flatMap(
        Clock.currentTimeMillis,
        (now) => Effect.fail(Failures.fromAiError(provider, model, error, now))
      )
    const configured = options.configure === undefined
      ? () => <A, E, R>(call: Effect.Effect<A, E, R>) => call
      : options.configure

    const answer = (request: Request.Request, emit: Emit | undefined) => {
      const schema = schemaOf(request)
      const asked = schema === undefined && request.output._tag === "Json"
        ? Request.withInstruction(request)
        : request.messages
      const prompt = Turns.toPrompt(asked)
      if (Result.isFailure(prompt)) return fail(prompt.failure)
      const gathered: Effect.Effect<Answer, AiError.AiError | LMError.LMError> = schema !== undefined
        ? object(language, prompt.success, schema, request.output)
        : emit === undefined
        ? Effect.map(text(language, prompt.success, request), gather)
        : streamed(stream(language, prompt.success, request), emit, fail)
      const adjustments = adjusted(request, schema, options.configure !== undefined)
      return gathered.pipe(
        configured(request.settings),
        Effect.catchTag("AiError", failure),
        Effect.flatMap(({ content, finish, id, modelId }) => {
          const finishReason = finish === undefined ? "other" : Answers.fromFinish(finish.reason)
          if (finishReason === undefined) return fail(new Reason.Refused({}))
          const completion: Completion = {
            content,
            finishReason,
            usage: finish === undefined ? { calls: 1 } : Answers.fromUsage(finish.usage),
            provider,
            model: modelId ?? model,
            ...(id === undefined ? undefined : { id }),
            ...(adjustments.length === 0 ? undefined : { adjustments })
          }
          return Effect.succeed(completion)
        })
      )
    }

    return LM.make({
      provider,
      model,
      ...(options.settings === undefined ? undefined : { defaults: options.settings }),
      generate: answer,
      lesser: (request, error) =>
        error.reason._tag === "Unsupported" && request.output._tag === "Json" && schemaOf(request) !== undefined
          ? { ...request, output: { ...request.output, mode: "prompt" } }
          : undefined
    })
  })

/**
 * The `LanguageModel` of a layer as an LM.
 *
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<LM, never, LanguageModel.LanguageModel> =>
  Layer.effect(LM, make(options))

/** What was gathered of an answer. */
interface Answer {
  readonly content: ReadonlyArray<Content>
  readonly finish?: Response.FinishPart
  readonly id?: string | undefined
  readonly modelId?: string | undefined
}

const gather = (parts: ReadonlyArray<Response.AnyPart>): Answer => {
  const finish = parts.find((part) => part.type === "finish")
  const about = parts.find((part) => part.type === "response-metadata")
  return {
    content: parts.flatMap((part) => Answers.fromPart(part) ?? []),
    ...(finish === undefined ? undefined : { finish }),
    id: about?.id,
    modelId: about?.modelId
  }
}

const text = (
  language: LanguageModel.LanguageModel,
  prompt: Prompt.Prompt,
  { toolChoice, tools }: Request.Request
): Effect.Effect<ReadonlyArray<Response.AnyPart>, AiError.AiError> =>
  tools === undefined || tools.length === 0
    ? Effect.map(language.generateText({ prompt }), ({ content }) => content)
    : Effect.map(language.generateText({ prompt, ...declared(tools, toolChoice) }), ({ content }) => content)

const stream = (
  language: LanguageModel.LanguageModel,
  prompt: Prompt.Prompt,
  { toolChoice, tools }: Request.Request
): Stream.Stream<Response.AnyPart, AiError.AiError> =>
  tools === undefined || tools.length === 0
    ? language.streamText({ prompt })
    : language.streamText({ prompt, ...declared(tools, toolChoice) })

type Fields = { readonly [field: string]: unknown }

type ObjectSchema = Schema.Codec<Fields, Fields>

const object = (
  language: LanguageModel.LanguageModel,
  prompt: Prompt.Prompt,
  schema: ObjectSchema,
  output: Request.Output
): Effect.Effect<Answer, AiError.AiError> =>
  language.generateObject({
    prompt,
    schema,
    ...(output._tag === "Json" ? { objectName: output.name } : undefined)
  }).pipe(
    Effect.map(({ content, value }): Answer => {
      const answer = gather(content)
      const others = answer.content.filter((part) => part.type !== "text")
      // The value, not the text: its provider may have asked for another shape, which is undone in the value only.
      return { ...answer, content: [...others, { type: "text", text: JSON.stringify(value) }] }
    }),
    // What it cost is unknown, but what it says may still be read.
    Effect.catchReason("AiError", "StructuredOutputError", ({ responseText }) =>
      Effect.succeed<Answer>({ content: [{ type: "text", text: responseText }] }))
  )

const streamed = (
  parts: Stream.Stream<Response.AnyPart, AiError.AiError>,
  emit: Emit,
  fail: (reason: Reason.Reason) => Effect.Effect<never, LMError.LMError>
): Effect.Effect<Answer, AiError.AiError | LMError.LMError> =>
  Effect.suspend(() => {
    const content: Array<Content> = []
    const open = new Map<string, number>()
    const names = new Map<string, string>()
    let finish: Response.FinishPart | undefined
    let about: Response.ResponseMetadataPart | undefined
    // Pieces of one block, and what goes back with it, may come with any of its parts.
    const extend = (type: "text" | "reasoning", id: string, text: string, metadata: Response.ProviderMetadata) => {
      const key = `${type} ${id}`
      const at = open.get(key) ?? content.push({ type, text: "" }) - 1
      open.set(key, at)
      const part = content[at]
      if (part === undefined || part.type === "toolCall") return
      content[at] = { ...part, text: part.text + text, ...Turns.metadataOf({ ...part.metadata, ...metadata }) }
    }
    const read = (part: Response.AnyPart): ReadonlyArray<Part> | Reason.Reason => {
      switch (part.type) {
        case "text-delta":
          extend("text", part.id, part.delta, part.metadata)
          return [{ type: "text", text: part.delta }]
        case "reasoning-delta":
          extend("reasoning", part.id, part.delta, part.metadata)
          return [{ type: "reasoning", text: part.delta }]
        case "text-start":
        case "text-end":
          extend("text", part.id, "", part.metadata)
          return []
        case "reasoning-start":
        case "reasoning-end":
          extend("reasoning", part.id, "", part.metadata)
          return []
        case "tool-params-start":
          names.set(part.id, part.name)
          return []
        case "tool-params-delta":
          return [{ type: "toolInput", id: part.id, name: names.get(part.id) ?? "", text: part.delta }]
        case "tool-call": {
          const call = Answers.fromPart(part)
          if (call?.type !== "toolCall") return []
          content.push(call)
          return [{ type: "toolCall", call }]
        }
        case "response-metadata":
          about = part
          return []
        case "finish":
          finish = part
          return []
        case "error":
          return new Reason.ServerError({ status: 500 })
        default:
          return []
      }
    }
    return Effect.flatMap(
      Stream.runForEach(parts, (part): Effect.Effect<void, LMError.LMError> => {
        const given = read(part)
        return "_tag" in given ? fail(given) : given.length === 0 ? Effect.void : emit(given)
      }),
      () =>
        finish === undefined
          ? fail(new Reason.StreamCut())
          : Effect.succeed<Answer>({
            content: content.filter((part) =>
              part.type === "toolCall" || part.text !== "" || part.metadata !== undefined
            ),
            finish,
            id: about?.id,
            modelId: about?.modelId
          })
    )
  })

// One schema and one list of tools serve many calls.
const schemas = new WeakMap<JsonSchema.JsonSchema, ObjectSchema | "none">()
const toolkits = new WeakMap<ReadonlyArray<Request.Tool>, Toolkit.WithHandler<{ [name: string]: Tool.AnyDynamic }>>()

/** The schema to ask an object for, where one is wished and can be asked for. */
const schemaOf = ({ output, tools }: Request.Request): ObjectSchema | undefined => {
  if (output._tag === "Text" || (output.mode ?? "native") !== "native" || (tools ?? []).length > 0) return undefined
  const known = schemas.get(output.schema) ?? fromJsonSchema(output.schema)
  schemas.set(output.schema, known)
  return known === "none" ? undefined : known
}

const fromJsonSchema = ({ $defs, ...schema }: JsonSchema.JsonSchema): ObjectSchema | "none" => {
  try {
    const definitions = ($defs ?? {}) as JsonSchema.Definitions
    // Patterns go along in words; the signature checks them. The output of a signature is an object.
    return SchemaRepresentation.fromJsonSchemaDocument(
      { dialect: "draft-2020-12", schema, definitions },
      { patterns: "ignore" }
    ) as unknown as ObjectSchema
  } catch {
    // What effect's reader of schemas does not know is said in words.
    return "none"
  }
}

const declared = (tools: ReadonlyArray<Request.Tool>, toolChoice: Request.ToolChoice = "auto") => {
  const toolkit = toolkits.get(tools) ?? {
    tools: Object.fromEntries(
      tools.map(({ description, name, parameters }) => [name, Tool.dynamic(name, { description, parameters })])
    ),
    // Declared only: whoever asked runs them.
    handle: () => Effect.die(new TypeError("a tool that is only declared was run"))
  }
  toolkits.set(tools, toolkit)
  return { toolkit, toolChoice, disableToolCallResolution: true, toolCallValidation: "deferred" } as const
}

/** Settings an answer depends on, which `effect/ai` has no word for. */
const unsaid = ["temperature", "topP", "maxTokens", "stop", "seed", "reasoningEffort"] as const

const adjusted = (
  { output, settings }: Request.Request,
  schema: ObjectSchema | undefined,
  isConfigured: boolean
): ReadonlyArray<Adjustment> => [
  ...(output._tag === "Json" && schema === undefined ? [{ feature: "output", action: "asked for in words" }] : []),
  ...(isConfigured ? [] : unsaid.filter((name) => settings[name] !== undefined)).map((feature) => ({
    feature,
    action: "dropped"
  }))
]
