/**
 * `@effect-dspy/providers/ai`: the bridge to `effect/ai`, which only this entry loads.
 */
export * as AiBridge from "./AiBridge.ts"
