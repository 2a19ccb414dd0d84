/**
 * Lets a model write down how it gets to its answer, before the answer.
 *
 * It is a signature transformer and `Predict`, nothing more: an output field `reasoning` in front of the
 * signature's own (Wei et al., "Chain-of-Thought Prompting Elicits Reasoning in Large Language Models",
 * 2022; the shape is DSPy's). Parameters and traces see an ordinary predictor.
 */
import * as Schema from "effect/Schema"
import * as Predict from "./Predict.ts"
import * as Signature from "./Signature.ts"

/**
 * The field that is put first.
 *
 * @category models
 */
export const reasoning = {
  reasoning: Schema.String.annotate({ description: "the steps that lead to the answer, briefly" })
}

/**
 * A signature that has a field `reasoning` already throws: it asks for the reasoning itself, so `Predict` is enough.
 *
 * ```ts
 * import { ChainOfThought, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * const add = ChainOfThought.make(Signature.make("Add", { input: { sum: Schema.String }, output: { result: Schema.Int } }))
 * const lm = TestLM.layer([{ reasoning: "2 and 2 make 4.", result: 4 }])
 * await Effect.runPromise(add({ sum: "2 + 2" }).pipe(Effect.provide(lm))) // => { reasoning: "2 and 2 make 4.", result: 4 }
 * ```
 *
 * @category constructors
 */
export const make = <Name extends string, I extends Signature.Fields, O extends Signature.Fields>(
  signature: Signature.Signature<Name, I, O>,
  options?: Predict.Options<
    Schema.Struct<I>["Type"],
    Schema.Struct<typeof reasoning & O>["Type"]
  >
): Predict.Predictor<Name, I, typeof reasoning & O> => {
  if ([signature.input, signature.output].some(({ fields }) => Object.hasOwn(fields, "reasoning"))) {
    throw new TypeError(`${signature.name}: it has a field \`reasoning\` of its own; take Predict`)
  }
  return Predict.make(Signature.prepend({ output: reasoning })(signature), options)
}
