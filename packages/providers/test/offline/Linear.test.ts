/**
 * Reading takes linear time, whatever a document is made of. What searched to the end from every bracket took eight
 * seconds for some of these texts.
 */
import { Predict, Signature } from "@effect-dspy/core"
import { Offline } from "@effect-dspy/providers/offline"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as process from "node:process"

const size = 1_000_000

const filled = (piece: string) => piece.repeat(Math.ceil(size / piece.length)).slice(0, size)

/** A long run and something else behind it. */
const ended = (start: string, piece: string) => `${start}${piece.repeat(90_000 / piece.length)}b ${filled("word ")}`

const texts: { readonly [what: string]: string } = {
  "one word": filled("a"),
  "many words on one line": filled("some words of a text "),
  "words that stand alone": Array.from({ length: size / 8 }, (_, index) => `w${index.toString(36)}x`).join("\n"),
  "many lines": filled("This is a line of text.\n"),
  "empty lines": `${filled("\n")}a`,
  "abbreviations": filled("e.g. "),
  "a script without spaces": filled("漢字"),
  "another script without spaces": filled("ภาษาไทย"),
  "surrogate pairs": filled("😀"),
  "brackets that open": filled("["),
  "links that open": filled("[a]("),
  "links in links": filled("[a](b ("),
  "references that open": filled("[a][b "),
  "images that open": filled("!["),
  "tags that open": filled("<a "),
  "comments that open": filled("<!-- a\n"),
  "comments": filled("<!-- a --> b\n"),
  "fences": filled("```\n~~~\n"),
  "emphasis": filled("*_`"),
  "headings": filled("# a\n"),
  "a heading of spaces": ended("# a", " "),
  "a heading of hashes": ended("# a", " #"),
  "a heading of full stops": ended("# a", "."),
  "an item of spaces": ended("-", " "),
  "a rule": ended("---", " "),
  "quotes": filled("> "),
  "digits": filled("1")
}

const describeText = Predict.make(Signature.make("Describe", {
  input: { text: Schema.String },
  output: { title: Schema.String, keywords: Schema.Array(Schema.String), summary: Schema.String, score: Schema.Finite }
}))

describe("reading a megabyte", () => {
  for (const [what, text] of Object.entries(texts)) {
    it(what, async () => {
      const before = process.cpuUsage()
      await Effect.runPromiseExit(Effect.provide(describeText({ text }), Offline.layer()))
      const { system, user } = process.cpuUsage(before)
      // It takes 20 to 200 ms of processor time.
      assert.isBelow((user + system) / 1000, 2000)
    })
  }
})

describe("what is cut out of Markdown", () => {
  const title = Predict.make(
    Signature.make("Title", { input: { text: Schema.String }, output: { title: Schema.String } })
  )
  const cases: { readonly [text: string]: string } = {
    "# A [link](https://a.example/b) here\n\nText.": "A link here",
    "# ![image](a.png) [![badge](b.svg)](c) Name <b>bold</b>\n\nText.": "Name bold",
    "<!-- # No -->\n\n# Yes ##\n\nText.": "Yes",
    "# C#\n\nText.": "C#",
    "# ##\n\n# Second\n\nText.": "Second",
    "# Dots...\n\nText.": "Dots"
  }
  for (const [text, expected] of Object.entries(cases)) {
    it(JSON.stringify(text), async () => {
      const found = await Effect.runPromise(Effect.provide(title({ text }), Offline.layer()))
      assert.strictEqual(found.title, expected)
    })
  }
})
