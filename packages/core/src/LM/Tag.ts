/**
 * The one service a predictor needs: somebody who answers requests.
 *
 * This file holds the tag and the shape, so that decorators, one per file, can name them without
 * importing each other. `LM.ts` is the face that users see.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Completion } from "../Completion.ts"
import type { LMError } from "../LMError.ts"
import type { Request } from "./Request.ts"
import type { Settings } from "./Settings.ts"

/** Marks services built by `LM.make`, the only place that counts what is sent. */
export const TypeId = "~@effect-dspy/core/LM"

/**
 * - `provider`, `model`: who answers, for errors, spans and traces
 * - `endpoint`: where the model is asked and on whose account, so that answers of two accounts are kept apart:
 *   a base URL, and a fingerprint of the key, never the key
 * - `defaults`: settings of the layer, under everything nearer
 *
 * @category models
 */
export interface Service {
  readonly [TypeId]: typeof TypeId
  readonly provider: string
  readonly model: string
  readonly endpoint: string
  readonly defaults: Settings
  readonly generate: (request: Request) => Effect.Effect<Completion, LMError>
}

/**
 * The language model a program runs on.
 *
 * @category services
 */
export class LM extends Context.Service<LM, Service>()("@effect-dspy/core/LM") {}
