/**
 * Several models under names of one's own, in one program.
 *
 * The layers are built once, together. The program runs on the default; a part of it runs on another model by name, and
 * a name that is not there does not compile.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Step from "../Step.ts"
import { buildAll, type Layers } from "./Decorator.ts"
import { LM, type Service } from "./Tag.ts"

/**
 * What a part of a program requires that names a model. Two sets with the same names are the same requirement: the
 * nearest layer answers.
 *
 * @category services
 */
export interface Named<in out Name extends string> {
  readonly _: (name: Name) => Name
}

/**
 * - `layer`: all models, the default one as `LM`
 * - `use`: runs an effect, or a step, on the model of that name
 *
 * @category models
 */
export interface Models<Name extends string, E, R> {
  readonly layer: Layer.Layer<LM | Named<Name>, E, R>
  readonly use: (name: Name) => Use<Name>
}

/**
 * Moves a step or an effect to another model.
 *
 * @category models
 */
export interface Use<Name extends string> {
  <I, O, E, R>(step: Step.Step<I, O, E, R>): Step.Step<I, O, E, Exclude<R, LM> | Named<Name>>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, LM> | Named<Name>>
}

/**
 * Names models.
 *
 * ```ts
 * import { LM, Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * const models = LM.models({
 *   fast: TestLM.layer(() => ({ text: "quick" })),
 *   strong: TestLM.layer(() => ({ text: "thorough" }))
 * }, { default: "fast" })
 * const write = Predict.make(Signature.make("Write", { input: { topic: Schema.String }, output: { text: Schema.String } }))
 *
 * const program = Effect.all([write({ topic: "tea" }), models.use("strong")(write)({ topic: "tea" })])
 * await Effect.runPromise(Effect.provide(program, models.layer)) // => [{ text: "quick" }, { text: "thorough" }]
 * ```
 *
 * @category constructors
 */
export const models = <const L extends Layers>(
  layers: L,
  options: { readonly default: keyof L & string }
): Models<keyof L & string, Layer.Error<L[keyof L]>, Layer.Services<L[keyof L]>> => {
  type Name = keyof L & string
  const all = Context.Service<Named<Name>, { readonly [K in Name]: Service }>(
    `@effect-dspy/core/LM/Models/${Object.keys(layers).toSorted().join(",")}`
  )
  return {
    layer: Layer.effectContext(Effect.map(
      buildAll(layers),
      (services) => Context.make(LM, services[options.default]).pipe(Context.add(all, services))
    )),
    use: (name) => {
      const on = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, LM> | Named<Name>> =>
        Effect.flatMap(all, (services) => Effect.provideService(self, LM, services[name]))
      // The first overload is for steps, which are called; the second one is for effects.
      function use<I, O, E, R>(step: Step.Step<I, O, E, R>): Step.Step<I, O, E, Exclude<R, LM> | Named<Name>>
      function use<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, LM> | Named<Name>>
      function use(self: Effect.Effect<unknown, unknown, unknown> | Step.Any) {
        return Effect.isEffect(self) ? on(self) : Step.mapEffect(on)(self)
      }
      return use
    }
  }
}
