/**
 * `@effect-dspy/pipelines/dashboard`: the store of jobs as a web page. Needs `@effect/platform-node`, `lit-html` and
 * `uplot`.
 */
export { WeakToken } from "./Access.ts"
export { MissingAsset } from "./Assets.ts"
export * as Dashboard from "./Dashboard.ts"
