import {
  ChainOfThought,
  type Event,
  Events,
  LM,
  LMErrorReason,
  Message,
  Parameters,
  Predict,
  Signature,
  Step,
  Trace,
  Usage
} from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { Pipeline, Plan, StepReport } from "@effect-dspy/pipelines"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Fiber, Layer, Schema, Tracer } from "effect"
import { TestClock } from "effect/testing"

const text = Schema.String

/** A predictor with the given fields. */
const predictor = <const I extends Signature.Fields, const O extends Signature.Fields>(
  name: string,
  input: I,
  output: O & { readonly [K in keyof I]?: never }
) => Predict.make(Signature.make<string, I, O>(name, { input, output }))

const document = {
  title: predictor("Title", { content: text }, { title: text }),
  keywords: predictor("Keywords", { content: text }, { keywords: text }),
  category: predictor("Category", { content: text }, { category: text }),
  summarize: predictor("Summarize", { content: text, title: text, keywords: text }, { summary: text }),
  quality: predictor("Quality", { content: text, title: text, category: text }, { score: text })
}

const Document = Pipeline.make("Document", { input: { content: text }, steps: document })

/** Answers every text field with its own name, after the seconds given for the signature. */
const slow = (seconds: { readonly [signature: string]: number }) =>
  TestLM.layer(
    (request) =>
      Object.fromEntries(request.call?.signature.derived.outputs.map((field) => [field.name, field.name]) ?? []),
    { latency: (request) => Duration.seconds(seconds[request.call?.signature.name ?? ""] ?? 0) }
  )

const timed = <A, E>(self: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Effect.gen(function*() {
      const exit = yield* Effect.exit(self)
      return { exit, ms: yield* Effect.clockWith((clock) => clock.currentTimeMillis) }
    }))
    yield* TestClock.adjust("1 hour")
    return yield* Fiber.join(fiber)
  })

const rows = (reports: ReadonlyArray<StepReport.StepReport>) =>
  Object.fromEntries(reports.map((report) => [report.step, [report.startMs, report.endMs, report.status]]))

describe("a pipeline takes its longest path", () => {
  const input = { content: "text" }

  it.effect("2/2/2 then 3 is 5 s, not 9", () =>
    Effect.gen(function*() {
      const { category, keywords, summarize, title } = document
      const pipeline = Pipeline.make("P", { input: { content: text }, steps: { title, keywords, category, summarize } })
      const { ms } = yield* timed(
        Effect.provide(pipeline(input), slow({ Title: 2, Keywords: 2, Category: 2, Summarize: 3 }))
      )
      assert.strictEqual(ms, 5000)
    }))

  it.effect("classify 2 -> analyze 2 beside summary 3 is 4 s", () =>
    Effect.gen(function*() {
      const pipeline = Pipeline.make("P", {
        input: { content: text },
        steps: {
          analyze: predictor("Analyze", { content: text, kind: text }, { analysis: text }),
          summarize: predictor("Summarize", { content: text }, { summary: text }),
          classify: predictor("Classify", { content: text }, { kind: text })
        }
      })
      const { ms } = yield* timed(Effect.provide(pipeline(input), slow({ Classify: 2, Analyze: 2, Summarize: 3 })))
      assert.strictEqual(ms, 4000)
    }))

  it.effect("2/2/2 then 3 | 2 is 5 s", () =>
    Effect.gen(function*() {
      const { ms } = yield* timed(Effect.provide(
        Document(input),
        slow({ Title: 2, Keywords: 2, Category: 2, Summarize: 3, Quality: 2 })
      ))
      assert.strictEqual(ms, 5000)
    }))

  it.effect("a category slowed to 5 in 1/1/5 then 3 | 2 gives 7 s, not 8", () =>
    Effect.gen(function*() {
      const { exit, ms } = yield* timed(
        StepReport.collect(Document(input)).pipe(
          Effect.provide(slow({ Title: 1, Keywords: 1, Category: 5, Summarize: 3, Quality: 2 }))
        )
      )
      const [output, reports] = yield* exit
      assert.strictEqual(ms, 7000)
      assert.deepStrictEqual(rows(reports), {
        title: [0, 1000, "succeeded"],
        keywords: [0, 1000, "succeeded"],
        category: [0, 5000, "succeeded"],
        summarize: [1000, 4000, "succeeded"],
        quality: [5000, 7000, "succeeded"]
      })
      assert.deepStrictEqual(Object.keys(output), ["title", "keywords", "category", "summary", "score"])
      const durations = Object.fromEntries(reports.map((report) => [report.step, report.endMs - report.startMs]))
      assert.deepStrictEqual(Plan.criticalPath(Document.plan, durations), {
        steps: ["category", "quality"],
        millis: 7000
      })
    }))

  it.effect("`concurrency` bounds the steps at once, and waiting steps hold no place", () =>
    Effect.gen(function*() {
      const one = Pipeline.make("One", {
        // Declared against the order of need: a bound must not wait for what comes later.
        input: { content: text },
        steps: {
          quality: document.quality,
          summarize: document.summarize,
          category: document.category,
          keywords: document.keywords,
          title: document.title
        },
        concurrency: 1
      })
      const all = slow({ Title: 2, Keywords: 2, Category: 2, Summarize: 3, Quality: 2 })
      const { ms } = yield* timed(Effect.provide(one(input), all))
      assert.strictEqual(ms, 11_000)
      const two = Pipeline.make("Two", { input: { content: text }, steps: document, concurrency: 2 })
      const started = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      const bounded = yield* timed(Effect.provide(two(input), all))
      assert.strictEqual(bounded.ms - started, 6000)
    }))
})

