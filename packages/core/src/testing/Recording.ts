/**
 * What a cassette holds: questions and what became of them, as JSON that can be read and compared by eye.
 *
 * Keys never get here, because requests don't carry them; whatever else looks like a secret is replaced before it is
 * written. Failures are kept like answers, without the provider's own words.
 */
import * as Schema from "effect/Schema"
import { Completion } from "../Completion.ts"
import * as Identity from "../LM/Identity.ts"
import type { Request } from "../LM/Request.ts"
import { LMError } from "../LMError.ts"

/**
 * - `name`: of the signature, where there was one
 * - `provider`, `model`: who was asked
 * - `request`: see `Identity.question`
 * - `answer` or `failure`: what became of it
 *
 * @category models
 */
export const Recording = Schema.Struct({
  name: Schema.optionalKey(Schema.String),
  provider: Schema.String,
  model: Schema.String,
  request: Schema.Json,
  answer: Schema.optionalKey(Completion),
  failure: Schema.optionalKey(LMError)
})

/**
 * One question and what became of it.
 *
 * @category models
 */
export type Recording = typeof Recording.Type

/**
 * The file.
 *
 * @category models
 */
export const File = Schema.Struct({ version: Schema.Literal(1), recordings: Schema.Array(Recording) })

/**
 * Replaces what must not be written.
 *
 * @category models
 */
export interface Strip {
  (text: string): string
}

/** How the keys of vendors begin, tokens of the web, and what stands behind `Bearer`. */
const secrets = new RegExp(
  [
    String.raw`\b(?:sk|pk|rk|xai|gsk|hf|ghp|gho|csk|tgp|fw|r8|nvapi)[-_][\w-]{16,}`,
    String.raw`\bAIza[\w-]{30,}`,
    String.raw`\bAKIA[A-Z0-9]{16}\b`,
    String.raw`\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*`,
    String.raw`(?<=\bBearer\s)[\w.~+/-]{8,}=*`
  ].join("|"),
  "g"
)

/**
 * Replaces what looks like a key or a token by `<secret>`.
 *
 * @category combinators
 */
export const stripSecrets: Strip = (text) => text.replaceAll(secrets, "<secret>")

/**
 * The question of a request as JSON text, stripped. Two requests are the same when their texts are.
 *
 * @category getters
 */
export const question = (request: Request, strip: Strip): string => write(Identity.question(request), strip)

/**
 * JSON text with every string in it stripped.
 *
 * @category getters
 */
export const write = (value: unknown, strip: Strip, indent?: number): string =>
  JSON.stringify(value, (_, inner: unknown) => typeof inner === "string" ? strip(inner) : inner, indent)

/**
 * The recording that comes closest to a request, in words that name its parts and show none of them.
 *
 * @category getters
 */
export const nearest = (recordings: ReadonlyArray<Recording>, request: Request, strip: Strip): string | undefined => {
  const asked = partsOf(JSON.parse(question(request, strip)))
  let best: { readonly words: string; readonly distance: number } | undefined
  for (const [index, recording] of recordings.entries()) {
    const parts = partsOf(recording.request)
    const names = new Set([...asked.keys(), ...parts.keys()])
    const differing = [...names].filter((name) => asked.get(name) !== parts.get(name))
    const distance = differing.reduce((sum, name) => sum + unlike(asked.get(name), parts.get(name)), 0)
    if (best !== undefined && best.distance <= distance) continue
    const { model, name = "by hand", provider } = recording
    // The same question: then it is who was asked, or how often.
    const what = differing.length === 0 ? "of another model, or played already" : `${differing.join(", ")} differ`
    best = { words: `recording ${index + 1} (${name}, ${provider}/${model}): ${what}`, distance }
  }
  return best?.words
}

/** The parts of a question that are compared, by name: each message, each setting, everything else as a whole. */
const partsOf = (request: unknown): ReadonlyMap<string, string> => {
  const parts = new Map<string, string>()
  if (typeof request !== "object" || request === null) return parts
  for (const [name, value] of Object.entries(request)) {
    if (name === "messages" && Array.isArray(value)) {
      for (const [index, message] of value.entries()) parts.set(`messages[${index}]`, JSON.stringify(message))
    } else if (name === "settings" && typeof value === "object" && value !== null) {
      for (const [setting, wish] of Object.entries(value)) parts.set(`settings.${setting}`, JSON.stringify(wish))
    } else parts.set(name, JSON.stringify(value))
  }
  return parts
}

// By what two texts have in common at their beginning and end: a prompt with one word changed is close.
const unlike = (a = "", b = ""): number => {
  const shorter = Math.min(a.length, b.length)
  let start = 0
  while (start < shorter && a[start] === b[start]) start++
  let end = 0
  while (end < shorter - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++
  return 1 - (start + end) / (Math.max(a.length, b.length) + 1)
}
