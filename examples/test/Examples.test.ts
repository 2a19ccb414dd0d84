/**
 * Every example runs, as a reader would run it.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const root = fileURLToPath(new URL("../..", import.meta.url))

const run = (file: string) =>
  promisify(execFile)(process.execPath, ["--conditions=@effect-dspy/source", `examples/src/${file}`], {
    cwd: root,
    timeout: 20_000
  })

describe("examples", () => {
  it("script.ts", async () => {
    const { stderr, stdout } = await run("script.ts")
    assert.match(stdout, /parcel/)
    assert.match(stdout, /wants a refund/)
    assert.strictEqual(stderr, "")
  })

  it("composition.ts: twelve documents, a retry each, four documents and so twelve calls at once", async () => {
    const { stderr, stdout } = await run("composition.ts")
    assert.match(stdout, /12 documents, 0 failed, 60 requests, 12 at once/)
    assert.match(stdout, /category: 'unknown'/)
    assert.strictEqual(stderr, "")
  })

  it("rag.ts: answers with their sources, from an index that was kept in a file", async () => {
    const { stderr, stdout } = await run("rag.ts")
    assert.match(stdout, /^\d\d passages, \d{6} bytes\n/)
    assert.match(stdout, /two tides a day\?\n {2}.*tide.*\n {2}from tides\.md#/)
    assert.match(stdout, /tenant owe for repairs\?\n {2}Minor repairs up to 75 .*\n {2}from lease\.txt#/)
    assert.match(stdout, /\n4 requests\n$/)
    assert.strictEqual(stderr, "")
  })

  it("explore.ts: a megabyte, explored by programs in a sandbox", async () => {
    const { stderr, stdout } = await run("explore.ts")
    assert.match(stdout, /32000 0 checkout 200 served in 12 ms/)
    assert.match(stdout, /service: 'search',\s+failures: 26,\s+cause: 'A replica lags behind\.'/)
    assert.match(stdout, /\n\d{7} characters, 4 requests\n$/)
    assert.strictEqual(stderr, "")
  })

  it("app.ts", async () => {
    const { stderr, stdout } = await run("app.ts")
    assert.strictEqual(stdout, "published as number 1, with 2 model calls\n")
    assert.strictEqual(stderr, "")
  })
})
