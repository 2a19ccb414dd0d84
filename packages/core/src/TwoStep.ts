/**
 * Prose first, then extraction: for models that think better when they need not mind a form.
 *
 * The first call asks for the answer in plain words, the second one reads the fields out of them; it may run on a
 * smaller model. Two calls are more than an adapter can say, so this is a step: its predictors are tuned and traced
 * as `Name/answer` and `Name/extract`, and have signatures of their own: what was tuned for `Name` fits neither.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { LM } from "./LM.ts"
import * as Parameters from "./Parameters.ts"
import * as Predict from "./Predict.ts"
import type * as PredictError from "./PredictError.ts"
import * as ProseAdapter from "./ProseAdapter.ts"
import * as Signature from "./Signature.ts"
import * as Step from "./Step.ts"

/** The field the first call gives and the second one takes. */
const prose = { prose: Schema.String.annotate({ description: "an answer in plain words" }) }

/**
 * `extractWith`: runs the extraction elsewhere, such as `models.use("fast")`; default: on the same model.
 *
 * @category models
 */
export interface Options {
  readonly extractWith?: <A, E>(self: Effect.Effect<A, E, LM>) => Effect.Effect<A, E, LM>
}

/**
 * ```ts
 * import { Signature, TwoStep } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect } from "effect"
 *
 * const judge = TwoStep.make(Signature.parse("review -> stars: integer, why", { name: "Judge" }))
 * const lm = TestLM.layer(["I'd give it four stars, for it was warm.", { stars: 4, why: "it was warm" }])
 * await Effect.runPromise(judge({ review: "..." }).pipe(Effect.provide(lm))) // => { stars: 4, why: "it was warm" }
 * ```
 *
 * @category constructors
 */
export const make = <Name extends string, I extends Signature.Fields, O extends Signature.Fields>(
  signature: Signature.Signature<Name, I, O>,
  options: Options = {}
): Step.Step<Schema.Struct<I>["Type"], Schema.Struct<O>["Type"], PredictError.PredictError, LM> => {
  type Output = Schema.Struct<O>["Type"]
  const { extractWith = (self) => self } = options
  const answer = Predict.make(
    Signature.make<string, {}, typeof prose>(`${signature.name}Answer`, {
      instructions: `${signature.instructions}\n\nYour answer must tell: ${described(signature)}.`,
      input: signature.input.fields,
      output: prose
    }),
    { adapter: ProseAdapter.adapter }
  ).named("answer")
  const extract = Predict.make(
    Signature.make<string, typeof prose, Signature.Fields>(`${signature.name}Extract`, {
      instructions: "Read the fields out of the answer. Add nothing that it does not say.",
      input: prose,
      output: signature.output.fields as Signature.Fields & { readonly prose?: never }
    })
  ).named("extract")
  const build = (name: string): Step.Step<Schema.Struct<I>["Type"], Output, PredictError.PredictError, LM> =>
    Step.callable((input: Schema.Struct<I>["Type"]) =>
      Parameters.within(name)(
        Effect.flatMap(answer(input), (said) => extractWith(extract(said)))
        // The extraction's fields are those of the signature.
      ) as Effect.Effect<Output, PredictError.PredictError, LM>, {
      name,
      input: signature.input,
      output: signature.output,
      named: (other: string) => build(other)
    })
  return build(signature.name)
}

const described = ({ derived: { outputs } }: Signature.Any): string =>
  outputs.map(({ description, name, type }) => `${name} (${description ?? type})`).join(", ")
