/**
 * Turns the examples of the documentation into tests: ```ts blocks in README.md, docs and packages, and in
 * doc comments of the sources.
 *
 * One block is one file and one test. `expression // => value` asserts deep equality; a block without any
 * must run without throwing; ```ts no-run is compiled only. All are type-checked by `tsc -p .doctest`.
 * Imports may stand anywhere in a block; they move to the top of its file.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"

const out = ".doctest"
rmSync(out, { recursive: true, force: true })
mkdirSync(out)

const sources = globSync(["README.md", "docs/**/*.md", "packages/*/README.md", "packages/*/src/**/*.ts"]).sort()

/** Blocks of a file with the line they begin at; in TypeScript, only those in doc comments. */
const blocks = (file) => {
  const found = []
  let open
  readFileSync(file, "utf8").split("\n").forEach((raw, index) => {
    const inComment = /^\s*\* ?(.*)$/.exec(raw)
    const line = file.endsWith(".ts") ? inComment?.[1] : raw
    if (line === undefined) return
    const fence = /^```(\S*)\s*(.*?)\s*$/.exec(line)
    if (fence === null) open?.lines.push(line)
    else if (open === undefined) open = { language: fence[1], mode: fence[2], line: index + 1, lines: [] }
    else {
      if (open.language === "ts") found.push(open)
      open = undefined
    }
  })
  // Either would lose examples in silence.
  if (open !== undefined) throw new Error(`${file}:${open.line}: a fence that is never closed`)
  for (const { line, mode } of found) {
    if (mode !== "" && mode !== "no-run") {
      throw new Error(`${file}:${line}: \`\`\`ts ${mode}, which is neither run nor no-run`)
    }
  }
  return found
}

/** How many brackets a piece of code opens more than it closes. */
const depth = (code) => {
  let sum = 0
  for (const [bracket] of code.replace(/(["'`])(?:\\.|(?!\1)[^\\])*\1|\/\/.*/g, "").matchAll(/[([{}\])]/g)) {
    sum += "([{".includes(bracket) ? 1 : -1
  }
  return sum
}

/** `expression // => value`; an expression over several lines begins where its brackets, or its chain of dots, do. */
const assertions = (lines) => {
  const code = []
  for (const line of lines) {
    const match = /^(.*?)\s*\/\/ => (.*)$/.exec(line)
    if (match === null) {
      code.push(line)
      continue
    }
    const statement = [match[1]]
    while ((depth(statement.join("\n")) < 0 || /^\s*\??\./.test(statement[0])) && code.length > 0) {
      statement.unshift(code.pop())
    }
    code.push(`$equal(${statement.join("\n")}, ${match[2]})`)
  }
  return code
}

let count = 0
for (const file of sources) {
  for (const { line, lines, mode } of blocks(file)) {
    const isImport = (text) => /^import[\s{*"]/.test(text)
    const imports = []
    const body = []
    let inImport = false
    for (const text of lines) {
      if (inImport || isImport(text)) {
        imports.push(text)
        inImport = !/from "[^"]+"|^import "[^"]+"/.test(text)
      } else body.push(text)
    }
    const name = `${file}:${line}`
    writeFileSync(
      `${out}/${name.replace(/[^\w]+/g, "_")}.${mode === "no-run" ? "compiled" : "test"}.ts`,
      mode === "no-run"
        ? [...imports, `export default async () => {`, ...body, "}", ""].join("\n")
        : [
          // With a $, so that an example may import `it` and `assert` itself.
          `import { deepStrictEqual as $deepStrictEqual } from "node:assert"`,
          `import { test as $test } from "vitest"`,
          ...imports,
          `const $equal: <A>(actual: A, expected: A) => void = $deepStrictEqual`,
          `$test(${JSON.stringify(name)}, async () => {`,
          ...assertions(body).map((text) => `  ${text}`),
          "})",
          ""
        ].join("\n")
    )
    count++
  }
}

writeFileSync(
  `${out}/tsconfig.json`,
  JSON.stringify({
    extends: "../tsconfig.json",
    // Examples show values without using them.
    compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
    include: ["*.ts"]
  })
)
console.log(`${count} doc examples`)