describe("failure", () => {
  const answers = {
    Title: TestLM.after("1 second", new LMErrorReason.Authentication({})),
    Keywords: TestLM.after("5 seconds", { keywords: "k" }),
    Category: { category: "c" },
    Summarize: { summary: "s" },
    Quality: { score: "q" }
  }

  it.effect("interrupts the other steps at once and says how each ended", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(answers)
      const reports: Array<StepReport.StepReport> = []
      const { exit, ms } = yield* timed(
        Document({ content: "text" }).pipe(
          StepReport.observe((report) => reports.push(report)),
          Effect.provideService(LM, lm)
        )
      )
      assert.strictEqual(ms, 1000)
      const error = yield* Effect.flip(exit)
      assert.deepInclude(error, { _tag: "LMError" })
      assert.strictEqual(recorder.interrupted, 1)
      assert.deepStrictEqual(rows(reports), {
        title: [0, 1000, "failed"],
        keywords: [0, 1000, "interrupted"],
        category: [0, 0, "succeeded"],
        summarize: [1000, 1000, "skipped"],
        quality: [1000, 1000, "skipped"]
      })
    }))

  it.effect("at once leaves the steps behind it out, and says so of every one", () =>
    Effect.gen(function*() {
      const fails = Step.make("Fails", {
        input: { content: text },
        output: { x: text },
        run: () => Effect.fail("no" as const)
      })
      const steps = { category: document.category, fails, keywords: document.keywords, title: document.title }
      const pipeline = Pipeline.make("P", { input: { content: text }, steps })
      const outer = Pipeline.make("Outer", { input: { content: text }, steps: { p: pipeline } })
      const reports: Array<StepReport.StepReport> = []
      yield* timed(
        outer({ content: "text" }).pipe(
          StepReport.observe((report) => reports.push(report)),
          Effect.provide(slow({ Category: 1 }))
        )
      )
      assert.deepStrictEqual(
        reports.map(({ path, startMs, status, step, usage }) => [path, step, startMs, status, usage.calls]),
        [
          ["Outer/p", "fails", 0, "failed", 0],
          ["Outer/p", "category", 0, "interrupted", 1],
          ["Outer/p", "keywords", 0, "skipped", 0],
          ["Outer/p", "title", 0, "skipped", 0],
          ["Outer", "p", 0, "failed", 1]
        ]
      )
    }))

  it.effect("during an interruption is one, in reports as in events", () =>
    Effect.gen(function*() {
      const stuck = Step.make("Stuck", {
        input: { content: text },
        output: { x: text },
        run: () => Effect.onInterrupt(Effect.as(Effect.never, { x: "" }), () => Effect.die(new Error("a bug")))
      })
      const pipeline = Pipeline.make("P", { input: { content: text }, steps: { stuck } })
      const outcomes: Array<string> = []
      const fiber = yield* Effect.forkChild(
        pipeline({ content: "text" }).pipe(
          StepReport.observe(({ status }) => outcomes.push(status)),
          Events.observe((event) => {
            if (event._tag === "StepEnded") outcomes.push(event.outcome)
          })
        )
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(outcomes, ["failed", "failed"])
    }))

  it.effect("reports what failed requests cost", () =>
    Effect.gen(function*() {
      const reports: Array<StepReport.StepReport> = []
      const one = Pipeline.make("One", { input: { content: text }, steps: { title: document.title } })
      yield* timed(
        one({ content: "text" }).pipe(
          StepReport.observe((report) => reports.push(report)),
          Effect.provide(TestLM.layer([new LMErrorReason.Overloaded({}), { title: "t" }]).pipe(LM.retry()))
        )
      )
      assert.deepStrictEqual(reports.map((report) => report.usage.calls), [2])
    }))

  it.effect("carries every step's own errors and services", () =>
    Effect.gen(function*() {
      class DbError extends Schema.TaggedError<DbError>()("DbError", {}) {}
      class Db
        extends Context.Service<Db, { readonly save: (title: string) => Effect.Effect<number, DbError> }>()("Db")
      {}
      const save = Step.make("Save", {
        input: { title: text },
        output: { id: Schema.Int },
        run: ({ title }) => Effect.flatMap(Db, (db) => Effect.map(db.save(title), (id) => ({ id })))
      })
      const pipeline = Pipeline.make("P", { input: { content: text }, steps: { title: document.title, save } })
      const program = pipeline({ content: "text" }).pipe(
        Effect.provide(TestLM.layer([{ title: "t" }])),
        Effect.provideService(Db, { save: () => Effect.fail(new DbError()) })
      )
      const error = yield* Effect.flip(program)
      assert.strictEqual(error._tag, "DbError")
    }))
})

