/**
 * The article's job with nothing but Effect: three calls side by side, two that wait for them, retries, and
 * a failure that does not take the rest with it. `Pipeline` adds the dependency graph; this is how far plain
 * composition goes without.
 *
 *     node --conditions=@effect-dspy/source examples/src/composition.ts
 */
import { LM, LMErrorReason, Predict, Signature } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { Clock, Effect, Result, Schedule, Schema } from "effect"

const content = Schema.String
const title = Predict.make(Signature.make("Title", { input: { content }, output: { title: Schema.String } }))
const keywords = Predict.make(Signature.make("Keywords", {
  input: { content },
  output: { keywords: Schema.Array(Schema.String) }
}))
const category = Predict.make(Signature.make("Category", { input: { content }, output: { category: Schema.String } }))
const summarize = Predict.make(Signature.make("Summarize", {
  input: { content, title: Schema.String, keywords: Schema.Array(Schema.String) },
  output: { summary: Schema.String }
}))

const processDocument = Effect.fn("processDocument")(function*(content: string) {
  const facts = yield* Effect.all({
    title: title({ content }),
    keywords: keywords({ content }),
    // Nobody needs the category to go on: its failure becomes a value.
    category: Effect.result(category({ content }))
  }, { concurrency: "unbounded" })
  const { title: { title: heading }, keywords: { keywords: words } } = facts
  const { summary } = yield* summarize({ content, title: heading, keywords: words })
  return {
    title: heading,
    keywords: words,
    category: Result.isSuccess(facts.category) ? facts.category.success.category : "unknown",
    summary
  }
})

// Answers after a tenth of a second. Each document's title needs a second request, and its category can't be had.
const seen = new Set<string>()
const Stub = TestLM.layer({
  Title: (request) => {
    const document = String(request.call?.input["content"])
    if (seen.has(document)) return { title: `On ${document}` }
    seen.add(document)
    return new LMErrorReason.Overloaded({})
  },
  Keywords: { keywords: ["one", "two"] },
  Category: new LMErrorReason.Refused({}),
  Summarize: TestLM.after("50 millis", { summary: "Short." })
}, { latency: "100 millis" }).pipe(LM.retry({ schedule: Schedule.spaced("20 millis") }))

const documents = Array.from({ length: 12 }, (_, index) => `document ${index + 1}`)

const program = Effect.gen(function*() {
  const start = yield* Clock.currentTimeMillis
  // Four documents at once; a document that fails is reported, the others go on.
  const [done, failed] = yield* Effect.partition(documents, processDocument, { concurrency: 4 })
  const recorder = yield* TestLM.TestLM
  const seconds = ((yield* Clock.currentTimeMillis) - start) / 1000
  return { done, failed, requests: recorder.started, atOnce: recorder.maxInFlight, seconds }
})

const { atOnce, done, failed, requests, seconds } = await Effect.runPromise(Effect.provide(program, Stub))
console.log(done[0])
console.log(`${done.length} documents, ${failed.length} failed, ${requests} requests, ${atOnce} at once, ${seconds} s`)
