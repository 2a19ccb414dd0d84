/**
 * `@effect-dspy/pipelines/sandbox`: runs code that models write. Needs Node, and the optional peers
 * `quickjs-emscripten-core` and `@jitl/quickjs-ng-wasmfile-release-sync`.
 */
export * as Sandbox from "./Sandbox.ts"
