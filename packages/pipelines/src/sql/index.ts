/**
 * `@effect-dspy/pipelines/sql`: what several processes share through a SQL database.
 */
export * as RateLimiterStore from "./RateLimiterStore.ts"
