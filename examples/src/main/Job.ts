/**
 * The main job: documents in, a table or JSON lines out.
 *
 * The life of a run:
 * 1. The arguments become documents; nothing is read yet.
 * 2. Documents flow through the pipeline, a bounded number at once, as one stream of outcomes.
 * 3. Each outcome is shown as it comes: a JSON line (in input order), or a step of the progress bar.
 * 4. However the run ends, what was finished is printed: after the last document, at the first failure
 *    with --fail-fast, or at Ctrl-C, which interrupts every call in flight.
 */
import { LM } from "@effect-dspy/core/LM"
import * as Usage from "@effect-dspy/core/Usage"
import * as Batch from "@effect-dspy/pipelines/Batch"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Model from "./Model.ts"
import * as Outcome from "./Outcome.ts"
import * as Progress from "./Progress.ts"
import * as Report from "./Report.ts"
import * as RunReport from "./RunReport.ts"
import * as Sources from "./Sources.ts"

export interface Options extends Model.Options {
  readonly files: ReadonlyArray<string>
  readonly sequential: boolean
  readonly documents: number
  readonly failFast: boolean
  readonly json: boolean
  readonly retries: number
  readonly maxBytes: number
  readonly report: Option.Option<string>
}

/** What the terminal is like, and where the user stands: the edge of the program. */
export interface Terminal {
  readonly base: string
  readonly width: number
  readonly colors: boolean
  readonly stderr: NodeJS.WriteStream
}

/** Runs the job; the result says whether every document succeeded. */
export const run = Effect.fn("Job.run")(function*(options: Options, terminal: Terminal) {
  const sources = yield* Sources.expand(options.files, terminal.base)
  const watched = Option.isNone(options.report)
    ? RunReport.none
    : yield* RunReport.make(options.report.value, terminal.base)
  const concurrency = options.sequential ? 1 : options.documents
  const outcomes: Array<Outcome.Outcome | undefined> = []
  const progress = Progress.make(sources.length, options.json ? silent(terminal.stderr) : terminal.stderr)
  const start = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
  let usage = Usage.zero
  let failed = 0
  let printed = 0

  const flush = Effect.suspend(() => {
    const lines: Array<string> = []
    for (let outcome = outcomes[printed]; outcome !== undefined; outcome = outcomes[++printed]) {
      lines.push(JSON.stringify(outcome))
      // Printed is done with: a long run keeps no documents.
      outcomes[printed] = undefined
    }
    return Effect.forEach(lines, (line) => Console.log(line), { concurrency: 1, discard: true })
  })

  const seen = (index: number, outcome: Outcome.Outcome) =>
    Effect.suspend(() => {
      outcomes[index] = outcome
      if (!outcome.ok) failed++
      progress.advance(failed)
      return options.json ? flush : Effect.void
    })

  const report = Effect.gen(function*() {
    progress.stop()
    const finished = outcomes.filter((outcome) => outcome !== undefined)
    if (options.json) {
      // Behind a document that never finished there may be finished ones.
      return yield* Effect.forEach(finished, (outcome) => Console.log(JSON.stringify(outcome)), {
        concurrency: 1,
        discard: true
      })
    }
    const wallMs = (yield* Effect.clockWith((clock) => clock.currentTimeMillis)) - start
    if (finished.length > 0) yield* Console.log(Report.table(finished, terminal.width, terminal.colors))
    const totals = Report.totals({
      outcomes: finished,
      usage,
      wallMs,
      concurrency,
      sequential: options.sequential,
      total: sources.length,
      simulated: simulated(options)
    })
    yield* Effect.forEach(totals, (line) => Console.log(line), { concurrency: 1, discard: true })
    yield* Effect.forEach(Report.failures(finished), (line) => Console.error(line), { concurrency: 1, discard: true })
  })

  // A document that fails gives an outcome as well: the stream itself can't fail.
  yield* Batch.run(sources, (source) => watched.watch(source.name)(Outcome.process(source, options)), {
    concurrency,
    ordered: false,
    onFailure: "stop"
  }).pipe(
    Stream.tap(({ index, result }) => seen(index, result)),
    Stream.takeUntil(({ result }) => options.failFast && !result.ok),
    Stream.runDrain,
    // Counted here and not from the outcomes: what was interrupted was paid for, too.
    Usage.observe((more) => {
      usage = Usage.add(usage, more)
    }),
    LM.withSettings({ attempts: options.retries + 1 }),
    Effect.onExit(() => report),
    Effect.onExit(() => watched.write)
  )
  return failed === 0
})

const simulated = (options: Options): string | undefined =>
  options.lm === "offline" ? "offline model, latency simulated" : undefined

const silent = (stream: NodeJS.WriteStream): NodeJS.WriteStream => Object.create(stream, { isTTY: { value: false } })
