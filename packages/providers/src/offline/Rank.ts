/**
 * What matters in a text: its sentences, keywords and title by rank.
 *
 * Sentences are scored by the frequent words they hold (Luhn, "The Automatic Creation of Literature
 * Abstracts", 1958) with a bonus for standing early; keywords are frequent words and pairs of words that
 * stand together. Everything is taken from the text, nothing is written.
 */
import { cut, isTerm, type Prose, prose, type Word, words, wordsByLine } from "./Words.ts"

/**
 * A text read once, for all questions about it.
 *
 * @category models
 */
export interface Reading extends Prose {
  readonly text: string
  /** The words of each sentence. */
  readonly words: ReadonlyArray<ReadonlyArray<Word>>
  /** How often each content word occurs. */
  readonly counts: ReadonlyMap<string, number>
  /** Indices of `sentences`, the most important first. */
  readonly order: ReadonlyArray<number>
}

/**
 * Reads a text. Words of `focus` (a title, keywords found before) count double.
 *
 * @category constructors
 */
export const read = (text: string, focus = ""): Reading => {
  const { headings, sentences } = prose(text)
  // What is not prose (a list of names, a line of code) is taken as it stands.
  const lines = sentences.length === 0 ? [...headings, cut(text, 2000).replace(/\n/g, " ")] : sentences
  const byLine = wordsByLine(lines)
  const counts = new Map<string, number>()
  for (const line of byLine) {
    for (const { word } of line) if (isTerm(word)) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  const wanted = new Set(focus === "" ? [] : words(focus))
  const score = (index: number): number => {
    let terms = 0
    let weight = 0
    for (const { word } of byLine[index] ?? []) {
      const count = counts.get(word)
      if (count === undefined) continue
      terms++
      weight += count * (wanted.has(word) ? 2 : 1)
    }
    // Dividing by the root keeps long sentences from winning by length, and fragments from winning at all.
    return weight / Math.sqrt(terms + 4) * (1 + 1 / (2 + index))
  }
  const order = sentences
    .map((_, index) => ({ index, score: score(index) }))
    .toSorted((a, b) => b.score - a.score || a.index - b.index)
    .map(({ index }) => index)
  return { headings, sentences, text, words: byLine, counts, order }
}

/**
 * The `count` best sentences, in the order they stand in the text; `skip` leaves out the very best.
 *
 * @category getters
 */
export const sentences = (reading: Reading, count: number, skip = 0): ReadonlyArray<string> => {
  const start = reading.order.length > skip + count ? skip : 0
  return reading.order
    .slice(start, start + count)
    .toSorted((a, b) => a - b)
    .flatMap((index) => reading.sentences[index] ?? [])
}

/**
 * The `count` best keywords, each standing in the text, the most important first.
 *
 * @category getters
 */
export const keywords = (reading: Reading, count: number): ReadonlyArray<string> => {
  const { counts } = reading
  const scores = new Map(counts)
  for (const line of reading.words) {
    line.forEach(({ joined, word }, at) => {
      // A pair stands for its words together, when the text has it as it is: no dash or comma between.
      const before = joined ? line[at - 1]?.word : undefined
      if (before === undefined || !counts.has(before) || !counts.has(word)) return
      const pair = `${before} ${word}`
      scores.set(pair, (scores.get(pair) ?? 0) + 1.5)
    })
  }
  for (const pair of scores.keys()) if (pair.includes(" ") && (scores.get(pair) ?? 0) < 3) scores.delete(pair)
  const chosen: Array<string> = []
  for (const [keyword] of [...scores].toSorted(([, a], [, b]) => b - a)) {
    if (chosen.length >= count) break
    // A word that stands in a chosen pair adds nothing.
    if (!chosen.some((other) => other.split(" ").includes(keyword))) chosen.push(keyword)
  }
  return chosen
}

/**
 * A title: the first heading, otherwise the first clause of the best sentence.
 *
 * @category getters
 */
export const title = (reading: Reading, skip = 0): string => {
  const [best = reading.text.trim()] = sentences(reading, 1, skip)
  const [clause = best] = best.split(/[;:–—]|, |\. /)
  const found = reading.headings[skip] ?? reading.headings[0] ?? (clause.length >= 12 ? clause : best)
  return cut(found.replace(/\s+/g, " ").replace(/(?<![.\s])[.\s]+$/, ""), 80)
}

/**
 * How readable a text is, from 0 to 1: sentences of 8 to 25 words and a varied vocabulary score high.
 *
 * @category getters
 */
export const quality = (reading: Reading): number => {
  const lengths = reading.words.map((line) => line.length)
  if (reading.sentences.length === 0) return 0.1
  const good = lengths.filter((length) => length >= 8 && length <= 25).length / lengths.length
  const total = [...reading.counts.values()].reduce((sum, count) => sum + count, 0)
  // In long texts words repeat anyway: variety is judged against the root of the length (Guiraud, 1954).
  const variety = total === 0 ? 0 : Math.min(1, reading.counts.size / Math.sqrt(total) / 8)
  return Math.round((0.6 * good + 0.4 * variety) * 100) / 100
}
