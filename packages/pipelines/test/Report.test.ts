import { Embedder, LM, LMErrorReason, Predict, Signature, Step } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { Pipeline, Recorder, Report, ReportHtml, ReportText } from "@effect-dspy/pipelines"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"

const text = Schema.String
const predictor = <const I extends Signature.Fields, const O extends Signature.Fields>(
  name: string,
  input: I,
  output: O & { readonly [K in keyof I]?: never }
) => Predict.make(Signature.make<string, I, O>(name, { input, output }))

const steps = {
  title: predictor("Title", { content: text }, { title: text }),
  keywords: predictor("Keywords", { content: text }, { keywords: text }),
  summary: predictor("Summary", { title: text }, { summary: text }),
  quality: predictor("Quality", { keywords: text, summary: text }, { score: text })
}
const document = Pipeline.make("Document", { input: { content: text }, steps })

/** An answer with a price, after so many seconds. */
const priced = (seconds: number, field: string) =>
  TestLM.after(
    `${seconds} seconds`,
    TestLM.completion({
      content: [{ type: "text", text: JSON.stringify({ [field]: "PLANTED" }) }],
      usage: { calls: 1, inputTokens: 100 * seconds, outputTokens: 10, costUsd: seconds / 100 }
    })
  )

/** The reports of a program's runs, under a virtual clock. */
const reports = Effect.fnUntraced(function*<A, E>(program: Effect.Effect<A, E>) {
  const found: Array<Report.Report> = []
  const observed = Recorder.observe((run) => found.push(Pipeline.report(run)))(program)
  const fiber = yield* Effect.forkChild(Effect.exit(observed))
  yield* TestClock.adjust("1 hour")
  yield* Fiber.join(fiber)
  return found
})

// One slow step, one request that fails and is sent again, one that waits for its turn under a rate limit.
const troubled = document({ content: "PLANTED" }).pipe(Effect.provide(
  TestLM.layer({
    Title: [priced(3, "title")],
    Keywords: [priced(10, "keywords")],
    Summary: [TestLM.after("2 seconds", new LMErrorReason.Overloaded({})), priced(2, "summary")],
    Quality: [priced(1, "score")]
  }).pipe(LM.rateLimit({ requests: 60, per: "1 minute" }), LM.retry({ schedule: Schedule.spaced("1 second") }))
))

