/**
 * What the compiler knows of steps, of errors and of what a program still needs. Nothing here runs.
 */
import {
  type Adapter,
  ChainOfThought,
  LM,
  type LMError,
  Parameters,
  Predict,
  type PredictError,
  Signature,
  Step
} from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { Context, Effect, Layer, Schema } from "effect"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
type Simplify<T> = { [K in keyof T]: T[K] } & {}
type Input<S extends Step.Any> = Simplify<globalThis.Parameters<S>[0]>
type Output<S extends Step.Any> = Simplify<Effect.Success<ReturnType<S>>>
const check = <_ extends true>() => {}

const Mood = Signature.make("Mood", {
  input: { text: Schema.String },
  output: { label: Schema.Literals(["pos", "neg"]), score: Schema.Finite, note: Schema.optionalKey(Schema.String) }
})
const mood = Predict.make(Mood)

// --- a predictor is a step: exact types, without annotations

check<Equal<Input<typeof mood>, { readonly text: string }>>()
check<
  Equal<Output<typeof mood>, { readonly label: "pos" | "neg"; readonly score: number; readonly note?: string }>
>()
check<Equal<Effect.Error<ReturnType<typeof mood>>, PredictError.PredictError>>()
check<Equal<Effect.Services<ReturnType<typeof mood>>, LM>>()
check<Equal<ReturnType<typeof mood.named>, typeof mood>>()
check<Equal<Signature.Input<typeof Mood>, { readonly text: string }>>()

const think = ChainOfThought.make(Mood)
check<
  Equal<
    Output<typeof think>,
    { readonly reasoning: string; readonly label: "pos" | "neg"; readonly score: number; readonly note?: string }
  >
>()

// --- code as a step: the types of `run` follow from the fields, E and R from `run`

class Db extends Context.Service<Db, { readonly id: number }>()("Db") {}

const count = Step.make("Count", {
  input: { text: Schema.String, least: Schema.optionalKey(Schema.Int) },
  output: { words: Schema.Int },
  run: ({ least, text }) => {
    check<Equal<typeof text, string>>()
    check<Equal<typeof least, number | undefined>>()
    return Effect.gen(function*() {
      yield* Db
      return text === "" ? yield* Effect.fail("empty" as const) : { words: text.split(" ").length }
    })
  }
})
check<Equal<Effect.Error<ReturnType<typeof count>>, "empty">>()
check<Equal<Effect.Services<ReturnType<typeof count>>, Db>>()

// --- renames

const renamed = mood.pipe(
  Step.mapInput({ text: "title" }),
  Step.mapOutput({ label: "mood" }),
  Step.omitOutput("score", "note")
)
check<Equal<Input<typeof renamed>, { readonly title: string }>>()
check<Equal<Output<typeof renamed>, { readonly mood: "pos" | "neg" }>>()
check<Equal<Effect.Error<ReturnType<typeof renamed>>, PredictError.PredictError>>()
check<Equal<Effect.Services<ReturnType<typeof renamed>>, LM>>()

const optional = count.pipe(Step.mapInput({ least: "minimum" }))
check<Equal<Input<typeof optional>, { readonly text: string; readonly minimum?: number }>>()

// @ts-expect-error the step takes no `title`
mood.pipe(Step.mapInput({ title: "text" }))
// @ts-expect-error the step gives no `text`
mood.pipe(Step.mapOutput({ text: "label" }))
// @ts-expect-error the step gives no `reasoning`
mood.pipe(Step.omitOutput("reasoning"))
// @ts-expect-error one of the two is no field
mood.pipe(Step.omitOutput("score", "reasoning"))
// @ts-expect-error the field is called `title` now
renamed({ text: "" })
// @ts-expect-error the field is left out now
Effect.map(renamed({ title: "" }), (output) => output.score)

// --- what does not compile

// @ts-expect-error an input field too many, which a spread would hide
mood({ text: "", more: 1 })
// @ts-expect-error an input field too few
mood({})
// @ts-expect-error a demo lacks its output
Predict.make(Mood, { demos: [{ input: { text: "" } }] })
// @ts-expect-error a demo of another signature
Predict.make(Mood, { demos: [{ input: { title: "" }, output: { label: "pos", score: 1 } }] })
// @ts-expect-error no such setting
Predict.make(Mood, { settings: { heat: 1 } })
// @ts-expect-error an adapter is not its name
Predict.make(Mood, { adapter: "chat" satisfies Adapter.Adapter["name"] })
// @ts-expect-error no such setting
LM.withSettings({ retries: 3 })
// @ts-expect-error entries say what is tuned
Parameters.provide({ Mood: "Be quick." })
// @ts-expect-error a chain of thought has its own `reasoning`
ChainOfThought.make(Mood, { demos: [{ input: { text: "" }, output: { label: "pos", score: 1 } }] })
// @ts-expect-error outputs are read only
Effect.map(mood({ text: "" }), (output) => (output.score = 1))
Signature.make("Clash", {
  input: { text: Schema.String, title: Schema.String },
  // @ts-expect-error `title` is an input already, whatever its type
  output: { title: Schema.Int, other: Schema.String }
})

// --- errors: each can be handled alone, by its tag and by its reason

const call = mood({ text: "" })
const noInput = Effect.catchTag(call, "InputError", () => Effect.succeed("none" as const))
check<Equal<Effect.Error<typeof noInput>, LMError.LMError | PredictError.OutputError>>()
const nothing = Effect.catchTag(call, ["InputError", "LMError", "OutputError"], (error) => Effect.succeed(error._tag))
check<Equal<Effect.Error<typeof nothing>, never>>()
const waited = Effect.catchReason(call, "LMError", "RateLimited", (reason) => Effect.succeed(reason.retryAfter))
check<Equal<Effect.Error<typeof waited>, PredictError.PredictError>>()
// @ts-expect-error no such reason
Effect.catchReason(call, "LMError", "Tired", () => Effect.void)

// --- what a program still needs

const Stub = TestLM.layer([])
const ready = Effect.provide(call, Stub)
check<Equal<Effect.Services<typeof ready>, never>>()
// @ts-expect-error nobody brought an LM
void Effect.runPromise(call)

const Both = Layer.merge(Stub, Layer.succeed(Db, { id: 1 }))
const decorated = Both.pipe(LM.timeout("1 second"), LM.concurrency(1), LM.retry(), LM.resilient())
check<Equal<typeof decorated, Layer.Layer<LM | TestLM.TestLM | Db>>>()
const failing = Layer.effect(LM, Effect.as(Effect.fail("no key" as const), TestLM.make([]).lm)).pipe(LM.resilient())
check<Equal<typeof failing, Layer.Layer<LM, "no key">>>()

declare const NoModel: Layer.Layer<Db>
// @ts-expect-error there is no LM to retry
NoModel.pipe(LM.retry())
// @ts-expect-error there is no LM to bound
NoModel.pipe(LM.concurrency(4))
// @ts-expect-error there is no LM to decorate
NoModel.pipe(LM.resilient())
