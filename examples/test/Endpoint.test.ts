/**
 * The main job against an HTTP endpoint that speaks chat completions.
 */
import { assert, describe, it } from "@effect/vitest"
import {
  type Answer,
  type Asked,
  cost,
  type Endpoint,
  failure,
  first,
  lines,
  rows,
  run,
  stackTrace,
  until,
  withEndpoint,
  withFiles
} from "./harness.ts"

const key = "sk-PLANTED"

const secret = "PLANTED-DOCUMENT-TEXT"

const documents = (count: number, text = secret) =>
  Object.fromEntries(
    Array.from(
      { length: count },
      (_, index) => [`doc${String(index).padStart(2, "0")}.md`, `# Number ${index}.\n\n${text}`]
    )
  )

const served = (
  files: { readonly [path: string]: string },
  answer: (asked: Asked) => Answer,
  use: (
    job: (...args: ReadonlyArray<string>) => ReturnType<typeof run>,
    endpoint: Endpoint
  ) => Promise<void>
) =>
  withFiles(files, (cwd) =>
    withEndpoint(answer, (endpoint) =>
      use(
        (...args) =>
          run(["--lm", "compatible/m", "--base-url", endpoint.url, ".", ...args], {
            cwd,
            env: { OPENAI_API_KEY: key }
          }),
        endpoint
      )))

const good = (): Answer => ({})

describe("an endpoint", () => {
  it("is asked once for each step, and its usage is summed up", () =>
    served(documents(3), good, async (job, endpoint) => {
      const { code, stderr, stdout } = await job("--json")
      assert.strictEqual(stderr, "")
      assert.strictEqual(code, 0)
      assert.lengthOf(endpoint.asked, 15)
      for (const signature of ["Title", "Keywords", "Category", "Summarize", "Quality"]) {
        assert.lengthOf(endpoint.asked.filter((asked) => asked.signature === signature), 3)
      }
      for (const { authorization } of endpoint.asked) assert.strictEqual(authorization, `Bearer ${key}`)
      const all = lines(stdout)
      assert.lengthOf(all, 3)
      for (const line of all) {
        assert.deepStrictEqual(line.result, {
          title: "A title from afar",
          keywords: ["near", "far"],
          category: "science",
          summary: "It is about distance.",
          reasoning: "Clear enough.",
          score: 0.5
        })
        assert.deepStrictEqual(line.usage, { calls: 5, inputTokens: 5 * cost.input, outputTokens: 5 * cost.output })
      }
    }))

  it("hands title and keywords to the summary, title and category to the score", () =>
    served(documents(1), good, async (job, endpoint) => {
      await job()
      const text = (signature: string) => endpoint.asked.find((asked) => asked.signature === signature)?.text ?? ""
      assert.include(text("Summarize"), "A title from afar")
      assert.include(text("Summarize"), "near")
      assert.include(text("Quality"), "A title from afar")
      assert.include(text("Quality"), "science")
      assert.notInclude(text("Quality"), "It is about distance.")
    }))

  it("is summed up under the table, without a word about simulation", () =>
    served(documents(3), good, async (job) => {
      const { code, stdout } = await job()
      assert.strictEqual(code, 0)
      assert.lengthOf(rows(stdout), 3)
      assert.match(
        stdout,
        new RegExp(
          `^3 documents \\| 15 LM calls \\| ${15 * cost.input} tokens in, ${15 * cost.output} out \\| [^|]+\\| [^|]+$`,
          "m"
        )
      )
      assert.notMatch(stdout, /simulated|offline/)
    }))

  it("may be named by OPENAI_BASE_URL, with or without a slash, and have no key", () =>
    withFiles(documents(1), (cwd) =>
      withEndpoint(good, async ({ asked, url }) => {
        const { code, stderr } = await run(["--lm", "compatible/org/model", "."], {
          cwd,
          env: { OPENAI_BASE_URL: `${url}/` }
        })
        assert.strictEqual(stderr, "")
        assert.strictEqual(code, 0)
        assert.isUndefined(asked[0]?.authorization)
        assert.include(asked[0]?.text, "\"model\":\"org/model\"")
      })))

  it("openai/MODEL works the same", () =>
    withFiles(documents(1), (cwd) =>
      withEndpoint(good, async ({ asked, url }) => {
        const { code, stderr } = await run(["--lm", "openai/m", "--base-url", url, "."], {
          cwd,
          env: { OPENAI_API_KEY: key }
        })
        assert.strictEqual(stderr, "")
        assert.strictEqual(code, 0)
        assert.strictEqual(asked[0]?.authorization, `Bearer ${key}`)
      })))

  it("--sequential never has two requests in flight", () =>
    served(documents(3), () => ({ delay: 5 }), async (job, endpoint) => {
      const { code } = await job("--sequential")
      assert.strictEqual(code, 0)
      assert.strictEqual(endpoint.maxInFlight, 1)
      assert.lengthOf(endpoint.asked, 15)
    }))

  it("--lm-concurrency bounds the requests in flight over all documents", () =>
    served(documents(6), () => ({ delay: 30 }), async (job, endpoint) => {
      const { code } = await job("--lm-concurrency", "2")
      assert.strictEqual(code, 0)
      assert.strictEqual(endpoint.maxInFlight, 2)
    }))

  it("--concurrency bounds the documents in flight, three calls each", () =>
    served(documents(6), () => ({ delay: 50 }), async (job, endpoint) => {
      const { code } = await job("--concurrency", "2")
      assert.strictEqual(code, 0)
      assert.isAtMost(endpoint.maxInFlight, 6)
      assert.isAtLeast(endpoint.maxInFlight, 4)
    }))
})

