/**
 * Trying again with advice: after an output that is not good enough, a model looks at what each predictor did and
 * tells it what to do better (DSPy's module of the same name).
 *
 * The life of a refinement:
 * 1. The step runs, traced. The reward of its output decides whether it is good enough.
 * 2. If not, `advise` is shown the predictors' instructions, inputs and outputs, the reward, and what the reward says
 *    is wrong. Its advice is for each predictor by its path.
 * 3. The step runs again, each predictor with its advice under its instructions, through `Parameters`.
 * 4. The best output of all attempts comes back.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { LM } from "./LM.ts"
import * as Parameters from "./Parameters.ts"
import * as Predict from "./Predict.ts"
import type * as PredictError from "./PredictError.ts"
import * as Samples from "./Samples.ts"
import * as Signature from "./Signature.ts"
import * as Step from "./Step.ts"
import * as Trace from "./Trace.ts"

/**
 * How good an output is, higher is better, and what is wrong with it in words.
 *
 * @category models
 */
export interface Judgement {
  readonly score: number
  readonly feedback?: string
}

/**
 * - `n`: most attempts; `temperature`: of the attempts after the first
 * - `reward`: judges an output; `threshold`: good enough
 *
 * @category models
 */
export interface Options<I, O, E, R> {
  readonly n: number
  readonly threshold: number
  readonly temperature?: number
  readonly reward: (input: I, output: O) => number | Judgement | Effect.Effect<number | Judgement, E, R>
}

const Call = Schema.Struct({
  predictor: Schema.String,
  instructions: Schema.String,
  input: Schema.Json,
  output: Schema.Json
})

/**
 * Who gives the advice: a predictor like any other, to be tuned and traced as `OfferFeedback`.
 *
 * @category predictors
 */
export const advise = Predict.make(Signature.make("OfferFeedback", {
  instructions: "A program of several predictors gave an output that is not good enough. Look at what each predictor " +
    "did, find out who is to blame, and advise each what to do differently with inputs like these. Advice must " +
    "stand on its own: the predictor sees its instructions, its input and your advice, and nothing else.",
  input: {
    calls: Schema.Array(Call).annotate({ description: "what each predictor was told, took and gave" }),
    score: Schema.Finite,
    wanted: Schema.Finite.annotate({ description: "the score that would be good enough" }),
    feedback: Schema.optionalKey(Schema.String).annotate({ description: "what is wrong with the output" })
  },
  output: {
    discussion: Schema.String.annotate({ description: "who is to blame for what, briefly" }),
    advice: Schema.Array(Schema.Struct({ predictor: Schema.String, advice: Schema.String })).annotate({
      description: "one entry for each predictor that should do better"
    })
  }
}))

/**
 * A step that runs another one until its output is good enough, at most `n` times, and gives the best one. It fails
 * when every attempt does. Without advice to be had (the adviser fails) it tries again all the same.
 *
 * ```ts
 * import { Predict, Refine, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * const name = Predict.make(Signature.make("Name", { input: { of: Schema.String }, output: { name: Schema.String } }))
 * const short = Refine.make(name, { n: 2, threshold: -5, reward: (_, { name }) => -name.length })
 * const lm = TestLM.layer({
 *   Name: [{ name: "Aurelia" }, { name: "Ada" }],
 *   OfferFeedback: { discussion: "too long", advice: [{ predictor: "Name", advice: "At most 5 letters." }] }
 * })
 * await Effect.runPromise(short({ of: "a cat" }).pipe(Effect.provide(lm))) // => { name: "Ada" }
 * ```
 *
 * @category constructors
 */
export const make = <I, O, E, R, E2 = never, R2 = never>(
  step: Step.Step<I, O, E, R>,
  options: Options<I, O, E2, R2>
): Step.Step<I, O, E | E2, R | R2 | LM> =>
  Step.wrap(step, (inner) => make(inner, options), (input) => attempt(step, input, options, 0, {}, undefined))

/** The best output so far. */
interface Best<O> {
  readonly output: O
  readonly score: number
}

const attempt = <I, O, E, R, E2, R2>(
  step: Step.Step<I, O, E, R>,
  input: I,
  options: Options<I, O, E2, R2>,
  index: number,
  parameters: Parameters.Parameters,
  best: Best<O> | undefined
): Effect.Effect<O, E | E2, R | R2 | LM> =>
  Effect.gen(function*() {
    const events: Array<Trace.Event> = []
    const run = Trace.observe((event) => events.push(event))(Parameters.provide(parameters)(step(input)))
    const result = yield* Effect.result(index === 0 ? run : Samples.sample(run, index, options))
    const last = index + 1 >= options.n
    if (Result.isFailure(result)) {
      if (!last) return yield* attempt(step, input, options, index + 1, parameters, best)
      return best === undefined ? yield* Effect.fail(result.failure) : best.output
    }
    const output = result.success
    const judgement = yield* judged(options.reward(input, output))
    const better = best === undefined || judgement.score > best.score ? { output, score: judgement.score } : best
    if (last || judgement.score >= options.threshold) return better.output
    const advised = yield* advice(events, judgement, options.threshold, parameters)
    return yield* attempt(step, input, options, index + 1, advised, better)
  })

const judged = <E, R>(
  reward: number | Judgement | Effect.Effect<number | Judgement, E, R>
): Effect.Effect<Judgement, E, R> =>
  Effect.map(
    Effect.isEffect(reward) ? reward : Effect.succeed(reward),
    (judgement) => typeof judgement === "number" ? { score: judgement } : judgement
  )

const advice = (
  events: ReadonlyArray<Trace.Event>,
  judgement: Judgement,
  wanted: number,
  before: Parameters.Parameters
): Effect.Effect<Parameters.Parameters, never, LM> =>
  Effect.gen(function*() {
    const tuned = yield* Parameters.Current
    // The advice of this attempt takes the place of the last one's: it stands under the predictor's own instructions.
    const instructionsOf = ({ name, path, signature }: Trace.Event): string =>
      Parameters.lookup(tuned, path, name, signature.name)?.instructions ?? signature.instructions
    const calls = events.flatMap((event): ReadonlyArray<typeof Call.Type> =>
      event.result._tag !== "Success" ? [] : [{
        predictor: event.path,
        instructions: instructionsOf(event),
        input: event.input as Schema.Json,
        output: event.result.output as Schema.Json
      }]
    )
    const { feedback, score } = judgement
    const offered = yield* Effect.result<
      { readonly advice: ReadonlyArray<{ readonly predictor: string; readonly advice: string }> },
      PredictError.PredictError,
      LM
    >(advise({ calls, score, wanted, ...(feedback === undefined ? undefined : { feedback }) }))
    if (Result.isFailure(offered)) return before
    const entries = offered.success.advice.flatMap(({ advice, predictor }) => {
      const event = events.find(({ path }) => path === predictor)
      return event === undefined
        ? []
        : [[event.path, { instructions: `${instructionsOf(event)}\n\nAdvice: ${advice}` }] as const]
    })
    return { ...before, ...Object.fromEntries(entries) }
  })
