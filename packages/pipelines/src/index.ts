/**
 * `@effect-dspy/pipelines`: steps wired by field names, and bounded batches of them.
 */
export * as Batch from "./Batch.ts"
export * as Pipeline from "./Pipeline.ts"
export * as Plan from "./Plan.ts"
export * as Recorder from "./Recorder.ts"
export * as Report from "./Report.ts"
export * as ReportHtml from "./ReportHtml.ts"
export * as ReportText from "./ReportText.ts"
export * as StepReport from "./StepReport.ts"
