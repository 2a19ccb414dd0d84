/**
 * What somebody writes who wants partial answers and has no library: a reader that extends one object while the JSON
 * comes, without looking at any character twice.
 */
type Holder = { [key: string]: unknown } | Array<unknown>

const escapes: { readonly [letter: string]: string } = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" }

/** Takes pieces of a JSON text; gives the object so far, one and the same. */
export const partial = (): (text: string) => unknown => {
  let root: unknown
  let key = ""
  let word = ""
  let isKey = false
  let mode: "between" | "string" | "escape" = "between"
  let hex: string | undefined
  const open: Array<Holder> = []
  const put = (value: unknown, again = false) => {
    const holder = open.at(-1)
    if (holder === undefined) root = value
    else if (!Array.isArray(holder)) holder[key] = value
    else if (again) holder[holder.length - 1] = value
    else holder.push(value)
  }
  const close = () => {
    if (word !== "") put(JSON.parse(word))
    word = ""
  }
  return (text) => {
    for (let at = 0; at < text.length; at++) {
      const letter = text.charAt(at)
      if (mode === "string") {
        let end = at
        while (end < text.length && text.charAt(end) !== "\"" && text.charAt(end) !== "\\") end++
        word += text.slice(at, end)
        at = end
        if (end === text.length) break
        if (text.charAt(end) === "\\") mode = "escape"
        else {
          mode = "between"
          if (isKey) key = word
          else put(word, true)
          isKey = false
          word = ""
        }
      } else if (mode === "escape") {
        if (hex !== undefined) {
          hex += letter
          if (hex.length < 4) continue
          word += String.fromCharCode(parseInt(hex, 16))
          hex = undefined
        } else if (letter === "u") {
          hex = ""
          continue
        } else word += escapes[letter] ?? letter
        mode = "string"
      } else if (letter === "{" || letter === "[") {
        const holder: Holder = letter === "{" ? {} : []
        put(holder)
        open.push(holder)
        isKey = letter === "{"
      } else if (letter === "}" || letter === "]") {
        close()
        open.pop()
        isKey = false
      } else if (letter === ",") {
        close()
        isKey = !Array.isArray(open.at(-1))
      } else if (letter === "\"") {
        mode = "string"
        word = ""
        if (!isKey) put("")
      } else if (letter !== ":" && letter.trim() !== "") word += letter
    }
    if (mode === "string" && !isKey) put(word, true)
    return root
  }
}