describe("an endpoint that fails", () => {
  // The title never comes, so that nothing else is sent.
  const busy = ({ signature }: Asked): Answer =>
    signature === "Category"
      ? { status: 503, body: `{"error":{"message":"busy"}}` }
      : signature === "Title"
      ? { delay: 30_000 }
      : {}

  it.each([0, 1, 2])(
    "is asked again as often as --retries %i allows",
    (retries) =>
      served(documents(1), busy, async (job, endpoint) => {
        const { code, stderr, stdout } = await job("--json", "--retries", String(retries))
        assert.strictEqual(code, 1)
        assert.strictEqual(stderr, "")
        assert.lengthOf(endpoint.asked.filter(({ signature }) => signature === "Category"), retries + 1)
        const line = first(stdout)
        const { reason, retryable, tag } = failure(line)
        assert.deepStrictEqual([tag, reason, retryable], ["LMError", "Overloaded", true])
        assert.strictEqual(line.timing.steps["category"]?.attempts, retries + 1)
        const statuses = Object.entries(line.timing.steps).map(([name, step]) => [name, step.status])
        assert.deepStrictEqual(Object.fromEntries(statuses), {
          title: "interrupted",
          keywords: "succeeded",
          category: "failed",
          summarize: "skipped",
          quality: "skipped"
        })
        await until("the title's connection is closed", () => endpoint.closed === 1)
        assert.strictEqual(line.usage.calls, endpoint.asked.length)
      })
  )

  it("is asked again and answers", () => {
    let asked = 0
    return served(documents(1), () => ++asked === 1 ? { status: 503, body: "" } : {}, async (job) => {
      const { code, stdout } = await job("--json")
      assert.strictEqual(code, 0)
      assert.strictEqual(lines(stdout)[0]?.usage.calls, 6)
    })
  })

  it("--timeout ends a request, and closes its connection", () =>
    served(
      documents(1),
      ({ signature }) => signature === "Title" ? { delay: 30_000 } : {},
      async (job, endpoint) => {
        const { code, stdout } = await job("--json", "--timeout", "300ms", "--retries", "0")
        assert.strictEqual(code, 1)
        const line = first(stdout)
        assert.strictEqual(failure(line).tag, "LMError")
        assert.strictEqual(failure(line).reason, "Timeout")
        assert.isBelow(line.timing.wallMs, 15_000)
        await until("the connection is closed", () => endpoint.closed === 1)
      }
    ))

  it("fails its document only: the others are done", () =>
    served(
      { ...documents(5, "fine"), "doc02.md": "# BAD document" },
      ({ text }) => text.includes("BAD") ? { status: 400, body: "{}" } : {},
      async (job) => {
        const { code, stderr, stdout } = await job("--json")
        assert.strictEqual(code, 1)
        assert.strictEqual(stderr, "")
        assert.deepStrictEqual(lines(stdout).map((line) => line.ok), [true, true, false, true, true])
        const table = await job()
        assert.strictEqual(table.code, 1)
        assert.match(table.stderr, /^doc02\.md: [^\n]+\n$/)
        assert.lengthOf(rows(table.stdout), 5)
        assert.match(table.stdout, /^5 documents, 1 failed \|/m)
        assert.notInclude(table.stdout, "all calls in a row")
      }
    ))

  it("--fail-fast stops at the first failure and closes what is in flight", () =>
    served(
      { ...documents(30, "fine"), "doc03.md": "# BAD document" },
      ({ text }) => text.includes("BAD") ? { status: 400, body: "{}", delay: 300 } : { delay: 30_000 },
      async (job, endpoint) => {
        for (const mode of ["--json", "--concurrency=8"]) {
          endpoint.asked.length = 0
          endpoint.closed = 0
          const { code, stderr, stdout } = await job("--fail-fast", mode)
          assert.strictEqual(code, 1)
          assert.isAtMost(endpoint.asked.length, 8 * 3)
          await until("all connections are closed", () => endpoint.inFlight === 0)
          assert.isAtLeast(endpoint.closed, 7 * 3)
          if (mode === "--json") {
            assert.deepStrictEqual(lines(stdout).map((line) => [line.file, line.ok]), [["doc03.md", false]])
          } else {
            assert.match(stdout, /^1 documents?, 1 failed, 29 not finished \|/m)
            assert.match(stderr, /^doc03\.md: [^\n]+\n$/)
          }
        }
      }
    ))

  it("nobody listens", () =>
    withFiles(documents(1), async (cwd) => {
      const gone = await withEndpoint(good, async ({ url }) => url)
      const { code, stderr, stdout } = await run(
        ["--json", "--retries", "0", "--lm", "compatible/m", "--base-url", gone, "."],
        { cwd }
      )
      assert.strictEqual(code, 1)
      assert.strictEqual(stderr, "")
      const { message, reason } = failure(first(stdout))
      assert.strictEqual(reason, "Network")
      assert.include(message, "ECONNREFUSED")
    }))
})

