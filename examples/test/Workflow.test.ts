/**
 * The workflow example on a real cluster: runners as processes, PostgreSQL between them, one of them killed while a
 * document is half done. The other one finishes it, and asks only what had no answer.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { createServer } from "node:net"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import * as postgres from "../../packages/pipelines/test/jobs/postgres.ts"
import { root, withEndpoint, withFiles } from "./harness.ts"

let server: Awaited<ReturnType<typeof postgres.serve>> | undefined
beforeAll(async () => {
  server = await postgres.serve()
}, 60_000)
afterAll(() => server?.close(), 60_000)

const start = (args: ReadonlyArray<string>, cwd: string) => {
  const file = join(root, "examples/src/jobs/workflow.ts")
  const child = spawn(process.execPath, ["--conditions=@effect-dspy/source", file, ...args], { cwd, env: {} })
  const output = { stdout: "", stderr: "" }
  child.stdout.setEncoding("utf8").on("data", (text: string) => output.stdout += text)
  child.stderr.setEncoding("utf8").on("data", (text: string) => output.stderr += text)
  const done = new Promise<number | null>((resolve) => child.on("close", resolve))
  return { child, done, output }
}

const freePort = () =>
  new Promise<number>((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

/** Three processes come up here, on a machine that may be busy. */
const until = async (what: string, condition: () => boolean) => {
  const deadline = performance.now() + 45_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describe("workflow.ts", () => {
  it("goes on in another runner with the answers it had", () =>
    withFiles({ "a.md": "# One\n\nText." }, (cwd) => {
      let slow = true
      return withEndpoint(
        ({ signature }) => slow && (signature === "Summarize" || signature === "Quality") ? { delay: 120_000 } : {},
        async (endpoint) => {
          if (server === undefined) throw new Error("no PostgreSQL")
          const db = await Effect.runPromise(postgres.createDatabase(server, `workflow_test_${process.pid}`))
          const runner = async () =>
            start(
              [
                "runner",
                "--db",
                db,
                "--port",
                `${await freePort()}`,
                "--lm",
                "compatible/m",
                "--base-url",
                endpoint.url
              ],
              cwd
            )
          const first = await runner()
          const started = [first]
          try {
            const client = start(["run", "a.md", "--db", db], cwd)
            started.push(client)
            await until("the last two calls are in flight", () => endpoint.finished === 3 && endpoint.inFlight === 2)
            const second = await runner()
            started.push(second)
            await until("the other runner is up", () => second.output.stderr.includes("a runner on port"))
            slow = false
            first.child.kill("SIGKILL")
            assert.strictEqual(await client.done, 0, client.output.stderr)
            assert.include(client.output.stdout, "It is about distance.")
            assert.deepStrictEqual(
              ["Title", "Keywords", "Category", "Summarize", "Quality"].map((name) =>
                endpoint.asked.filter(({ signature }) => signature === name).length
              ),
              [1, 1, 1, 2, 2]
            )
          } finally {
            for (const { child } of started) child.kill("SIGKILL")
            await Promise.all(started.map(({ done }) => done))
          }
        }
      )
    }), 120_000)
})