describe("the report of a run", () => {
  it.effect("names the slow step, the retry and the rate limit, with the milliseconds of each", () =>
    Effect.gen(function*() {
      const [report] = yield* reports(troubled)
      assert.isDefined(report)
      if (report === undefined) return
      assert.deepInclude(report, { pipeline: "Document", outcome: "succeeded", ms: 12_001 })
      assert.deepStrictEqual(report.criticalPath, {
        steps: ["keywords", "quality"],
        parts: { model: 11_000, rateLimit: 1_001 }
      })
      assert.deepStrictEqual(report.lost, [
        { step: "summary", cause: "failed", ms: 2_000, critical: false, details: ["Overloaded"] },
        { step: "keywords", cause: "rateLimit", ms: 1_001, critical: true, details: [] },
        { step: "summary", cause: "retry", ms: 1_000, critical: false, details: ["Overloaded"] }
      ])
      assert.deepStrictEqual(
        report.steps.map(({ critical, endMs, name, readyMs, slackMs, startMs, waitedFor }) => [
          name,
          waitedFor,
          readyMs,
          startMs,
          endMs,
          slackMs,
          critical
        ]),
        [
          ["title", undefined, 0, 0, 3_000, 3_001, false],
          ["keywords", undefined, 0, 0, 11_001, 0, true],
          ["summary", "title", 3_000, 3_000, 8_000, 3_001, false],
          ["quality", "keywords", 11_001, 11_001, 12_001, 0, true]
        ]
      )
      assert.deepStrictEqual(report.steps[2]?.parts, { failed: 2_000, retry: 1_000, model: 2_000 })
      assert.deepStrictEqual(report.steps[2]?.usage, { calls: 2, inputTokens: 200, outputTokens: 10, costUsd: 0.02 })
      assert.deepStrictEqual(report.usage, { calls: 5, inputTokens: 1600, outputTokens: 40, costUsd: 0.16 })
      assert.deepStrictEqual(JSON.parse(JSON.stringify(report)), report)
      assert.notInclude(JSON.stringify(report), "PLANTED")
    }))

  it.effect("says it in words, as a chart and as a page", () =>
    Effect.gen(function*() {
      const [report] = yield* reports(troubled)
      if (report === undefined) return assert.fail("no report")
      const lines = ReportText.text(report).split("\n")
      assert.deepStrictEqual(lines.slice(0, 3), [
        "Document succeeded after 12.001 s: 5 requests, 1640 tokens, $0.16",
        "critical path: keywords -> quality (model 11 s, rate limit 1.001 s)",
        "slowest step on it: keywords, 11.001 s"
      ])
      assert.deepStrictEqual(lines.slice(-4), [
        "lost:",
        "  2 s failed requests in summary (Overloaded), beside the critical path",
        "  1.001 s rate limit in keywords",
        "  1 s waiting to retry in summary (Overloaded), beside the critical path"
      ])
      const chart = ReportText.mermaid(report).split("\n")
      assert.includeMembers(chart, [
        "  keywords :crit, done, 0, 11001",
        "  rate limit :active, 0, 1001",
        "  failed requests Overloaded :active, 3000, 5000",
        "  waiting to retry Overloaded :active, 5000, 6000"
      ])
      const page = ReportHtml.page("Runs", [report])
      for (
        const line of ["1.001 s rate limit in keywords", "2 s failed requests in summary (Overloaded)", "11.001 s"]
      ) {
        assert.include(page, line)
      }
    }))

  it.effect("accounts for every millisecond of a bounded pipeline, permits and turns included", () =>
    Effect.gen(function*() {
      const bounded = Pipeline.make("Document", { input: { content: text }, steps, concurrency: 2 })
      const lm = TestLM.layer((request) => {
        const field = request.call?.signature.derived.outputs[0]?.name ?? ""
        return TestLM.after("2 seconds", { [field]: "x" })
      }).pipe(LM.concurrency(1))
      const [report] = yield* reports(Effect.provide(bounded({ content: "x" }), lm))
      if (report === undefined) return assert.fail("no report")
      assert.strictEqual(report.ms, 8_000)
      assert.deepStrictEqual(report.steps[1]?.parts, { permit: 2_000, model: 2_000 })
      const along = Object.values(report.criticalPath.parts).reduce((sum, ms) => sum + ms, 0)
      assert.strictEqual(along, report.ms)
    }))

  it.effect("tells of a run that failed, of what was interrupted by it and what never began", () =>
    Effect.gen(function*() {
      const lm = TestLM.layer({
        Title: [TestLM.after("1 second", new LMErrorReason.Refused({}))],
        Keywords: [priced(10, "keywords")]
      })
      const [report] = yield* reports(Effect.provide(document({ content: "x" }), lm))
      assert.deepInclude(report, { outcome: "failed", error: "Refused", ms: 1_000 })
      assert.deepStrictEqual(report?.steps.map(({ name, outcome }) => [name, outcome]), [
        ["title", "failed"],
        ["keywords", "interrupted"],
        ["summary", "skipped"],
        ["quality", "skipped"]
      ])
      if (report !== undefined) assert.include(ReportText.text(report), "Document failed (Refused) after 1 s")
    }))

  it.effect("counts what happens in a pipeline within a step of it, and has one report for each", () =>
    Effect.gen(function*() {
      const inner = Pipeline.make("Inner", { input: { content: text }, steps: { title: steps.title } })
      const outer = Pipeline.make("Outer", { input: { content: text }, steps: { inner } })
      const found = yield* reports(Effect.provide(outer({ content: "x" }), TestLM.layer([priced(3, "title")])))
      assert.deepStrictEqual(found.map(({ pipeline }) => pipeline), ["Outer/inner", "Outer"])
      assert.deepStrictEqual(found[1]?.steps.map(({ name, parts, requests }) => [name, parts, requests]), [
        ["inner", { model: 3_000 }, 1]
      ])
    }))

  it.effect("has a model's time in every step and run whose texts it embeds in one request", () =>
    Effect.gen(function*() {
      const embeds = (name: string, field: string) =>
        Step.make(name, {
          input: { content: text },
          output: { [field]: Schema.Int },
          run: ({ content }) => Effect.map(Embedder.embed(content), (vector) => ({ [field]: vector.length }))
        })
      const pipeline = Pipeline.make("Find", {
        input: { content: text },
        steps: { first: embeds("First", "a"), second: embeds("Second", "b") } as never
      })
      const find = (content: string) => pipeline({ content }) as Effect.Effect<unknown, never, Embedder.Embedder>
      const embedder = Embedder.make({
        provider: "test",
        model: "vectors",
        embedMany: (texts) =>
          Effect.delay(Effect.succeed({ vectors: texts.map(() => Float32Array.of(1)), usage: {} }), "2 seconds")
      })
      const both = Effect.all([find("x"), find("y")], { concurrency: 2 })
      const found = yield* reports(Effect.provideService(both, Embedder.Embedder, embedder))
      const parts = { code: 5, model: 2_000 }
      assert.deepStrictEqual(
        found.map(({ steps }) => steps.map(({ name, parts, requests }) => [name, parts, requests])),
        [[["first", parts, 1], ["second", parts, 0]], [["first", parts, 0], ["second", parts, 0]]]
      )
    }))

  it.effect("keeps runs apart that go on side by side", () =>
    Effect.gen(function*() {
      const short = Pipeline.make("Short", { input: { content: text }, steps: { title: steps.title } })
      const lm = TestLM.layer((request) =>
        TestLM.after(`${request.call?.input.content} seconds` as `${number} seconds`, { title: "t" })
      )
      const program = Effect.forEach(["3", "1", "2"], (content) => short({ content }), { concurrency: 3 })
      const found = yield* reports(Effect.provide(program, lm))
      assert.deepStrictEqual(found.map(({ ms }) => ms), [1_000, 2_000, 3_000])
    }))
})

