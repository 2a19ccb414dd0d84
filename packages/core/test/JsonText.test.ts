import { JsonText } from "@effect-dspy/core"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"

const failure = (text: string) => {
  const result = JsonText.read(text)
  assert.isTrue(Result.isFailure(result), `${text} was read`)
  return Result.isFailure(result) ? result.failure : undefined
}

const found = (text: string) => [...JsonText.candidates(text)]

/** A small generator of random numbers (mulberry32), so that every run sees the same values. */
const seeded = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
}

const pick = <A>(random: () => number, items: ReadonlyArray<A>): A => {
  const item = items[Math.floor(random() * items.length)]
  if (item === undefined) throw new Error("nothing to pick from")
  return item
}

const upTo = (random: () => number, most: number) => Array.from({ length: Math.floor(random() * (most + 1)) })

const quotes = ["\"", "'", "“", "”", "\\"]
const pieces = [...quotes, "a", "B", " ", "\n", "\t", "/", "{", "}", "[", "]", ",", ":", "#", "//", "é", "😀"]
const numbers = [0, 1, -1, 42, 0.5, -2.25, 1e21, 1.5e-7, 2 ** 60, 5e-324, 1.7976931348623157e308]
const string = (random: () => number) => upTo(random, 8).map(() => pick(random, pieces)).join("")

const json = (random: () => number, depth: number): JsonText.Json => {
  const kind = random() * (depth > 0 ? 6 : 4)
  if (kind < 1) return pick(random, [null, true, false])
  if (kind < 2) return pick(random, numbers)
  if (kind < 4) return string(random)
  return kind < 5 ? upTo(random, 4).map(() => json(random, depth - 1)) : object(random, depth)
}

const object = (random: () => number, depth: number): JsonText.Json =>
  Object.fromEntries(upTo(random, 4).map(() => [string(random), json(random, depth - 1)]))

/** The same value the way a model may write it. */
const sloppy = (random: () => number, value: JsonText.Json): string => {
  const gap = pick(random, ["", " ", "\n", "\t", "// it's [\n", "# {\"\n", "/* ] \" ' */"])
  const comma = pick(random, ["", ",", " , "])
  if (value === null || typeof value === "boolean") {
    return gap + pick(random, value === null ? ["null", "None"] : value ? ["true", "True"] : ["false", "False"])
  }
  if (typeof value === "number") return gap + JSON.stringify(value)
  if (typeof value === "string") {
    const escaped = JSON.stringify(value).slice(1, -1).replaceAll("\\n", "\n").replaceAll("\\t", "\t")
    // Backslashes come in pairs or before a quote, so what was an escape before stays one.
    const safe = value.includes("\\") ? JSON.stringify(value).slice(1, -1) : escaped
    return gap + pick(random, [`"${safe}"`, `'${safe.replaceAll("'", "\\'")}'`])
  }
  const items = Array.isArray(value)
    ? value.map((item: JsonText.Json) => sloppy(random, item))
    : Object.entries(value).map(([key, item]) =>
      `${/^[a-zA-Z]+$/.test(key) ? key : sloppy(random, key)}${gap}:${sloppy(random, item)}`
    )
  const inner = items.join(`${gap},`) + (items.length > 0 ? comma : "") + gap
  return Array.isArray(value) ? `${gap}[${inner}]` : `${gap}{${inner}}`
}

