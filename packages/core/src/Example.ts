/**
 * A worked example of a signature: what came in and what should come out.
 *
 * Demonstrations in prompts, training sets and evaluation sets are all lists of examples.
 */

/**
 * An input and its output, as values of the signature's types.
 *
 * @category models
 */
export interface Example<out I, out O> {
  readonly input: I
  readonly output: O
}

/**
 * An example of a signature that is not known here; its fields are checked where it is used.
 *
 * @category models
 */
export type Any = Example<{ readonly [field: string]: unknown }, { readonly [field: string]: unknown }>

/**
 * ```ts
 * import { Example } from "@effect-dspy/core"
 *
 * Example.make({ text: "lovely" }, { label: "pos" }) // => { input: { text: "lovely" }, output: { label: "pos" } }
 * ```
 *
 * @category constructors
 */
export const make = <I, O>(input: I, output: O): Example<I, O> => ({ input, output })
