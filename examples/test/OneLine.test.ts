/**
 * Text of others on a terminal: one line, and nothing in it that a terminal obeys.
 */
import { assert, describe, it } from "@effect/vitest"
import * as OneLine from "../src/main/OneLine.ts"
import { failures, table } from "../src/main/Report.ts"
import { run, withEndpoint, withFiles } from "./harness.ts"

/** Colours, a title for the window, a cleared screen, a carriage return, C1 controls, and turned text. */
const hostile = "a\u001b[31mb\u001b]0;title\u0007c\u001b[2Jd\re\u009b1mf\u202eg\nh\u2028i\u0000"

const obeyed = /[^\P{C}\n]/u

describe("a line", () => {
  it("is one, and shows where something was", () => {
    assert.strictEqual(OneLine.of(hostile), "a\ufffd[31mb\ufffd]0;title\ufffdc\ufffd[2Jd e\ufffd1mf\ufffdg h i\ufffd")
    assert.strictEqual(OneLine.of("  two\t\r\n words "), "two words")
  })

  it("leaves every other character as it is", () => {
    for (let code = 0x21; code < 0x30000; code++) {
      const character = String.fromCodePoint(code)
      if (/[\p{Z}\p{C}]/u.test(character) || character === "\ufeff") continue
      assert.strictEqual(OneLine.of(`a${character}b`), `a${character}b`)
    }
    assert.strictEqual(OneLine.of("👩‍👩‍👧 می‌خواهم"), "👩‍👩‍👧 می‌خواهم")
  })

  it("has no control character, whatever it is made of", () => {
    for (let code = 0; code < 0x3000; code++) {
      assert.notMatch(OneLine.of(`a${String.fromCharCode(code)}b`), /[\p{Cc}\p{Zl}\p{Zp}]/u)
    }
  })

  it("is cut between characters", () => {
    assert.strictEqual(OneLine.fit("😀😀😀", 2), "😀…")
    assert.strictEqual(OneLine.fit("a/b/😀😀😀", 3, "end"), "…😀😀")
    assert.strictEqual(OneLine.fit("abc", 3), "abc")
  })
})

describe("the report", () => {
  const took = { timing: { wallMs: 1, criticalMs: 1, steps: {} }, usage: { calls: 0 } }
  const error = { tag: "LMError", message: `no: ${hostile}`, retryable: false }

  it("has a line a failure", () => {
    const [line = "", ...more] = failures([{ file: hostile, ok: false, error, ...took }])
    assert.lengthOf(more, 0)
    assert.notMatch(line, obeyed)
    assert.notInclude(line, "\n")
  })

  it("has a row a document", () => {
    const result = {
      title: hostile,
      keywords: [hostile],
      category: "other",
      summary: "",
      reasoning: "",
      score: 1
    } as const
    const text = table(
      [{ file: hostile, ok: true, result, ...took }, { file: "b", ok: false, error, ...took }],
      200,
      false
    )
    assert.notMatch(text, obeyed)
    assert.lengthOf(text.split("\n").filter((line) => line.startsWith("│")), 3)
  })
})

it("what a model writes and what files are called reaches a terminal in this form only", () =>
  withFiles({ "a\n\u001b[2J.md": "# Text\n\nof a document.", "b\u001b[1m.md": "" }, (cwd) =>
    withEndpoint(
      ({ signature }) =>
        signature === "Title"
          ? { fields: { title: hostile } }
          : signature === "Keywords"
          ? { fields: { keywords: [hostile] } }
          : {},
      async ({ url }) => {
        const { code, stderr, stdout } = await run(["--lm", "compatible/m", "--base-url", url, "."], { cwd })
        assert.strictEqual(code, 1)
        assert.notMatch(stdout + stderr, obeyed)
        assert.include(stdout, "a\ufffd[31mb")
        assert.match(stderr, /^b\ufffd\[1m\.md: it is empty\n$/)
      }
    )))
