/**
 * Reads JSON that is nearly JSON, the way models write it.
 *
 * Adapters read completions through this module: a reply that can be read costs one call, a re-ask costs
 * another. It is tolerant of form (quotes, trailing commas, Python literals, comments, text around the
 * value) and strict about content: a value that breaks off is not completed, and nothing is made up.
 * Pure, synchronous, linear in the length of the text.
 */
import * as Result from "effect/Result"

/** @category models */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/**
 * Where reading stopped, and what was expected there. Never the text itself.
 *
 * @category models
 */
export interface Unreadable {
  readonly _tag: "Unreadable"
  readonly at: number
  readonly expected: string
}

/**
 * Reads a whole text as one value: strict JSON first, then the tolerant reader.
 *
 * ```ts
 * import { JsonText } from "@effect-dspy/core"
 * import { Result } from "effect"
 *
 * Result.getOrThrow(JsonText.read("{'tags': ['a', 'b',], ok: True}")) // => { tags: ["a", "b"], ok: true }
 * Result.isFailure(JsonText.read('{"tags": ["a", "b"')) // => true
 * ```
 *
 * @category parsing
 */
export const read = (text: string): Result.Result<Json, Unreadable> => {
  try {
    const value: Json = JSON.parse(text)
    // JSON.parse makes Infinity of a number that is too large; only a text with such digits needs the walk.
    return mayOverflow.test(text) && !isFinite(value) ? unreadable(0, "finite numbers") : Result.succeed(value)
  } catch {
    return new Reader(text).whole()
  }
}

/**
 * The values found in a reply, in the order in which they are worth trying: the whole text, fenced code
 * blocks, then objects and arrays standing in prose, those within `<think>` last.
 *
 * ```ts
 * import { JsonText } from "@effect-dspy/core"
 *
 * [...JsonText.candidates('It is {"stars": 4}, I think.')] // => [{ stars: 4 }]
 * ```
 *
 * @category parsing
 */
export function* candidates(text: string): Generator<Json, void> {
  const whole = read(text)
  if (Result.isSuccess(whole)) {
    yield whole.success
    return
  }
  const thought = /^\s*<think>[\s\S]*?<\/think>/.exec(text)?.[0].length ?? 0
  const answer = text.slice(thought)
  for (const block of fences(answer)) {
    const fenced = read(block)
    if (Result.isSuccess(fenced)) yield fenced.success
  }
  yield* spans(answer)
  if (thought > 0) yield* spans(text.slice(0, thought))
}

/** Exponents of three digits or digit runs of 300 can leave the range of a double (1.8e308). */
const mayOverflow = /[eE]\+?\d{3}|\d{300}/

const isFinite = (value: Json): boolean =>
  typeof value === "number"
    ? Number.isFinite(value)
    : typeof value !== "object" || value === null || Object.values(value).every(isFinite)

const unreadable = (at: number, expected: string): Result.Result<never, Unreadable> =>
  Result.fail({ _tag: "Unreadable", at, expected })

/** The contents of fenced blocks; the last one may lack its closing fence. */
function* fences(text: string): Generator<string> {
  const fence = /^[ \t]*(```|~~~)[^\n]*\n/gm
  for (let open = fence.exec(text); open !== null; open = fence.exec(text)) {
    const start = fence.lastIndex
    const end = text.indexOf(open[1] ?? "```", start)
    yield text.slice(start, end < 0 ? undefined : end)
    if (end < 0) return
    fence.lastIndex = end + 3
  }
}

/**
 * Objects and arrays in prose. A bracket that leads nowhere is passed over with what was read behind it.
 * One that is never closed ends the search: what stands inside it is a piece of a value that broke off,
 * and a piece must not be taken for the whole.
 */
function* spans(text: string): Generator<Json> {
  let at = nextBracket(text, 0)
  while (at >= 0) {
    const reader = new Reader(text, at)
    const value = reader.value()
    if (value !== undefined) yield value
    else if (reader.at >= text.length) return
    at = nextBracket(text, Math.max(at + 1, reader.at))
  }
}

const nextBracket = (text: string, from: number): number => {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === Code.braceOpen || code === Code.bracketOpen) return at
  }
  return -1
}

const Code = {
  tab: 9,
  newline: 10,
  return: 13,
  space: 32,
  doubleQuote: 34,
  hash: 35,
  singleQuote: 39,
  star: 42,
  comma: 44,
  slash: 47,
  colon: 58,
  bracketOpen: 91,
  backslash: 92,
  bracketClose: 93,
  braceOpen: 123,
  braceClose: 125,
  leftCurly: 8220,
  rightCurly: 8221,
  byteOrderMark: 65279
} as const

// Deeper than any output a signature describes, far from the end of the stack.
const maxDepth = 200

const escapes: { readonly [letter: string]: string } = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" }

const words = new Map<string, Json>([
  ["true", true],
  ["false", false],
  ["null", null],
  ["True", true],
  ["False", false],
  ["None", null]
])

/** Recursive descent over one text. Methods give `undefined` where they can't read on; `at` says where. */
class Reader {
  readonly text: string
  at: number
  private expected = "a JSON value"
  private depth = 0

