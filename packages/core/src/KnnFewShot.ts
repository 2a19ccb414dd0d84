/**
 * Demonstrations chosen for each call: the examples whose inputs are nearest to the one at hand.
 *
 * The examples are embedded once, when the step is made. A call embeds its input and shows the predictor the nearest
 * ones as demos, through `Parameters`, so that nothing else of the program sees them.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as Embedder from "./Embedder.ts"
import type * as Example from "./Example.ts"
import type { LM } from "./LM.ts"
import type * as LMError from "./LMError.ts"
import * as Parameters from "./Parameters.ts"
import type * as Predict from "./Predict.ts"
import type * as PredictError from "./PredictError.ts"
import * as Retriever from "./Retriever.ts"
import type * as Signature from "./Signature.ts"
import * as Step from "./Step.ts"
import * as VectorIndex from "./VectorIndex.ts"

/**
 * - `examples`: to choose from; `k`: how many are shown (default 3), the nearest one last, next to the question
 * - `text`: what of an input is compared; default: its fields, one a line
 *
 * @category models
 */
export interface Options<I, O> {
  readonly examples: ReadonlyArray<Example.Example<I, O>>
  readonly k?: number
  readonly text?: (input: I) => string
}

/**
 * Embeds the examples and gives the step. It fails when the examples can't be embedded.
 *
 * @category constructors
 */
export const make = <Name extends string, I extends Signature.Fields, O extends Signature.Fields>(
  predictor: Predict.Predictor<Name, I, O>,
  options: Options<Schema.Struct<I>["Type"], Schema.Struct<O>["Type"]>
): Effect.Effect<
  Step.Step<Schema.Struct<I>["Type"], Schema.Struct<O>["Type"], PredictError.PredictError, LM>,
  LMError.LMError,
  Embedder.Embedder
> =>
  Effect.gen(function*() {
    type Input = Schema.Struct<I>["Type"]
    type Output = Schema.Struct<O>["Type"]
    const { examples, k = 3 } = options
    const embedder = yield* Embedder.Embedder
    const { encodeInput } = predictor.signature.derived
    const lines = (input: Input): string => {
      // An example that is none fails in the predictor, with its issues.
      const encoded = Result.getOrElse(encodeInput(input), () => ({}))
      return Object.entries(encoded)
        .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
        .join("\n")
    }
    const text = options.text ?? lines
    const index = yield* Retriever.index(
      examples.map(({ input }, at) => ({ id: String(at), text: text(input) }))
    )
    const build = (
      inner: Predict.Predictor<Name, I, O>
    ): Step.Step<Input, Output, PredictError.PredictError, LM> =>
      Step.callable((input: Input) =>
        Effect.gen(function*() {
          // A wrong input fails before anything is sent, to the embedder too.
          if (Result.isFailure(encodeInput(input))) return yield* inner(input)
          const vector = yield* embedder.embed(text(input), { purpose: "query" })
          const nearest = yield* VectorIndex.search(index, vector, k)
          const demos = nearest.flatMap(({ id }) => examples[Number(id)] ?? []).reverse()
          // The fields of examples are those of the signature; `Parameters` looks at them again.
          const entry: Parameters.Entry = { demos: demos as ReadonlyArray<Example.Any> }
          const path = Parameters.join(yield* Parameters.Path, inner.name)
          return yield* Parameters.provide({ [path]: entry })(inner(input))
        }), {
        name: inner.name,
        input: inner.input,
        output: inner.output,
        named: (name: string) => build(inner.named(name))
      })
    return build(predictor)
  })
