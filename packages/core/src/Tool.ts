/**
 * Something a model may call: code with typed parameters, and what becomes of its failures.
 *
 * A tool is a value. `ReAct` shows tools to a model and runs the calls it makes; `fromStep` makes one of any
 * predictor, pipeline or code step. Arguments are checked before the tool runs: wrong ones go back to the model with
 * what was expected, like an unknown name or a tool that took too long.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as JsonSchema from "effect/JsonSchema"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { ToolCall } from "./Completion.ts"
import type { Tool as Described } from "./LM/Request.ts"
import type { ToolResult } from "./Message.ts"
import { describe, type Issue } from "./PredictError.ts"
import * as Signature from "./Signature.ts"
import * as Spans from "./Spans.ts"
import type { Step } from "./Step.ts"
import * as Telling from "./Telling.ts"

/** A schema of results and failures: anything that encodes without services. */
type Codec = Schema.Codec<unknown, unknown, never, never>

/**
 * What becomes of a failure of the tool: it is told to the model, which may try something else, or it ends the call
 * of the predictor.
 *
 * @category models
 */
export type FailurePolicy = "return" | "fail"

/**
 * A tool. `described` is what a model is told of it; `call` takes what a model wrote and gives what it is told, or
 * `undefined` where it is not approved.
 *
 * @category models
 */
export interface Tool<out Name extends string, out Policy extends FailurePolicy, out E = never, out R = never> {
  readonly name: Name
  readonly onFailure: Policy
  readonly described: Described
  readonly call: (argument: unknown) => Effect.Effect<Answer, E, R>
}

/**
 * What a model is told of a call.
 *
 * @category models
 */
export interface Answer {
  readonly content: string
  readonly isError: boolean
}

/**
 * A tool of any types.
 *
 * @category models
 */
export type Any = Tool<string, FailurePolicy, unknown, unknown>

/** What calls of a tool may fail with, under its policy. */
export type Failure<T extends Any> = T extends Tool<string, "fail", infer E, unknown> ? E : never

/** What a tool needs to run. */
export type Services<T extends Any> = T extends Tool<string, FailurePolicy, unknown, infer R> ? R : never

/**
 * - `description`: tells a model what the tool is for and when to use it
 * - `parameters`: fields the model fills in; `success`: what the tool gives, in its JSON form for the model
 * - `failure`: its failures, for a model to read; without it a failure is told by its `message`
 * - `onFailure`: default `return`
 * - `timeout`: of one run; a tool that takes longer is interrupted, and the model is told
 * - `approve`: asked before each run; a call that is not approved is told to the model as such
 *
 * @category models
 */
export interface Options<P extends Signature.Fields, S extends Codec, Policy extends FailurePolicy, E, R> {
  readonly description: string
  readonly parameters: P
  readonly success: S
  readonly failure?: Schema.Codec<E, unknown, never, never>
  readonly onFailure?: Policy
  readonly timeout?: Duration.Input
  readonly approve?: (input: Schema.Struct<P>["Type"]) => Effect.Effect<boolean, never, R>
  readonly run: (input: Schema.Struct<P>["Type"]) => Effect.Effect<S["Type"], E, R>
}

/**
 * Makes a tool. What depends on its schemas is worked out here, once.
 *
 * ```ts
 * import { Tool } from "@effect-dspy/core"
 * import { Effect, Schema } from "effect"
 *
 * const add = Tool.make("add", {
 *   description: "Adds two numbers.",
 *   parameters: { a: Schema.Finite, b: Schema.Finite },
 *   success: Schema.Finite,
 *   run: ({ a, b }) => Effect.succeed(a + b)
 * })
 * await Effect.runPromise(add.call({ a: 2, b: 3 })) // => { content: "5", isError: false }
 * await Effect.runPromise(add.call({ a: "two", b: 3 })) // => { content: "Wrong arguments:\n- a: expected number", isError: true }
 * ```
 *
 * @category constructors
 */
export const make = <
  const Name extends string,
  const P extends Signature.Fields,
  S extends Codec,
  const Policy extends FailurePolicy = "return",
  E = never,
  R = never
