/**
 * Reads the fields of one JSON object while it is written.
 *
 * A state machine over characters: text fields are handed on decoded, list fields element by element, everything else
 * when it is complete. It understands strict JSON that a reply begins with, bare or in a fence; at the first thing that
 * is not, it falls silent, and `JsonText` reads the whole reply once it is complete.
 */
import type { Field } from "./Field.ts"
import type { FieldReader, Piece } from "./FieldReader.ts"

/**
 * A reader for the object whose keys are `fields`. Keys of no field are passed over, and so is a key that comes
 * again.
 *
 * ```ts
 * import { JsonStream, Signature } from "@effect-dspy/core"
 * import { Schema } from "effect"
 *
 * const output = { title: Schema.String, tags: Schema.Array(Schema.String) }
 * const reader = JsonStream.make(Signature.make("Tag", { input: {}, output }).derived.outputs)
 * reader.push('{"title": "The \\u0073e') // => [{ _tag: "Text", field: "title", text: "The se" }]
 * reader.push('a", "ta') // => [{ _tag: "Text", field: "title", text: "a" }, { _tag: "Complete", field: "title", json: "The sea" }]
 * reader.push('gs": ["salt",') // => [{ _tag: "Element", field: "tags", index: 0, json: "salt" }]
 * ```
 *
 * @category constructors
 */
export const make = (fields: ReadonlyArray<Field>): FieldReader => new Reader(fields)

/**
 * Where the reader stands: `before` the object, in the `fence` line before it, at a `key` or `inKey`, at its
 * `colon`, at a `value`, in a `text` field, in a value read `whole`, `after` a value, or `silent` for good.
 */
type State = "before" | "fence" | "key" | "inKey" | "colon" | "value" | "text" | "whole" | "after" | "silent"

const Code = {
  newline: 10,
  quote: 34,
  comma: 44,
  colon: 58,
  open: 91,
  backslash: 92,
  close: 93,
  backtick: 96,
  braceOpen: 123,
  braceClose: 125
}

const isSpace = (code: number): boolean => code === 32 || code === 10 || code === 13 || code === 9

class Reader implements FieldReader {
  private readonly fields: ReadonlyMap<string, Field>
  private readonly seen = new Set<string>()
  private state: State = "before"
  private field: Field | undefined
  /** Of the string that is read: what it says so far, and an escape that is not complete. */
  private text = ""
  private escape = ""
  /** A high surrogate waits for its other half, so that no delta ends in half a character. */
  private half = ""
  /** Of the value read whole: its characters (of a list those of the current element), depth and open string. */
  private raw = ""
  private depth = 0
  private quoted = false
  private escaped = false
  private elements: Array<unknown> | undefined

  constructor(fields: ReadonlyArray<Field>) {
    this.fields = new Map(fields.map((field) => [field.name, field]))
  }

  push(chunk: string): ReadonlyArray<Piece> {
    const pieces: Array<Piece> = []
    let at = 0
    while (at < chunk.length && this.state !== "silent") {
      if (this.state === "text" || this.state === "inKey") at = this.inString(chunk, at, pieces)
      else if (this.state === "whole") at = this.inWhole(chunk, at, pieces)
      else at = this.between(chunk.charCodeAt(at), at)
    }
    return pieces
  }

  /** One character between strings and values; gives where the next thing begins. */
  private between(code: number, at: number): number {
    if (this.state === "fence") {
      if (code === Code.newline) this.state = "before"
      return at + 1
    }
    if (isSpace(code)) return at + 1
    switch (this.state) {
      case "before":
        // Prose may hold an object too, and it need not be the answer.
        this.state = code === Code.braceOpen ? "key" : code === Code.backtick ? "fence" : "silent"
        break
      case "key":
        if (code === Code.quote) this.begin("inKey")
        else this.state = "silent"
        break
      case "colon":
        this.state = code === Code.colon ? "value" : "silent"
        break
      case "value":
        if (code !== Code.quote || this.field?.isText !== true) {
          this.open(code)
          return code === Code.open ? at + 1 : at
        }
        this.begin("text")
        break
      default:
        this.state = code === Code.comma ? "key" : "silent"
    }
    return at + 1
  }

  private begin(state: "inKey" | "text"): void {
    this.state = state
    this.text = ""
    this.escape = ""
    this.half = ""
  }

  private open(code: number): void {
    this.state = "whole"
    this.raw = ""
    this.depth = 0
    this.quoted = false
    this.escaped = false
    this.elements = code === Code.open ? [] : undefined
  }

