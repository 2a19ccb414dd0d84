/** What `LM.models`, `LM.route` and `LM.fallback` promise to the compiler. */
import { LM, Predict, Signature } from "@effect-dspy/core"
import { Context, Effect, Layer, Schema } from "effect"

class Key extends Context.Service<Key, string>()("typetest/Key") {}
class Missing {
  readonly _tag = "Missing"
}

declare const fast: Layer.Layer<LM>
declare const strong: Layer.Layer<LM, Missing, Key>

const models = LM.models({ fast, strong }, { default: "fast" })
const write = Predict.make(
  Signature.make("Write", { input: { topic: Schema.String }, output: { text: Schema.String } })
)

// The layer fails and needs what its members do.
export const layer: Layer.Layer<LM, Missing, Key> = models.layer

// An effect and a step keep their types; what is left to provide is the set of models.
const written = models.use("strong")(write)
const program = Effect.map(written({ topic: "tea" }), (output): string => output.text)
export const provided: Effect.Effect<string, unknown, Key> = Effect.provide(program, models.layer)

// @ts-expect-error no such model
models.use("stong")
// @ts-expect-error no such default
LM.models({ fast, strong }, { default: "medium" })
// @ts-expect-error the models are not provided
export const alone: Effect.Effect<string, unknown> = program
// @ts-expect-error a layer without an LM
LM.models({ other: Layer.succeed(Key, "k") }, { default: "other" })

// A route goes to models that are there.
export const route: Layer.Layer<LM, Missing, Key> = LM.route({ fast, strong }, () => "strong")
// @ts-expect-error no such model
LM.route({ fast, strong }, () => "medium")

// A fallback adds what the other layers need and fail with.
export const row: Layer.Layer<LM, Missing, Key> = fast.pipe(LM.fallback([fast, strong]))
// @ts-expect-error Key is needed
export const needy: Layer.Layer<LM, Missing> = fast.pipe(LM.fallback([strong]))
