/**
 * How much two texts are about the same, as the cosine of their bags of words.
 *
 * Words count by the square root of how often they occur, so that a long text's favourite word does not
 * drown the others. Pieces of three letters back the words up: `technology` and `technologies` share
 * most of them (the idea is Cavnar and Trenkle's, "N-Gram-Based Text Categorization", 1994).
 */
import { isTerm, words } from "./Words.ts"

/** A text as weights by feature. */
export type Vector = ReadonlyMap<string, number>

// A shared word says more than its shared pieces.
const usualPieceWeight = 0.3

/**
 * The vector of a short text. `pieceWeight` says how much the pieces of words count beside whole words.
 *
 * @category constructors
 */
export const ofText = (text: string, pieceWeight = usualPieceWeight): Vector => {
  const counts = new Map<string, number>()
  for (const word of words(text)) if (isTerm(word)) counts.set(word, (counts.get(word) ?? 0) + 1)
  return ofCounts(counts, pieceWeight)
}

/**
 * The vector of a text whose words have been counted.
 *
 * @category constructors
 */
export const ofCounts = (counts: ReadonlyMap<string, number>, pieceWeight = usualPieceWeight): Vector => {
  const weights = new Map<string, number>()
  const add = (feature: string, weight: number) => weights.set(feature, (weights.get(feature) ?? 0) + weight)
  for (const [term, count] of counts) {
    add(term, Math.sqrt(count))
    const padded = ` ${term} `
    for (let at = 0; at + 3 <= padded.length; at++) add(`#${padded.slice(at, at + 3)}`, Math.sqrt(count) * pieceWeight)
  }
  return weights
}

/**
 * From 0, nothing in common, to 1, the same words in the same proportions.
 *
 * @category getters
 */
export const cosine = (a: Vector, b: Vector): number => {
  const [small, large] = a.size < b.size ? [a, b] : [b, a]
  let dot = 0
  for (const [feature, weight] of small) dot += weight * (large.get(feature) ?? 0)
  return dot === 0 ? 0 : dot / (norm(a) * norm(b))
}

/**
 * Candidates by similarity, the most similar first; equals keep their order.
 *
 * @category getters
 */
export const rank = <A>(
  query: Vector,
  candidates: ReadonlyArray<A>,
  text: (candidate: A) => string
): ReadonlyArray<A> =>
  candidates
    .map((candidate) => ({ candidate, score: cosine(query, ofText(text(candidate))) }))
    .toSorted((a, b) => b.score - a.score)
    .map(({ candidate }) => candidate)

/** Something known of a text. */
export interface Known<out A> {
  readonly vector: Vector
  readonly output: A
}

/**
 * The known text most like the query; the first of equals.
 *
 * @category getters
 */
export const nearest = <A>(query: Vector, known: ReadonlyArray<Known<A>>): Known<A> | undefined => {
  let best: Known<A> | undefined
  let bestScore = -1
  for (const candidate of known) {
    const score = cosine(query, candidate.vector)
    if (score > bestScore) {
      best = candidate
      bestScore = score
    }
  }
  return best
}

const norm = (vector: Vector): number => {
  let sum = 0
  for (const weight of vector.values()) sum += weight * weight
  return Math.sqrt(sum)
}
