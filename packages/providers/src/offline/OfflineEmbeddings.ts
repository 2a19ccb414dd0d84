/**
 * Vectors without a neural network: hashed bags of words.
 *
 * Texts are alike here when they share words, or pieces of words; nothing is known of meaning, so `car` and
 * `automobile` have nothing in common. That is enough to run, test and demonstrate what is built on an embedder,
 * anywhere and without a key. The same text always has the same vector.
 *
 * The features are those of `Similarity`, each at a place and with a sign given by its hash (Weinberger and
 * others, "Feature Hashing for Large Scale Multitask Learning", 2009).
 */
import * as Embedder from "@effect-dspy/core/Embedder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Similarity from "./Similarity.ts"

/**
 * - `dimensions`: the length of the vectors, default 1024; fewer make more features collide
 *
 * @category models
 */
export interface Options {
  readonly dimensions?: number
}

/**
 * Builds the offline embedder.
 *
 * @category constructors
 */
export const make = ({ dimensions = 1024 }: Options = {}): Embedder.Service =>
  Embedder.make({
    provider: "offline",
    model: `hashed-words-${dimensions}`,
    dimensions,
    // Nothing is gained by waiting for company.
    batching: { delay: 0 },
    embedMany: (texts) =>
      Effect.sync(() => ({
        vectors: texts.map((text) => vector(text, dimensions)),
        usage: { inputTokens: texts.reduce((sum, text) => sum + Math.ceil(text.length / 4), 0) }
      }))
  })

/**
 * A layer with the offline embedder.
 *
 * ```ts
 * import { Embedder } from "@effect-dspy/core"
 * import { OfflineEmbeddings } from "@effect-dspy/providers/offline"
 * import { Effect } from "effect"
 *
 * const tides = Embedder.embed("The tides of the sea").pipe(Effect.provide(OfflineEmbeddings.layer({ dimensions: 64 })))
 * const vector = await Effect.runPromise(tides)
 * vector.length // => 64
 * ```
 *
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<Embedder.Embedder> =>
  Layer.succeed(Embedder.Embedder, make(options))

// A question and its answer seldom have words in the same form: `tide`, `tides`.
const pieceWeight = 0.5

/** Of length 1, or all zeros for a text without words. */
const vector = (text: string, dimensions: number): Float32Array => {
  const weights = new Float64Array(dimensions)
  for (const [feature, weight] of Similarity.ofText(text, pieceWeight)) {
    const code = hash(feature)
    // The sign keeps features that collide from always adding up.
    const place = (code >>> 1) % dimensions
    weights[place] = (weights[place] ?? 0) + (code & 1 ? weight : -weight)
  }
  const norm = Math.hypot(...weights)
  return Float32Array.from(weights, (weight) => norm === 0 ? 0 : weight / norm)
}

/** FNV-1a, 32 bits, with a last mix so that all bits depend on all characters. */
const hash = (text: string): number => {
  let code = 0x811c9dc5
  for (let at = 0; at < text.length; at++) code = Math.imul(code ^ text.charCodeAt(at), 0x01000193)
  code = Math.imul(code ^ (code >>> 16), 0x85ebca6b)
  return (code ^ (code >>> 13)) >>> 0
}
