/**
 * Flags, exit codes, and what goes to which stream.
 */
import { assert, describe, it } from "@effect/vitest"
import { spawn, spawnSync } from "node:child_process"
import * as Progress from "../src/main/Progress.ts"
import { table } from "../src/main/Report.ts"
import { command, first, lines, root, run, stackTrace, start } from "./harness.ts"

const one = "examples/documents/bread.md"

const flags = [
  "--lm",
  "--base-url",
  "--latency",
  "--sequential",
  "--concurrency",
  "--lm-concurrency",
  "--fail-fast",
  "--json",
  "--retries",
  "--timeout",
  "--max-bytes",
  "--help"
]

describe("wrong usage", () => {
  const wrong: ReadonlyArray<readonly [args: ReadonlyArray<string>, says: RegExp]> = [
    [["--bogus"], /--bogus/],
    [["--jsno"], /--jsno.*Did you mean.*--json/],
    [["--concurrency", "many"], /--concurrency.*"many"/],
    [["--concurrency", "0"], /--concurrency: "0"\. Expected 1 or more/],
    [["--concurrency", "1.5"], /--concurrency/],
    [["--concurrency=-2"], /--concurrency/],
    [["--concurrency"], /--concurrency/],
    [["--lm-concurrency", "0"], /--lm-concurrency/],
    [["--retries", "-1"], /--retries/],
    [["--max-bytes", "lots"], /--max-bytes.*"lots"/],
    [["--latency", "soon"], /--latency: "soon"\. Expected a duration such as/],
    [["--latency", "-5ms"], /--latency/],
    [["--latency=-5 millis"], /--latency/],
    [["--timeout", "0"], /--timeout: "0.*Expected 1ms or more/],
    [["--timeout", "5 bananas"], /--timeout: "5 bananas"\. Expected a duration/],
    [["--lm", "nonsense"], /--lm nonsense.*offline, openai\/MODEL or compatible\/MODEL/],
    [["--lm", "openai/"], /--lm openai\//],
    [["--lm", "elsewhere/m"], /--lm elsewhere\/m/],
    [["--lm", "elsewhere/m"], /anthropic, gemini, ollama.*openrouter/],
    [["--lm", "openai/m"], /--lm openai\/MODEL needs a key: set OPENAI_API_KEY/],
    [["--lm", "anthropic/m"], /--lm anthropic\/MODEL needs a key: set ANTHROPIC_API_KEY/],
    [["--lm", "gemini/m"], /needs a key: set GEMINI_API_KEY/],
    [["--lm", "openrouter/org/m"], /needs a key: set OPENROUTER_API_KEY/],
    [["--lm", "azure/m"], /needs an endpoint: give --base-url or set AZURE_OPENAI_ENDPOINT/],
    [["--lm", "compatible/m"], /--base-url.*OPENAI_BASE_URL/],
    [["--lm", "compatible/m", "--base-url", "http://127.0.0.1:1/v1", "--latency", "5ms"], /--latency/],
    [["--lm", "compatible/m", "--base-url", "somewhere"], /--base-url somewhere: expected a URL such as http/],
    [["--base-url", "http://127.0.0.1:1/v1"], /--base-url is for an endpoint: give --lm as well/],
    [["--lm", "two\nlines\u001b[2J/m"], /--lm two lines\ufffd\[2J\/m: expected/]
  ]
  it.concurrent.each(wrong)(
    "%j is one line on standard error and exit code 2",
    async (args, says) => {
      const { code, stderr, stdout } = await run([...args, one])
      assert.strictEqual(stdout, "")
      assert.match(stderr, /^[^\n]+\n$/)
      assert.match(stderr, says)
      assert.strictEqual(code, 2)
    }
  )

  it("an empty key is no key", async () => {
    const { code, stderr } = await run(["--lm", "openai/m", one], { env: { OPENAI_API_KEY: "" } })
    assert.match(stderr, /^[^\n]*OPENAI_API_KEY[^\n]*\n$/)
    assert.strictEqual(code, 2)
  })
})

describe("flags", () => {
  it("--help names every flag", async () => {
    const { code, stderr, stdout } = await run(["--help"])
    assert.strictEqual(code, 0)
    assert.strictEqual(stderr, "")
    for (const flag of flags) assert.match(stdout, new RegExp(`^ +${flag}\\b`, "m"))
    assert.match(stdout, /FILE\|DIR\|GLOB/)
    for (const line of stdout.split("\n").filter((line) => / DURATION /.test(line))) {
      assert.match(line, /a bare number is milliseconds/)
    }
  })

  it.each(["5", "0.005s", "0.0001m", "5 millis"])("--latency %s is a duration", async (latency) => {
    const { code, stderr } = await run(["--latency", latency, one])
    assert.strictEqual(stderr, "")
    assert.strictEqual(code, 0)
  })

  it("--latency is how long a call takes", async () => {
    const { stdout } = await run(["--json", "--latency", "0.2s", one])
    const { timing } = first(stdout)
    assert.isAtLeast(timing.wallMs, 395)
    assert.isBelow(timing.wallMs, 5000)
  })
})

describe("where nobody watches", () => {
  it("there are no escape sequences, and no progress", async () => {
    for (const env of [{}, { NO_COLOR: "1" }, { FORCE_COLOR: "1" }]) {
      const { stderr, stdout } = await run(["--latency", "0ms", one], { env })
      assert.strictEqual(stderr, "")
      assert.notInclude(stdout, "\u001b")
    }
  })

  it("a progress bar writes nothing", () => {
    const written: Array<unknown> = []
    const stream = Object.create(process.stderr, {
      isTTY: { value: false },
      write: { value: (text: unknown) => written.push(text) }
    }) as NodeJS.WriteStream
    const progress = Progress.make(2, stream)
    progress.advance(0)
    progress.stop()
    assert.deepStrictEqual(written, [])
  })

  it("the table has colors only when they are wanted", () => {
    const outcome = {
      file: "a.md",
      ok: false,
      timing: { wallMs: 1, criticalMs: 1, steps: {} },
      usage: { calls: 0 }
    }
    assert.notInclude(table([outcome], 80, false), "\u001b")
    assert.include(table([{ ...outcome, file: "very/".repeat(60) }], 80, false), "…")
  })
})

// util-linux's `script` gives a program a terminal; the flags of others differ.
const recorder = "script"
const hasRecorder = spawnSync(recorder, ["--version"], { encoding: "utf8" }).stdout?.includes("util-linux") ?? false

describe.skipIf(!hasRecorder)("on a terminal", () => {
  const watched = (env: { readonly [name: string]: string }, ...args: ReadonlyArray<string>) => {
    const line = [process.execPath, ...command, "--latency", "20ms", one, ...args].map((word) => `'${word}'`).join(" ")
    const { status, stdout } = spawnSync(recorder, ["-qec", line, "/dev/null"], {
      cwd: root,
      env: { PATH: "/usr/bin:/bin", TERM: "xterm-256color", ...env },
      encoding: "utf8",
      timeout: 60_000
    })
    assert.strictEqual(status, 0)
    return stdout
  }

  const colored = (text: string) => text.split("\u001b").some((piece) => /^\[\d+m/.test(piece))

  it("there is a progress bar and color", () => {
    const seen = watched({})
    assert.match(seen, /\d+\/1 documents, 0 failed/)
    assert.isTrue(colored(seen))
    // The cursor that was hidden is back.
    assert.isAbove(seen.lastIndexOf("\u001b[?25h"), seen.lastIndexOf("\u001b[?25l"))
  })

  it("NO_COLOR is respected", () => {
    assert.isFalse(colored(watched({ NO_COLOR: "1" })))
  })

  it("--json shows no progress", () => {
    assert.notMatch(watched({}, "--json"), /documents, 0 failed/)
  })
})

describe("a reader that stops early", () => {
  it("ends the job without a word", async () => {
    const { child, done, output } = start(["--json", "--latency", "300ms", "--concurrency", "1"])
    child.stdout?.once("data", () => child.stdout?.destroy())
    const { code, signal, stderr } = await done
    assert.strictEqual(stderr, "")
    assert.isNull(signal)
    assert.strictEqual(code, 1)
    assert.isBelow(lines(output.stdout).length, 5, "the job went on")
  })

  it.each(["--json", "--lm-concurrency=9"])("in a shell: %s | head -1", async (flag) => {
    const words = [process.execPath, ...command, "--latency", "20ms", "--concurrency", "1", flag]
    const shell = spawn("sh", ["-c", `${words.map((word) => `'${word}'`).join(" ")} | head -1`], {
      cwd: root,
      env: { PATH: "/usr/bin:/bin" },
      timeout: 60_000
    })
    let stdout = ""
    let stderr = ""
    shell.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
    })
    shell.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
    })
    await new Promise((resolve) => shell.on("close", resolve))
    assert.match(stdout, /^[^\n]+\n$/)
    assert.notMatch(stderr, stackTrace)
    assert.strictEqual(stderr, "")
  })
})