describe("JsonText.read", () => {
  const readable: ReadonlyArray<readonly [why: string, text: string, value: JsonText.Json]> = [
    ["strict JSON", "{\"a\": [1, null, true, \"x\"]}", { a: [1, null, true, "x"] }],
    ["a scalar", " -1.5e3\n", -1500],
    ["space around, of any kind", "\u3000\v[1,]\u00a0\ufeff", [1]],
    ["trailing commas", "{\"a\": [1, 2,], }", { a: [1, 2] }],
    ["empty with comments", "{ /* nothing */ }", {}],
    ["single quotes", "{'a': 'b \"c\"', 'd': 'it\\'s'}", { a: "b \"c\"", d: "it's" }],
    ["apostrophe in double quotes", "{\"a\": \"don't\",}", { a: "don't" }],
    ["curly quotes", "{“a”: “say \"x\" it’s”}", { a: "say \"x\" it’s" }],
    ["curly quotes within straight ones", "{\"a\": \"“x”\",}", { a: "“x”" }],
    ["bare keys", "{a: 1, $b_2: 2, größe: 3, content-type: 4}", { a: 1, $b_2: 2, größe: 3, "content-type": 4 }],
    ["Python literals", "[True, False, None, true, false, null,]", [true, false, null, true, false, null]],
    ["literals as keys", "{None: 1, true: 2}", { None: 1, true: 2 }],
    ["raw control characters", "{\"a\": \"x\ny\tz\r\u0001\"}", { a: "x\ny\tz\r\u0001" }],
    ["comments", "// it's\n[1, # two }\n2, /* ] */ 3] // end", [1, 2, 3]],
    ["an empty comment", "[1, #\n2, //\n3, /**/ 4]", [1, 2, 3, 4]],
    ["no comments in strings", "['http://x', '# y', '/* z']", ["http://x", "# y", "/* z"]],
    ["escapes", "['\\u00e9\\ud83d\\ude00\\n\\/\\\\\\\"']", ["é😀\n/\\\""]],
    ["invalid escapes", "{\"a\": \"\\d+ \\_x\\_ \\u12 \\\n\"}", { a: "\\d+ \\_x\\_ \\u12 \\\n" }],
    ["duplicate keys", "{a: 1, 'a': 2}", { a: 2 }],
    ["large integers", "[9007199254740993,]", [9007199254740992]],
    ["large exponents that fit", "[1e308, 1e-400]", [1e308, 0]],
    ["long digits that fit", `[0.${"1".repeat(400)}]`, [1 / 9]],
    ["a bracket left out before the one around it closes", "[{a: {b: 1}]", [{ a: { b: 1 } }]],
    ["a list left open in an object that closes", "{a: [1, {b: 2}}", { a: [1, { b: 2 }] }],
    ["depth 200", `${"[".repeat(200)}${"]".repeat(199)},]`, JSON.parse("[".repeat(200) + "]".repeat(200))]
  ]
  for (const [why, text, value] of readable) {
    it(`reads ${why}`, () => assert.deepStrictEqual(Result.getOrThrow(JsonText.read(text)), value))
  }

  const refused: ReadonlyArray<readonly [why: string, text: string, at: number, expected: string]> = [
    ["nothing", "", 0, "a JSON value"],
    ["space", " \n", 2, "a JSON value"],
    ["a bare word", "yes", 0, "a JSON value"],
    ["prose with brackets", "text with [placeholder]", 0, "a JSON value"],
    ["text after the value", "{\"a\": 1} done", 9, "the end of the text"],
    ["two values", "{} {}", 3, "the end of the text"],
    ["a missing comma", "[1 2]", 3, "a comma or ]"],
    ["a missing comma in an object", "{a: 1 b: 2}", 6, "a comma or }"],
    ["a missing colon", "{a 1}", 3, "a colon"],
    ["a missing value", "{a: }", 4, "a JSON value"],
    ["a missing bracket", "{\"a\": [1, 2", 11, "a comma or ]"],
    ["the wrong bracket", "[1}", 2, "a comma or ]"],
    ["the wrong bracket, with the right one outside", "{a: {b: 1]}", 9, "a comma or }"],
    ["two brackets left out", "[{a: {b: 1]", 10, "a comma or }"],
    ["a bracket left out within text that breaks off", "[{a: [1}, {b: 2", 15, "a comma or }"],
    ["an open string", "{\"a\": \"b", 8, "the end of a string"],
    ["an open string that ends in a backslash", "['a\\", 4, "the end of a string"],
    ["an open comment", "{\"a\": 1} /* b", 9, "the end of the text"],
    ["holes", "[1,,2]", 3, "a JSON value"],
    ["a lone comma", "{,}", 1, "a key"],
    ["numeric keys", "{1: 2}", 1, "a key"],
    ["NaN", "[NaN]", 1, "a JSON value"],
    ["Infinity", "Infinity", 0, "a JSON value"],
    ["-Infinity", "{a: -Infinity}", 4, "a JSON value"],
    ["undefined", "{a: undefined}", 4, "a JSON value"],
    ["1e999 in strict JSON", "{\"a\": [0, 1e999]}", 10, "a finite number"],
    ["1e999 in sloppy JSON", "{a: -1e999}", 4, "a finite number"],
    ["400 digits", `[${"9".repeat(400)}]`, 1, "a finite number"],
    ["250 digits times 1e99", `${"9".repeat(250)}e99`, 0, "a finite number"],
    ["a leading plus", "[+1]", 1, "a JSON value"],
    ["a leading zero", "[01]", 1, "a JSON value"],
    ["a bare point", "[.5]", 1, "a JSON value"],
    ["a trailing point", "[5.]", 1, "a JSON value"],
    ["digits with a unit", "[5px]", 1, "a JSON value"],
    ["depth 201", `${"[".repeat(201)}${"]".repeat(200)},]`, 200, "at most 200 levels"]
  ]
  for (const [why, text, at, expected] of refused) {
    it(`refuses ${why}`, () => assert.deepStrictEqual(failure(text), { _tag: "Unreadable", at, expected }))
  }

  it("makes __proto__ an own property on both paths", () => {
    for (const text of ["{\"__proto__\": {\"a\": 1}}", "{__proto__: {a: 1}}"]) {
      const value = Result.getOrThrow(JsonText.read(text))
      assert.deepStrictEqual(Object.keys(Object(value)), ["__proto__"])
      assert.strictEqual(Object.getPrototypeOf(value), Object.prototype)
    }
  })

  it("reads what JSON.stringify writes", () => {
    const random = seeded(1)
    for (let round = 0; round < 2000; round++) {
      const value = json(random, 4)
      const text = JSON.stringify(value)
      assert.deepStrictEqual(Result.getOrThrow(JsonText.read(text)), value)
      // The comment leaves the text to the tolerant reader.
      assert.deepStrictEqual(Result.getOrThrow(JsonText.read(`${text} //`)), value)
    }
  })

  it("reads what a sloppy writer writes", () => {
    const random = seeded(2)
    for (let round = 0; round < 2000; round++) {
      const value = json(random, 4)
      const text = sloppy(random, value)
      assert.deepStrictEqual(Result.getOrThrow(JsonText.read(text)), value, text)
    }
  })

  it("never reads an object that breaks off, nor a piece of it", () => {
    const random = seeded(3)
    for (let round = 0; round < 300; round++) {
      const value = object(random, 3)
      const written = round % 2 === 0 ? JSON.stringify(value) : sloppy(random, value).trimStart()
      const text = written.slice(0, written.lastIndexOf("}") + 1)
      for (let length = 0; length < text.length; length++) {
        const cut = text.slice(0, length)
        failure(cut)
        if (written === JSON.stringify(value)) {
          assert.deepStrictEqual(found(cut), [], cut)
          assert.deepStrictEqual(found(`Here you are:\n\`\`\`json\n${cut}`), [], cut)
        }
      }
    }
  })
})

