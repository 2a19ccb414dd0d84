/**
 * How a model is asked: sampling, limits, and how much one logical call may cost in attempts and time.
 *
 * Settings are merged from far to near: the layer's defaults, `LM.Settings` around a part of a program,
 * the predictor's options, the tuned `Parameters`. The nearest word wins, key by key.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * - `temperature`, `topP`, `seed`, `stop`, `reasoningEffort`: passed on as they are
 * - `maxTokens`: most tokens of one answer, reasoning included
 * - `retryMaxTokens`: an answer cut at `maxTokens` is asked for again with this limit; without it a cut
 *   answer fails at once, because the same limit would cut it again
 * - `rollout`: numbers independent samples of one request, so that caches and recordings keep them apart
 * - `attempts`: requests one logical call may send, retries, re-asks and fallbacks together (default 3)
 * - `timeout`: time one logical call may take, waiting and backoff included (default 10 minutes)
 *
 * @category models
 */
export interface Settings {
  readonly temperature?: number
  readonly topP?: number
  readonly maxTokens?: number
  readonly retryMaxTokens?: number
  readonly stop?: ReadonlyArray<string>
  readonly seed?: number
  readonly reasoningEffort?: "none" | "minimal" | "low" | "medium" | "high"
  readonly rollout?: number
  readonly attempts?: number
  readonly timeout?: Duration.Input
}

/**
 * No wishes. One shared value, so that merging nothing costs nothing.
 *
 * @category constructors
 */
export const none: Settings = {}

/**
 * The settings in force around the running fiber.
 *
 * @category services
 */
export const Settings = Context.Reference<Settings>("@effect-dspy/core/LM/Settings", { defaultValue: () => none })

/**
 * Merges two settings; `near` wins key by key.
 *
 * @category combinators
 */
export const merge = (far: Settings, near: Settings | undefined): Settings =>
  near === undefined || near === none ? far : far === none ? near : { ...far, ...near }

/**
 * Runs a program with other settings, over those already in force.
 *
 * @category combinators
 */
export const provide = (settings: Settings) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => Effect.provideService(self, Settings, merge(fiber.getRef(Settings), settings)))
