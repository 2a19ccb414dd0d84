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

/** How hard a model is asked to reason. */
export type Effort = NonNullable<Settings["reasoningEffort"]>

/** The least and the most of a number that can be sent. */
export type Bounds = { readonly [name in "temperature" | "topP" | "maxTokens"]?: readonly [number, number] }

/**
 * - `structuredOutput`: the ways to hold the model to a schema, firmest first; `prompt` always works
 * - `tools`: whether it calls tools natively; `toolChoice`: whether it can be told to
 * - `outputBesideTools`: those of `structuredOutput` that leave a model free to call the tools of a request
 * - `media`: kinds of parts it takes, and from where
 * - `reasoning`: when it reasons: never, when `reasoningEffort` asks for it, unless that is `none`, or always
 * - `efforts`: values of `reasoningEffort` it knows, weakest first; another one becomes the next stronger
 * - `effortAs`: whether it is told the effort in a word, as a number of tokens, or only to reason or not
 * - `without`: settings it refuses; `withoutWhileReasoning`: those it refuses when it reasons
 * - `oneOf`: settings of which it takes one only, the first that is set
 * - `onUnsupported`: what becomes of a setting it refuses
 *
 * @category models
 */
export interface Capabilities {
  readonly structuredOutput: ReadonlyArray<Mode>
  readonly outputBesideTools: ReadonlyArray<Mode>
  readonly tools: boolean
  readonly toolChoice: boolean | "unlessReasoning"
  readonly media: { readonly [type in Media["type"]]?: ReadonlyArray<Media["source"]["_tag"]> }
  readonly reasoning: "never" | "asked" | "default" | "always"
  readonly efforts: ReadonlyArray<Effort>
  readonly effortAs: "word" | "tokens" | "switch"
  readonly without: ReadonlyArray<Setting>
  readonly withoutWhileReasoning: ReadonlyArray<Setting>
  readonly oneOf: ReadonlyArray<Setting>
  readonly onUnsupported: "drop" | "fail"
}

/** From the weakest to the strongest. */
const strength: ReadonlyArray<Effort> = ["none", "minimal", "low", "medium", "high"]

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
  reasoning: "default",
  efforts: strength,
  effortAs: "word",
  without: [],
  withoutWhileReasoning: [],
  oneOf: [],
  onUnsupported: "drop"
}

/**
 * The settings as they can be sent, what was changed, and whether the model will reason.
 *
 * @category models
 */
export interface Fitted {
  readonly settings: Settings
  readonly adjustments: ReadonlyArray<Adjustment>
  readonly reasons: boolean
}

/**
 * Makes a request's settings such that the model takes them, or fails, as the capabilities want it. `protocol` is
 * what the protocol has no word for, and the numbers it allows.
 *
 * ```ts
 * import { Capabilities } from "@effect-dspy/providers"
 * import { Result } from "effect"
 *
 * const reasoning: Capabilities.Capabilities = { ...Capabilities.all, withoutWhileReasoning: ["temperature"] }
 * const { adjustments, settings } = Result.getOrThrow(Capabilities.fit(reasoning, { temperature: 1, maxTokens: 5 }))
 * settings // => { maxTokens: 5 }
 * adjustments // => [{ feature: "temperature", action: "dropped" }]
 * ```
 *
 * @category combinators
 */
export const fit = (
  self: Capabilities,
  settings: Settings,
  protocol: { readonly without?: ReadonlyArray<Setting>; readonly bounds?: Bounds } = {}
): Result.Result<Fitted, Reason.Unsupported> => {
  const effort = effortOf(self, settings.reasoningEffort)
  const reasons = self.reasoning === "always" || (self.reasoning !== "never" &&
    effort !== "none" && (effort !== undefined || self.reasoning === "default"))
  const changed = new Map<Setting, number | string | undefined>()
  for (
    const [name, range] of Object.entries(protocol.bounds ?? {}) as Array<[keyof Bounds, readonly [number, number]]>
  ) {
    const value = settings[name]
    const nearest = value === undefined ? undefined : Math.min(Math.max(value, range[0]), range[1])
    if (nearest !== value) changed.set(name, nearest)
  }
  if (effort !== settings.reasoningEffort) changed.set("reasoningEffort", effort)
  const refused = [...self.without, ...protocol.without ?? [], ...(reasons ? self.withoutWhileReasoning : [])]
  for (const name of refused) if (settings[name] !== undefined) changed.set(name, undefined)
  const chosen = self.oneOf.filter((name) => settings[name] !== undefined && !refused.includes(name))
  for (const name of chosen.slice(1)) changed.set(name, undefined)
  if (changed.size === 0) return Result.succeed({ settings, adjustments: [], reasons })
  // A model that never reasons does what `none` asks for without being told.
  const named = [...changed].filter(([name, value]) =>
    name !== "reasoningEffort" || value !== undefined || settings.reasoningEffort !== "none"
  )
  const [first] = named
  if (first !== undefined && self.onUnsupported === "fail") {
    return Result.fail(new Reason.Unsupported({ feature: `the setting ${first[0]}` }))
  }
  const kept = Object.fromEntries(
    Object.entries({ ...settings, ...Object.fromEntries(changed) }).filter(([, value]) => value !== undefined)
  )
  const adjustments = named.map(([feature, value]) => ({
    feature,
    action: value === undefined ? "dropped" : `${value}`
  }))
  return Result.succeed({ settings: kept, adjustments, reasons })
}

const effortOf = (self: Capabilities, asked: Effort | undefined): Effort | undefined => {
  if (asked === undefined || self.reasoning === "never") return undefined
  if (self.efforts.includes(asked)) return asked
  const weakest = strength.indexOf(asked)
  return self.efforts.find((one) => strength.indexOf(one) > weakest) ?? self.efforts.at(-1)
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
 * What a request needs and the endpoint lacks: a kind of media, or tools.
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
