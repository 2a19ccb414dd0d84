/**
 * A stand-in for a language model: classic text analysis that answers any signature.
 *
 * It needs no weights, no network and no key, and exists so that programs run, demonstrate and test
 * themselves anywhere. It understands nothing: titles, summaries and keywords are taken from the input by
 * rank, labels go by likeness, numbers lie within their bounds. Demonstrations do teach it, by nearest
 * neighbour: the label of the demonstration whose input is most like this one wins.
 *
 * Answers are the same for the same request and seed, and always fit the schema; a field it can't fill (a
 * pattern nothing in the input matches, say) is `Unsupported` and named.
 */
import type { Completion } from "@effect-dspy/core/Completion"
import type { Field } from "@effect-dspy/core/Field"
import { LM } from "@effect-dspy/core/LM"
import * as LMError from "@effect-dspy/core/LMError"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import * as Message from "@effect-dspy/core/Message"
import type { Encoded } from "@effect-dspy/core/Signature"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Answer from "./Answer.ts"
import * as Rank from "./Rank.ts"
import * as Similarity from "./Similarity.ts"

/**
 * - `latency`: how long an answer takes, by default none; it is only simulated, for demonstrations and tests
 *
 * @category models
 */
export interface Options {
  readonly latency?: Duration.Input | ((request: LM.Request) => Duration.Input)
}

const provider = "offline"
const model = "text-analysis"

/**
 * Builds the offline LM.
 *
 * @category constructors
 */
export const make = (options: Options = {}): LM.Service => {
  const latency = options.latency ?? 0
  return LM.make({
    provider,
    model,
    generate: (request) =>
      Effect.suspend(() => {
        const delay = typeof latency === "function" ? latency(request) : latency
        const answered = Effect.suspend(() => answer(request))
        return delay === 0 ? answered : Effect.delay(answered, delay)
      })
  })
}

/**
 * A layer with the offline LM.
 *
 * ```ts
 * import { Predict, Signature } from "@effect-dspy/core"
 * import { Offline } from "@effect-dspy/providers/offline"
 * import { Effect, Schema } from "effect"
 *
 * const title = Predict.make(Signature.make("Title", { input: { text: Schema.String }, output: { title: Schema.String } }))
 * const text = "# Tides\n\nThe sea rises and falls twice a day."
 * await Effect.runPromise(title({ text }).pipe(Effect.provide(Offline.layer()))) // => { title: "Tides" }
 * ```
 *
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<LM> => Layer.succeed(LM, make(options))

const answer = (request: LM.Request): Effect.Effect<Completion, LMError.LMError> => {
  const { seed = 0, rollout = 0 } = request.settings
  const variation = Math.abs(seed + rollout) % 3
  if (request.call !== undefined) return fromCall(request, request.call, variation)
  const text = Message.text(request.messages.findLast((message) => message.role === "user"))
  const reading = Rank.read(text)
  if (request.output._tag === "Text") return reply(request, Rank.sentences(reading, 2, variation).join(" ") || text)
  const { schema } = request.output
  const best = Answer.best(schema, { reading, name: "", description: "", variation, root: schema })
  return best === undefined ? unsupported("this output") : reply(request, JSON.stringify(best))
}

const fromCall = (request: LM.Request, call: LM.Call, variation: number) => {
  const { derived } = call.signature
  const reading = readInput(call.input)
  const nearest = nearestDemo(reading, call)
  const output: { [field: string]: unknown } = {}
  for (const field of derived.outputs) {
    const question = {
      reading,
      name: Answer.spaced(field.name),
      description: field.description ?? "",
      variation,
      root: derived.jsonSchema
    }
    const found = fill(field, nearest?.[field.name], question)
    if (Result.isSuccess(found)) output[field.name] = found.success
    else if (!field.isOptional) return unsupported(field.name)
  }
  // Checks over several fields are the signature's own; the fields were filled one by one.
  const whole = derived.decodeOutput(output)
  if (Result.isFailure(whole)) return unsupported(String(whole.failure[0]?.path[0] ?? call.signature.name))
  return reply(request, JSON.stringify(output))
}

/** The first candidate the field's own schema accepts; a demonstrated label goes before all others. */
const fill = (field: Field, demonstrated: unknown, question: Answer.Question): Result.Result<unknown, void> => {
  const taught = demonstrated === undefined || field.isText || typeof demonstrated === "object" ? [] : [demonstrated]
  const accepted = (candidate: unknown) => Result.isSuccess(field.decode(candidate))
  for (const candidate of taught) if (accepted(candidate)) return Result.succeed(candidate)
  for (const candidate of Answer.candidates(field.jsonSchema, question)) {
    if (accepted(candidate)) return Result.succeed(candidate)
  }
  return Result.fail(undefined)
}

/** The longest text is what the task is about; the other inputs say what matters in it. */
const readInput = (input: Encoded): Rank.Reading => {
  const texts = Object.values(input).map((value) => typeof value === "string" ? value : JSON.stringify(value) ?? "")
  const main = texts.reduce((longest, text) => text.length > longest.length ? text : longest, "")
  return Rank.read(main, texts.filter((text) => text !== main).join(" "))
}

const nearestDemo = (reading: Rank.Reading, { demos }: LM.Call): Encoded | undefined =>
  demos.length === 0
    ? undefined
    : Similarity.nearest(Similarity.ofCounts(reading.counts), demoVectors(demos))?.output

type Demos = LM.Call["demos"]

// A predictor shows the same demonstrations in every call.
const known = new WeakMap<Demos, ReadonlyArray<Similarity.Known<Encoded>>>()

const demoVectors = (demos: Demos) => {
  const vectors = known.get(demos) ??
    demos.map(({ input, output }) => ({ output, vector: Similarity.ofCounts(readInput(input).counts) }))
  known.set(demos, vectors)
  return vectors
}

const unsupported = (field: string) =>
  Effect.fail(LMError.make(provider, model, new Reason.Unsupported({ feature: "an answer by text analysis", field })))

const reply = (request: LM.Request, text: string): Effect.Effect<Completion> =>
  Effect.succeed({
    content: [{ type: "text", text }],
    finishReason: "stop",
    usage: {
      calls: 1,
      inputTokens: request.messages.reduce((sum, message) => sum + tokens(Message.text(message)), 0),
      outputTokens: tokens(text)
    },
    provider,
    model
  })

// What this model calls a token: four characters, about what the real ones come to in English.
const tokens = (text: string): number => Math.ceil(text.length / 4)