describe("JsonText.candidates", () => {
  const replies: ReadonlyArray<readonly [why: string, text: string, values: ReadonlyArray<JsonText.Json>]> = [
    ["the whole text, once", "{\"a\": [{}]}", [{ a: [{}] }]],
    ["nothing in prose", "I don't know (yet).", []],
    ["a fenced block, once", "Sure!\n```json\n{ 'a': 4, }\n```\nThat's it.", [{ a: 4 }]],
    ["a fenced scalar", "```\n42\n```", [42]],
    ["tildes, indentation, line ends of Windows", "1.\r\n  ~~~json\r\n  [1]\r\n  ~~~\r\n", [[1]]],
    ["a fence that is not closed", "```json\n{\"a\": 1}", [{ a: 1 }]],
    ["no fence that breaks off", "```json\n{\"a\": {\"b\": 1}", []],
    ["fences inside of strings", "```json\n{\"a\": \"```js\\nx\\n```\"}\n```", [{ a: "```js\nx\n```" }]],
    ["a longer fence", "````\n{\"a\": 1,\n\"b\": \"\n```\n\"}\n````", [{ a: 1, b: "\n```\n" }]],
    ["a fence on one line", "```json {\"a\": 1}```", [{ a: 1 }]],
    ["fences before prose", "[1] and\n```\n[2]\n```\nand [3]", [[2], [1], [3]]],
    ["a block with prose in it", "```\nAnswer: {\"a\": 1}\n```", [{ a: 1 }]],
    ["values in order", "First {\"a\": 1}, then ['b', \"don't\"], then {}.", [{ a: 1 }, ["b", "don't"], {}]],
    ["values after apostrophes", "It's what you'd expect: {\"a\": \"it's }\"} isn't it?", [{ a: "it's }" }]],
    ["values after other brackets", "[[ ## answer ## ]]\nfor [x] {y} [don't] \\boxed{5\"}: {a: 1}", [{ a: 1 }]],
    ["values after an opening bracket", "Lists open with [ or {, so {\"a\": 1}", [{ a: 1 }]],
    ["values after a half-open interval", "In [0, 1) it is {\"a\": 1}", [{ a: 1 }]],
    ["values after many links", `${"[x](y) ".repeat(100)}{"a": 1}`, [{ a: 1 }]],
    ["no piece of a value with a mistake", "Here: {\"a\": 1 \"b\": {\"c\": [2]}} or [NaN, {\"d\": 3}]", []],
    ["what follows a value with a mistake", "{\"a\": \"x } y\" \"b\": \"}\"} no: {\"a\": 2}", [{ a: 2 }]],
    ["no piece of a value that breaks off", "Here: {\"a\": {\"b\": 1}, \"c\": [2], ", []],
    ["no piece of one with a mistake that breaks off", "[{\"a\": 1} {\"b\": 2}, {\"c\": 3}", []],
    ["no number out of range", "It is {\"a\": 1e999}", []],
    ["thoughts last", "<think>Maybe {\"a\": 1}?</think>\nIt is {\"a\": 2}", [{ a: 2 }, { a: 1 }]],
    ["an answer after a thought", "<think>\n[1]\n</think>\n\n42", [42, [1]]],
    ["a thought without its opening tag", "Maybe [1]?\n</think>\n\n{\"a\": 2,}", [{ a: 2 }, [1]]],
    ["a tag within a string", "So: {\"a\": \"</think>\"}", [{ a: "</think>" }]]
  ]
  for (const [why, text, values] of replies) {
    it(`finds ${why}`, () => assert.deepStrictEqual(found(text), values))
  }
})

