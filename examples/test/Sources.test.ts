/**
 * Which documents the main job takes from its arguments, and what it says of those it can't read.
 */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { chmodSync, mkdirSync, symlinkSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { command, failure, first, lines, rows, run, stackTrace, start, until, withFiles } from "./harness.ts"

const text = "# Water\n\nWater flows downhill, and the river carries it to the sea.\n"

const offline = ["--latency", "0ms"]

const filesOf = async (cwd: string, ...args: ReadonlyArray<string>) => {
  const { code, stderr, stdout } = await run(["--json", ...offline, ...args], { cwd })
  assert.strictEqual(stderr, "")
  assert.strictEqual(code, 0, stdout)
  return lines(stdout).map((line) => line.file)
}

describe("arguments", () => {
  it("a directory means its documents, however deep, without hidden entries and node_modules", () =>
    withFiles({
      "docs/b.md": text,
      "docs/a.txt": text,
      "docs/c.markdown": text,
      "docs/LOUD.MD": text,
      "docs/deep/er/d.md": text,
      "docs/e.html": text,
      "docs/noextension": text,
      "docs/.hidden.md": text,
      "docs/.git/f.md": text,
      "docs/node_modules/pkg/readme.md": text,
      "docs/deep/node_modules/g.txt": text
    }, async (cwd) => {
      const expected = ["docs/LOUD.MD", "docs/a.txt", "docs/b.md", "docs/c.markdown", "docs/deep/er/d.md"]
      assert.deepStrictEqual(await filesOf(cwd, "docs"), expected)
      assert.deepStrictEqual(await filesOf(cwd, "docs/"), expected)
    }))

  it("a link to a file is followed, one to a directory is not: it may lead back up", () =>
    withFiles({ "docs/a.md": text, "else/b.md": text, "else/deep/c.md": text }, async (cwd) => {
      symlinkSync(join(cwd, "else/b.md"), join(cwd, "docs/link.md"))
      symlinkSync("..", join(cwd, "docs/up"))
      assert.deepStrictEqual(await filesOf(cwd, "docs"), ["docs/a.md", "docs/link.md"])
    }))

  it("a pattern means what it matches", () =>
    withFiles({ "one.md": text, "two.md": text, "three.txt": text, "sub/four.md": text }, async (cwd) => {
      assert.deepStrictEqual(await filesOf(cwd, "*.md"), ["one.md", "two.md"])
      assert.deepStrictEqual(await filesOf(cwd, "**/*.md"), ["one.md", "sub/four.md", "two.md"])
      assert.deepStrictEqual(await filesOf(cwd, "{three,one}.*"), ["one.md", "three.txt"])
    }))

  it("a file whose name looks like a pattern is that file", () =>
    withFiles({ "[a].md": text, "a.md": text }, async (cwd) => {
      assert.deepStrictEqual(await filesOf(cwd, "[a].md"), ["[a].md"])
    }))

  it("a file is taken whatever its extension", () =>
    withFiles({ "notes.rst": text, "two words.md": text }, async (cwd) => {
      assert.deepStrictEqual(await filesOf(cwd, "notes.rst", "two words.md"), ["notes.rst", "two words.md"])
    }))

  it("- reads standard input", async () => {
    const { code, stderr, stdout } = await run(["--json", ...offline, "-"], { stdin: text })
    assert.strictEqual(stderr, "")
    assert.strictEqual(code, 0)
    const line = first(stdout)
    assert.strictEqual(line.file, "-")
    assert.strictEqual(line.result?.title, "Water")
  })

  it("- named twice is read once", async () => {
    const { code, stdout } = await run(["--json", ...offline, "-", "-"], { stdin: text })
    assert.strictEqual(code, 0)
    assert.lengthOf(lines(stdout), 1)
  })

  it("the same file is done once, by whatever name", () =>
    withFiles({ "a.md": text, "sub/b.md": text }, async (cwd) => {
      symlinkSync(join(cwd, "a.md"), join(cwd, "link.md"))
      symlinkSync(join(cwd, "sub"), join(cwd, "linked"))
      assert.deepStrictEqual(
        await filesOf(cwd, "a.md", "./a.md", "sub/../a.md", join(cwd, "a.md"), "link.md", "*.md"),
        ["a.md"]
      )
      assert.deepStrictEqual(await filesOf(cwd, "linked/b.md", "sub", "."), ["linked/b.md", "a.md"])
    }))

  it("are relative to where the user started npm", () =>
    withFiles({ "here/a.md": text }, async (directory) => {
      const { code, stdout } = await run(["--json", ...offline, "a.md"], {
        env: { INIT_CWD: join(directory, "here") }
      })
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(lines(stdout).map((line) => line.file), ["a.md"])
    }))

  it("without any, the samples, wherever the user stands", () =>
    withFiles({}, async (cwd) => {
      const { code, stdout } = await run(["--json", ...offline], { cwd })
      assert.strictEqual(code, 0)
      assert.isAbove(lines(stdout).length, 10)
    }))
})

// Root may read everything, so it lets nobody look; where the checkout is closed to others, nobody can.
const reader = process.getuid?.() === 0 ? { uid: 65_534 } : {}
const hasReader = spawnSync("cat", [command.at(-1) ?? ""], { ...reader }).status === 0

const hasPipes = spawnSync("bash", ["-c", "command -v mkfifo"]).status === 0

describe("documents that can't be read", () => {
  /** `args`, when it isn't the file itself; `words` as a reader should see them. */
  const broken: ReadonlyArray<{
    readonly what: string
    readonly arg?: string
    readonly file: string
    readonly content?: string | Uint8Array
    readonly tag: string
    readonly words: RegExp
  }> = [
    { what: "nothing", arg: "", file: "\"\"", tag: "FileMissing", words: /no such file/ },
    { what: "a missing file", file: "gone.md", tag: "FileMissing", words: /no such file/ },
    { what: "a pattern without match", file: "*.nothing", tag: "FileMissing", words: /nothing matches/ },
    { what: "NUL bytes", file: "nul.txt", content: "text\0text", tag: "FileBinary", words: /not text/ },
    {
      what: "invalid UTF-8",
      file: "latin1.txt",
      content: Uint8Array.of(0x63, 0x61, 0x66, 0xe9),
      tag: "FileBinary",
      words: /not text/
    },
    { what: "an empty file", file: "empty.md", content: "", tag: "FileEmpty", words: /empty/ },
    { what: "white space only", file: "blank.md", content: " \n\t\r\n", tag: "FileEmpty", words: /empty/ },
    { what: "a byte order mark only", file: "bom.md", content: "\uFEFF\n", tag: "FileEmpty", words: /empty/ },
    {
      what: "too many bytes",
      file: "large.md",
      content: "word ".repeat(500),
      tag: "FileTooLarge",
      words: /larger than 2000 bytes; --max-bytes/
    }
  ]
  const files = Object.fromEntries([
    ["good.md", text],
    ["also.md", text],
    ...broken.flatMap(({ content, file }) => content === undefined ? [] : [[file, content] as const])
  ])
  const args = ["good.md", ...broken.map(({ arg, file }) => arg ?? file), "also.md", "--max-bytes", "2000", ...offline]

  it("have a line each with their own tag, and the others are done", () =>
    withFiles(files, async (cwd) => {
      const { code, stderr, stdout } = await run(["--json", ...args], { cwd })
      assert.strictEqual(code, 1)
      assert.notMatch(stdout + stderr, stackTrace)
      const all = lines(stdout)
      assert.lengthOf(all, broken.length + 2)
      assert.isTrue(all[0]?.ok)
      assert.isTrue(all.at(-1)?.ok)
      broken.forEach(({ file, tag, what, words }, index) => {
        const line = all[index + 1]
        assert.isDefined(line, what)
        assert.strictEqual(line.file, file, what)
        assert.isFalse(line.ok, what)
        assert.isUndefined(line.result, what)
        const error = failure(line)
        assert.strictEqual(error.tag, tag, what)
        assert.isFalse(error.retryable, what)
        assert.match(error.message, words, what)
        assert.strictEqual(line.usage.calls, 0, what)
      })
    }))

  it("have a clear line each on standard error beside the table", () =>
    withFiles(files, async (cwd) => {
      const { code, stderr, stdout } = await run(args, { cwd })
      assert.strictEqual(code, 1)
      assert.notMatch(stdout + stderr, stackTrace)
      const said = stderr.trimEnd().split("\n")
      assert.lengthOf(said, broken.length)
      broken.forEach(({ file, what, words }, index) => {
        assert.isTrue(said[index]?.startsWith(`${file}: `), what)
        assert.match(said[index] ?? "", words, what)
      })
      assert.lengthOf(rows(stdout), broken.length + 2)
      assert.match(stdout, new RegExp(`^${broken.length + 2} documents, ${broken.length} failed \\| 10 LM calls`, "m"))
    }))

  it("a directory without documents", () =>
    withFiles({ "empty/picture.png": "no document", "good.md": text }, async (cwd) => {
      mkdirSync(join(cwd, "bare"))
      const { code, stderr, stdout } = await run(["--json", ...offline, "bare", "empty", "good.md"], { cwd })
      assert.strictEqual(code, 1)
      assert.strictEqual(stderr, "")
      const all = lines(stdout)
      assert.deepStrictEqual(all.map((line) => line.ok), [false, false, true])
      assert.deepStrictEqual(all.map((line) => line.error?.tag), ["FolderEmpty", "FolderEmpty", undefined])
      assert.match(all[0]?.error?.message ?? "", /no document in it/)
      const table = await run([...offline, "bare", "good.md"], { cwd })
      assert.match(table.stdout, /^1 document, 1 empty directory \|/m)
    }))

  it("a link to nowhere", () =>
    withFiles({ "good.md": text }, async (cwd) => {
      symlinkSync(join(cwd, "nowhere"), join(cwd, "dangling.md"))
      const { code, stdout } = await run(["--json", ...offline, "dangling.md", "good.md"], { cwd })
      assert.strictEqual(code, 1)
      assert.deepStrictEqual(lines(stdout).map((line) => line.error?.tag), ["FileMissing", undefined])
    }))

  it("a link to itself", () =>
    withFiles({ "good.md": text }, async (cwd) => {
      symlinkSync("loop.md", join(cwd, "loop.md"))
      const { code, stderr, stdout } = await run(["--json", ...offline, "loop.md", "good.md"], { cwd })
      assert.strictEqual(code, 1)
      assert.notMatch(stdout + stderr, stackTrace)
      assert.deepStrictEqual(lines(stdout).map((line) => line.error?.tag), ["FileUnreadable", undefined])
    }))

  it("a file used as a directory", () =>
    withFiles({ "good.md": text }, async (cwd) => {
      const { code, stderr, stdout } = await run(["--json", ...offline, "good.md/more.md", "good.md"], { cwd })
      assert.strictEqual(code, 1)
      assert.notMatch(stdout + stderr, stackTrace)
      assert.deepStrictEqual(lines(stdout).map((line) => line.ok), [false, true])
    }))

  it.skipIf(!hasReader)(
    "a file and a directory without permission",
    () =>
      withFiles(
        { "good.md": text, "secret.md": text, "in/a.md": text, "in/closed/b.md": text, "out/c.md": text },
        async (cwd) => {
          chmodSync(cwd, 0o755)
          for (const closed of ["secret.md", "in/closed", "out"]) chmodSync(join(cwd, closed), 0)
          const { code, stderr, stdout } = await run([...offline, "--json", "secret.md", "in", "out", "good.md"], {
            cwd,
            ...reader
          })
          for (const closed of ["in/closed", "out"]) chmodSync(join(cwd, closed), 0o755)
          assert.strictEqual(code, 1)
          assert.notMatch(stdout + stderr, stackTrace)
          const all = lines(stdout)
          assert.deepStrictEqual(all.map((line) => [line.file, line.error?.tag]), [
            ["secret.md", "FileUnreadable"],
            ["in/a.md", undefined],
            ["in/closed", "FileUnreadable"],
            ["out", "FileUnreadable"],
            ["good.md", undefined]
          ])
          assert.match(failure(all[0]).message, /permission denied/)
          assert.match(failure(all[2]).message, /no permission to look into it/)
        }
      )
  )

  it("what is no file", () =>
    withFiles({ "good.md": text }, async (cwd) => {
      const socket = createServer()
      await new Promise<void>((resolve) => socket.listen(join(cwd, "socket.md"), resolve))
      const { code, stdout } = await run(["--json", ...offline, "/dev/null", "socket.md", "good.md"], { cwd })
      await new Promise((resolve) => socket.close(resolve))
      assert.strictEqual(code, 1)
      const all = lines(stdout)
      assert.deepStrictEqual(all.map((line) => line.ok), [false, false, true])
      assert.match(failure(all[0]).message, /it is a device/)
      assert.match(failure(all[1]).message, /it is a socket/)
    }))

  it.skipIf(!hasPipes)(
    "a pipe is read to its end, and one that nobody writes to holds nothing up",
    () =>
      withFiles({ "good.md": text }, async (cwd) => {
        const words = [process.execPath, ...command, "--json", ...offline].map((word) => `'${word}'`).join(" ")
        const piped = spawnSync("bash", ["-c", `${words} <(printf '# Piped\\n\\nText.')`], {
          cwd,
          encoding: "utf8",
          timeout: 60_000
        })
        assert.strictEqual(first(piped.stdout).result?.title, "Piped")
        spawnSync("bash", ["-c", "mkfifo silent.md"], { cwd })
        const { child, done, output } = start(["--json", ...offline, "good.md", "silent.md"], { cwd })
        await until("the other document is done", () => output.stdout.includes("good.md"))
        child.kill("SIGINT")
        assert.strictEqual((await done).code, 130)
      })
  )

  it("standard input that is empty, binary or too large", async () => {
    const of = async (stdin: string | Uint8Array) => {
      const { code, stderr, stdout } = await run(["--json", ...offline, "--max-bytes", "100000", "-"], { stdin })
      assert.strictEqual(code, 1)
      assert.strictEqual(stderr, "")
      return lines(stdout)[0]?.error?.tag
    }
    assert.strictEqual(await of(""), "FileEmpty")
    assert.strictEqual(await of(Uint8Array.of(0xff, 0xfe, 0)), "FileBinary")
    assert.strictEqual(await of("word ".repeat(200_000)), "FileTooLarge")
  })

  it("--max-bytes is the largest size that is still allowed", () =>
    withFiles({ "a.md": "x".repeat(100), "b.md": "x".repeat(101) }, async (cwd) => {
      const { stdout } = await run(["--json", ...offline, "--max-bytes", "100", "a.md", "b.md"], { cwd })
      assert.deepStrictEqual(lines(stdout).map((line) => line.error?.tag), [undefined, "FileTooLarge"])
    }))
})