describe("the page of a report", () => {
  it.effect("shows names as text, and asks nobody for anything", () =>
    Effect.gen(function*() {
      const evil = "<script>alert(1)</script>\"onload='x'"
      const step = Step.make(evil, {
        input: { content: text },
        output: { a: text },
        run: () => Effect.fail({ _tag: evil })
      })
      const pipeline = Pipeline.make(evil, { input: { content: text }, steps: { [evil]: step } as never })
      const [report] = yield* reports(pipeline({ content: "x" } as never) as Effect.Effect<unknown, unknown>)
      if (report === undefined) return assert.fail("no report")
      const page = ReportHtml.page(evil, [report, report])
      assert.include(page, "&lt;script&gt;")
      assert.notMatch(page, /<script|<img|<link|<iframe|\son\w+=|javascript:|url\(|@import/)
      assert.notMatch(page, /(?:src|href|action)=/)
      assert.match(page, /Content-Security-Policy" content="default-src 'none'/)
      // Every attribute is quoted, and every element that is opened is closed.
      const opened = [...page.matchAll(/<(section|table|tr|td|th|div|span|ul|li|p|main|h\d)\b/g)].length
      const closed = [...page.matchAll(/<\/(section|table|tr|td|th|div|span|ul|li|p|main|h\d)>/g)].length
      assert.strictEqual(opened, closed)
      const chart = ReportText.mermaid(report)
      assert.notMatch(chart, /[<>"]/)
    }))
})
