/**
 * Text of others for a terminal: what a model wrote, what a file is called, what an error quotes.
 *
 * A table's row and a failure's line stay one line, and nothing in them moves a cursor, changes a colour, sets a
 * title or turns the direction of writing. JSON needs none of this: it has escapes of its own.
 */

/** Control characters, what turns or hides text, and halves of surrogate pairs. Joiners belong to emoji and scripts. */
const unprintable = /[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]/gu

/** A text on one line, each character that is none replaced by one that shows where it was. */
export const of = (text: string): string =>
  text
    .replace(/[\s\u0085]+/gu, " ")
    .trim()
    .replace(unprintable, "\ufffd")

/** The same in at most `width` characters, shortened at its end or, like a path, at its beginning. */
export const fit = (text: string, width: number, keep: "start" | "end" = "start"): string => {
  const characters = [...of(text)]
  if (characters.length <= width) return characters.join("")
  const kept = keep === "start" ? characters.slice(0, width - 1) : characters.slice(1 - width)
  return keep === "start" ? `${kept.join("")}…` : `…${kept.join("")}`
}
