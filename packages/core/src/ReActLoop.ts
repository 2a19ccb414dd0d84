/**
 * The loop of an agent: ask, run the tools, tell the results, until the model submits.
 *
 * `ReAct` tells its life. Here every step is a logical call of its own, with its own attempts, and the conversation
 * is a list of turns that only grows, but for steps that no longer fit the model's window.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Adapter from "./Adapter.ts"
import type * as Call from "./Call.ts"
import * as Completion from "./Completion.ts"
import * as Echo from "./Echo.ts"
import { conversation } from "./Exchange.ts"
import * as JsonAdapter from "./JsonAdapter.ts"
import * as Attempts from "./LM/Attempts.ts"
import * as Request from "./LM/Request.ts"
import type { LMError } from "./LMError.ts"
import * as Message from "./Message.ts"
import * as PredictError from "./PredictError.ts"
import type { Event, Limits } from "./ReAct.ts"
import { ReActError } from "./ReActError.ts"
import type { Any as Signature } from "./Signature.ts"
import * as Tool from "./Tool.ts"
import * as Usage from "./Usage.ts"

/** Takes an event; the run waits for it. */
export type Listener = (event: Event<unknown>) => Effect.Effect<void>

/** The tools of an agent: what a model is told of them, and how they are found. */
export interface Toolbox {
  readonly tools: ReadonlyMap<string, Tool.Any>
  readonly described: ReadonlyArray<Request.Tool>
}

/** The name under which the model hands in its output. */
const submit = "submit"

const defaultSteps = 20

/**
 * Puts tools together with `submit`.
 *
 * @category constructors
 */
export const toolbox = (signature: Signature, tools: ReadonlyArray<Tool.Any>): Toolbox => {
  const byName = new Map(tools.map((tool) => [tool.name, tool]))
  if (byName.size < tools.length) throw new TypeError(`${signature.name}: two tools of one name`)
  if (byName.has(submit)) throw new TypeError(`${signature.name}: \`${submit}\` is the tool that hands in the output`)
  return {
    tools: byName,
    // The JSON schema is derived with the signature, at the first call.
    get described() {
      const described = [...tools.map((tool) => tool.described), {
        name: submit,
        description: "Hands in the answer: all output fields. Call it when you know them.",
        parameters: signature.derived.jsonSchema
      }]
      Object.defineProperty(this, "described", { value: described })
      return described
    }
  }
}

/**
 * How an agent's task is written. An answer in text is read like a predictor's, so a model that answers without
 * `submit` is understood.
 *
 * @category adapters
 */
export const adapter: Adapter.Adapter = Adapter.make("react", (signature) => ({
  ...JsonAdapter.adapter.format(signature),
  output: Request.text,
  prefix: (instructions, demos) => [
    Message.system(
      `${Adapter.task(signature, instructions)}\n\nFind out what you need by calling tools; calls that do not depend ` +
        `on each other can be made at once. When you know all output fields, hand them in with \`${submit}\`.`
    ),
    ...Adapter.demoTurns(signature, demos, (output) => JSON.stringify(output))
  ]
}))

/**
 * One run.
 *
 * @category constructors
 */
