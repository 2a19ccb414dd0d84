/**
 * Durable jobs from the command line, as users start them: processes of their own on one file, and a model on
 * loopback that sees what it is asked.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { spawn } from "node:child_process"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Answer, type Asked, type Endpoint, root, until, withEndpoint, withFiles } from "./harness.ts"

const Job = Schema.Struct({
  id: Schema.String,
  name: Schema.Literal("process-document"),
  queue: Schema.Literal("llm"),
  state: Schema.String,
  attempts: Schema.Int,
  document: Schema.optionalKey(Schema.Struct({
    status: Schema.String,
    fields: Schema.Record(Schema.String, Schema.Unknown),
    error: Schema.optionalKey(Schema.String)
  }))
})

const readJob = Schema.decodeUnknownSync(Schema.fromJsonString(Job))

interface Place {
  readonly cwd: string
  readonly env: { readonly [name: string]: string }
}

const start = (script: string, args: ReadonlyArray<string>, { cwd, env }: Place) => {
  const file = join(root, "examples/src/jobs", `${script}.ts`)
  const child = spawn(process.execPath, ["--conditions=@effect-dspy/source", file, ...args], {
    cwd,
    // Node may keep what it made of the sources: ten starts a test, half as long each.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache"), ...env },
    timeout: 100_000
  })
  const output = { stdout: "", stderr: "" }
  child.stdout.setEncoding("utf8").on("data", (text: string) => output.stdout += text)
  child.stderr.setEncoding("utf8").on("data", (text: string) => output.stderr += text)
  const done = new Promise<typeof output & { readonly code: number | null }>((resolve) =>
    child.on("close", (code) => resolve({ ...output, code }))
  )
  return { child, done, output }
}

const run = (script: string, args: ReadonlyArray<string>, place: Place) => start(script, args, place).done

const jobs = async (place: Place, ...args: ReadonlyArray<string>) => {
  const { code, stderr, stdout } = await run("admin", args, place)
  assert.strictEqual(code, 0, stderr)
  return stdout
}

const shown = async (place: Place, id: string) => readJob(await jobs(place, "show", id, "--json"))

/** Files, an endpoint and a worker on them, while `use` runs. */
const withWorker = (
  files: { readonly [name: string]: string },
  answer: (asked: Asked) => Answer,
  use: (context: {
    readonly place: Place
    readonly endpoint: Endpoint
    readonly ids: ReadonlyArray<string>
    readonly worker: ReturnType<typeof start>
  }) => Promise<void>
) =>
  withFiles(files, (cwd) =>
    withEndpoint(answer, async (endpoint) => {
      const place = {
        cwd,
        env: {
          EFFECT_DSPY_DB: "sqlite:work.db",
          EFFECT_DSPY_LM: "compatible/m",
          OPENAI_BASE_URL: endpoint.url,
          EFFECT_DSPY_CONCURRENCY: "4"
        }
      }
      const enqueued = await run("enqueue", ["."], place)
      assert.strictEqual(enqueued.code, 0, enqueued.stderr)
      const worker = start("worker", [], place)
      try {
        await use({ place, endpoint, worker, ids: enqueued.stdout.trim().split("\n") })
      } finally {
        worker.child.kill("SIGKILL")
        await worker.done
      }
    }))

const slow = "TAKES-LONG"

