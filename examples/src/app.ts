/**
 * An app made of layers: a fast model for most of it, a strong one for its editor, a service of its own
 * beside them. Every program below says in its type what it needs; the layers are put together once.
 *
 *     node --conditions=@effect-dspy/source examples/src/app.ts
 */
import { ChainOfThought, LM, Predict, type PredictError, Signature, Usage } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { Offline } from "@effect-dspy/providers/offline"
import { Console, Context, Effect, Layer, Ref, Schema } from "effect"

const draft = Predict.make(Signature.make("Draft", {
  instructions: "Write the first version of a short text about the notes.",
  input: { notes: Schema.String },
  output: { text: Schema.String }
}))

const review = ChainOfThought.make(Signature.make("Review", {
  instructions: "Decide whether the text can be published, and improve it.",
  input: { text: Schema.String },
  output: { publish: Schema.Boolean, improved: Schema.String }
}))

/** Improves texts, on a model of its own that nobody else has to know of. */
class Editor extends Context.Service<Editor, {
  readonly edit: (text: string) => Effect.Effect<string, PredictError.PredictError>
}>()("app/Editor") {
  static readonly layer = Layer.effect(
    Editor,
    Effect.gen(function*() {
      const lm = yield* LM
      return {
        edit: (text) =>
          review({ text }).pipe(
            Effect.map(({ improved, publish }) => publish ? improved : text),
            Effect.provideService(LM, lm)
          )
      }
    })
  )
}

/** Where texts end up. */
class Archive extends Context.Service<Archive, {
  readonly save: (text: string) => Effect.Effect<number>
}>()("app/Archive") {
  static readonly layer = Layer.effect(
    Archive,
    Effect.map(Ref.make<ReadonlyArray<string>>([]), (texts) => ({
      save: (text) => Ref.modify(texts, (all) => [all.length + 1, [...all, text]])
    }))
  )
}

/** The app itself: it needs a model, an editor and an archive, and says so. */
const publish = Effect.fn("publish")(function*(notes: string) {
  const editor = yield* Editor
  const archive = yield* Archive
  const { text } = yield* draft({ notes })
  return yield* archive.save(yield* editor.edit(text))
})

// In production: OpenAi.layer({ model: "gpt-5-mini" }) and OpenAi.layer({ model: "gpt-5" }).
const Fast = Offline.layer().pipe(LM.resilient({ timeout: "10 seconds", concurrency: 32 }))
const Strong = TestLM.layer(() => ({ reasoning: "It is short and true.", publish: true, improved: "The sea rises." }), {
  model: "strong"
}).pipe(LM.resilient({ timeout: "1 minute", concurrency: 4 }))

const App = Layer.mergeAll(Fast, Editor.layer.pipe(Layer.provide(Strong)), Archive.layer)

const program = Effect.gen(function*() {
  const [number, usage] = yield* Usage.track(publish("The sea rises twice a day, because of the moon."))
  yield* Console.log(`published as number ${number}, with ${usage.calls} model calls`)
})

await Effect.runPromise(Effect.provide(program, App))
