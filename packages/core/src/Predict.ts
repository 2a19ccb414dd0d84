/**
 * A predictor: a signature made callable.
 *
 * `Call` is the frame of one call (input, parameters, span, trace), `Exchange` what is said between predictor and
 * model, `Follow` tells of fields while they are written. The plain output comes back.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Adapter from "./Adapter.ts"
import * as Call from "./Call.ts"
import type * as Example from "./Example.ts"
import * as Exchange from "./Exchange.ts"
import type { FieldEvent } from "./FieldEvent.ts"
import * as Follow from "./Follow.ts"
import type { LM } from "./LM.ts"
import type * as Settings from "./LM/Settings.ts"
import type * as PredictError from "./PredictError.ts"
import * as Rendered from "./Rendered.ts"
import type * as Signature from "./Signature.ts"
import * as Step from "./Step.ts"

/**
 * By text field: looks at what is written so far, and gives what is wrong with it, or nothing.
 *
 * @category models
 */
export type Assertions<O> = {
  readonly [K in keyof O as O[K] extends string ? K : never]?: (partial: string) => string | undefined
}

/**
 * Takes a signature's input, gives its output.
 *
 * - `named`: the same predictor under another name, by which parameters and traces tell its uses apart
 * - `followed`: the same call, telling of its fields while they are written; see `stream`
 *
 * @category models
 */
export interface Predictor<Name extends string, I extends Signature.Fields, O extends Signature.Fields>
  extends Step.Step<Schema.Struct<I>["Type"], Schema.Struct<O>["Type"], PredictError.PredictError, LM>
{
  readonly signature: Signature.Signature<Name, I, O>
  readonly named: (name: string) => Predictor<Name, I, O>
  readonly followed: (
    input: Schema.Struct<I>["Type"],
    listener: (event: FieldEvent<Schema.Struct<O>["Type"]>) => Effect.Effect<void>,
    assertions?: Assertions<Schema.Struct<O>["Type"]>
  ) => Effect.Effect<Schema.Struct<O>["Type"], PredictError.PredictError, LM>
}

/**
 * - `adapter`: for this predictor only; otherwise `Adapter.Current`, otherwise `JsonAdapter`
 * - `settings`: over `LM.Settings`, under `Parameters`
 * - `demos`: worked examples shown in the prompt, unless `Parameters` bring others
 *
 * @category models
 */
export interface Options<I, O> {
  readonly adapter?: Adapter.Adapter
  readonly settings?: Settings.Settings
  readonly demos?: ReadonlyArray<Example.Example<I, O>>
}

/**
 * Makes a predictor. Do it once, at module level: what a signature needs is derived at the first call and
 * kept.
 *
 * ```ts
 * import { Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * const classify = Predict.make(Signature.make("Classify", {
 *   instructions: "Tell the mood of the text.",
 *   input: { text: Schema.String },
 *   output: { mood: Schema.Literals(["happy", "sad"]) }
 * }))
 * const program = classify({ text: "What a day!" }).pipe(Effect.provide(TestLM.layer([{ mood: "happy" }])))
 * await Effect.runPromise(program) // => { mood: "happy" }
 * ```
 *
 * @category constructors
 */
export const make = <Name extends string, I extends Signature.Fields, O extends Signature.Fields>(
  signature: Signature.Signature<Name, I, O>,
  options: Options<Schema.Struct<I>["Type"], Schema.Struct<O>["Type"]> = {}
): Predictor<Name, I, O> => build(signature, options, Rendered.cache(signature, options.demos), signature.name)

