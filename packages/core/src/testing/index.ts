/**
 * `@effect-dspy/core/testing`: test doubles that are part of the product.
 */
export * as Cassette from "./Cassette.ts"
export * as TestLM from "./TestLM.ts"
