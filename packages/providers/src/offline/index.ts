/**
 * `@effect-dspy/providers/offline`: a model and an embedder that need no weights and no network.
 */
export * as Offline from "./Offline.ts"
export * as OfflineEmbeddings from "./OfflineEmbeddings.ts"