>(name: Name, options: Options<P, S, Policy, E, R>): Tool<Name, Policy, E, R> => {
  type Input = Schema.Struct<P>["Type"]
  const { failure, run } = options
  const { decode, jsonSchema } = parameters(name, options.parameters)
  const write = Schema.encodeUnknownResult(Schema.toCodecJson(options.success))
  const writeFailure = failure === undefined
    ? undefined
    : Schema.encodeUnknownResult(Schema.toCodecJson(failure))
  return build(name, {
    ...options,
    parameters: jsonSchema,
    read: (argument) => {
      const decoded = decode(argument)
      if (Result.isSuccess(decoded)) return Result.succeed(decoded.success as Input)
      return Result.fail(`Wrong arguments:${decoded.failure.map((issue) => `\n- ${describe(issue)}`).join("")}`)
    },
    run: (input) => Effect.map(run(input), (value) => said(Result.getOrThrow(write(value)), false)),
    shown: (error) => shown(error, writeFailure)
  })
}

/**
 * - `parameters`: the JSON schema of the arguments, an object
 * - `run`: checks the arguments and says what a model is told; wrong ones are an answer that is an error
 * - `failure`: what a model is told of a failure; without it, its `message`
 * - `onFailure`, `timeout`, `approve`: as in `Options`
 *
 * @category models
 */
export interface JsonOptions<Policy extends FailurePolicy, E, R> {
  readonly description: string
  readonly parameters: JsonSchema.JsonSchema
  readonly onFailure?: Policy
  readonly timeout?: Duration.Input
  readonly approve?: (argument: Signature.Encoded) => Effect.Effect<boolean, never, R>
  readonly run: (argument: Signature.Encoded) => Effect.Effect<Answer, E, R>
  readonly failure?: (error: E) => unknown
}

/**
 * A tool that is described by a JSON schema and lives elsewhere: on a server, in another library. A model is shown the
 * schema as it is; whoever runs the tool knows how to check arguments by it.
 *
 * @category constructors
 */
export const fromJsonSchema = <
  const Name extends string,
  const Policy extends FailurePolicy = "return",
  E = never,
  R = never
>(
  name: Name,
  options: JsonOptions<Policy, E, R>
): Tool<Name, Policy, E, R> =>
  build(name, {
    ...options,
    read: (argument) =>
      typeof argument === "object" && argument !== null && !Array.isArray(argument)
        // An object of JSON, whose keys are strings.
        ? Result.succeed(argument as Signature.Encoded)
        : Result.fail("Wrong arguments:\n- expected an object"),
    shown: options.failure ?? ((error) => shown(error, undefined))
  })

/** What every tool is: arguments read, approval asked, a run under its limit and its policy. */
const build = <Name extends string, Policy extends FailurePolicy, Input, E, R>(name: Name, options: {
  readonly description: string
  readonly parameters: JsonSchema.JsonSchema
  readonly onFailure?: Policy
  readonly timeout?: Duration.Input
  readonly approve?: (input: Input) => Effect.Effect<boolean, never, R>
  readonly read: (argument: unknown) => Result.Result<Input, string>
  readonly run: (input: Input) => Effect.Effect<Answer, E, R>
  readonly shown: (error: E) => unknown
}): Tool<Name, Policy, E, R> => {
  const { approve, description, read, run } = options
  // Absent means `return`, and that is what the type says then.
  const onFailure = (options.onFailure ?? "return") as Policy
  const limit = options.timeout === undefined ? undefined : Duration.fromInputUnsafe(options.timeout)

  const answered = (input: Input): Effect.Effect<Answer, E, R> => {
    const told: Effect.Effect<Answer, E, R> = onFailure === "fail"
      ? run(input)
      : Effect.catch(run(input), (error) => Effect.succeed(said(options.shown(error), true)))
    return limit === undefined ?
      told :
      Effect.map(
        Effect.timeoutOption(told, limit),
        (answer) =>
          Option.getOrElse(answer, () => said(`The tool did not answer within ${Duration.format(limit)}.`, true))
      )
  }
  return {
    name,
    onFailure,
    described: { name, description, parameters: options.parameters },
    call: (argument) => {
      const input = read(argument)
      if (Result.isFailure(input)) return Effect.succeed(said(input.failure, true))
      if (approve === undefined) return answered(input.success)
      return Effect.flatMap(
        approve(input.success),
        (approved) => approved ? answered(input.success) : Effect.succeed(said("The call was not approved.", true))
      )
    }
  }
}

