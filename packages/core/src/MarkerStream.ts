/**
 * Reads `[[ ## field ## ]]` sections while they are written; `Markers` reads them when they are all there.
 *
 * Text fields are handed on line by line or sooner: only what may still turn out to be a header, or white space at
 * a section's end, is held back. Other fields are read when their section ends.
 */
import * as Result from "effect/Result"
import type { Field } from "./Field.ts"
import type { FieldReader, Piece } from "./FieldReader.ts"
import * as JsonText from "./JsonText.ts"
import * as Markers from "./Markers.ts"

/**
 * A reader for sections named like `fields`. Other sections are passed over, and so is one that comes again.
 *
 * ```ts
 * import { MarkerStream, Signature } from "@effect-dspy/core"
 * import { Schema } from "effect"
 *
 * const output = { title: Schema.String, stars: Schema.Int }
 * const reader = MarkerStream.make(Signature.make("Rate", { input: {}, output }).derived.outputs)
 * reader.push("[[ ## title ## ]]\nThe sea\n\n[[ ") // => [{ _tag: "Text", field: "title", text: "The sea" }]
 * reader.push("## stars ## ]]\n4\n[[ ## completed ## ]]") // => [{ _tag: "Complete", field: "title", json: "The sea" }, { _tag: "Complete", field: "stars", json: 4 }]
 * ```
 *
 * @category constructors
 */
export const make = (fields: ReadonlyArray<Field>): FieldReader => {
  const byName = new Map(fields.map((field) => [field.name, field]))
  const seen = new Set<string>()
  let field: Field | undefined
  let said = ""
  // What is held back: white space that may be a section's end, and the beginning of a line that may be a header.
  let held = ""
  let line = ""
  let lineStart = true
  // Prose, or a section of another name, in front: this may be the prompt again. The whole reply will tell.
  let silent = false

  const say = (text: string, pieces: Array<Piece>): void => {
    if (seen.size === 0 && text.trim() !== "") silent = true
    if (field === undefined) return
    const all = held + text
    const trimmed = all.trimEnd()
    // No delta ends in half a character.
    const body = isHigh(trimmed.charCodeAt(trimmed.length - 1)) ? trimmed.slice(0, -1) : trimmed
    held = all.slice(body.length)
    const added = said === "" ? body.trimStart() : body
    if (added === "") {
      if (said === "") held = held.trimStart()
      return
    }
    said += added
    if (field.isText) pieces.push({ _tag: "Text", field: field.name, text: added })
  }

  const end = (pieces: Array<Piece>): void => {
    if (field !== undefined) {
      const json = field.isText ? said : Result.getOrUndefined(JsonText.read(said))
      if (json !== undefined) pieces.push({ _tag: "Complete", field: field.name, json })
    }
    field = undefined
  }

  const begin = (name: string): void => {
    if (seen.size === 0 && !byName.has(name)) silent = true
    field = seen.has(name) ? undefined : byName.get(name)
    seen.add(name)
    said = ""
    held = ""
  }

  return {
    push: (text) => {
      const pieces: Array<Piece> = []
      let rest = text
      while (rest !== "" && !silent) {
        if (!lineStart) {
          // Inside a line no header begins: everything up to its end is text.
          const newline = rest.indexOf("\n")
          const upTo = newline < 0 ? rest.length : newline + 1
          say(rest.slice(0, upTo), pieces)
          rest = rest.slice(upTo)
          lineStart = newline >= 0
          continue
        }
        line += rest
        rest = ""
        const match = header.exec(line)
        if (match !== null) {
          end(pieces)
          begin(match[1] ?? "")
          rest = line.slice(match[0].length)
          line = ""
          lineStart = false
        } else if (!maybeHeader.test(line)) {
          rest = Markers.unescape(line)
          line = ""
          lineStart = false
        }
      }
      return pieces
    }
  }
}

const isHigh = (code: number): boolean => code >= 0xd800 && code <= 0xdbff

const header = /^[ \t]*\[\[ ## (\S(?:[^\]\n]*\S)?) ## \]\]/

// A line that has begun like a header and may still become one, or one behind backslashes, which takes one away.
const maybeHeader = /^[ \t]*(?:\[(?:\[(?: (?:#(?:#(?: [^\n]*)?)?)?)?)?|\\+(?:\[(?:\[(?: (?:##?)?)?)?)?)?$/
