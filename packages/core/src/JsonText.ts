/**
 * Reads JSON that is nearly JSON, the way models write it.
 *
 * Adapters read completions through this module, by the rule "rescue before re-ask": a reply that can be read costs one
 * call, a re-ask costs another. It is tolerant of form (quotes, trailing commas, Python literals, comments, text around
 * the value, a bracket left out before the one around it closes) and strict about content: a value that breaks off is
 * not completed, and nothing is made up. Whether a value is the right one, the signature's schema says. Pure,
 * synchronous, never throws, linear in the length of the text.
 */
import * as Result from "effect/Result"

/**
 * What JSON can hold.
 *
 * @category models
 */
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
  // JSON.parse makes Infinity of a number that is too large, so it is not asked about texts that may hold one.
  if (mayOverflow.test(text)) return new Reader(text).whole()
  try {
    const value: Json = JSON.parse(text)
    return Result.succeed(value)
  } catch {
    return new Reader(text).whole()
  }
}

/**
 * The values found in a reply, in the order in which they are worth trying: the whole text, fenced code
 * blocks, then objects and arrays standing in prose; those a model wrote while thinking come last.
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
  const thought = thoughtEnd(text)
  if (thought === 0) return yield* parts(text)
  const answer = text.slice(thought)
  const rest = read(answer)
  if (Result.isSuccess(rest)) yield rest.success
  else yield* parts(answer)
  yield* parts(text.slice(0, thought))
}

/** Exponents of three digits, or digit runs of 200 with one of two, can leave the range of a double (1.8e308). */
const mayOverflow = /\d[eE]\+?\d{3}|(?<!\d)\d{200}/

const unreadable = (at: number, expected: string): Result.Result<never, Unreadable> =>
  Result.fail({ _tag: "Unreadable", at, expected })

/** Where the answer of a reasoning model begins; 0 when the reply does not open with a thought. */
const thoughtEnd = (text: string): number => {
  const close = text.indexOf("</think>")
  if (close < 0) return 0
  // Chat templates may put the opening tag in the prompt; the closing one then stands alone on its line.
  const alone = text.slice(text.lastIndexOf("\n", close) + 1, close).trim() === ""
  return alone || text.trimStart().startsWith("<think>") ? close + "</think>".length : 0
}

// A fence closes on a line of its own, so a text in the JSON may hold fences. The last one may lack its end.
const fence = /^([ \t]{0,12}(`{3,9}|~{3,9})[^\n]*\n)([^]*?)(?:^[ \t]{0,12}\2[`~]*[ \t]*$|(?![^]))/gm

type Range = readonly [start: number, end: number]

function* parts(text: string): Generator<Json, void> {
  const done: Array<Range> = []
  for (const { 1: opening = "", 3: content = "", index } of text.matchAll(fence)) {
    const fenced = read(content)
    if (Result.isFailure(fenced)) continue
    const start = index + opening.length
    done.push([start, start + content.length])
    yield fenced.success
  }
  yield* spans(text, done)
}

/**
 * Objects and arrays in prose, except in ranges already read. A bracket that closes but can't be read is
 * passed over whole, and one that breaks off ends the search: what stands inside it is a piece of a value,
 * and a piece must not be taken for the whole. Any other bracket is punctuation.
 */
function* spans(text: string, done: ReadonlyArray<Range>): Generator<Json, void> {
  const reader = new Reader(text)
  let unclosed = 0
  let next = 0
  for (let at = 0; at < text.length;) {
    const range = done[next]
    if (range !== undefined && at >= range[0]) {
      at = Math.max(at, range[1])
      next++
    } else if (!opens(text.charCodeAt(at))) at++
    else {
      const value = reader.valueAt(at)
      if (value !== undefined) yield value
      const stopped = reader.at
      if (value !== undefined || reader.leave()) at = reader.at
      else if (reader.keyed || stopped >= text.length || ++unclosed >= maxUnclosed) return
      else at = stopped
    }
  }
}

// Finding that a bracket never closes takes the rest of the text, so it is done for so many at most.
const maxUnclosed = 32

// Deeper than any output a signature describes, far from the end of the stack.
const maxDepth = 200

const Code = {
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
  rightCurly: 8221
} as const

const opens = (code: number): boolean => code === Code.braceOpen || code === Code.bracketOpen

const closes = (code: number): boolean => code === Code.braceClose || code === Code.bracketClose

// What `trim` takes for white space. Beyond ASCII it is so rare that a pattern may decide.
const isSpace = (code: number): boolean =>
  code === 32 || (code >= 9 && code <= 13) || (code >= 160 && /\s/.test(String.fromCharCode(code)))

/** The quote that ends a string begun by this one. */
const closing = (code: number): number | undefined =>
  code === Code.doubleQuote || code === Code.singleQuote ? code : code === Code.leftCurly ? Code.rightCurly : undefined

const numberAt = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y
const identifierAt = /[\p{ID_Start}$_][\p{ID_Continue}$-]*/uy

const escapes: { readonly [letter: string]: string } = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" }

const truths = [["true", true], ["True", true], ["false", false], ["False", false]] as const
const words = new Map<string, Json>([...truths, ["null", null], ["None", null]])

/** Recursive descent over one text. Methods give `undefined` where they can't read on; `at` says where. */
class Reader {
  readonly text: string
  at = 0
  /** Whether a key was read: prose has brackets, and lists in them, but no keys. */
  keyed = false
  private expected = "a JSON value"
  private depth = 0
  /** What closes the brackets that are open, the innermost last. */
  private readonly open: Array<number> = []
  private commentsClose = true

  constructor(text: string) {
    this.text = text
  }

