/**
 * Several chains of thought, and a last look that compares them (DSPy's predictor of the same name).
 *
 * The chains run side by side as samples of one predictor. The last call sees the input and each attempt, its
 * reasoning and its answer, and gives the output with a rationale of its own.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as ChainOfThought from "./ChainOfThought.ts"
import type { LM } from "./LM.ts"
import * as Parameters from "./Parameters.ts"
import * as Predict from "./Predict.ts"
import type * as PredictError from "./PredictError.ts"
import * as Samples from "./Samples.ts"
import * as Signature from "./Signature.ts"
import * as Step from "./Step.ts"

/** One attempt as the last call sees it. */
const Attempt = Schema.Struct({ reasoning: Schema.String, answer: Schema.Json })

const attempts = {
  attempts: Schema.Array(Attempt).annotate({ description: "attempts at the task, by others; any of them may be wrong" })
}

/** The field the last call writes first. */
const rationale = {
  rationale: Schema.String.annotate({ description: "how the attempts compare, and what follows from all of them" })
}

type Rationale = typeof rationale

/**
 * A step that thinks `n` times (default 3) at temperature 0.7 and then compares. Attempts that fail are left out; it
 * fails when all do. Its predictors are tuned and traced as `Name/attempt` and `Name/compare`.
 *
 * ```ts
 * import { MultiChainComparison, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * const add = MultiChainComparison.make(
 *   Signature.make("Add", { input: { sum: Schema.String }, output: { result: Schema.Int } }),
 *   { n: 2 }
 * )
 * const lm = TestLM.layer([
 *   { reasoning: "2 and 2 make 4.", result: 4 },
 *   { reasoning: "2 and 2 make 22.", result: 22 },
 *   { rationale: "The second joins digits.", result: 4 }
 * ])
 * await Effect.runPromise(add({ sum: "2 + 2" }).pipe(Effect.provide(lm))) // => { rationale: "The second joins digits.", result: 4 }
 * ```
 *
 * @category constructors
 */
export const make = <Name extends string, I extends Signature.Fields, O extends Signature.Fields>(
  signature: Signature.Signature<Name, I, O>,
  options: Partial<Samples.Options> = {}
): Step.Step<Schema.Struct<I>["Type"], Schema.Struct<Rationale & O>["Type"], PredictError.PredictError, LM> => {
  type Output = Schema.Struct<Rationale & O>["Type"]
  const samples: Samples.Options = { n: 3, temperature: 0.7, ...options }
  const attempt = ChainOfThought.make(signature).named("attempt")
  const comparing = Signature.prepend({ output: rationale })(signature)
  const compare = Predict.make(
    Signature.make<string, {}, Signature.Fields>(`${signature.name}Compare`, {
      instructions: `${signature.instructions}\n\nSeveral attempts are given. Compare them, and do it right.`,
      input: { ...signature.input.fields, ...attempts },
      output: comparing.output.fields
    })
  ).named("compare")
  const build = (name: string): Step.Step<Schema.Struct<I>["Type"], Output, PredictError.PredictError, LM> =>
    Step.callable((input: Schema.Struct<I>["Type"]) =>
      Effect.suspend(() => {
        const made: Array<typeof Attempt.Type> = []
        const collect = Samples.choose(attempt, input, samples, (output, index) =>
          Effect.sync(() => {
            // In the order of the samples, not of their arrival: the prompt must not depend on who was faster.
            const { reasoning, ...answer } = Result.getOrThrow(attempt.signature.derived.encodeOutput(output))
            made[index] = { reasoning: String(reasoning), answer: answer as Schema.Json }
            return undefined
          }), () => undefined)
        return collect.pipe(
          Effect.flatMap(() => compare({ ...input, attempts: made.filter((one) => one !== undefined) })),
          Parameters.within(name)
          // The comparison's output fields are those of the type.
        ) as Effect.Effect<Output, PredictError.PredictError, LM>
      }), {
      name,
      input: signature.input,
      output: comparing.output,
      named: (other: string) => build(other)
    })
  return build(signature.name)
}