export const make = (
  signature: Signature,
  opened: Call.Opened,
  options: {
    readonly kit: Toolbox
    readonly limits: Limits
    readonly concurrency: number
    readonly listener: Listener | undefined
  }
): Call.Exchange<unknown> => {
  const { fiber, input, lm, rendered, settings } = opened
  const { concurrency, kit, limits } = options
  const tell: Listener = options.listener ?? (() => Effect.void)
  const clock = fiber.getRef(Clock.Clock)
  const start = clock.currentTimeMillisUnsafe()
  const duration = limits.duration === undefined ? undefined : Duration.toMillis(limits.duration)
  const prefix = [
    ...rendered.prefix,
    ...conversation(signature, rendered.format, input),
    rendered.format.input(input)
  ]
  // The conversation behind the prefix: one entry a step, so that the oldest can be dropped whole.
  let turns: ReadonlyArray<ReadonlyArray<Message.Message>> = []
  let usage = Usage.zero
  // Answers of a recording or of a job's first run cost nothing, and still bring the limits as near as they did then:
  // else the same run would ask something else.
  let replayed = Usage.zero
  let last: Completion.Completion | undefined
  let lastObservation: string | undefined

  const reached = (step: number): keyof Limits | undefined => {
    if (step + 1 >= (limits.steps ?? defaultSteps)) return "steps"
    const { calls, inputTokens = 0, outputTokens = 0 } = Usage.add(usage, replayed)
    if (limits.requests !== undefined && calls >= limits.requests) return "requests"
    const tokens = inputTokens + outputTokens
    if (limits.tokens !== undefined && tokens >= limits.tokens) return "tokens"
    return duration !== undefined && clock.currentTimeMillisUnsafe() - start >= duration ? "duration" : undefined
  }

  const conversed = () => [...prefix, ...turns.flat()]

  const readText = (completion: Completion.Completion): Result.Result<unknown, PredictError.OutputReason> =>
    rendered.format.read(
      Echo.remove(Completion.text(completion), { messages: conversed(), output: Request.text, settings })
    )

  const ask = (step: number, final: boolean): Effect.Effect<Completion.Completion, LMError> => {
    const asked = Attempts.within(fiber, lm, settings, (attempts) =>
      Effect.ensuring(
        lm.generate({
          messages: conversed(),
          output: Request.text,
          settings,
          tools: kit.described,
          toolChoice: final ? { tool: submit } : "auto",
          accept: (completion) => Completion.toolCalls(completion).length > 0 || Result.isSuccess(readText(completion)),
          call: { signature, input, demos: rendered.demos },
          attempts,
          stable: rendered.prefix.length
        }),
        Effect.sync(() => {
          usage = Usage.add(usage, Attempts.usage(attempts))
        })
      ))
    return Effect.catchIf(
      asked,
      (error) => error.reason._tag === "ContextTooLong" && turns.length > 0,
      () => {
        turns = turns.slice(1)
        return Effect.andThen(tell({ _tag: "Shortened", step }), ask(step, final))
      }
    )
  }

  const run = (step: number): Effect.Effect<unknown, unknown, unknown> =>
    Effect.suspend(() => {
      const limit = reached(step)
      const told = limit === undefined ? Effect.void : tell({ _tag: "Limit", step, limit })
      return Effect.flatMap(Effect.andThen(told, ask(step, limit !== undefined)), (completion) => {
        last = completion
        if (completion.replayed === true) replayed = Usage.add(replayed, completion.usage)
        const calls = Completion.toolCalls(completion)
        const submitted = calls.find((call) => call.name === submit)
        const output = submitted !== undefined
          ? signature.derived.decodeOutput(submitted.arguments)
          : calls.length === 0
          ? Result.mapError(readText(completion), (reason) => reason.issues)
          : undefined
        if (output !== undefined && Result.isSuccess(output)) return Effect.succeed(output.success)
        if (limit !== undefined) return Effect.fail(failure(limit, step))
        const findings = output === undefined ? undefined : output.failure
        return Effect.andThen(answer(step, completion, calls, findings), run(step + 1))
      })
    })

  /** Runs the calls of one step and puts it into the conversation. */
  const answer = (
    step: number,
    completion: Completion.Completion,
    calls: ReadonlyArray<Completion.ToolCall>,
    findings: ReadonlyArray<PredictError.Issue> | undefined
  ): Effect.Effect<void, unknown, unknown> =>
    Effect.gen(function*() {
      const thought = Completion.text(completion).trim()
      if (thought !== "" && calls.length > 0) yield* tell({ _tag: "Thought", step, text: thought })
      const said = Message.assistant(
        calls.length === 0 ? Completion.text(completion) || "(nothing)" : completion.content
      )
      if (calls.length === 0) {
        turns = [...turns, [said, Message.user(complaint(findings ?? []))]]
        return
      }
      const results = yield* Effect.forEach(calls, (call) =>
        Effect.gen(function*() {
          yield* tell({ _tag: "Called", step, id: call.id, tool: call.name, argument: call.arguments })
          const result: Message.ToolResult = call.name === submit
            ? { type: "toolResult", id: call.id, name: submit, content: complaint(findings ?? []), isError: true }
            : yield* Tool.execute(kit.tools, call)
          const { content, isError = false } = result
          yield* tell({ _tag: "Answered", step, id: call.id, tool: call.name, content, isError })
          return result
        }), { concurrency })
      lastObservation = results.at(-1)?.content
      turns = [...turns, [said, Message.tool(results)]]
    })

  const failure = (limit: keyof Limits, step: number) =>
    new ReActError({
      signature: signature.name,
      limit,
      steps: step + 1,
      usage,
      history: Redacted.make(JSON.stringify(conversed())),
      ...(lastObservation === undefined ? undefined : { lastObservation: Redacted.make(lastObservation) })
    })

  return {
    // Services of the tools are in the fiber; `ReAct.make` has them in its type.
    run: run(0) as Effect.Effect<unknown, unknown>,
    usage: () => usage,
    attempts: () => usage.calls,
    last: () => last,
    messages: () => [...prefix, ...turns.flat()]
  }
}

const complaint = (issues: ReadonlyArray<PredictError.Issue>): string => {
  const findings = issues.map((issue) => `- ${PredictError.describe(issue)}`).join("\n")
  return `The output could not be used:\n${findings}\n\nCall a tool, or \`${submit}\` with all output fields.`
}