  whole(): Result.Result<Json, Unreadable> {
    const value = this.value()
    if (value === undefined) return unreadable(this.at, this.expected)
    this.skip()
    return this.at < this.text.length ? unreadable(this.at, "the end of the text") : Result.succeed(value)
  }

  valueAt(at: number): Json | undefined {
    this.at = at
    this.depth = 0
    this.open.length = 0
    this.keyed = false
    return this.value()
  }

  /** After a failure: moves past the outermost open bracket, or says that it never closes. */
  leave(): boolean {
    const { text } = this
    // A quote begins a string only where a value or key may stand: all others are apostrophes and inches.
    let quotable = text.charCodeAt(this.at) === Code.doubleQuote
    for (let at = this.at; at < text.length;) {
      const code = text.charCodeAt(at)
      if (quotable && closing(code) !== undefined) {
        this.at = at
        if (this.string() === undefined) return false
        at = this.at
        quotable = false
        continue
      }
      at++
      if (isSpace(code)) continue
      quotable = opens(code) || code === Code.comma || code === Code.colon
      if (opens(code)) this.depth++
      else if (closes(code) && --this.depth === 0) {
        this.at = at
        return true
      }
    }
    return false
  }

  private value(): Json | undefined {
    this.skip()
    const code = this.text.charCodeAt(this.at)
    if (opens(code)) return this.nested(code)
    if (closing(code) !== undefined) return this.string()
    return this.scalar()
  }

  private nested(code: number): Json | undefined {
    if (this.depth === maxDepth) return this.fail(`at most ${maxDepth} levels`)
    this.at++
    this.depth++
    this.open.push(code === Code.braceOpen ? Code.braceClose : Code.bracketClose)
    const value = code === Code.braceOpen ? this.object() : this.array()
    // After a failure the depth stays, for `leave` counts on from it.
    if (value !== undefined) {
      this.depth--
      this.open.pop()
    }
    return value
  }

  /** Whether the bracket around the innermost one closes here: the inner one was forgotten, and nothing broke off. */
  private forgotten(): boolean {
    const around = this.open.at(-2)
    return around !== undefined && around !== this.open.at(-1) && this.sees(around)
  }

  private object(): Json | undefined {
    const entries: Array<[string, Json]> = []
    for (;;) {
      // From entries, `__proto__` becomes a property like any other.
      if (this.take(Code.braceClose)) return Object.fromEntries(entries)
      const key = this.key()
      if (key === undefined) return undefined
      if (!this.take(Code.colon)) return this.fail("a colon")
      this.keyed = true
      const value = this.value()
      if (value === undefined) return undefined
      entries.push([key, value])
      if (this.take(Code.comma) || this.sees(Code.braceClose)) continue
      return this.forgotten() ? Object.fromEntries(entries) : this.fail("a comma or }")
    }
  }

  private array(): Json | undefined {
    const items: Array<Json> = []
    for (;;) {
      if (this.take(Code.bracketClose)) return items
      const value = this.value()
      if (value === undefined) return undefined
      items.push(value)
      if (this.take(Code.comma) || this.sees(Code.bracketClose)) continue
      return this.forgotten() ? items : this.fail("a comma or ]")
    }
  }

  private string(): string | undefined {
    const { text } = this
    const end = closing(text.charCodeAt(this.at))
    let value = ""
    let from = ++this.at
    for (; this.at < text.length; this.at++) {
      const code = text.charCodeAt(this.at)
      if (code === end) return value + text.slice(from, this.at++)
      if (code !== Code.backslash) continue
      value += text.slice(from, this.at) + this.escape(end)
      from = this.at + 1
    }
    this.at = text.length
    return this.fail("the end of a string")
  }

  /** Reads what follows a backslash and stops on its last character. */
  private escape(end: number | undefined): string {
    const letter = this.text.charAt(++this.at)
    if (letter === "u" && /^[0-9a-fA-F]{4}$/.test(this.text.slice(this.at + 1, this.at + 5))) {
      this.at += 4
      return String.fromCharCode(parseInt(this.text.slice(this.at - 3, this.at + 1), 16))
    }
    if ("\"'\\/".includes(letter) || letter.charCodeAt(0) === end) return letter
    // `\_` or `\d`: models escape for Markdown and for regular expressions; both characters are meant.
    return escapes[letter] ?? `\\${letter}`
  }

  private scalar(): Json | undefined {
    const digits = this.match(numberAt)
    const word = digits ?? this.match(identifierAt) ?? ""
    const value = digits === undefined ? words.get(word) : Number(digits)
    if (value === undefined) return this.fail("a JSON value")
    if (typeof value === "number" && !Number.isFinite(value)) return this.fail("a finite number")
    this.at += word.length
    return value
  }

  private key(): string | undefined {
    if (closing(this.text.charCodeAt(this.at)) !== undefined) return this.string()
    const name = this.match(identifierAt)
    if (name === undefined) return this.fail("a key")
    this.at += name.length
    return name
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at
    return pattern.exec(this.text)?.[0]
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
      const next = code === Code.slash ? text.charCodeAt(this.at + 1) : 0
      if (isSpace(code)) this.at++
      else if (code === Code.hash || next === Code.slash) this.at = (text.indexOf("\n", this.at) + 1) || text.length
      else if (next !== Code.star || !this.comment()) return
    }
  }

  private comment(): boolean {
    // Reading only goes forward: once no comment closes, none does later, and looking again costs the whole text.
    const end = this.commentsClose ? this.text.indexOf("*/", this.at + 2) : -1
    this.commentsClose = end >= 0
    if (this.commentsClose) this.at = end + 2
    return this.commentsClose
  }

  private fail(expected: string): undefined {
    this.expected = expected
    return undefined
  }
}
