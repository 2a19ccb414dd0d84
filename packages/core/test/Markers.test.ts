import { ChatAdapter, Markers, Signature } from "@effect-dspy/core"
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"

const sections = (text: string) => Object.fromEntries(Markers.sections(text))

describe("Markers.sections", () => {
  it("finds each section, trimmed", () => {
    assert.deepStrictEqual(sections("[[ ## a ## ]]\n\n one \n\n[[ ## b ## ]]\ntwo\nlines\n\n[[ ## completed ## ]]\n"), {
      a: "one",
      b: "two\nlines",
      completed: ""
    })
  })

  it("takes indented headers", () => {
    assert.deepStrictEqual(sections("  [[ ## a ## ]]\none\n\t[[ ## b ## ]]\ntwo"), { a: "one", b: "two" })
  })

  it("takes text on the header's line for the value's", () => {
    assert.deepStrictEqual(sections("[[ ## a ## ]] one\nmore\n[[ ## b ## ]]two"), { a: "one\nmore", b: "two" })
  })

  it("lets the first section of a name win", () => {
    assert.deepStrictEqual(sections("[[ ## a ## ]]\nfirst\n[[ ## b ## ]]\nx\n[[ ## a ## ]]\nsecond"), {
      a: "first",
      b: "x"
    })
  })

  it("takes a header inside a line for text", () => {
    const line = "write [[ ## b ## ]] before it"
    assert.deepStrictEqual(sections(`[[ ## a ## ]]\n${line}`), { a: line })
    assert.deepStrictEqual(sections(`- [[ ## a ## ]]\nno`), {})
  })

  it("takes what looks like a header and is none for text", () => {
    for (const line of ["[[ a ]]", "[[ ## ## ]]", "[## a ##]", "## a ##", "[[ ## a ## ]", "[[ ## a\n ## ]]"]) {
      assert.deepStrictEqual(sections(`${line}\ntext`), {}, line)
    }
  })

  it("knows names that are no identifiers, and names of every object's members", () => {
    assert.deepStrictEqual(
      sections("[[ ## first-name ## ]]\nAda\n[[ ## größe ## ]]\n3\n[[ ## full name ## ]]\nAda L."),
      {
        "first-name": "Ada",
        größe: "3",
        "full name": "Ada L."
      }
    )
    assert.deepStrictEqual([...Markers.sections("[[ ## constructor ## ]]\nx").keys()], ["constructor"])
  })

  it("ignores what stands before the first header, and line ends of other systems", () => {
    assert.deepStrictEqual(sections("Sure!\r\n[[ ## a ## ]]\r\none\r\n\r\n[[ ## b ## ]]\r\ntwo"), {
      a: "one",
      b: "two"
    })
    assert.deepStrictEqual(sections(""), {})
  })

  it("is soon done with a text full of beginnings", () => {
    const text = "[[ ## a ".repeat(50_000)
    const start = performance.now()
    assert.deepStrictEqual(sections(text), {})
    assert.deepStrictEqual(sections("\n".repeat(100_000) + " ".repeat(100_000)), {})
    assert.isBelow(performance.now() - start, 2000)
  })
})

const { outputs } = Signature.make("S", {
  input: {},
  output: {
    text: Schema.String,
    count: Schema.Int,
    tags: Schema.Array(Schema.String),
    maybe: Schema.NullOr(Schema.String),
    size: Schema.Literals(["S", "M"]),
    sure: Schema.Boolean
  }
}).derived

/** One field's value, as its section is read. */
const read = (field: string, section: string) => Markers.read(`[[ ## ${field} ## ]]\n${section}`, outputs)?.[field]

describe("Markers.read", () => {
  it("gives text as it stands", () => {
    for (const text of ["42", "\"quoted\"", "{\"a\": 1}", "null", "true", "a\n\nb", "[[ x ]]"]) {
      assert.strictEqual(read("text", text), text)
    }
  })

  it("reads everything else as JSON that may be sloppy", () => {
    assert.strictEqual(read("count", "42"), 42)
    assert.strictEqual(read("count", "```json\n42\n```"), 42)
    assert.deepStrictEqual(read("tags", "['a', 'b',]"), ["a", "b"])
    assert.deepStrictEqual(read("tags", "Here they are: [\"a\"]"), ["a"])
    assert.strictEqual(read("sure", "True"), true)
    assert.strictEqual(read("size", "M"), "M")
    assert.strictEqual(read("size", "'M'"), "M")
  })

  it("tells a missing text from the text null where both are possible", () => {
    assert.strictEqual(read("maybe", "null"), null)
    assert.strictEqual(read("maybe", "nothing"), "nothing")
    assert.strictEqual(read("maybe", "42"), "42")
    assert.strictEqual(read("maybe", "a [b] c"), "a [b] c")
  })

  it("hands on what does not fit as it is, so that the finding says what was expected", () => {
    assert.strictEqual(read("count", "many"), "many")
    assert.strictEqual(read("size", "XL"), "XL")
    assert.strictEqual(read("count", ""), "")
    assert.strictEqual(read("count", "3 or 4"), "3 or 4")
  })

  it("gives nothing without a section it knows, and drops those it does not", () => {
    assert.isUndefined(Markers.read("no sections", outputs))
    assert.isUndefined(Markers.read("[[ ## other ## ]]\nx", outputs))
    assert.deepStrictEqual(
      Markers.read("[[ ## text ## ]]\nx\n[[ ## other ## ]]\ny\n[[ ## count ## ]]\n1", outputs),
      { text: "x", count: 1 }
    )
  })

  it("reads what the chat adapter asks for, field by field", () => {
    const Odd = Signature.make("Odd", { input: {}, output: { "first-name": Schema.String, größe: Schema.Int } })
    const reply = "[[ ## first-name ## ]]\nAda\n\n[[ ## größe ## ]]\n3\n\n[[ ## completed ## ]]"
    assert.deepStrictEqual(
      ChatAdapter.adapter.format(Odd).read(reply),
      Result.succeed({ "first-name": "Ada", größe: 3 })
    )
  })
})