describe("jobs from the command line", () => {
  it("are done by a worker, seen while they run, and drained by Ctrl-C", () =>
    withWorker(
      { "a.md": "# One\n\nText.", "b.md": `# Two\n\n${slow}` },
      ({ text }) => text.includes(slow) ? { delay: 3000 } : {},
      async ({ endpoint, ids, place, worker }) => {
        assert.lengthOf(ids, 2)
        assert.match(ids[0] ?? "", /^process-document\/a\.md@[0-9a-f]{12}$/)
        await until("the quick document is done, the slow one in flight", () =>
          endpoint.finished >= 5 && endpoint.inFlight === 3)
        const list = (await jobs(place, "ls", "--json")).trim().split("\n").map((line) =>
          readJob(line)
        )
        assert.deepStrictEqual(list.map(({ state }) => state), ["running", "succeeded"])
        // Both answers that the slow document still needs take three seconds: it is finished all the same.
        worker.child.kill("SIGINT")
        const { code, stderr } = await worker.done
        assert.strictEqual(code, 130)
        assert.match(stderr, /^a worker with 4 slots on sqlite:work\.db, model compatible\/m$/m)
        assert.strictEqual(endpoint.closed, 0)
        assert.lengthOf(endpoint.asked, 10)
        const { document, state } = await shown(place, ids[1] ?? "")
        assert.strictEqual(state, "succeeded")
        assert.strictEqual(document?.status, "completed")
        assert.deepInclude(document?.fields, { title: "A title from afar", summary: "It is about distance." })
        // The same files are the same jobs.
        const again = await run("enqueue", ["a.md", "b.md", "nowhere.md"], place)
        assert.strictEqual(again.code, 1)
        assert.deepStrictEqual(again.stdout.trim().split("\n"), [...ids])
        assert.deepStrictEqual(again.stderr.trim().split("\n").slice(1), ids.map((id) => `${id}: already succeeded`))
        assert.strictEqual(
          await jobs(place, "watch", "--until-done", "--json"),
          `[{"queue":"llm","state":"succeeded","count":2}]\n`
        )
      }
    ), 180_000)

  it("a running one is cancelled, a dead one keeps what it had and is retried, by other processes", () => {
    let refusing = true
    return withWorker(
      { "a.md": "# One\n\nText.", "b.md": `# Two\n\n${slow}` },
      ({ signature, text }) =>
        text.includes(slow)
          ? { delay: 600_000 }
          : refusing && signature === "Summarize"
          ? { status: 401, body: "{}" }
          : {},
      async ({ endpoint, ids: [first = "", second = ""], place, worker }) => {
        await until(
          "one has failed, the other is in flight",
          () => worker.output.stderr.includes("failed in attempt 1") && endpoint.inFlight === 3
        )
        const before = endpoint.closed
        await jobs(place, "cancel", second)
        await until("its calls are broken off", () => endpoint.inFlight === 0)
        assert.isAtLeast(endpoint.closed - before, 3)
        const failed = await shown(place, first)
        assert.deepInclude(failed, { state: "dead", attempts: 1 })
        assert.strictEqual(failed.document?.status, "failed")
        assert.match(failed.document?.error ?? "", /LMError/)
        assert.deepInclude(failed.document?.fields, { title: "A title from afar", category: "science" })
        assert.isUndefined(failed.document?.fields["summary"])
        refusing = false
        const asked = endpoint.asked.length
        await jobs(place, "retry", first)
        await until("it has succeeded", () => worker.output.stderr.includes(`${first} succeeded`))
        const again = endpoint.asked.slice(asked).map(({ signature }) => signature)
        assert.include(again, "Summarize")
        assert.notIncludeMembers(again, ["Title", "Keywords", "Category"])
        assert.deepInclude(await shown(place, first), { state: "succeeded", attempts: 1 })
        const back = await run("admin", ["retry", first, "nobody", "--lm", "compatible/m"], place)
        assert.strictEqual(back.code, 1)
        assert.deepStrictEqual(back.stderr.split("\n").slice(0, 2), [
          `${first}: is succeeded, and neither dead nor cancelled`,
          "nobody: there is no such job"
        ])
        assert.strictEqual((await shown(place, second)).state, "cancelled")
        // What can't be done is told by the exit code.
        const none = await run("admin", ["cancel", second], place)
        assert.strictEqual(none.code, 1)
        await jobs(place, "prune", "--succeeded", "0s", "--dead", "0s")
        assert.strictEqual(await jobs(place, "ls", "--json"), "")
      }
    )
  }, 180_000)

  it(
    "a paused queue rests until it is resumed, and a second Ctrl-C hands back at once",
    () =>
      withFiles({ "a.md": "# One\n\nText." }, (cwd) =>
        withEndpoint(() => ({ delay: 600_000 }), async (endpoint) => {
          const place = { cwd, env: {} }
          const flags = ["--db", "sqlite:other.db", "--lm", "compatible/m"]
          assert.strictEqual((await run("enqueue", ["a.md", ...flags], place)).code, 0)
          await jobs(place, "pause", "llm", ...flags)
          const worker = start("worker", [...flags, "--base-url", endpoint.url], place)
          try {
            await until("it is up", () => worker.output.stderr.includes("a worker"))
            assert.lengthOf(endpoint.asked, 0)
            await jobs(place, "resume", "llm", ...flags)
            await until("it works", () => endpoint.inFlight === 3)
            worker.child.kill("SIGINT")
            await new Promise((resolve) => setTimeout(resolve, 300))
            assert.isNull(worker.child.exitCode)
            worker.child.kill("SIGINT")
            assert.strictEqual((await worker.done).code, 130)
            const [job] = (await jobs(place, "ls", "--json", ...flags)).trim().split("\n").map((line) => readJob(line))
            assert.deepInclude(job, { state: "queued", attempts: 0 })
          } finally {
            worker.child.kill("SIGKILL")
          }
        })),
    180_000
  )

  it(
    "a model that this worker can't ask is no reason to try again, and is named",
    () =>
      withFiles({ "a.md": "# One\n\nText." }, async (cwd) => {
        const place = { cwd, env: {} }
        const flags = ["a.md", "--lm", "anthropic/m"]
        const id = (await run("enqueue", flags, place)).stdout.trim()
        const queued = await run("enqueue", flags, place)
        assert.strictEqual(queued.stderr, `${id}: already queued, with its own flags\n`)
        const worker = start("worker", [], place)
        try {
          await until("it has failed", () => worker.output.stderr.includes("failed in attempt 1"))
          const said = "failed in attempt 1: UsageError: --lm anthropic/MODEL needs a key: set ANTHROPIC_API_KEY"
          assert.include(worker.output.stderr, `${id} ${said} after `)
          worker.child.kill("SIGINT")
          await worker.done
          const { document, state } = await shown(place, id)
          assert.deepStrictEqual([state, document?.error], ["dead", said])
          assert.match(await jobs(place, "ls"), /failed in attempt 1: UsageError: --lm anthropic\/\S+.*…/)
          assert.notInclude(await jobs(place, "ls", "--help"), "--lm")
          const paused = await run("admin", ["pause", "nosuch"], place)
          assert.match(paused.stderr, /^there is no job of a queue named nosuch yet$/m)
          await jobs(place, "prune", "--dead", "0s")
          assert.strictEqual((await run("admin", ["retry", "--all-dead"], place)).stderr, "no dead jobs\n")
        } finally {
          worker.child.kill("SIGKILL")
        }
      }),
    180_000
  )

  it("what is wrong with a database, a model or the flags is one line", () =>
    withFiles({}, async (cwd) => {
      const place = { cwd, env: {} }
      const wrong = async (script: string, args: ReadonlyArray<string>, line: RegExp) => {
        const { code, stderr, stdout } = await run(script, args, place)
        assert.deepStrictEqual([code, stdout], [2, ""])
        assert.match(stderr, line)
        assert.strictEqual(stderr.trim().split("\n").length, 1)
        assert.notInclude(stderr, "secret")
      }
      await Promise.all([
        wrong(
          "worker",
          ["--db", "postgres://me:secret@127.0.0.1:1/jobs"],
          /^--db postgres:\/\/me:\*\*\*@127\.0\.0\.1:1\/jobs: .*ECONNREFUSED/
        ),
        wrong(
          "worker",
          ["--db", "postgres://127.0.0.1:1/jobs"],
          /^--db postgres:\/\/127\.0\.0\.1:1\/jobs: it names no user, expected postgres:\/\/USER@HOST\/DATABASE$/m
        ),
        wrong("worker", ["--lm", "openai/m"], /OPENAI_API_KEY/),
        wrong("worker", ["--timeout", "0"], /--timeout: "0.*Expected 1ms or more/),
        wrong("admin", ["ls", "--limit", "many\u001b[2J"], /--limit.*"many\ufffd\[2J"/),
        wrong("enqueue", [".", "--lm", "banana"], /^--lm banana: expected offline, openai\/MODEL or compatible\/MODEL/),
        wrong("dashboard", ["--db", "sqlite:nowhere.db"], /^--db sqlite:nowhere\.db: there is no such file$/m),
        wrong("admin", ["ls", "--db", "sqlite:nowhere.db"], /^--db sqlite:nowhere\.db: there is no such file$/m),
        wrong("admin", ["ls", "--db", "mysql://me:secret@host/jobs"], /expected sqlite:FILE or postgres:/)
      ])
    }), 180_000)
})
