/**
 * `@effect-dspy/providers/offline`: a model that needs no weights and no network.
 */
export * as Offline from "./Offline.ts"
