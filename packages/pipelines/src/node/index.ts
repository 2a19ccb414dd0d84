/**
 * `@effect-dspy/pipelines/node`: what is better where Node is the host. Needs `@effect/platform-node`.
 */
export * as NodeTransport from "./NodeTransport.ts"