  constructor(text: string, at = 0) {
    this.text = text
    this.at = at
  }

  whole(): Result.Result<Json, Unreadable> {
    const value = this.value()
    if (value === undefined) return unreadable(this.at, this.expected)
    this.skip()
    return this.at < this.text.length ? unreadable(this.at, "the end of the text") : Result.succeed(value)
  }

  value(): Json | undefined {
    this.skip()
    const code = this.text.charCodeAt(this.at)
    if (code === Code.braceOpen) return this.nested(() => this.object())
    if (code === Code.bracketOpen) return this.nested(() => this.array())
    if (closing(code) !== undefined) return this.string()
    return this.number() ?? this.word()
  }

  private nested(read: () => Json | undefined): Json | undefined {
    if (++this.depth > maxDepth) return this.fail(`at most ${maxDepth} levels`)
    this.at++
    const value = read()
    this.depth--
    return value
  }

  private object(): Json | undefined {
    const entries: Array<[string, Json]> = []
    for (;;) {
      if (this.take(Code.braceClose)) return Object.fromEntries(entries)
      const key = closing(this.text.charCodeAt(this.at)) === undefined ? this.identifier() : this.string()
      if (key === undefined) return undefined
      if (!this.take(Code.colon)) return this.fail("a colon")
      const value = this.value()
      if (value === undefined) return undefined
      entries.push([key, value])
      if (!this.take(Code.comma) && !this.sees(Code.braceClose)) return this.fail("a comma or }")
    }
  }

  private array(): Json | undefined {
    const items: Array<Json> = []
    for (;;) {
      if (this.take(Code.bracketClose)) return items
      const value = this.value()
      if (value === undefined) return undefined
      items.push(value)
      if (!this.take(Code.comma) && !this.sees(Code.bracketClose)) return this.fail("a comma or ]")
    }
  }

  private string(): string | undefined {
    const { text } = this
    const end = closing(text.charCodeAt(this.at))
    let value = ""
    let from = ++this.at
    for (; this.at < text.length; this.at++) {
      const code = text.charCodeAt(this.at)
      if (code === end) {
        value += text.slice(from, this.at++)
        return value
      }
      if (code !== Code.backslash) continue
      value += text.slice(from, this.at) + this.escape()
      from = this.at + 1
    }
    return this.fail("the end of a string")
  }

  /** Reads what follows a backslash and stops on its last character. */
  private escape(): string {
    const letter = this.text[++this.at] ?? ""
    if (letter === "u" && /^[0-9a-fA-F]{4}$/.test(this.text.slice(this.at + 1, this.at + 5))) {
      this.at += 4
      return String.fromCharCode(parseInt(this.text.slice(this.at - 3, this.at + 1), 16))
    }
    if ("\"'\\/\n".includes(letter)) return letter
    // `\_` or `\d`: models escape for Markdown and for regular expressions; both characters are meant.
    return escapes[letter] ?? `\\${letter}`
  }

  private number(): number | undefined {
    numberAt.lastIndex = this.at
    const digits = numberAt.exec(this.text)?.[0]
    if (digits === undefined) return undefined
    const value = Number(digits)
    if (!Number.isFinite(value)) return this.fail("a finite number")
    this.at += digits.length
    return value
  }

  private word(): Json | undefined {
    identifierAt.lastIndex = this.at
    const word = identifierAt.exec(this.text)?.[0] ?? ""
    const value = words.get(word)
    if (value === undefined) return this.fail("a JSON value")
    this.at += word.length
    return value
  }

  private identifier(): string | undefined {
    identifierAt.lastIndex = this.at
    const name = identifierAt.exec(this.text)?.[0]
    if (name === undefined) return this.fail("a key")
    this.at += name.length
    return name
  }

  private sees(code: number): boolean {
    this.skip()
    return this.text.charCodeAt(this.at) === code
  }

  private take(code: number): boolean {
    const seen = this.sees(code)
    if (seen) this.at++
    return seen
  }

  /** White space and comments. */
  private skip(): void {
    const { text } = this
    for (;;) {
      const code = text.charCodeAt(this.at)
      if (isSpace(code)) this.at++
      else if (code === Code.hash) this.to("\n")
      else if (code === Code.slash && text.charCodeAt(this.at + 1) === Code.slash) this.to("\n")
      else if (code === Code.slash && text.charCodeAt(this.at + 1) === Code.star) this.to("*/")
      else return
    }
  }

  private to(end: string): void {
    const found = this.text.indexOf(end, this.at + 2)
    this.at = found < 0 ? this.text.length : found + end.length
  }

  private fail(expected: string): undefined {
    this.expected = expected
    return undefined
  }
}

const numberAt = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y
const identifierAt = /[A-Za-z_$][\w$-]*/y

const isSpace = (code: number): boolean =>
  code === Code.space || code === Code.newline || code === Code.return || code === Code.tab ||
  code === Code.byteOrderMark || code === 160

/** The quote that ends a string begun by this one. */
const closing = (code: number): number | undefined =>
  code === Code.doubleQuote || code === Code.singleQuote ? code : code === Code.leftCurly ? Code.rightCurly : undefined
