/**
 * `@effect-dspy/providers/ai`: models and tools of `effect/ai` in our words and ours in theirs. Only this entry loads
 * it.
 */
export * as AiBridge from "./AiBridge.ts"
export * as AiTools from "./AiTools.ts"
