/** `npm run jobs:dashboard` as a process: it opens on a file, follows what another process enqueues, and ends. */
import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { root, withFiles } from "./harness.ts"

const start = (script: string, args: ReadonlyArray<string>, cwd: string, env: Record<string, string> = {}) => {
  const child = spawn(
    process.execPath,
    ["--conditions=@effect-dspy/source", join(root, "examples/src/jobs", `${script}.ts`), ...args],
    { cwd, env: { NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache"), ...env }, timeout: 60_000 }
  )
  let said = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => said += text)
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, said }))
  const says = async (pattern: RegExp) => {
    for (;;) {
      const found = pattern.exec(said)
      if (found !== null) return found
      await Promise.race([once(child.stderr, "data"), ended.then(() => Promise.reject(new Error(said)))])
    }
  }
  return { child, ended, says }
}

describe("npm run jobs:dashboard", () => {
  it(
    "shows a file of jobs until Ctrl-C, and says in a line why it can't",
    { timeout: 90_000 },
    () =>
      withFiles(
        { "tides.md": "# Tides\n\nThe sea rises and falls.", "moon.md": "# The moon\n\nIt pulls." },
        async (cwd) => {
          assert.strictEqual((await start("enqueue", ["moon.md"], cwd).ended).code, 0)
          const dashboard = start("dashboard", ["--port", "0"], cwd)
          const [, token = ""] = await dashboard.says(/token for changes, shown once: (\S+)/)
          const [, url = ""] = await dashboard.says(/ at (http:\S+), until Ctrl-C/)
          assert.strictEqual((await start("enqueue", ["tides.md"], cwd).ended).code, 0)
          const { jobs } = await (await fetch(`${url}/api/jobs`)).json() as { jobs: ReadonlyArray<{ id: string }> }
          assert.lengthOf(jobs, 2)
          const change = (authorization: string) =>
            fetch(`${url}/api/change`, {
              method: "POST",
              headers: { authorization, "content-type": "application/json" },
              body: JSON.stringify({ change: "cancel", ids: jobs.map(({ id }) => id) })
            })
          assert.strictEqual((await change("Bearer not-this-one-at-all")).status, 401)
          assert.deepEqual(await (await change(`Bearer ${token}`)).json(), { count: 2, again: false })

          const taken = await start("dashboard", ["--port", new URL(url).port], cwd, {
            DASHBOARD_TOKEN: "x".repeat(20)
          })
            .ended
          assert.strictEqual(taken.code, 2)
          assert.match(taken.said, /^port \d+: listen EADDRINUSE.*\n$/)
          const weak = await start("dashboard", ["--port", "0"], cwd, { DASHBOARD_TOKEN: "short" }).ended
          assert.strictEqual(weak.code, 2)
          assert.match(weak.said, /^the dashboard's token needs at least 16 .*\n$/)

          dashboard.child.kill("SIGINT")
          const { code, said } = await dashboard.ended
          assert.strictEqual(code, 130)
          assert.lengthOf(said.split(token), 2)
        }
      )
  )
})
