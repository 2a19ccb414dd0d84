/**
 * The first code a guest engine runs: it gives later code `console`, its variables and the host's functions, and
 * gives the host the functions by which values get out.
 *
 * It is JavaScript as text, because it runs inside the engine. It keeps the intrinsics it needs, so that code which
 * replaces `JSON.stringify` fools itself only.
 */

/**
 * An expression: a function of the host's primitives that gives `[encode, describe]`.
 *
 * - `print(text)`, `call(name, json)` and `end(name, json)` are the host's
 * - `encode(value)`: a value as JSON, or `undefined`; `describe(error)`: what was thrown, as text
 */
export const prelude = `(print, call, end, variables, functions, endings) => {
  const { parse, stringify } = JSON
  const { defineProperty } = Object
  const text = String
  const Failure = Error
  const show = (value) => {
    if (typeof value === "string") return value
    if (value instanceof Failure) return value.name + ": " + value.message
    if (typeof value === "object" && value !== null) {
      if (value instanceof Map || value instanceof Set) value = [...value]
      try { return stringify(value) ?? text(value) } catch {}
    }
    return text(value)
  }
  const log = (...values) => print(values.map(show).join(" ") + "\\n")
  const give = (name, value) => defineProperty(globalThis, name, { value, writable: true, configurable: true })
  give("console", { log, info: log, warn: log, error: log, debug: log })
  give("print", log)
  for (const [name, json] of parse(variables)) give(name, parse(json))
  for (const name of parse(functions)) {
    give(name, (...values) => call(name, stringify(values)).then((json) => json === undefined ? undefined : parse(json)))
  }
  for (const name of parse(endings)) give(name, (value) => end(name, stringify(value)))
  return [
    (value) => {
      try { return stringify(value) } catch { return stringify(text(value)) }
    },
    (error) => {
      if (!(error instanceof Failure)) return "thrown: " + show(error)
      const at = text(error.stack ?? "").split("\\n").slice(0, 4).map((line) => "\\n" + line).join("").trimEnd()
      return error.name + ": " + error.message + at
    }
  ]
}`
