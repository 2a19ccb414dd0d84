/**
 * Reasoning as an output field: the model's own thinking where it thinks, asked for where it does not.
 *
 * A call with `reasoningEffort` set is a call of a model that reasons natively. A field of this schema is then left
 * out of what is asked for, and filled from the thoughts that came with the answer; in other calls it is a text like
 * any other. `ChainOfThought` asks for its steps in any case.
 */
import * as Schema from "effect/Schema"

/** Marks the schema for `Field`. */
export const annotation = "effect-dspy/reasoning"

/**
 * The steps that lead to the answer; empty where a model thinks and does not say what.
 *
 * @category schemas
 */
export const Reasoning = Schema.String.annotate({
  [annotation]: true,
  description: "the steps that lead to the answer, briefly"
})
