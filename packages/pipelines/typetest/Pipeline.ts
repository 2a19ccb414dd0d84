/**
 * What the compiler knows of pipelines. Nothing here runs: `tsc` is the test.
 */
import { ChainOfThought, type LM, Predict, type PredictError, Signature, Step } from "@effect-dspy/core"
import { Batch, Pipeline } from "@effect-dspy/pipelines"
import type * as Wiring from "@effect-dspy/pipelines/Wiring"
import { Context, Effect, type Result, Schema, type Stream } from "effect"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const check = <_ extends true>() => {}

const text = Schema.String
const Title = Signature.make("Title", { input: { content: text }, output: { title: text } })
const title = Predict.make(Title)
const summarize = ChainOfThought.make(
  Signature.make("Summarize", {
    input: { content: text, title: text },
    output: { summary: text, words: Schema.Int, tone: Schema.Literals(["dry", "warm"]) }
  })
)

class Db extends Context.Service<Db, { readonly id: number }>()("Db") {}
class DbError extends Schema.TaggedError<DbError>()("DbError", {}) {}
const save = Step.make("Save", {
  input: { summary: text },
  output: { saved: Schema.Boolean },
  run: ({ summary }) =>
    Effect.flatMap(Db, ({ id }) => summary === "" ? Effect.fail(new DbError()) : Effect.succeed({ saved: id > 0 }))
})

// --- inference, without annotations

const pipeline = Pipeline.make("Document", { input: { content: text }, steps: { title, summarize, save } })
type Run = ReturnType<typeof pipeline>
check<
  Equal<Effect.Success<Run>, {
    readonly title: string
    readonly reasoning: string
    readonly summary: string
    readonly words: number
    readonly tone: "dry" | "warm"
    readonly saved: boolean
  }>
>()
check<Equal<Effect.Error<Run>, PredictError.PredictError | DbError>>()
check<Equal<Effect.Services<Run>, LM | Db>>()
check<Equal<Parameters<typeof pipeline>[0], { readonly content: string }>>()

// A pipeline is a step of another one.
const outer = Pipeline.make("Outer", { input: { content: text }, steps: { pipeline } })
check<Equal<Effect.Success<ReturnType<typeof outer>>["tone"], "dry" | "warm">>()

// --- a generic call written inline compiles

Pipeline.make("Inline", {
  input: { article: text },
  steps: {
    title: Predict.make(Title).pipe(Step.mapInput({ content: "article" })),
    summarize: ChainOfThought.make(
      Signature.make("Short", { input: { article: text, title: text }, output: { summary: text } })
    ),
    length: Step.make("Length", {
      input: { summary: text },
      output: { length: Schema.Int },
      run: ({ summary }) => Effect.succeed({ length: summary.length })
    })
  }
})

// --- renames

const renamed = title.pipe(Step.mapInput({ content: "text" }), Step.mapOutput({ title: "heading" }))
check<Equal<Parameters<typeof renamed>[0], { readonly text: string }>>()
check<Equal<Effect.Success<ReturnType<typeof renamed>>, { readonly heading: string }>>()
const without = summarize.pipe(Step.omitOutput("reasoning", "words"))
check<
  Equal<Effect.Success<ReturnType<typeof without>>, { readonly summary: string; readonly tone: "dry" | "warm" }>
>()

// @ts-expect-error the step takes no field `contents`
title.pipe(Step.mapInput({ contents: "text" }))
// @ts-expect-error the step gives no field `titel`
title.pipe(Step.mapOutput({ titel: "heading" }))
// @ts-expect-error the step gives no field `thoughts`
summarize.pipe(Step.omitOutput("thoughts"))

// --- what does not compile

Pipeline.make("Missing", {
  input: { content: text },
  // @ts-expect-error `title` is never produced
  steps: { summarize }
})

const numberTitle = Step.make("NumberTitle", {
  input: { content: text },
  output: { title: Schema.Finite },
  run: () => Effect.succeed({ title: 1 })
})
Pipeline.make("Mistyped", {
  input: { content: text },
  // @ts-expect-error `title` is a number
  steps: { numberTitle, summarize }
})

Pipeline.make("Doubled", {
  input: { content: text },
  // @ts-expect-error `title` is given twice
  steps: { title, numberTitle }
})

Pipeline.make("Repeats", {
  input: { content: text, title: text },
  // @ts-expect-error `title` is given by the input already
  steps: { title }
})

const chicken = Step.make("Chicken", {
  input: { egg: text },
  output: { hen: text },
  run: () => Effect.succeed({ hen: "" })
})
const egg = Step.make("Egg", { input: { hen: text }, output: { egg: text }, run: () => Effect.succeed({ egg: "" }) })
Pipeline.make("Cycle", {
  input: { content: text },
  // @ts-expect-error `hen` waits for `egg`, and `egg` for `hen`
  steps: { chicken, egg }
})

// @ts-expect-error the input is { content: string }
pipeline({ text: "" })

// --- and the error names the field

type Input = { readonly content: string }
type Problem = "these input fields are never produced, mistyped, or part of a cycle"
check<Equal<Wiring.Check<{ summarize: typeof summarize }, Input>["summarize"][Problem], "title">>()
check<
  Equal<
    Wiring.Check<{ numberTitle: typeof numberTitle; summarize: typeof summarize }, Input>["summarize"][Problem],
    "title"
  >
>()
check<
  Equal<
    Wiring.Check<{ title: typeof title; numberTitle: typeof numberTitle }, Input>["produced by more than one step"],
    "title"
  >
>()
check<Equal<Wiring.Check<{ chicken: typeof chicken; egg: typeof egg }, Input>["egg"][Problem], "cycle">>()

// --- batches

const kept = Batch.run([{ content: "" }], pipeline)
check<
  Equal<
    typeof kept,
    Stream.Stream<
      Batch.Item<{ content: string }, Result.Result<Effect.Success<Run>, Effect.Error<Run>>>,
      never,
      LM | Db
    >
  >
>()
const stopped = Batch.run([{ content: "" }], pipeline, { onFailure: "stop" })
check<Equal<Stream.Error<typeof stopped>, Effect.Error<Run>>>()
