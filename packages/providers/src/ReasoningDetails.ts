/**
 * What gateways want back of a model's reasoning: `reasoning_details`, as OpenRouter writes them.
 *
 * They hold what the vendors behind the gateway sign or encrypt, and go back unchanged with the turn they came
 * with. In a stream they come in pieces, numbered by `index`.
 */
import type { Content } from "@effect-dspy/core/Completion"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Lenient from "./Lenient.ts"

const key = "reasoning_details"

const Details = Schema.Array(Schema.Record(Schema.String, Schema.Json))

const decode = Schema.decodeUnknownResult(Details)

/**
 * Details in the order they began.
 *
 * @category models
 */
export type Details = typeof Details.Type

/** What grows from piece to piece; everything else is said once. */
const texts = ["text", "summary", "data"]

/**
 * Adds the pieces of one event to what came before; anything that is not a list of details adds nothing.
 *
 * @category combinators
 */
export const add = (self: Details, pieces: unknown): Details => {
  // Most answers have none, and a schema takes its time to say so.
  if (pieces === undefined || pieces === null) return self
  const read = decode(pieces)
  if (Result.isFailure(read)) return self
  let all = self
  for (const piece of read.success) {
    const at = all.findIndex(({ index, type }) => index !== undefined && index === piece.index && type === piece.type)
    const before = all[at]
    all = before === undefined ? [...all, piece] : all.with(at, { ...before, ...piece, ...grown(before, piece) })
  }
  return all
}

const grown = (before: Details[number], piece: Details[number]): Details[number] =>
  Object.fromEntries(texts.flatMap((name) => {
    const [a, b] = [before[name], piece[name]]
    return typeof a === "string" && typeof b === "string" ? [[name, a + b]] : []
  }))

/**
 * The metadata of a reasoning part that keeps details for the provider they came from.
 *
 * @category conversions
 */
export const toMetadata = (provider: string, details: Details): Pick<Content, "metadata"> =>
  details.length === 0 ? {} : { metadata: { [provider]: { [key]: details } } }

/**
 * The details in a turn that came from this provider, or none.
 *
 * @category getters
 */
export const of = (provider: string, content: ReadonlyArray<Content>): Details | undefined => {
  const found = content.reduce<Details>((all, { metadata }) => add(all, Lenient.record(metadata?.[provider])[key]), [])
  return found.length === 0 ? undefined : found
}
