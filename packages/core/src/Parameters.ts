/**
 * What may be tuned in a predictor without touching it: instructions, demonstrations, settings.
 *
 * Parameters are held in a Reference and so belong to a fiber: `provide` runs any program with tuned
 * predictors, candidates run side by side without seeing each other, and nothing is mutated or copied.
 * Entries are keyed by path and name (`Document/summarize`) or by the bare name of a predictor or its
 * signature (`Summarize`).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Example from "./Example.ts"
import * as Settings from "./LM/Settings.ts"

/**
 * What is changed in one predictor; an absent property is left as it is.
 *
 * @category models
 */
export interface Entry {
  readonly instructions?: string
  readonly demos?: ReadonlyArray<Example.Any>
  readonly settings?: Settings.Settings
}

/**
 * Entries by path and name, or by bare name.
 *
 * @category models
 */
export type Parameters = { readonly [key: string]: Entry }

/**
 * Nothing tuned.
 *
 * @category constructors
 */
export const none: Parameters = {}

/**
 * The parameters in force around the running fiber.
 *
 * @category services
 */
export const Current = Context.Reference<Parameters>("@effect-dspy/core/Parameters", { defaultValue: () => none })

/**
 * Where in a program the running fiber is, such as `Document` or `Document/draft`; empty at the top.
 *
 * @category services
 */
export const Path = Context.Reference<string>("@effect-dspy/core/Parameters/Path", { defaultValue: () => "" })

/**
 * Appends a name to a path.
 *
 * @category combinators
 */
export const join = (path: string, name: string): string => path === "" ? name : `${path}/${name}`

/**
 * Runs a program with tuned predictors. Nested parameters merge key by key and property by property, the
 * inner ones win.
 *
 * ```ts
 * import { Message, Parameters, Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * const Greet = Signature.make("Greet", { input: { name: Schema.String }, output: { text: Schema.String } })
 * const program = Predict.make(Greet)({ name: "Ada" }).pipe(Parameters.provide({ Greet: { instructions: "Greet politely." } }))
 * const lm = TestLM.layer((request) => ({ text: Message.text(request.messages[0]).split("\n")[0] ?? "" }))
 * await Effect.runPromise(program.pipe(Effect.provide(lm))) // => { text: "Greet politely." }
 * ```
 *
 * @category combinators
 */
export const provide = (parameters: Parameters) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => Effect.provideService(self, Current, merge(fiber.getRef(Current), parameters)))

/**
 * Runs a program under a name of its own, so that two uses of one predictor can be tuned apart:
 * `Parameters.within("draft")(ask(input))` is tuned by `draft/Ask`, and by `Ask`.
 *
 * @category combinators
 */
export const within = (name: string) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => Effect.provideService(self, Path, join(fiber.getRef(Path), name)))

/**
 * The entry for a predictor: by full path, then by its name, then by its signature's name.
 *
 * @category getters
 */
export const lookup = (parameters: Parameters, path: string, name: string, signature: string): Entry | undefined =>
  own(parameters, path) ?? own(parameters, name) ?? own(parameters, signature)

// A predictor may be called like a method every object has.
const own = (parameters: Parameters, key: string): Entry | undefined =>
  Object.hasOwn(parameters, key) ? parameters[key] : undefined

// An entry that meets no other is kept as it is: its identity keys the rendered prompt.
const merge = (outer: Parameters, inner: Parameters): Parameters => {
  const merged: { [key: string]: Entry } = { ...outer }
  for (const [key, entry] of Object.entries(inner)) {
    const below = outer[key]
    merged[key] = below === undefined
      ? entry
      : { ...below, ...entry, settings: Settings.merge(below.settings ?? Settings.none, entry.settings) }
  }
  return merged
}
