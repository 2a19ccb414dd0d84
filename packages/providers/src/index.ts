/**
 * `@effect-dspy/providers`: LM and embedding layers for real endpoints. The offline ones have an entry of
 * their own, `@effect-dspy/providers/offline`.
 */
export * as Capabilities from "./Capabilities.ts"
export * as ChatCompletions from "./ChatCompletions.ts"
export * as EmbeddingEndpoint from "./EmbeddingEndpoint.ts"
export * as Endpoint from "./Endpoint.ts"
export * as GeminiEmbeddings from "./GeminiEmbeddings.ts"
export * as HttpFailure from "./HttpFailure.ts"
export * as OllamaEmbeddings from "./OllamaEmbeddings.ts"
export * as OpenAi from "./OpenAi.ts"
export * as OpenAiCompatible from "./OpenAiCompatible.ts"
export * as OpenAiEmbeddings from "./OpenAiEmbeddings.ts"
export * as Plan from "./Plan.ts"
export type * as Protocol from "./Protocol.ts"
export * as Quirks from "./Quirks.ts"
export * as RateLimitHeaders from "./RateLimitHeaders.ts"
export * as RetryAfter from "./RetryAfter.ts"
export * as StrictSchema from "./StrictSchema.ts"
export * as ToolInput from "./ToolInput.ts"
export * as Transport from "./Transport.ts"
