/**
 * Reading `[[ ## field ## ]]` sections (the format is DSPy's ChatAdapter's).
 *
 * A header stands at the start of a line, possibly indented; text after it on the same line belongs to the value. A
 * line of a value that looks like a header is written with a backslash before it, and reading takes it away, so a value
 * may hold whole prompts. The first section of a name wins, unknown names end the section before them and are dropped.
 * Values are read by their field: text as it stands, everything else as JSON that may be sloppy.
 */
import * as Result from "effect/Result"
import type { Field } from "./Field.ts"
import * as JsonText from "./JsonText.ts"

const header = /^[ \t]*\[\[ ## (\S(?:[^\]\n]*\S)?) ## \]\]/gm

// A line that is a header but for backslashes before it: one more makes it a line of a value, one less reads it.
const like = /^([ \t]*)(\\*)(?=\[\[ ## )/gm
const escaped = /^([ \t]*)\\(\\*)(?=\[\[ ## )/gm

/**
 * A value as it stands in a section: no line of it is a header.
 *
 * ```ts
 * import { Markers } from "@effect-dspy/core"
 *
 * Markers.escape("[[ ## answer ## ]]\nno") // => "\\[[ ## answer ## ]]\nno"
 * ```
 *
 * @category formatting
 */
export const escape = (value: string): string => value.includes("[[ ## ") ? value.replace(like, "$1$2\\") : value

/**
 * What `escape` was given.
 *
 * @category parsing
 */
export const unescape = (value: string): string => value.includes("\\[[ ## ") ? value.replace(escaped, "$1$2") : value

/**
 * The sections of a reply by name; empty when it has no headers.
 *
 * ```ts
 * import { Markers } from "@effect-dspy/core"
 *
 * Object.fromEntries(Markers.sections("[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]")) // => { answer: "Paris", completed: "" }
 * ```
 *
 * @category parsing
 */
export const sections = (text: string): ReadonlyMap<string, string> => {
  const found = new Map<string, string>()
  const headers = [...text.matchAll(header)]
  headers.forEach((match, index) => {
    const name = match[1] ?? ""
    const end = headers[index + 1]?.index ?? text.length
    if (!found.has(name)) found.set(name, unescape(text.slice(match.index + match[0].length, end).trim()))
  })
  return found
}

/**
 * The JSON form of the fields a reply has sections for, or `undefined` when it has none of them.
 *
 * @category parsing
 */
export const read = (text: string, fields: ReadonlyArray<Field>): { readonly [field: string]: unknown } | undefined => {
  const found = sections(text)
  const values = fields.flatMap((field) => {
    const section = found.get(field.name)
    return section === undefined ? [] : [[field.name, value(field, section)] as const]
  })
  return values.length === 0 ? undefined : Object.fromEntries(values)
}

// What decodes is right; what does not is handed on, so that the finding names what was expected.
const value = (field: Field, section: string): unknown => {
  if (field.isText) return section
  const decodes = (candidate: unknown) => Result.isSuccess(field.decode(candidate))
  for (const candidate of JsonText.candidates(section)) {
    if (decodes(candidate)) return candidate
    // Only the whole section may be given up for its plain text; a part of it was never the value.
    if (decodes(section)) return section
  }
  return section
}
