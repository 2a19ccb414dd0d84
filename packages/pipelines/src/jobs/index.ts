/**
 * `@effect-dspy/pipelines/jobs`: work that survives its process.
 */
export * as Claims from "./Claims.ts"
export * as Codec from "./Codec.ts"
export * as Cron from "./Cron.ts"
export * as Engine from "./engine/Engine.ts"
export * as Failure from "./Failure.ts"
export * as Group from "./Group.ts"
export * as Handlers from "./Handlers.ts"
export * as Job from "./Job.ts"
export * as JobError from "./JobError.ts"
export * as JobInfo from "./JobInfo.ts"
export { Jobs } from "./Jobs.ts"
export * as Retry from "./Retry.ts"
export * as StoreError from "./StoreError.ts"
export * as Wake from "./Wake.ts"
export * as Worker from "./Worker.ts"
export * as WorkerMain from "./WorkerMain.ts"
