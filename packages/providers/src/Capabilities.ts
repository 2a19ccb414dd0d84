/**
 * What an endpoint and its model can do, as data.
 *
 * A profile gives the endpoint's abilities, `Quirks` those of a model by the beginning of its name, and the
 * caller may override every value. A protocol looks here before it writes a request; what can't be said is
 * dropped and named in the completion's `adjustments`, or fails the call: never in silence.
 */
import type { Adjustment } from "@effect-dspy/core/Completion"
import type { Mode, Request } from "@effect-dspy/core/LM/Request"
import type { Settings } from "@effect-dspy/core/LM/Settings"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import type { Media } from "@effect-dspy/core/Message"
import * as Result from "effect/Result"

/** A setting that is put on the wire. */
export type Setting = "temperature" | "topP" | "maxTokens" | "stop" | "seed" | "reasoningEffort"

/**
 * - `structuredOutput`: the ways to hold the model to a schema, firmest first; `prompt` always works
 * - `tools`: whether it calls tools natively; `toolChoice`: whether it can be told to
 * - `outputBesideTools`: those of `structuredOutput` that leave a model free to call the tools of a request
 * - `media`: kinds of parts it takes, and from where
 * - `without`: settings it refuses; `withoutWhileReasoning`: those it refuses unless `reasoningEffort` is `none`
 * - `onUnsupported`: what becomes of a setting it refuses
 *
 * @category models
 */
export interface Capabilities {
  readonly structuredOutput: ReadonlyArray<Mode>
  readonly outputBesideTools: ReadonlyArray<Mode>
  readonly tools: boolean
  readonly toolChoice: boolean
  readonly media: { readonly [type in Media["type"]]?: ReadonlyArray<Media["source"]["_tag"]> }
  readonly without: ReadonlyArray<Setting>
  readonly withoutWhileReasoning: ReadonlyArray<Setting>
  readonly onUnsupported: "drop" | "fail"
}

const sources: ReadonlyArray<Media["source"]["_tag"]> = ["Base64", "Url", "Uploaded"]

/**
 * Everything is taken: where a value is not known, the endpoint is asked and its answer believed.
 *
 * @category constructors
 */
export const all: Capabilities = {
  structuredOutput: ["native", "tool", "json", "prompt"],
  outputBesideTools: ["native", "tool", "json", "prompt"],
  tools: true,
  toolChoice: true,
  media: { image: sources, audio: sources, file: sources },
  without: [],
  withoutWhileReasoning: [],
  onUnsupported: "drop"
}

/** The settings as they can be sent, and what was left out. */
type Fitted = { readonly settings: Settings; readonly adjustments: ReadonlyArray<Adjustment> }

/**
 * Leaves out of a request's settings what the model refuses, or fails, as the capabilities want it.
 *
 * ```ts
 * import { Capabilities } from "@effect-dspy/providers"
 * import { Result } from "effect"
 *
 * const reasoning: Capabilities.Capabilities = { ...Capabilities.all, withoutWhileReasoning: ["temperature"] }
 * Result.getOrThrow(Capabilities.fit(reasoning, { temperature: 1, maxTokens: 5 })) // => { settings: { maxTokens: 5 }, adjustments: [{ feature: "temperature", action: "dropped" }] }
 * ```
 *
 * @category combinators
 */
export const fit = (self: Capabilities, settings: Settings): Result.Result<Fitted, Reason.Unsupported> => {
  const thinks = settings.reasoningEffort !== "none"
  const refused = [...self.without, ...(thinks ? self.withoutWhileReasoning : [])]
    .filter((name) => settings[name] !== undefined)
  const [first] = refused
  if (first === undefined) return Result.succeed({ settings, adjustments: [] })
  if (self.onUnsupported === "fail") return Result.fail(new Reason.Unsupported({ feature: `the setting ${first}` }))
  const kept = Object.fromEntries(Object.entries(settings).filter(([name]) => !refused.some((one) => one === name)))
  return Result.succeed({ settings: kept, adjustments: refused.map((feature) => ({ feature, action: "dropped" })) })
}

type Wish = Pick<Request, "output" | "tools">

/**
 * The ways still open to hold the model to a schema, firmest first: those of the endpoint, from the one a
 * request may still try.
 *
 * @category combinators
 */
export const modes = (self: Capabilities, { output, tools = [] }: Wish): ReadonlyArray<Mode> => {
  if (output._tag === "Text") return []
  const { mode } = output
  const order: ReadonlyArray<Mode> = ["native", "tool", "json", "prompt"]
  const open = order.slice(mode === undefined ? 0 : order.indexOf(mode))
  const able = self.structuredOutput.filter((one) =>
    open.includes(one) && (tools.length === 0 || self.outputBesideTools.includes(one))
  )
  return able.includes("prompt") ? able : [...able, "prompt"]
}

/**
 * What a request needs and the endpoint has not: a kind of media, or tools.
 *
 * @category guards
 */
export const missing = (self: Capabilities, request: Request): Reason.Unsupported | undefined => {
  if (!self.tools && request.tools !== undefined && request.tools.length > 0) {
    return new Reason.Unsupported({ feature: "tool calls" })
  }
  for (const { content, role } of request.messages) {
    if (role !== "user" || typeof content === "string") continue
    for (const part of content) {
      if (part.type === "text") continue
      const taken = self.media[part.type] ?? []
      if (taken.length === 0) return new Reason.Unsupported({ feature: `${part.type} input` })
      if (!taken.includes(part.source._tag)) {
        return new Reason.Unsupported({ feature: `${part.type} input as ${part.source._tag}` })
      }
    }
  }
  return undefined
}
