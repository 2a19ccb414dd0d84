/**
 * Every check of the project, as `npm test` runs it. A stage that fails prints its output and the others
 * still run; each counts as one test beside those of vitest. The last line counts them all.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const scratch = mkdtempSync(join(tmpdir(), "effect-dspy-"))
const report = join(scratch, "vitest.json")
const bin = (name) => join("node_modules", ".bin", name)
// No colours in a log; FORCE_COLOR brings them back.
const env = process.stdout.isTTY ? process.env : { NO_COLOR: "1", ...process.env }

const run = (command, args, stdio) =>
  new Promise((resolve) => {
    const child = spawn(command, args, { env, stdio: ["ignore", stdio, stdio] })
    let output = ""
    child.stdout?.on("data", (chunk) => output += chunk)
    child.stderr?.on("data", (chunk) => output += chunk)
    child.on("error", (error) => resolve({ code: 1, output: `${output}${error.message}\n` }))
    child.on("close", (code) => resolve({ code: code ?? 1, output }))
  })

const stages = [
  ["types", [[bin("tsc"), "--noEmit"], [bin("tsc"), "-p", "packages/pipelines/page"]]],
  ["effect diagnostics", [[bin("effect-tsgo"), "diagnostics", "--project", "tsconfig.json", "--format", "text"]]],
  ["lint", [[bin("oxlint"), "--type-aware", "--deny-warnings"]]],
  ["format", [[bin("dprint"), "check"]]],
  ["unused code", [[bin("knip"), "--no-config-hints"]]],
  ["build", [[bin("tsc"), "-b", "packages/core", "packages/providers", "packages/pipelines"]]],
  ["packages", ["core", "providers", "pipelines"].map((name) => [bin("publint"), `packages/${name}`, "--strict"])],
  ["packed sandbox", [[process.execPath, "scripts/packed.mjs"]]],
  ["doc examples compile", [[process.execPath, "scripts/doctest.mjs"], [bin("tsc"), "-p", ".doctest", "--noEmit"]]]
]

let passed = 0
let failed = 0
let skipped = 0

for (const [name, commands] of stages) {
  const start = performance.now()
  let result = { code: 0, output: "" }
  for (const [command, ...args] of commands) {
    if (result.code === 0) result = await run(command, args, "pipe")
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  if (result.code === 0) passed++
  else failed++
  console.log(`${result.code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`)
  if (result.code !== 0) console.log(result.output)
}

const { code } = await run(
  bin("vitest"),
  ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`],
  "inherit"
)
let counts = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 }
let crashed = code !== 0
try {
  counts = JSON.parse(readFileSync(report, "utf8"))
} catch (error) {
  crashed = true
  console.log(`vitest left no report: ${error.message}`)
}
rmSync(scratch, { recursive: true, force: true })

// A number alone would hide which.
const without = (counts.testResults ?? []).flatMap((file) => file.assertionResults).filter(({ status }) =>
  ["pending", "skipped", "todo", "disabled"].includes(status)
)
for (const { fullName } of without) console.log(`skipped: ${fullName}`)
passed += counts.numPassedTests
// A crash or an unhandled rejection fails the run without failing a test.
failed += counts.numFailedTests === 0 && crashed ? 1 : counts.numFailedTests
skipped += counts.numPendingTests + counts.numTodoTests

console.log(`${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`)
process.exitCode = failed === 0 ? 0 : 1
