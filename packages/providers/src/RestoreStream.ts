/**
 * The way back from an endpoint's shape of a schema while the answer is written.
 *
 * What a schema's lowering changed can't be read before it is restored, and that can't be done before it is complete.
 * So a property that is restored waits until its value ends; everything else passes as it comes. The pieces make up
 * JSON in the shape of the signature's schema. Text that is not a JSON object passes unchanged.
 */

/** Takes a piece of the answer's text, and gives what of it can be read on. */
export type RestoreStream = (text: string) => string

/**
 * Restores the properties in `touched` each on its own, or the whole object where they are not known.
 *
 * ```ts
 * import * as RestoreStream from "@effect-dspy/providers/RestoreStream"
 *
 * const restore = (json: unknown) => ({ n: Number((json as { readonly n: string }).n) })
 * const push = RestoreStream.make(restore, new Set(["n"]))
 * const pieces = ['{"title": "The s', 'ea", "n": "', '7"}'].map(push)
 * pieces // => ['{"title":"The s', 'ea"', ',"n":7}']
 * ```
 *
 * @category constructors
 */
export const make = (
  restore: (json: unknown) => unknown,
  touched: ReadonlySet<string> | undefined
): RestoreStream => {
  const value = new Value()
  let state: "before" | "key" | "inKey" | "colon" | "value" | "passed" | "held" | "whole" | "through" = "before"
  let name = ""
  let held = ""
  let isFirst = true

  const separator = () => {
    const before = isFirst ? "" : ","
    isFirst = false
    return before
  }

  // One property, or nothing where it says that there is none.
  const property = (): string => {
    const restored = restore(Object.fromEntries([[name, JSON.parse(held)]]))
    if (typeof restored !== "object" || restored === null || !Object.hasOwn(restored, name)) return ""
    const json = JSON.stringify(Object.entries(restored).find(([key]) => key === name)?.[1])
    return `${separator()}${JSON.stringify(name)}:${json}`
  }

  const step = (char: string): string => {
    switch (state) {
      case "through":
        return char
      case "before":
        if (isSpace(char)) return char
        state = char !== "{" ? "through" : touched === undefined ? "whole" : "key"
        if (state !== "whole") return char
        value.begin()
        return step(char)
      case "key":
        if (isSpace(char) || char === ",") return ""
        held = char
        state = char === "\"" ? "inKey" : "through"
        value.begin()
        if (state === "inKey") value.push(char)
        return state === "through" ? char : ""
      case "inKey":
        held += char
        if (value.push(char) === "ended") state = "colon"
        return ""
      case "colon": {
        if (isSpace(char)) return ""
        state = "value"
        const key: unknown = JSON.parse(held)
        name = String(key)
        return char === ":" ? "" : broken(held + char)
      }
      case "value": {
        if (isSpace(char)) return ""
        value.begin()
        state = touched?.has(name) === true ? "held" : "passed"
        const before = state === "held" ? "" : `${separator()}${held}:`
        held = ""
        return before + step(char)
      }
      case "passed": {
        const at = value.push(char)
        if (at === "inside") return char
        state = "key"
        return at === "ended" ? char : step(char)
      }
      case "held":
      case "whole": {
        const at = value.push(char)
        if (at !== "before") held += char
        if (at === "inside") return ""
        const said = state === "held" ? property() : JSON.stringify(restore(JSON.parse(held)))
        state = state === "held" ? "key" : "through"
        return at === "before" ? said + step(char) : said
      }
    }
  }

  const broken = (text: string): string => {
    state = "through"
    return text
  }

  return (text) => {
    let out = ""
    for (const char of text) {
      try {
        out += step(char)
      } catch {
        // Not JSON after all: whoever reads the whole answer finds out what it is.
        out += broken(held)
      }
    }
    return out
  }
}

/** Tells where a JSON value ends. */
class Value {
  private depth = 0
  private quoted = false
  private escaped = false
  private started = false

  begin(): void {
    this.depth = 0
    this.quoted = false
    this.escaped = false
    this.started = false
  }

  /** Whether the value goes on, ends with this character, or has ended before it, as numbers and words do. */
  push(char: string): "inside" | "ended" | "before" {
    if (this.quoted) {
      if (this.escaped) this.escaped = false
      else if (char === "\\") this.escaped = true
      else if (char === "\"") {
        this.quoted = false
        return this.depth === 0 ? "ended" : "inside"
      }
      return "inside"
    }
    if (this.depth === 0 && this.started && (char === "," || char === "}" || char === "]" || isSpace(char))) {
      return "before"
    }
    this.started = true
    if (char === "\"") this.quoted = true
    else if (char === "{" || char === "[") this.depth++
    else if (char === "}" || char === "]") {
      this.depth--
      return this.depth === 0 ? "ended" : "inside"
    }
    return "inside"
  }
}

const isSpace = (char: string): boolean => char === " " || char === "\n" || char === "\r" || char === "\t"
