/**
 * What the compiler knows of signatures, predictors and layers. Nothing here runs: `tsc` is the test.
 */
import {
  ChainOfThought,
  type Example,
  LM,
  Parameters,
  Predict,
  type PredictError,
  Signature,
  Step,
  Trace,
  Usage
} from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { Context, Effect, Layer, Schema } from "effect"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const check = <_ extends true>() => {}

const Rate = Signature.make("Rate", {
  input: { text: Schema.String, since: Schema.Date, limit: Schema.optionalKey(Schema.Int) },
  output: {
    mood: Schema.Literals(["happy", "sad"]),
    stars: Schema.NullOr(Schema.Int),
    facts: Schema.Array(Schema.Struct({ claim: Schema.String, sure: Schema.Boolean }))
  }
})
interface Rating {
  readonly mood: "happy" | "sad"
  readonly stars: number | null
  readonly facts: ReadonlyArray<{ readonly claim: string; readonly sure: boolean }>
}

// --- inference, without annotations

const rate = Predict.make(Rate)
type Run = ReturnType<typeof rate>
type Input = Parameters<typeof rate>[0]
check<Equal<Effect.Success<Run> extends Rating ? Rating extends Effect.Success<Run> ? true : false : false, true>>()
check<Equal<Effect.Success<Run>["facts"][number], { readonly claim: string; readonly sure: boolean }>>()
check<Equal<Effect.Error<Run>, PredictError.PredictError>>()
check<Equal<Effect.Services<Run>, LM>>()
check<Equal<Input, { readonly text: string; readonly since: Date; readonly limit?: number }>>()
check<Equal<Signature.Output<typeof Rate>, Effect.Success<Run>>>()
check<Equal<typeof Rate["name"], "Rate">>()

const thought = ChainOfThought.make(Rate)
check<Equal<Effect.Success<ReturnType<typeof thought>>["reasoning"], string>>()
check<Equal<Effect.Success<ReturnType<typeof thought>>["mood"], "happy" | "sad">>()

const traced = Trace.collect(rate({ text: "", since: new Date(0) }))
check<Equal<Effect.Success<typeof traced>[1], ReadonlyArray<Trace.Event>>>()
const counted = Usage.track(traced)
check<Equal<Effect.Success<typeof counted>[1], Usage.Usage>>()
const tuned = Parameters.provide({ Rate: { instructions: "Be strict." } })(counted)
check<Equal<Effect.Services<typeof tuned>, LM>>()

// --- what does not compile

Signature.make("Clash", {
  input: { text: Schema.String },
  // @ts-expect-error `text` is an input already
  output: { text: Schema.String }
})

// @ts-expect-error a field must not need services to be read
Signature.make("Service", { input: {}, output: { x: Schema.String as Schema.Codec<string, string, Db, never> } })

// @ts-expect-error `since` is missing
rate({ text: "" })
// @ts-expect-error `since` is a Date
rate({ text: "", since: "yesterday" })

const good: Example.Example<Input, Rating> = {
  input: { text: "", since: new Date(0) },
  output: { mood: "sad", stars: null, facts: [] }
}
Predict.make(Rate, { demos: [good] })
// @ts-expect-error `furious` is no mood
Predict.make(Rate, { demos: [{ ...good, output: { ...good.output, mood: "furious" } }] })

Step.make("Code", {
  input: { n: Schema.Int },
  output: { text: Schema.String },
  // @ts-expect-error the step promises text
  run: ({ n }) => Effect.succeed({ text: n })
})

// --- layers

class Db extends Context.Service<Db, { readonly id: number }>()("Db") {}

const Stub = TestLM.layer([])
const Resilient = Stub.pipe(LM.timeout("1 second"), LM.concurrency(4), LM.retry())
check<Equal<typeof Resilient, Layer.Layer<LM | TestLM.TestLM>>>()

const Both = Layer.merge(Stub, Layer.succeed(Db, { id: 1 })).pipe(LM.resilient())
check<Equal<Layer.Success<typeof Both>, LM | TestLM.TestLM | Db>>()

const audited = LM.decorate((lm) => Effect.as(Db, lm))
check<Equal<Layer.Services<ReturnType<typeof withAudit>>, Db>>()
const withAudit = () => Stub.pipe(audited)

const partly = LM.using(LM.decorator.concurrency(2))(rate(good.input))
check<Equal<Effect.Services<typeof partly>, LM>>()

declare const NoModel: Layer.Layer<Db>
// @ts-expect-error a layer without LM cannot be decorated
Effect.provide(rate(good.input), NoModel.pipe(LM.retry())) satisfies Effect.Effect<unknown, unknown>
