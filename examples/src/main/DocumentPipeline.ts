/**
 * The article's job: five model calls a document.
 *
 * Title, keywords and category need the text only and run side by side. The summary waits for title and
 * keywords, the quality score for title and category, and neither for the other's.
 */
import * as ChainOfThought from "@effect-dspy/core/ChainOfThought"
import * as Predict from "@effect-dspy/core/Predict"
import * as Signature from "@effect-dspy/core/Signature"
import * as Pipeline from "@effect-dspy/pipelines/Pipeline"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Category, categoryDemos } from "./Category.ts"

const content = Schema.String.annotate({ description: "the document's text" })

const title = Predict.make(Signature.make("Title", {
  instructions: "Give the document a title. Use its own heading if it has a good one.",
  input: { content },
  output: { title: Schema.NonEmptyString.annotate({ description: "at most 80 characters, no final period" }) }
}))

const keywords = Predict.make(Signature.make("Keywords", {
  instructions: "Extract the keywords by which somebody would look for the document.",
  input: { content },
  output: {
    keywords: Schema.Array(Schema.NonEmptyString).check(Schema.isMinLength(1), Schema.isMaxLength(8)).annotate({
      description: "words or short phrases that occur in the text, the most important first"
    })
  }
}))

const category = Predict.make(
  Signature.make("Category", {
    instructions: "Sort the document into the category that fits best.",
    input: { content },
    output: { category: Category }
  }),
  { demos: categoryDemos }
)

const summarize = Predict.make(Signature.make("Summarize", {
  instructions: "Summarize the document in two or three sentences.",
  input: { content, title: Schema.String, keywords: Schema.Array(Schema.String) },
  output: { summary: Schema.NonEmptyString.annotate({ description: "two or three sentences, plain words" }) }
}))

const quality = ChainOfThought.make(Signature.make("Quality", {
  instructions: "Judge how well the document is written for its category: clear, complete, to the point.",
  input: { content, title: Schema.String, category: Category },
  output: {
    score: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })).annotate({
      description: "0 is unusable, 1 is excellent"
    })
  }
}))

const steps = { title, keywords, category, summarize, quality }

/** The pipeline as it should run: as concurrently as its fields allow. */
export const DocumentPipeline = Pipeline.make("Document", { input: { content }, steps })

/** The same steps, really one after the other: what the comparison is measured against. */
export const SequentialPipeline = Pipeline.make("Document", { input: { content }, steps, concurrency: 1 })

/** What the pipeline gives for one document. */
export type Result = Effect.Success<ReturnType<typeof DocumentPipeline>>