const build = <Name extends string, I extends Signature.Fields, O extends Signature.Fields>(
  signature: Signature.Signature<Name, I, O>,
  options: Options<Schema.Struct<I>["Type"], Schema.Struct<O>["Type"]>,
  rendered: Rendered.Cache,
  name: string
): Predictor<Name, I, O> => {
  type In = Schema.Struct<I>["Type"]
  type Out = Schema.Struct<O>["Type"]
  const { adapter, settings } = options
  const definition: Call.Definition = { kind: "Predict", signature, name, rendered, adapter, settings }
  // `decodeOutput` gave what the output schema says; the types of a generic struct can't tell.
  const call = (input: In, listener?: Follow.Listener, assertions?: Follow.Assertions) =>
    Call.run(definition, input, (opened) =>
      Exchange.make(
        opened,
        listener && Follow.make(opened.signature, opened.rendered.format, listener, assertions)
      )) as Effect.Effect<Out, PredictError.PredictError, LM>
  return Step.callable((input: In) => call(input), {
    name,
    signature,
    input: signature.input,
    output: signature.output,
    named: (other: string) => build(signature, options, rendered, other),
    // Fields told of are those of the signature, by their decoders.
    followed: (
      input: In,
      listener: (event: FieldEvent<Out>) => Effect.Effect<void>,
      assertions?: Assertions<Out>
      // A listener of these fields is told of no others.
    ) =>
      call(
        input,
        Follow.one(listener as unknown as Parameters<typeof Follow.one>[0]),
        assertions as Follow.Assertions | undefined
      ),
    stepwise: (input: In, publish: Step.Publish) =>
      Effect.flatMap(Step.Streaming, (streaming) => streaming ? call(input, published(publish)) : call(input))
  })
}

const published = (publish: Step.Publish): Follow.Listener => (events) => {
  const fields = events.filter((event) => event._tag === "Field")
  return fields.length === 0
    ? Effect.void
    : Effect.sync(() => fields.forEach(({ field, value }) => publish(field, value)))
}

/** Events a reader may be behind before the model's socket is no longer read: what a socket gives at once has room. */
const bufferSize = 512

/**
 * A call as a stream of its fields while they are written: deltas of text fields, elements of lists, complete fields,
 * and `Done` with the output. After a `Restart` the deltas and elements of fields that were not complete are void.
 * Leaving the stream early closes the model's socket.
 *
 * `assertions` look at text fields on the way: the reply is cut at the first finding, which goes back to the model.
 *
 * ```ts
 * import { Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema, Stream } from "effect"
 *
 * const tell = Predict.make(Signature.make("Tell", { input: { about: Schema.String }, output: { story: Schema.String } }))
 * const events = Predict.stream(tell, { about: "tides" }).pipe(
 *   Stream.runCollect,
 *   Effect.provide(TestLM.layer([TestLM.streamed(['{"story": "Twice', ' a day."}'])]))
 * )
 * const [first, second] = await Effect.runPromise(events)
 * first // => { _tag: "Delta", field: "story", text: "Twice" }
 * second // => { _tag: "Delta", field: "story", text: " a day." }
 * ```
 *
 * @category streaming
 */
export const stream = <I, O>(
  predictor: {
    readonly followed: (
      input: I,
      listener: (event: FieldEvent<O>) => Effect.Effect<void>,
      assertions?: Assertions<O>
    ) => Effect.Effect<O, PredictError.PredictError, LM>
  },
  input: I,
  options: { readonly assertions?: Assertions<O> } = {}
): Stream.Stream<FieldEvent<O>, PredictError.PredictError, LM> =>
  Stream.callback<FieldEvent<O>, PredictError.PredictError, LM>((queue) => {
    // Without a step of the fiber where there is room.
    const listener = (event: FieldEvent<O>) =>
      Queue.offerUnsafe(queue, event) ? Effect.void : Effect.asVoid(Queue.offer(queue, event))
    return predictor.followed(input, listener, options.assertions).pipe(
      Effect.flatMap((output) => Queue.offer(queue, { _tag: "Done", output })),
      Effect.matchCauseEffect({
        onFailure: (cause) => Queue.failCause(queue, cause),
        onSuccess: () => Queue.end(queue)
      })
    )
  }, { bufferSize })