describe("composition", () => {
  it.effect("a nested pipeline hands its fields out early, once each", () =>
    Effect.gen(function*() {
      const published: Array<string> = []
      const outer = Pipeline.make("Report", {
        input: { content: text },
        steps: { doc: Document, headline: predictor("Headline", { summary: text }, { headline: text }) }
      })
      const { exit, ms } = yield* timed(
        StepReport.collect(outer.stepwise({ content: "text" }, (field) => published.push(field))).pipe(
          Effect.provide(slow({ Title: 1, Keywords: 1, Category: 5, Summarize: 3, Quality: 2, Headline: 1 }))
        )
      )
      const [, reports] = yield* exit
      assert.strictEqual(ms, 7000)
      assert.deepStrictEqual(rows(reports)["headline"], [4000, 5000, "succeeded"])
      assert.deepStrictEqual(
        published,
        ["title", "keywords", "summary", "category", "headline", "score"].toSorted((a, b) =>
          published.indexOf(a) - published.indexOf(b)
        )
      )
      assert.strictEqual(new Set(published).size, published.length)
      assert.strictEqual(reports.find((report) => report.step === "summarize")?.path, "Report/doc")
    }))

  it.effect("renames and dropped fields are data", () =>
    Effect.gen(function*() {
      const why = Signature.make("Why", { input: { text }, output: { reason: text } })
      const a = ChainOfThought.make(why)
      const pipeline = Pipeline.make("P", {
        input: { question: text, doubt: text },
        steps: {
          first: a.pipe(Step.mapInput({ text: "question" }), Step.mapOutput({ reasoning: "thought" })),
          second: a.pipe(
            Step.mapInput({ text: "doubt" }),
            Step.omitOutput("reasoning"),
            Step.mapOutput({ reason: "rebuttal" })
          )
        }
      })
      const lm = TestLM.layer((request) => ({ reasoning: "so", reason: String(request.call?.input["text"]) }))
      const output = yield* Effect.provide(pipeline({ question: "why?", doubt: "really?" }), lm)
      assert.deepStrictEqual(output, { thought: "so", reason: "why?", rebuttal: "really?" })
    }))

  it.effect("parameters and traces see Pipeline/step, also through renames and within code steps", () =>
    Effect.gen(function*() {
      const ask = predictor("Ask", { text: text }, { answer: text })
      const code = Step.make("Code", {
        input: { content: text },
        output: { twice: text },
        run: ({ content }) => Effect.map(ask({ text: content }), ({ answer }) => ({ twice: answer }))
      })
      const pipeline = Pipeline.make("P", {
        input: { content: text },
        steps: { plain: ask.pipe(Step.mapInput({ text: "content" })), code }
      })
      const lm = TestLM.layer((request) => ({ answer: Message.text(request.messages[0]).split("\n")[0] ?? "" }))
      const [output, events] = yield* pipeline({ content: "text" }).pipe(
        Parameters.provide({ "P/plain": { instructions: "one" }, "P/code/Ask": { instructions: "two" } }),
        Trace.collect,
        Effect.provide(lm)
      )
      assert.deepStrictEqual(output, { answer: "one", twice: "two" })
      assert.deepStrictEqual(events.map((event) => event.path).toSorted(), ["P/code/Ask", "P/plain"])
    }))

  it.effect("usage of a whole run", () =>
    Effect.gen(function*() {
      const [, usage] = yield* Usage.track(Document({ content: "text" })).pipe(Effect.provide(slow({})))
      assert.strictEqual(usage.calls, 5)
    }))

  it.effect("an optional input is awaited where somebody gives it, and absent where nobody does", () =>
    Effect.gen(function*() {
      const polite = Step.make("Polite", {
        input: { name: text, title: Schema.optionalKey(text) },
        output: { greeting: text },
        run: ({ name, title }) => Effect.succeed({ greeting: title === undefined ? name : `${title} ${name}` })
      })
      const titled = Step.make("Titled", {
        input: { name: text },
        output: { title: text },
        run: () => Effect.succeed({ title: "Dr." })
      })
      const without = Pipeline.make("A", { input: { name: text }, steps: { polite } })
      const withTitle = Pipeline.make("B", { input: { name: text }, steps: { polite, titled } })
      assert.deepStrictEqual(yield* without({ name: "Who" }), { greeting: "Who" })
      assert.deepStrictEqual((yield* withTitle({ name: "Who" })).greeting, "Dr. Who")
    }))

  it.effect("an optional field that is left out holds nobody up, whether a step or the input leaves it out", () =>
    Effect.gen(function*() {
      const hint = Schema.optionalKey(text)
      const guess = Step.make("Guess", {
        input: { name: text },
        output: { hint },
        run: ({ name }) => Effect.succeed(name === "known" ? { hint: "a hint" } : {})
      })
      const use = Step.make("Use", {
        input: { hint },
        output: { used: text },
        run: ({ hint = "none" }) => Effect.succeed({ used: hint })
      })
      const guessed = Pipeline.make("Guessed", { input: { name: text }, steps: { guess, use } })
      assert.deepStrictEqual(yield* guessed({ name: "known" }), { hint: "a hint", used: "a hint" })
      assert.deepStrictEqual(yield* guessed({ name: "unknown" }), { used: "none" })
      const given = Pipeline.make("Given", { input: { hint }, steps: { use } })
      assert.deepStrictEqual(yield* given({ hint: "yes" }), { used: "yes" })
      assert.deepStrictEqual(yield* given({}), { used: "none" })
      const outer = Pipeline.make("Outer", {
        input: { name: text },
        steps: { inner: Pipeline.make("Inner", { input: { name: text }, steps: { guess } }), use }
      })
      assert.deepStrictEqual(yield* outer({ name: "unknown" }), { used: "none" })
    }))
})

