/**
 * The main job's `--report`: the file says where the time of each document went.
 */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { run, withFiles } from "./harness.ts"

const files = {
  "a.md": "# The river\n\nThe river rose in the night.",
  "b<script>.md": "# The lake\n\nThe lower meadow was a lake."
}

const reported = (file: string, use: (text: string) => void) =>
  withFiles(files, async (cwd) => {
    const { code, stderr } = await run(["--latency", "20ms", "--report", file, "."], { cwd })
    assert.strictEqual(stderr, "")
    assert.strictEqual(code, 0)
    use(readFileSync(join(cwd, file), "utf8"))
  })

describe("--report", () => {
  it("writes JSON, by document, with its critical path", () =>
    reported("report.json", (text) => {
      const reports = JSON.parse(text)
      assert.sameMembers(reports.map(({ pipeline }: { pipeline: string }) => pipeline), Object.keys(files))
      for (const { criticalPath, ms, outcome, steps } of reports) {
        assert.strictEqual(outcome, "succeeded")
        assert.strictEqual(steps.length, 5)
        const along = Object.values<number>(criticalPath.parts).reduce((sum, part) => sum + part, 0)
        assert.isAtMost(Math.abs(ms - along), 20)
      }
    }))

  it("writes a page that shows names as text", () =>
    reported("report.html", (text) => {
      assert.match(text, /^<!doctype html>/)
      assert.include(text, "b&lt;script&gt;.md")
      assert.notInclude(text, "<script")
    }))

  it("writes Markdown with a chart", () =>
    reported("report.md", (text) => {
      assert.include(text, "## a.md")
      assert.include(text, "```mermaid\ngantt")
    }))

  it("is refused before anything is asked when it can't be written", () =>
    withFiles(files, async (cwd) => {
      for (const file of ["report.txt", "nowhere/report.html"]) {
        const { code, stderr, stdout } = await run(["--report", file, "."], { cwd })
        assert.strictEqual(code, 2)
        assert.match(stderr, new RegExp(`^--report ${file}: .*\\n$`))
        assert.strictEqual(stdout, "")
        assert.isFalse(existsSync(join(cwd, file)))
      }
    }))
})
