/**
 * `@effect-dspy/core/testing`: test doubles that are part of the product.
 */
export * as TestLM from "./TestLM.ts"