describe("JsonText under attack", () => {
  const million = 1_000_000
  const texts: ReadonlyArray<readonly [what: string, text: string]> = [
    ...["{", "'", "\\", "[", "\"", "}", "[/*]", "{a:", "[1,", "[]", "[x]", "/*", "//", "#", "```\n", "`", "</think>"]
      .map((piece) => [`many ${piece.trim()}`, piece.repeat(million / piece.length)] as const),
    ["100000 nested arrays", "[".repeat(100_000) + "]".repeat(100_000)],
    ["100000 nested arrays in prose", `It is ${"[".repeat(100_000)}${"]".repeat(100_000)}`],
    ["100000 nested arrays around a large number", `${"[".repeat(100_000)}1e999${"]".repeat(100_000)}`],
    ["escapes in an open string", `{"a": "${"\\".repeat(million)}`],
    ["digits", `[${"1".repeat(million)}x]`],
    ["runs of digits", `${"1".repeat(199)},`.repeat(million / 200)],
    ["a bare key", `{${"a".repeat(million)}`],
    ["a line of spaces", " ".repeat(million)],
    ["a block that is not closed", `\`\`\`json\n${"` ".repeat(million / 2)}`]
  ]
  for (const [what, text] of texts) {
    it(`is soon done with ${what}`, () => {
      const start = performance.now()
      JsonText.read(text)
      for (const _ of JsonText.candidates(text)) { /* only the time counts */ }
      // Not how fast: what is linear takes moments on any machine, what is quadratic hours.
      assert.isBelow(performance.now() - start, 60_000)
    })
  }

  it("never throws, and points into the text", () => {
    const random = seeded(4)
    const more = [
      ...pieces,
      "{a:",
      "[1,",
      "True",
      "```",
      "\n```\n",
      "<think>",
      "</think>",
      "/*",
      "*/",
      "1e999",
      "\\u00"
    ]
    for (let round = 0; round < 20_000; round++) {
      const text = upTo(random, 16).map(() => pick(random, more)).join("")
      const result = JsonText.read(text)
      if (Result.isFailure(result)) assert.isTrue(result.failure.at >= 0 && result.failure.at <= text.length, text)
      found(text)
    }
  })
})