  /** Reads on in a string; gives where it stopped. */
  private inString(chunk: string, from: number, pieces: Array<Piece>): number {
    let added = ""
    let start = from
    let at = from
    for (; at < chunk.length; at++) {
      const code = chunk.charCodeAt(at)
      if (this.escape !== "") {
        this.escape += chunk.charAt(at)
        const said = unescape(this.escape)
        if (said === undefined) continue
        if (said === "") {
          this.state = "silent"
          return at
        }
        added += said
        this.escape = ""
        start = at + 1
      } else if (code === Code.backslash) {
        added += chunk.slice(start, at)
        this.escape = "\\"
      } else if (code === Code.quote) {
        this.say(added + chunk.slice(start, at), true, pieces)
        return at + 1
      }
    }
    this.say(this.escape === "" ? added + chunk.slice(start, at) : added, false, pieces)
    return at
  }

  private say(added: string, ended: boolean, pieces: Array<Piece>): void {
    this.text += added
    if (this.state === "inKey") {
      if (!ended) return
      this.field = this.seen.has(this.text) ? undefined : this.fields.get(this.text)
      this.seen.add(this.text)
      this.state = "colon"
      return
    }
    const { field } = this
    if (field === undefined) return
    let text = this.half + added
    this.half = ""
    if (!ended && isHigh(text.charCodeAt(text.length - 1))) {
      this.half = text.slice(-1)
      text = text.slice(0, -1)
    }
    if (text !== "") pieces.push({ _tag: "Text", field: field.name, text })
    if (!ended) return
    this.state = "after"
    pieces.push({ _tag: "Complete", field: field.name, json: this.text })
  }

  /** Reads on in a value that is taken whole, or a list that is taken element by element; gives where it stopped. */
  private inWhole(chunk: string, from: number, pieces: Array<Piece>): number {
    const { elements } = this
    let start = from
    let at = from
    for (; at < chunk.length; at++) {
      const code = chunk.charCodeAt(at)
      if (this.quoted) {
        if (this.escaped) this.escaped = false
        else if (code === Code.backslash) this.escaped = true
        else if (code === Code.quote) {
          this.quoted = false
          // A string on its own ends with its quote.
          if (this.depth === 0 && elements === undefined) return this.close(chunk.slice(start, at + 1), at + 1, pieces)
        }
      } else if (code === Code.quote) this.quoted = true
      else if (code === Code.open || code === Code.braceOpen) this.depth++
      else if (this.depth > 0) {
        if (code !== Code.close && code !== Code.braceClose) continue
        this.depth--
        if (this.depth === 0 && elements === undefined) return this.close(chunk.slice(start, at + 1), at + 1, pieces)
      } else if (elements !== undefined) {
        if (code !== Code.comma && code !== Code.close) continue
        if (!this.element(chunk.slice(start, at), elements, code === Code.close, pieces)) return at
        if (code === Code.close) return this.close("", at + 1, pieces)
        start = at + 1
      } else if (code === Code.comma || code === Code.braceClose || isSpace(code)) {
        // A number or a word ends where something else begins.
        return this.close(chunk.slice(start, at), at, pieces)
      }
    }
    this.raw += chunk.slice(start, at)
    return at
  }

  private element(rest: string, elements: Array<unknown>, last: boolean, pieces: Array<Piece>): boolean {
    const text = this.raw + rest
    this.raw = ""
    if (last && elements.length === 0 && text.trim() === "") return true
    const json = parse(text)
    if (json === undefined) {
      this.state = "silent"
      return false
    }
    if (this.field !== undefined) {
      pieces.push({ _tag: "Element", field: this.field.name, index: elements.length, json })
    }
    elements.push(json)
    return true
  }

  private close(rest: string, at: number, pieces: Array<Piece>): number {
    const json = this.elements ?? parse(this.raw + rest)
    this.state = json === undefined ? "silent" : "after"
    if (json !== undefined && this.field !== undefined) {
      pieces.push({ _tag: "Complete", field: this.field.name, json })
    }
    return at
  }
}

const escapes: { readonly [letter: string]: string } = {
  "\"": "\"",
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t"
}

const isHigh = (code: number): boolean => code >= 0xd800 && code <= 0xdbff

/** What an escape says; `undefined` while it is not complete, empty when it is not an escape. */
const unescape = (escape: string): string | undefined => {
  const letter = escape.charAt(1)
  if (letter !== "u") return escapes[letter] ?? ""
  if (escape.length < 6) return undefined
  return /^[0-9a-fA-F]{4}$/.test(escape.slice(2)) ? String.fromCharCode(parseInt(escape.slice(2), 16)) : ""
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