/**
 * A tool of a step: a predictor, a pipeline or code. Its input fields are the parameters, its output is the result.
 *
 * @category constructors
 */
export const fromStep = <I, O, E, R, const Policy extends FailurePolicy = "return">(
  step: Step<I, O, E, R>,
  options: { readonly description: string; readonly onFailure?: Policy; readonly timeout?: Duration.Input }
): Tool<string, Policy, E, R> =>
  make(step.name, {
    ...options,
    parameters: step.input.fields,
    success: step.output,
    // Parameters and result are the step's own fields.
    run: (input) => step(input as I) as Effect.Effect<Schema.Struct<Signature.Fields>["Type"], E, R>
  })

/**
 * Runs one call of a model against the tools it was shown.
 *
 * @category combinators
 */
export const execute = <T extends Any>(
  tools: ReadonlyMap<string, T>,
  call: ToolCall
): Effect.Effect<ToolResult, Failure<T>, Services<T>> => {
  const tool = tools.get(call.name)
  const answer = tool === undefined
    ? Effect.succeed(said(`There is no tool \`${call.name}\`. The tools are: ${[...tools.keys()].join(", ")}.`, true))
    : call.malformed === true
    ? Effect.succeed(said("The arguments are no valid JSON.", true))
    // A tool that tells its failures to the model has none left.
    : tool.call(call.arguments) as Effect.Effect<Answer, Failure<T>, Services<T>>
  return seen(
    call,
    Effect.map(answer, ({ content, isError }): ToolResult => ({
      type: "toolResult",
      id: call.id,
      name: call.name,
      content,
      ...(isError ? { isError } : undefined)
    }))
  )
}

const seen = <E, R>(call: ToolCall, self: Effect.Effect<ToolResult, E, R>): Effect.Effect<ToolResult, E, R> =>
  Spans.within(`execute_tool ${call.name}`, () => ({
    attributes: {
      "gen_ai.operation.name": "execute_tool",
      "gen_ai.tool.name": call.name,
      "gen_ai.tool.call.id": call.id,
      "gen_ai.tool.type": "function"
    }
  }), told(call, self))

const told = <E, R>(
  { id, name }: ToolCall,
  self: Effect.Effect<ToolResult, E, R>
): Effect.Effect<ToolResult, E, R> =>
  Effect.withFiber((fiber) => {
    const to = Telling.listener(fiber)
    if (to === undefined) return self
    Telling.tell(to, fiber, { _tag: "ToolStarted", tool: name, id })
    return Telling.ending(fiber, self, (ended, exit) => {
      // What was told to the model is an answer here, and a failure of the tool.
      const failed = Exit.isSuccess(exit) && exit.value.isError === true ? { outcome: "failed" as const } : undefined
      Telling.tell(to, fiber, { _tag: "ToolEnded", tool: name, id, ...ended, ...failed })
    })
  })

const said = (value: unknown, isError: boolean): Answer => ({
  content: typeof value === "string" ? value : JSON.stringify(value) ?? "",
  isError
})

type Encode = (value: unknown) => Result.Result<unknown, unknown>

const shown = (error: unknown, encode: Encode | undefined): unknown => {
  const encoded = encode?.(error)
  if (encoded !== undefined && Result.isSuccess(encoded)) return encoded.success
  return error instanceof Error && error.message !== "" ? error.message : "The tool failed."
}

// What a model writes into a tool's parameters is read like what it writes into a signature's output.
const parameters = (
  name: string,
  fields: Signature.Fields
): {
  readonly jsonSchema: JsonSchema.JsonSchema
  readonly decode: (argument: unknown) => Result.Result<unknown, ReadonlyArray<Issue>>
} => {
  if (Object.keys(fields).length > 0) {
    const { derived } = Signature.make<string, {}, Signature.Fields>(name, { input: {}, output: fields })
    return { jsonSchema: derived.jsonSchema, decode: derived.decodeOutput }
  }
  const jsonSchema = { type: "object", properties: {}, required: [], additionalProperties: false }
  return { jsonSchema, decode: () => Result.succeed({}) }
}
