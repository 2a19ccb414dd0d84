/**
 * The bridge between our `LM` and the `LanguageModel` of `effect/ai`, in both directions: text, structured output,
 * tools, streams, usage, finish reasons and errors.
 *
 * ```ts
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { AiBridge } from "@effect-dspy/providers/ai"
 * import { Effect, Layer } from "effect"
 * import { Chat } from "effect/ai"
 *
 * const program = Effect.gen(function*() {
 *   const chat = yield* Chat.empty
 *   const { text } = yield* chat.generateText({ prompt: "Hello!" })
 *   return text
 * })
 * const Live = Layer.provide(AiBridge.toLanguageModel, TestLM.layer(["Hello to you."]))
 * await Effect.runPromise(Effect.provide(program, Live)) // => "Hello to you."
 * ```
 */
import type { LM } from "@effect-dspy/core/LM"
import type { LanguageModel } from "effect/ai/LanguageModel"
import type * as Layer from "effect/Layer"
import * as FromLanguageModel from "./FromLanguageModel.ts"
import * as ToLanguageModel from "./ToLanguageModel.ts"

/**
 * See `fromLanguageModel`.
 *
 * @category models
 */
export type Options = FromLanguageModel.Options

/**
 * Any `LanguageModel` as an LM: predictors and decorators over a provider written for `effect/ai`.
 *
 * Settings such as `temperature` are no part of its protocol: `configure` hands them on by the provider's own means,
 * and without it a completion says that they were dropped.
 *
 * @category layers
 */
export const fromLanguageModel: (options?: Options) => Layer.Layer<LM, never, LanguageModel> = FromLanguageModel.layer

/**
 * Any LM as a `LanguageModel`: decorated LMs under `Chat`, toolkits and whatever is written for `effect/ai`.
 *
 * A streamed answer that has to begin again fails, with a reason that is worth a retry: what was streamed cannot
 * be taken back there.
 *
 * @category layers
 */
export const toLanguageModel: Layer.Layer<LanguageModel, never, LM> = ToLanguageModel.layer
