/**
 * `@effect-dspy/pipelines`: steps wired by field names, and bounded batches of them.
 */
export * as Batch from "./Batch.ts"
export * as Pipeline from "./Pipeline.ts"
export * as Plan from "./Plan.ts"
export * as StepReport from "./StepReport.ts"