describe("no failure shows the key or the document", () => {
  const echo = `{"error":{"message":"wrong key ${key} for ${secret}","type":"invalid_request_error"}}`
  const failures: ReadonlyArray<readonly [what: string, answer: Answer, tag: string, reason: string]> = [
    ["400", { status: 400, body: echo }, "LMError", "InvalidRequest"],
    ["401", { status: 401, body: echo }, "LMError", "Authentication"],
    ["403", { status: 403, body: echo }, "LMError", "Permission"],
    ["404", { status: 404, body: echo }, "LMError", "ModelNotFound"],
    ["429", { status: 429, body: echo }, "LMError", "RateLimited"],
    ["500", { status: 500, body: echo }, "LMError", "ServerError"],
    ["503", { status: 503, body: echo }, "LMError", "Overloaded"],
    ["a page", { body: `<html>${key} ${secret}</html>` }, "LMError", "InvalidResponse"],
    ["an error in a 200", { body: echo }, "LMError", "InvalidRequest"],
    ["fields of wrong values", { fields: { title: 7, category: secret, keywords: secret } }, "OutputError", "Invalid"],
    ["other fields", { fields: { [secret]: key } }, "OutputError", "Invalid"]
  ]
  it.each(failures)(
    "%s",
    (_, answer, tag, reason) =>
      served(documents(2), () => answer, async (job) => {
        const [json, table] = await Promise.all([job("--json", "--retries", "0"), job("--retries", "0")])
        for (const { code, stderr, stdout } of [json, table]) {
          assert.strictEqual(code, 1)
          assert.notInclude(stdout + stderr, key)
          assert.notInclude(stdout + stderr, secret)
          assert.notMatch(stdout + stderr, stackTrace)
        }
        assert.strictEqual(json.stderr, "")
        assert.lengthOf(table.stderr.trimEnd().split("\n"), 2)
        for (const line of lines(json.stdout)) {
          assert.strictEqual(failure(line).tag, tag)
          assert.strictEqual(failure(line).reason, reason)
        }
      })
  )
})
