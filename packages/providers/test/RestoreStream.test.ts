import * as RestoreStream from "@effect-dspy/providers/RestoreStream"
import { assert, describe, it } from "@effect/vitest"

const wire = {
  title: "The \"sea\" \\ 🌊",
  prices: [{ key: "tea, }", value: 2 }, { key: "__proto__", value: 3 }],
  gone: null,
  held: { value: null },
  n: 12.5e3,
  list: [[], [1, { a: "]" }]],
  "a\"b": false
}

/** What the fields are restored to, each on its own. */
const restore = (json: unknown): unknown => {
  const given = Object.entries(json as { readonly [name: string]: unknown })
  return Object.fromEntries(given.flatMap(([name, value]) => {
    if (name === "prices") return [[name, (value as typeof wire.prices).map(({ key }) => key)]]
    if (name === "a\"b") return [[name, !(value as boolean)]]
    if (name === "held") return [[name, null]]
    return name === "gone" ? [] : [[name, value]]
  }))
}

const touched = new Set(["prices", "gone", "held", "a\"b"])

const pieces = (text: string, size: number): ReadonlyArray<string> =>
  Array.from({ length: Math.ceil(text.length / size) }, (_, index) => text.slice(index * size, (index + 1) * size))

describe("an answer that is restored while it is written", () => {
  const texts = [JSON.stringify(wire), JSON.stringify(wire, undefined, 2), `\n ${JSON.stringify(wire)}\n`]

  it("is the restored one, cut anywhere", () => {
    for (const text of texts) {
      for (const known of [touched, undefined]) {
        for (const size of [1, 2, 3, 7, 1_000]) {
          const push = RestoreStream.make(restore, known)
          const read = pieces(text, size).map(push).join("")
          assert.deepStrictEqual(JSON.parse(read), restore(wire), `${size} of ${text}`)
        }
      }
    }
    const push = RestoreStream.make(restore, touched)
    assert.strictEqual(push("{\"gone\": null}"), "{}")
  })

  it("passes what is not restored as it comes", () => {
    const push = RestoreStream.make(restore, touched)
    assert.strictEqual(push("{\"title\": \"The s"), "{\"title\":\"The s")
    assert.strictEqual(push("ea\", \"prices\": [{\"key\""), "ea\"")
    assert.strictEqual(push(": \"tea\", \"value\": 1}]"), ",\"prices\":[\"tea\"]")
  })

  it("that is no JSON object passes unchanged", () => {
    for (
      const text of [
        "I'd rather not.",
        "```json\n{\"prices\": []}\n```",
        "[1, 2]",
        "",
        "{} {",
        "{\"title\": 1} and so on"
      ]
    ) {
      for (const size of [1, 100]) {
        const push = RestoreStream.make(restore, touched)
        assert.strictEqual(pieces(text, size).map(push).join("").replaceAll(" ", ""), text.replaceAll(" ", ""))
      }
    }
  })

  it("that breaks off or is broken loses nothing that another could read", () => {
    for (const text of ["{\"title\": tru", "{\"prices\": [tru, 1]}", "{title: 1}", "{\"a\" 1}"]) {
      const push = RestoreStream.make(restore, touched)
      const read = pieces(text, 1).map(push).join("")
      assert.isAtMost(read.length, text.length)
    }
  })

  it("takes time in proportion to its length, not more", () => {
    const long = JSON.stringify({
      title: "x".repeat(100_000),
      prices: Array.from({ length: 10_000 }, () => ({ key: "k" }))
    })
    const push = RestoreStream.make(restore, touched)
    const read = JSON.parse(pieces(long, 5).map(push).join("")) as { readonly prices: ReadonlyArray<string> }
    assert.strictEqual(read.prices.length, 10_000)
  })
})