describe("names", () => {
  it.effect("steps and fields may be called like members of every object, or like the input", () =>
    Effect.gen(function*() {
      const constructor = Step.make("A", {
        input: { content: text },
        output: { toString: text },
        run: ({ content }) => Effect.succeed({ toString: `${content}!` })
      })
      const input = Step.make("B", {
        input: { toString: text },
        output: { valueOf: text },
        run: ({ toString }) => Effect.succeed({ valueOf: `${toString}!` })
      })
      const pipeline = Pipeline.make("P", { input: { content: text }, steps: { input, constructor } })
      const { toString, valueOf } = yield* pipeline({ content: "hey" })
      assert.deepStrictEqual([toString, valueOf], ["hey!", "hey!!"])
      assert.deepStrictEqual(Pipeline.plan(pipeline).criticalPath.steps, ["constructor", "input"])
      assert.include(Pipeline.plan(pipeline).mermaid, "  constructor -->|toString| step1[\"input\"]")
    }))

  it.effect("two fields of a step may be fed from one, and two names may be swapped", () =>
    Effect.gen(function*() {
      const pair = Step.make("Pair", {
        input: { left: text, right: text },
        output: { both: text },
        run: ({ left, right }) => Effect.succeed({ both: `${left} ${right}` })
      })
      const twice = pair.pipe(Step.mapInput({ left: "word", right: "word" }))
      const swapped = pair.pipe(Step.mapInput({ left: "right", right: "left" }))
      assert.deepStrictEqual(yield* twice({ word: "tick" }), { both: "tick tick" })
      assert.deepStrictEqual(yield* swapped({ left: "a", right: "b" }), { both: "b a" })
    }))

  it("two fields of a step can't be given under one name", () => {
    const both = Step.make("Both", {
      input: {},
      output: { a: text, b: text },
      run: () => Effect.succeed({ a: "", b: "" })
    })
    assert.throws(() => both.pipe(Step.mapOutput({ a: "b" })), /two output fields would be called b/)
  })
})

