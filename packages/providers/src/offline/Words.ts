/**
 * Words and sentences of a text, by the Unicode rules (UAX 29) that `Intl.Segmenter` implements.
 *
 * Everything the offline model knows of a text, it knows through this module. Markdown is read for its
 * prose: headings apart, no code, no tables, links by their text.
 */
import { stopWords } from "./StopWords.ts"

// Segmenters are expensive to build and hold no state.
const wordSegmenter = new Intl.Segmenter(undefined, { granularity: "word" })
const sentenceSegmenter = new Intl.Segmenter(undefined, { granularity: "sentence" })

/**
 * What is looked at of a long text: its first 100,000 characters, about 30 pages. They decide what it is
 * about, and they bound the time an answer takes.
 */
const enough = 100_000

/**
 * A text taken apart.
 *
 * - `headings`: Markdown headings, in order
 * - `sentences`: of the prose, in order, on one line each
 *
 * @category models
 */
export interface Prose {
  readonly headings: ReadonlyArray<string>
  readonly sentences: ReadonlyArray<string>
}

/**
 * Takes a text apart.
 *
 * @category parsing
 */
export const prose = (text: string): Prose => {
  const headings: Array<string> = []
  const paragraphs: Array<string> = []
  let paragraph = ""
  const close = () => {
    if (paragraph !== "") paragraphs.push(paragraph)
    paragraph = ""
  }
  for (const line of withoutBlocks(text.slice(0, enough)).split(/\r?\n/)) {
    const heading = /^\s{0,3}#{1,6}\s+(\S.*)$/.exec(line)?.[1]
    if (heading !== undefined) {
      close()
      const plain = inline(withoutClosing(heading))
      if (plain !== "") headings.push(plain)
    } else if (/^\s*(?:$|\||[-=_*]{3,}\s*$)/.test(line)) {
      close()
    } else {
      const item = /^\s*(?:[-*+]|\d+[.)])\s+(.*)$/.exec(line)
      if (item !== null) close()
      paragraph += `${paragraph === "" ? "" : " "}${inline(item?.[1] ?? line)}`
    }
  }
  close()
  return { headings, sentences: sentences(paragraphs.join("\n")) }
}

/**
 * The words of a text, in lower case, in order.
 *
 * @category parsing
 */
export const words = (text: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (const { isWordLike, segment } of wordSegmenter.segment(text)) {
    if (isWordLike === true) found.push(segment.toLowerCase())
  }
  return found
}

/**
 * Whether a word carries content: no function word, no lone letter, no number.
 *
 * @category guards
 */
export const isTerm = (word: string): boolean => word.length > 1 && !stopWords.has(word) && /\p{L}/u.test(word)

/**
 * A word of a line, in lower case; `joined` tells whether a single space stands between it and the word before.
 *
 * @category models
 */
export interface Word {
  readonly word: string
  readonly joined: boolean
}

/**
 * The words of each line, in one pass: every pass holds memory outside the heap until it is collected.
 *
 * @category parsing
 */
export const wordsByLine = (lines: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<Word>> => {
  const found: Array<Array<Word>> = lines.map(() => [])
  let line = 0
  let end = lines[0]?.length ?? 0
  let between = ""
  for (const { index, isWordLike, segment } of wordSegmenter.segment(lines.join("\n"))) {
    while (index > end) end += 1 + (lines[++line]?.length ?? 0)
    if (isWordLike === true) {
      found[line]?.push({ word: segment.toLowerCase(), joined: between === " " })
      between = ""
    } else if (between.length < 2) between += segment
  }
  return found
}

/**
 * Cuts a text at a word boundary so that it has at most `length` characters.
 *
 * @category formatting
 */
export const cut = (text: string, length: number): string => {
  if (text.length <= length) return text
  const space = text.lastIndexOf(" ", length)
  const end = space > length / 2 ? space : length
  // Half of a surrogate pair is not a character.
  return text.slice(0, end).replace(/[\uD800-\uDBFF]$/, "").replace(/(?<![\s,;:.–-])[\s,;:.–-]+$/, "")
}

// A line break ends a sentence (UAX 29, rule SB4), so one pass does for all paragraphs.
const sentences = (paragraphs: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (const { segment } of sentenceSegmenter.segment(paragraphs)) {
    const sentence = segment.trim()
    if (/\p{L}/u.test(sentence)) found.push(sentence)
  }
  return found
}

// `# Title ##` is `Title`, and `# C#` is `C#`.
const withoutClosing = (heading: string): string => {
  const text = heading.trimEnd()
  let end = text.length
  while (text[end - 1] === "#") end--
  return end === 0 ? "" : /\s/.test(text[end - 1] ?? "") ? text.slice(0, end) : text
}

// None of the patterns below may look at a character more than a few times, whatever the text: what they begin with
// is never part of what they skip, and what is never closed goes to the end. Texts of nothing but `<` or `[` exist.

// Code blocks, HTML comments and front matter are not prose.
const withoutBlocks = (text: string): string =>
  text
    .replace(/^---\r?\n[\s\S]*?\r?\n---\r?\n/, "")
    .replace(/^[ \t]*(```|~~~)[\s\S]*?(?:^[ \t]*\1|(?![\s\S]))/gm, "")
    .replace(/<!--[\s\S]*?(?:-->|(?![\s\S]))/g, "")

const inline = (line: string): string =>
  line
    .replace(/!\[[^[\]]*\]\([^()]*\)/g, "")
    .replace(/\[([^[\]]*)\](?:\([^()]*\)|\[[^[\]]*\])/g, "$1")
    .replace(/<\/?[a-zA-Z][^<>]*>/g, "")
    .replace(/[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}/g, "")
    .replace(/^\s*>\s?/, "")
    .replace(/\s+/g, " ")
    .trim()
