/**
 * Ctrl-C: every connection is closed at once, and what was finished is printed.
 */
import { assert, describe, it } from "@effect/vitest"
import { type Endpoint, lines, rows, start, type Started, until, withEndpoint, withFiles } from "./harness.ts"

const fast = "QUICKLY-ANSWERED"

const files = {
  "a-slow.md": "# Slow\n\nIt takes its time.",
  "b-fast.md": `# Fast\n\n${fast}`,
  "c-fast.md": `# Faster\n\n${fast}`,
  "d-slow.md": "# Slow\n\nIt takes its time.",
  "e-slow.md": "# Slow\n\nIt takes its time."
}

/** It takes 20 to 80 ms (`npm run bench:memory` measures it); what it would wait for else takes 30 seconds. */
const soon = 5000

/** Three calls of each slow document wait for an answer that comes after 30 seconds. */
const slow = 3 * 3

const interrupted = (args: ReadonlyArray<string>, signal: NodeJS.Signals = "SIGINT") =>
  withFiles(
    files,
    (cwd) =>
      withEndpoint(({ text }) => text.includes(fast) ? {} : { delay: 30_000 }, async (endpoint) => {
        const job = start(["--lm", "compatible/m", "--base-url", endpoint.url, ".", ...args], { cwd })
        try {
          await until(
            "two documents are done, the others wait",
            () => endpoint.finished === 10 && endpoint.inFlight === slow
          )
          // The last answers are sent, but not yet read.
          await new Promise((resolve) => setTimeout(resolve, 1000))
          return await ended(job, endpoint, signal)
        } finally {
          job.child.kill("SIGKILL")
        }
      })
  )

const ended = async ({ child, done }: Started, endpoint: Endpoint, signal: NodeJS.Signals) => {
  const exited = new Promise<number>((resolve) => child.on("exit", () => resolve(performance.now())))
  const sent = performance.now()
  child.kill(signal)
  const ms = (await exited) - sent
  const result = await done
  await until("all connections are closed", () => endpoint.inFlight === 0)
  return { ...result, ms, closed: endpoint.closed, finished: endpoint.finished, asked: endpoint.asked.length }
}

const stopped = (run: Awaited<ReturnType<typeof interrupted>>) => {
  assert.strictEqual(run.code, 130)
  assert.isNull(run.signal)
  assert.isBelow(run.ms, soon)
  assert.strictEqual(run.closed, slow)
  assert.strictEqual(run.finished, 10)
  assert.strictEqual(run.asked, 10 + slow)
  assert.strictEqual(run.stderr, "")
}

describe("Ctrl-C", () => {
  it("prints the finished documents as rows", async ({ annotate }) => {
    const run = await interrupted([])
    await annotate(`exit ${run.ms.toFixed(0)} ms after SIGINT`)
    stopped(run)
    const found = rows(run.stdout)
    assert.lengthOf(found, 2)
    assert.include(found[0], "b-fast.md")
    assert.include(found[1], "c-fast.md")
    // Ten of the finished documents, and the nine that were interrupted: they had been sent.
    assert.match(run.stdout, /^2 documents, 3 not finished \| 19 LM calls \|/m)
    assert.notInclude(run.stdout, "all calls in a row")
  })

  it("prints the finished documents as lines, also those behind an unfinished one", async ({ annotate }) => {
    const run = await interrupted(["--json"])
    await annotate(`exit ${run.ms.toFixed(0)} ms after SIGINT`)
    stopped(run)
    assert.deepStrictEqual(lines(run.stdout).map((line) => [line.file, line.ok]), [["b-fast.md", true], [
      "c-fast.md",
      true
    ]])
  })

  it("SIGTERM does the same", async () => {
    const run = await interrupted(["--json"], "SIGTERM")
    assert.strictEqual(run.closed, slow)
    assert.lengthOf(lines(run.stdout), 2)
    assert.isBelow(run.ms, soon)
    assert.notStrictEqual(run.code, 0)
    assert.strictEqual(run.stderr, "")
  })

  it("before anything is finished prints no row, and no failure", () =>
    withFiles(files, (cwd) =>
      withEndpoint(() => ({ delay: 30_000 }), async (endpoint) => {
        const job = start(["--lm", "compatible/m", "--base-url", endpoint.url, "."], { cwd })
        try {
          await until("all documents wait", () => endpoint.inFlight === 15)
          const { closed, code, ms, stderr, stdout } = await ended(job, endpoint, "SIGINT")
          assert.strictEqual(code, 130)
          assert.isBelow(ms, soon)
          assert.strictEqual(closed, 15)
          assert.strictEqual(stderr, "")
          assert.lengthOf(rows(stdout), 0)
          assert.match(stdout, /^0 documents, 5 not finished\b/m)
        } finally {
          job.child.kill("SIGKILL")
        }
      })))

  it("ends a wait between attempts", () =>
    withFiles({ "a.md": "# Text" }, (cwd) =>
      withEndpoint(() => ({ status: 503, body: "" }), async (endpoint) => {
        const job = start(["--lm", "compatible/m", "--base-url", endpoint.url, ".", "--retries", "50"], { cwd })
        try {
          await until("each call has failed a few times", () => endpoint.finished >= 9)
          const { code, ms, stderr } = await ended(job, endpoint, "SIGINT")
          assert.strictEqual(code, 130)
          assert.isBelow(ms, soon)
          assert.strictEqual(stderr, "")
        } finally {
          job.child.kill("SIGKILL")
        }
      })))

  it("ends a job that waits for standard input", async () => {
    const { child, done, output } = start(["--json", "--latency", "0ms", "examples/documents/bread.md", "-"], {
      stdin: { open: true }
    })
    try {
      child.stdin?.write("not yet all")
      await until("the other document is done", () => output.stdout.includes("bread.md"))
      const sent = performance.now()
      child.kill("SIGINT")
      assert.strictEqual((await done).code, 130)
      assert.isBelow(performance.now() - sent, soon)
    } finally {
      child.kill("SIGKILL")
    }
  })
})
