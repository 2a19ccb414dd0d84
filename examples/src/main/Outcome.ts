/**
 * One document through the pipeline: its result or its failure, when each step ran, and what it cost.
 *
 * An outcome is plain data; the table and the JSON lines are two views of it.
 */
import type * as PredictError from "@effect-dspy/core/PredictError"
import * as Usage from "@effect-dspy/core/Usage"
import * as Plan from "@effect-dspy/pipelines/Plan"
import * as StepReport from "@effect-dspy/pipelines/StepReport"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { DocumentPipeline, type Result as Document, SequentialPipeline } from "./DocumentPipeline.ts"
import { type FileError, show, type Shown } from "./Failure.ts"
import * as Sources from "./Sources.ts"

/** Milliseconds since the document's own start. */
interface StepTiming {
  readonly startMs: number
  readonly endMs: number
  readonly attempts: number
  readonly status: StepReport.StepReport["status"]
}

export interface Outcome {
  readonly file: string
  readonly ok: boolean
  readonly result?: Document
  readonly error?: Shown
  readonly timing: {
    readonly wallMs: number
    readonly criticalMs: number
    readonly steps: { readonly [step: string]: StepTiming }
  }
  readonly usage: Usage.Usage
}

/** Processes one document. A failure is an outcome too, so nothing is lost of what it took and cost. */
export const process = (
  source: Sources.Source,
  options: { readonly maxBytes: number; readonly sequential: boolean }
) =>
  Effect.clockWith((clock) => {
    const reports: Array<StepReport.StepReport> = []
    let usage = Usage.zero
    let startMs = clock.currentTimeMillisUnsafe()
    const pipeline = options.sequential ? SequentialPipeline : DocumentPipeline
    return Sources.text(source, options.maxBytes).pipe(
      Effect.flatMap((content) => {
        startMs = clock.currentTimeMillisUnsafe()
        return pipeline({ content })
      }),
      StepReport.observe((report) => reports.push(report)),
      Usage.observe((more) => {
        usage = Usage.add(usage, more)
      }),
      Effect.result,
      Effect.map((result) => make(source.name, result, reports, usage, startMs, clock.currentTimeMillisUnsafe()))
    )
  })

const make = (
  file: string,
  result: Result.Result<Document, FileError | PredictError.PredictError>,
  reports: ReadonlyArray<StepReport.StepReport>,
  usage: Usage.Usage,
  startMs: number,
  endMs: number
): Outcome => {
  const durations = Object.fromEntries(reports.map((report) => [report.step, report.endMs - report.startMs]))
  const steps = reports.map((report) => [report.step, {
    startMs: report.startMs - startMs,
    endMs: report.endMs - startMs,
    attempts: report.usage.calls,
    status: report.status
  }])
  return {
    file,
    ok: Result.isSuccess(result),
    ...(Result.isSuccess(result) ? { result: result.success } : { error: show(result.failure) }),
    timing: {
      wallMs: endMs - startMs,
      criticalMs: Plan.criticalPath(DocumentPipeline.plan, durations).millis,
      steps: Object.fromEntries(steps)
    },
    usage
  }
}

/** The time a document's calls take when each waits for the one before. */
export const inARow = ({ timing }: Outcome): number =>
  Object.values(timing.steps).reduce((sum, step) => sum + step.endMs - step.startMs, 0)