describe("wiring mistakes of untyped callers", () => {
  const fields = (names: ReadonlyArray<string>): Signature.Fields =>
    Object.fromEntries(names.map((name) => [name, text]))
  const step = (name: string, input: ReadonlyArray<string>, output: ReadonlyArray<string>): Step.Any =>
    Step.make(name, { input: fields(input), output: fields(output), run: () => Effect.succeed({}) })
  // What a caller without types would pass.
  const untyped = (steps: Record<string, Step.Any>) => () => Pipeline.make("P", { input: { content: text }, steps })

  it("a missing field", () => {
    assert.throws(untyped({ a: step("A", ["missing"], ["out"]) }), /a needs `missing`/)
  })
  it("a field given twice, also over the input", () => {
    assert.throws(
      untyped({ a: step("A", ["content"], ["x"]), b: step("B", ["content"], ["x"]) }),
      /`x` is given more than once \(a, b\)/
    )
    assert.throws(untyped({ a: step("A", [], ["content"]) }), /`content` is given more than once \(input, a\)/)
  })
  it("a cycle", () => {
    assert.throws(
      untyped({ a: step("A", ["y"], ["x"]), b: step("B", ["x"], ["y"]), c: step("C", ["content"], ["z"]) }),
      /a, b wait for each other \(`x`, `y`\)/
    )
  })
})

describe("promises that untyped code breaks", () => {
  const untyped = (fields: unknown) => fields as never
  const copy = Step.make("Copy", { input: { a: text }, output: { b: text }, run: ({ a }) => Effect.succeed({ b: a }) })
  const empty = Step.make("Empty", { input: { x: text }, output: { a: text }, run: () => Effect.succeed(untyped({})) })

  const defect = <E>(self: Effect.Effect<unknown, E>) =>
    Effect.map(Effect.exit(self), (exit) => Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "none")

  it.effect("a step that does not give its field is a defect, and nobody waits for it", () =>
    Effect.gen(function*() {
      const pipeline = Pipeline.make("P", { input: { x: text }, steps: { copy, empty } })
      assert.strictEqual(yield* defect(pipeline({ x: "1" })), "TypeError: P: empty did not give `a`")
    }))

  it.effect("such a step is reported as failed, in reports, events and spans", () =>
    Effect.gen(function*() {
      const pipeline = Pipeline.make("P", { input: { x: text }, steps: { empty, copy } })
      const reports: Array<StepReport.StepReport> = []
      const seen: Array<Event> = []
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      yield* Effect.exit(pipeline({ x: "1" })).pipe(
        StepReport.observe((report) => reports.push(report)),
        Events.observe((event) => seen.push(event)),
        Effect.provideService(Tracer.Tracer, tracer)
      )
      assert.deepStrictEqual(rows(reports), { empty: [0, 0, "failed"], copy: [0, 0, "skipped"] })
      assert.deepStrictEqual(
        seen.flatMap((event) => event._tag === "StepEnded" ? [[event.name, event.outcome, event.error]] : []),
        [["empty", "failed", "Defect"]]
      )
      const status = spans.find((span) => span.name === "step empty")?.status
      assert.isTrue(status?._tag === "Ended" && Exit.isFailure(status.exit))
    }))

  it.effect("so is an input without a field that steps need", () =>
    Effect.gen(function*() {
      const pipeline = Pipeline.make("P", { input: { a: text }, steps: { copy } })
      assert.strictEqual(yield* defect(pipeline(untyped({}))), "TypeError: P: the input did not give `a`")
    }))
})

it("a pipeline in which no step could run is refused", () => {
  const copy = Step.make("Copy", { input: { a: text }, output: { b: text }, run: ({ a }) => Effect.succeed({ b: a }) })
  for (const concurrency of [0, -1, NaN]) {
    const make = () => Pipeline.make("P", { input: { a: text }, steps: { copy }, concurrency })
    assert.throws(make, `P: at least 1 step at once, not ${concurrency}`)
  }
})

describe("plan", () => {
  it("is the graph as data and as Mermaid", () => {
    assert.deepStrictEqual(Document.plan.steps.find((step) => step.name === "quality"), {
      name: "quality",
      needs: ["content", "title", "category"],
      after: ["title", "category"],
      gives: ["score"]
    })
    assert.include(Plan.mermaid(Document.plan), "  category -->|category| quality")
    assert.include(Plan.mermaid(Document.plan), "  input -->|content| title")
  })
})

it.effect("layers: nothing but LM is needed", () =>
  Effect.gen(function*() {
    const program: Effect.Effect<{ readonly summary: string }, unknown, LM> = Document({ content: "text" })
    const exit = yield* Effect.exit(Effect.provide(program, Layer.succeed(LM, TestLM.make(() => "nonsense").lm)))
    assert.isTrue(Exit.isFailure(exit))
  }))
