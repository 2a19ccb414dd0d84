/**
 * `@effect-dspy/pipelines/mcp`: the Model Context Protocol both ways, over `effect/ai`. Only this entry loads it.
 */
export * as McpSteps from "./McpSteps.ts"
export { McpToolError } from "./McpToolError.ts"
export * as McpTools from "./McpTools.ts"
