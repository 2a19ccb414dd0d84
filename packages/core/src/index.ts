/**
 * `@effect-dspy/core`: typed signatures, the LM service, adapters, predictors, parameters and traces.
 *
 * Each name is a module; `LM`, the service, is both a tag and its functions.
 */
export * as Adapter from "./Adapter.ts"
export * as ChainOfThought from "./ChainOfThought.ts"
export * as ChatAdapter from "./ChatAdapter.ts"
export * as Completion from "./Completion.ts"
export * as Embedder from "./Embedder.ts"
export * as Example from "./Example.ts"
export * as Field from "./Field.ts"
export * as JsonAdapter from "./JsonAdapter.ts"
export * as JsonText from "./JsonText.ts"
export { LM } from "./LM.ts"
export * as Identity from "./LM/Identity.ts"
export * as Request from "./LM/Request.ts"
export * as LMError from "./LMError.ts"
export * as LMErrorReason from "./LMErrorReason.ts"
export * as Markers from "./Markers.ts"
export * as Message from "./Message.ts"
export * as Parameters from "./Parameters.ts"
export * as Predict from "./Predict.ts"
export * as PredictError from "./PredictError.ts"
export * as Signature from "./Signature.ts"
export * as Step from "./Step.ts"
export * as Trace from "./Trace.ts"
export * as TypeNotation from "./TypeNotation.ts"
export * as Usage from "./Usage.ts"
