/**
 * Questions answered from documents: an index is made once and kept in a file, then each question finds its
 * passages and a model answers from them.
 *
 *     node --conditions=@effect-dspy/source examples/src/rag.ts ["a question"] ...
 *
 * Both the model and the embedder are offline; `OpenAi.layer` and `OpenAiEmbeddings.layer` take their places
 * and nothing else changes.
 */
import { Predict, Retriever, Signature, Step, Usage } from "@effect-dspy/core"
import * as IndexFile from "@effect-dspy/core/IndexFile"
import { Pipeline } from "@effect-dspy/pipelines"
import { Offline, OfflineEmbeddings } from "@effect-dspy/providers/offline"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, FileSystem, Layer, Path, Schema } from "effect"
import * as process from "node:process"
import { fileURLToPath } from "node:url"

const folder = fileURLToPath(new URL("../documents", import.meta.url))

/** The paragraphs of a text, each with the heading above it: what is found should be understood on its own. */
const paragraphs = (text: string): ReadonlyArray<string> => {
  let heading = ""
  return text.split(/\n\s*\n/).flatMap((block) => {
    if (!/^#+ /.test(block)) return [heading === "" ? block : `${heading}\n\n${block}`]
    heading = block
    return []
  })
}

/** Embeds the documents of a folder, paragraph by paragraph. */
const indexFolder = Effect.fn("indexFolder")(function*(folder: string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const names = (yield* files.readDirectory(folder)).filter((name) => /\.(md|txt)$/.test(name)).toSorted()
  const documents = yield* Effect.forEach(
    names,
    (name) =>
      Effect.map(
        files.readFileString(path.join(folder, name)),
        (text) => paragraphs(text).map((text, at) => ({ id: `${name}#${at + 1}`, text, metadata: { file: name } }))
      ),
    {
      concurrency: 8
    }
  )
  return yield* Retriever.index(documents.flat())
})

// Retrieval is a step like any other: here with the question as input, and the passages as one text.
const retrieve = Step.make("Retrieve", {
  input: { question: Schema.String },
  output: { context: Schema.String, sources: Schema.Array(Schema.String) },
  run: ({ question }) =>
    Effect.map(Retriever.retrieve(question, { k: 3 }), (passages) => ({
      context: passages.map(({ text }) => text).join("\n\n"),
      sources: passages.map(({ id }) => id)
    }))
})

const respond = Predict.make(Signature.make("Respond", {
  instructions: "Answer the question from the context and from nothing else.",
  input: { question: Schema.String, context: Schema.String },
  output: { answer: Schema.String.annotate({ description: "one sentence" }) }
}))

const answer = Pipeline.make("Answer", { input: { question: Schema.String }, steps: { retrieve, respond } })

// A program that runs every day would make the file in one run and load it in the others.
const indexed = Effect.gen(function*() {
  const files = yield* FileSystem.FileSystem
  const file = `${yield* files.makeTempDirectoryScoped()}/documents.index`
  yield* IndexFile.save(file, yield* indexFolder(folder))
  const index = yield* IndexFile.load(file)
  console.log(`${index.documents.length} passages, ${(yield* files.stat(file)).size} bytes`)
  return index
})

const Live = Layer.merge(Retriever.layer(Effect.scoped(indexed)), Offline.layer()).pipe(
  Layer.provide(OfflineEmbeddings.layer()),
  Layer.provide(NodeServices.layer)
)

const asked = process.argv.slice(2)
const questions = asked.length > 0 ? asked : [
  "Why are there two tides a day?",
  "How long should bread dough rest?",
  "What does the tenant owe for repairs?"
]

const program = Effect.forEach(questions, (question) => answer({ question }), { concurrency: 4 })

const [answers, usage] = await Effect.runPromise(program.pipe(Usage.track, Effect.provide(Live)))
answers.forEach(({ answer, sources }, index) => {
  console.log(`\n${questions[index]}\n  ${answer}\n  from ${sources.join(", ")}`)
})
// One for the vectors of all questions, and an answer for each.
console.log(`\n${usage.calls} requests`)
