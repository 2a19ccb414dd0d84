/**
 * The main job over files nobody here wrote: every README.md under node_modules.
 */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { spawn } from "node:child_process"
import { globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Category } from "../src/main/Category.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

const Line = Schema.Struct({
  file: Schema.String,
  ok: Schema.Boolean,
  result: Schema.optionalKey(Schema.Struct({
    title: Schema.NonEmptyString,
    keywords: Schema.Array(Schema.NonEmptyString).check(Schema.isMinLength(1), Schema.isMaxLength(8)),
    category: Category,
    summary: Schema.NonEmptyString,
    reasoning: Schema.String,
    score: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
  })),
  error: Schema.optionalKey(Schema.Struct({
    tag: Schema.NonEmptyString,
    reason: Schema.optionalKey(Schema.String),
    message: Schema.NonEmptyString,
    retryable: Schema.Boolean
  })),
  timing: Schema.Struct({
    wallMs: Schema.Natural,
    criticalMs: Schema.Natural,
    steps: Schema.Record(Schema.String, Schema.Any)
  }),
  usage: Schema.Struct({
    calls: Schema.Natural,
    inputTokens: Schema.optionalKey(Schema.Natural),
    outputTokens: Schema.optionalKey(Schema.Natural)
  })
})

const decode = Schema.decodeUnknownResult(Line)

const run = (files: ReadonlyArray<string>) =>
  new Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [
        "--unhandled-rejections=strict",
        "--conditions=@effect-dspy/source",
        "examples/src/main.ts",
        "--json",
        "--latency",
        "0",
        ...files
      ],
      { cwd: root, stdio: ["ignore", "pipe", "pipe"], timeout: 100_000 }
    )
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (chunk) => stdout += chunk)
    child.stderr.on("data", (chunk) => stderr += chunk)
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, stdout, stderr }))
  })

describe("every README.md under node_modules", () => {
  it("is a line of JSON, and what is ok is valid", { timeout: 120_000 }, async () => {
    const scratch = mkdtempSync(join(tmpdir(), "effect-dspy-readmes-"))
    try {
      const readmes = globSync("node_modules/**/README.md", { cwd: root })
      assert.isAtLeast(readmes.length, 50)
      const empty = join(scratch, "empty.md")
      const binary = join(scratch, "binary.md")
      writeFileSync(empty, "")
      writeFileSync(binary, Uint8Array.from([0x50, 0x4b, 3, 4, 0, 0, 0xff, 0xfe]))
      const files = [...readmes, empty, binary]
      const { code, stderr, stdout } = await run(files)
      assert.strictEqual(stderr, "")
      assert.strictEqual(code, 1)
      const lines = stdout.trimEnd().split("\n").map((line) => Result.getOrThrow(decode(JSON.parse(line))))
      const tags = new Map(lines.flatMap((line) => line.error === undefined ? [] : [[line.file, line.error.tag]]))
      assert.strictEqual(tags.get(empty), "FileEmpty")
      assert.strictEqual(tags.get(binary), "FileBinary")
      for (const { error, file, ok, result } of lines) {
        assert.strictEqual(ok, result !== undefined, file)
        assert.strictEqual(ok, error === undefined, file)
      }
      // A file that lies there twice (a link) is done once; nearly all READMEs are text with something to say.
      assert.isAtLeast(lines.length, files.length * 0.9)
      assert.isAtLeast(lines.filter((line) => line.ok).length, readmes.length * 0.9)
    } finally {
      rmSync(scratch, { recursive: true, force: true })
    }
  })
})
