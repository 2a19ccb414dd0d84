/**
 * The main job over the sample documents: what it prints, and that its steps ran when they should.
 */
import { assert, describe, it } from "@effect/vitest"
import { readdirSync } from "node:fs"
import { basename } from "node:path"
import { type Line, lines, root, rows, run, start } from "./harness.ts"

const documents = readdirSync(`${root}/examples/documents`, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => entry.name)
  .toSorted()

const names = ["title", "keywords", "category", "summarize", "quality"]

/** How long the offline model thinks here, and what a busy machine may add to or take from a moment. */
const latency = 100
const tolerance = 30

const step = (line: Line, name: string) => {
  const found = line.timing.steps[name]
  assert.isDefined(found, `${line.file}: ${name}`)
  return found
}

const inARow = (line: Line) =>
  Object.values(line.timing.steps).reduce((sum, { endMs, startMs }) => sum + endMs - startMs, 0)

describe("the table", () => {
  it("has a row a document, what it cost, and the comparison", async () => {
    const { code, stderr, stdout } = await run(["--latency", "5ms"])
    assert.strictEqual(stderr, "")
    assert.strictEqual(code, 0)
    const count = documents.length
    assert.lengthOf(rows(stdout), count)
    assert.match(stdout, /│ document +│ title +│ category +│ keywords +│ score +│ +ms │/)
    assert.match(stdout, /tides\.md │ Why there are two tides a day +│ science /)
    const [totals, comparison, end] = stdout.split("\n").slice(-3)
    assert.strictEqual(end, "")
    assert.match(
      totals ?? "",
      new RegExp(
        `^${count} documents \\| ${count * 5} LM calls \\| \\d+ tokens in, \\d+ out \\| [\\d.]+ s`
          + " \\| \\d+ documents per minute \\| offline model, latency simulated$"
      )
    )
    const figures =
      /^all calls in a row ([\d.]+) s \| one document at a time, concurrent inside ([\d.]+) s \| this run, 8 documents at once ([\d.]+) s$/
        .exec(comparison ?? "")?.slice(1).map(Number)
    assert.isDefined(figures, comparison)
    const [row = 0, one = 0, all = 0] = figures
    assert.isAbove(row, one)
    assert.isAbove(one, all)
    assert.isAbove(all, 0)
  })

  it("counts documents in flight as it was told", async () => {
    const { code, stdout } = await run(["--latency", "5ms", "--concurrency", "3"])
    assert.strictEqual(code, 0)
    assert.match(stdout, /this run, 3 documents at once/)
  })
})

describe("--json", () => {
  it("has a line a document in input order, with a result its schemas allow", async () => {
    const { code, stderr, stdout } = await run(["--json", "--latency", "5ms"])
    assert.strictEqual(code, 0)
    assert.strictEqual(stderr, "")
    const all = lines(stdout)
    assert.deepStrictEqual(all.map((line) => basename(line.file)).toSorted(), documents)
    const files = all.map((line) => line.file)
    assert.deepStrictEqual(files, files.toSorted())
    for (const line of all) {
      assert.isTrue(line.ok)
      assert.isDefined(line.result)
      assert.isUndefined(line.error)
      assert.strictEqual(line.usage.calls, 5)
      assert.isAbove(line.usage.inputTokens ?? 0, 0)
      assert.isAbove(line.usage.outputTokens ?? 0, 0)
    }
  })

  it("keeps the order of its arguments, whichever document is done first", async () => {
    const files = ["tides.md", "bread.md", "lease.txt"].map((file) => `examples/documents/${file}`)
    const { stdout } = await run(["--json", "--latency", "5ms", ...files])
    assert.deepStrictEqual(lines(stdout).map((line) => line.file), files)
  })

  it("says when each step ran: independent ones side by side, each after the steps it needs", async () => {
    const { stdout } = await run(["--json", "--latency", `${latency}ms`])
    const all = lines(stdout)
    assert.lengthOf(all, documents.length)
    for (const line of all) {
      assert.sameMembers(Object.keys(line.timing.steps), names)
      for (const name of names) {
        const { attempts, endMs, startMs, status } = step(line, name)
        assert.strictEqual(status, "succeeded")
        assert.strictEqual(attempts, 1)
        assert.isAtLeast(endMs - startMs, latency - 1)
        assert.isAtMost(endMs, line.timing.wallMs)
      }
      const after = (later: string, earlier: string) =>
        assert.isAtLeast(step(line, later).startMs, step(line, earlier).endMs - tolerance, `${later} after ${earlier}`)
      after("summarize", "title")
      after("summarize", "keywords")
      after("quality", "title")
      after("quality", "category")
      const first = ["title", "keywords", "category"].map((name) => step(line, name))
      assert.isBelow(Math.max(...first.map(({ startMs }) => startMs)), Math.min(...first.map(({ endMs }) => endMs)))
      assert.isAtMost(line.timing.criticalMs, line.timing.wallMs + tolerance)
      assert.isAtLeast(line.timing.criticalMs, 2 * latency - 2)
      assert.isAbove(inARow(line), 5 * latency - 5)
      // A busy machine makes both longer.
      assert.isBelow(line.timing.wallMs, 0.7 * inARow(line), "two waves of calls, not five")
    }
  })

  it("prints a line as soon as it is its turn", async () => {
    const { child, done, output } = start(["--json", "--latency", "300ms", "--concurrency", "1"])
    const early = await new Promise<string>((resolve) => {
      child.stdout?.once("data", () => resolve(output.stdout))
    })
    assert.lengthOf(lines(early), 1)
    child.kill("SIGKILL")
    await done
  })
})

describe("--sequential", () => {
  const two = ["examples/documents/bread.md", "examples/documents/tides.md"]

  it("runs every call after the other", async () => {
    const { code, stdout } = await run(["--sequential", "--json", "--latency", "60ms", ...two])
    assert.strictEqual(code, 0)
    const all = lines(stdout)
    assert.lengthOf(all, 2)
    for (const line of all) {
      assert.isAtLeast(line.timing.wallMs, 5 * 60 - 5)
      // Each call ends its latency after the one before.
      const ends = names.map((name) => step(line, name).endMs).toSorted((a, b) => a - b)
      ends.forEach((end, index) => assert.isAtLeast(end - (ends[index - 1] ?? 0), 60 - 5))
    }
  })

  it("shows steps that don't overlap, and so the time concurrency would have saved", async () => {
    const { stdout } = await run(["--sequential", "--json", "--latency", "60ms", ...two])
    for (const line of lines(stdout)) {
      const steps = names.map((name) => step(line, name)).toSorted((a, b) => a.startMs - b.startMs)
      steps.slice(1).forEach((later, index) => {
        assert.isAtLeast(later.startMs, (steps[index]?.endMs ?? 0) - 15, line.file)
      })
      assert.isBelow(line.timing.criticalMs, 0.7 * line.timing.wallMs)
    }
  })

  it("takes as long as all its documents together, and says so", async () => {
    const { code, stdout } = await run(["--sequential", "--latency", "40ms", ...two])
    assert.strictEqual(code, 0)
    const figures = /^this run, all calls in a row ([\d.]+) s \| one document at a time, concurrent inside ([\d.]+) s$/m
      .exec(stdout)?.slice(1).map(Number)
    assert.isDefined(figures, stdout)
    assert.isAtLeast(figures[0] ?? 0, 10 * 0.04 - 0.02)
  })
})
