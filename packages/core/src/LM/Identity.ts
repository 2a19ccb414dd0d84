/**
 * What makes two requests the same.
 *
 * Caches, recordings and memos ask it here, so that none of them forgets a part: who is asked, on whose
 * account, the messages, the wished output with its schema, the tools, and every setting that can change the
 * answer. What only concerns the call (attempts, time, listeners, cache hints) is left out.
 */
import type { Message } from "../Message.ts"
import type { Output, Request, Tool, ToolChoice } from "./Request.ts"
import * as Settings from "./Settings.ts"
import type { Service } from "./Tag.ts"

/** Settings of the call, not of the answer. */
const ofTheCall: ReadonlySet<string> = new Set(
  ["attempts", "timeout", "retryMaxTokens"] satisfies ReadonlyArray<
    keyof Settings.Settings
  >
)

/**
 * What a request asks, without who is asked: plain JSON data.
 *
 * @category models
 */
export interface Question {
  readonly messages: ReadonlyArray<Message>
  readonly output: Output
  readonly settings: { readonly [name: string]: unknown }
  readonly tools?: ReadonlyArray<Tool>
  readonly toolChoice?: ToolChoice
}

/**
 * The question a request asks, its settings in the order of their names.
 *
 * @category getters
 */
export const question = (request: Request): Question => ({
  messages: request.messages,
  output: request.output,
  settings: Object.fromEntries(
    Object.entries(request.settings).filter(([name]) => !ofTheCall.has(name)).sort(([a], [b]) => a < b ? -1 : 1)
  ),
  ...(request.tools === undefined ? undefined : { tools: request.tools }),
  ...(request.toolChoice === undefined ? undefined : { toolChoice: request.toolChoice })
})

/**
 * The identity of a request to an LM, as JSON text. The layer's defaults are part of it.
 *
 * @category getters
 */
export const of = (lm: Service, request: Request): string =>
  JSON.stringify([
    lm.endpoint,
    lm.provider,
    lm.model,
    question({ ...request, settings: Settings.merge(lm.defaults, request.settings) })
  ])

/**
 * The endpoint of an LM that stands for several: whoever keeps answers must not take those of another row of models
 * for these.
 *
 * @category getters
 */
export const endpoints = (lms: ReadonlyArray<Service>): string =>
  lms.map(({ endpoint, model }) => `${endpoint} ${model}`).join(", ")
