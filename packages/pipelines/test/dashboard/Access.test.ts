/**
 * Who is let in, asked over sockets: names, tokens, other sites' requests, and what is told to whom.
 */
import { Dashboard, WeakToken } from "@effect-dspy/pipelines/dashboard"
import { Job } from "@effect-dspy/pipelines/jobs"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Console, Effect, Layer, Logger, Redacted, Schema, Tracer } from "effect"
import { HttpServer } from "effect/http"
import { type IncomingHttpHeaders, request } from "node:http"
import { inspect } from "node:util"

const token = "0123456789abcdef-right"
const Note = Job.make("note", { payload: { text: Schema.String } })
const secret = "what nobody else may read"

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A request whose `Host` and other headers are what they are said to be, as no browser would let a page do. */
const ask = (
  port: number,
  path: string,
  headers: Record<string, string> = {},
  body?: string
): Effect.Effect<Answer> =>
  Effect.promise(() =>
    new Promise((resolve, reject) => {
      const sent = request({
        host: "127.0.0.1",
        port,
        path,
        method: body === undefined ? "GET" : "POST",
        headers: { host: `127.0.0.1:${port}`, ...headers }
      }, (response) => {
        const chunks: Array<Buffer> = []
        const done = () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString()
          })
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("end", done)
        // The feed has no end: its beginning is enough.
        if (path === "/api/feed" && response.statusCode === 200) {
          setTimeout(() => {
            done()
            sent.destroy()
          }, 300)
        }
      })
      sent.on("error", reject)
      sent.end(body)
    })
  )

const port = Effect.map(HttpServer.HttpServer, ({ address }) => address._tag === "UnixPathAddress" ? 0 : address.port)

const serve = (options: Partial<Dashboard.Options> = {}) =>
  Dashboard.layer({ port: 0, token, ...options }).pipe(Layer.provideMerge(Sqlite.memory()))

const json = { "content-type": "application/json" }
const bearer = (value: string) => ({ authorization: `Bearer ${value}` })
const basic = (value: string) => ({ authorization: `Basic ${Buffer.from(`anybody:${value}`).toString("base64")}` })
const pause = JSON.stringify({ change: "pause", queue: "default" })

const paths = [
  "/",
  "/main.js",
  "/healthz",
  "/readyz",
  "/api/session",
  "/api/jobs",
  "/api/job?id=x",
  "/api/feed",
  "/nothing"
]

describe("the dashboard's door", () => {
  it.live("on loopback anybody may look, at a name of this machine only", () =>
    Effect.gen(function*() {
      const at = yield* port
      for (const host of [`127.0.0.1:${at}`, `localhost:${at}`, "LOCALHOST", `[::1]:${at}`]) {
        assert.strictEqual((yield* ask(at, "/api/jobs", { host })).status, 200, host)
      }
      for (const path of paths) {
        for (const host of ["evil.example", `evil.example:${at}`, "127.0.0.1.evil.example", "localhost.evil.example"]) {
          const { body, status } = yield* ask(at, path, { host, ...bearer(token) })
          assert.strictEqual(status, 421, `${path} ${host}`)
          assert.notInclude(body, "jobs")
        }
      }
      assert.deepInclude(JSON.parse((yield* ask(at, "/api/session")).body), { canChange: false, showContent: false })
      assert.strictEqual((yield* ask(at, "/healthz")).status, 204)
      assert.strictEqual((yield* ask(at, "/readyz")).status, 204)
      assert.strictEqual((yield* ask(at, "/nothing")).status, 404)
      assert.strictEqual((yield* ask(at, "/../package.json")).status, 404)
      assert.strictEqual((yield* ask(at, "/api/job?id=x")).status, 404)
      assert.strictEqual((yield* ask(at, "/api/jobs?state=nonsense")).status, 400)
      assert.strictEqual((yield* ask(at, "/api/jobs?limit=1000000")).status, 400)
    }).pipe(Effect.provide(serve())))

  it.live("a change needs the token, and comes from the page or a program, never from another site", () =>
    Effect.gen(function*() {
      const at = yield* port
      const change = (headers: Record<string, string>, body = pause) => ask(at, "/api/change", headers, body)
      const right = { ...json, ...bearer(token) }
      assert.strictEqual((yield* change(json)).status, 401)
      assert.strictEqual((yield* change({ ...json, ...bearer("0123456789abcdef-wrong") })).status, 401)
      assert.strictEqual((yield* change({ ...json, ...bearer("") })).status, 401)
      // A wrong token is told to who only looks, too.
      assert.strictEqual((yield* ask(at, "/api/session", bearer("0123456789abcdef-wrong"))).status, 401)
      // What a form of another site can send.
      for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
        assert.strictEqual((yield* change({ ...right, "content-type": type })).status, 403)
      }
      assert.strictEqual((yield* change({ ...right, origin: "https://evil.example" })).status, 403)
      assert.strictEqual((yield* change({ ...right, origin: "null" })).status, 403)
      assert.strictEqual((yield* change({ ...right, "sec-fetch-site": "cross-site" })).status, 403)
      assert.strictEqual((yield* change({ ...right, "sec-fetch-site": "same-site" })).status, 403)
      assert.strictEqual((yield* change(right, "{")).status, 400)
      assert.strictEqual((yield* change(right, JSON.stringify({ change: "drop" }))).status, 400)
      const many = JSON.stringify({ change: "cancel", ids: Array.from({ length: 1000 }, (_, n) => `${n}`) })
      assert.strictEqual((yield* change(right, many)).status, 400)
      const big = JSON.stringify({ change: "pause", queue: "x".repeat(1_000_000) })
      assert.isAtLeast((yield* change(right, big)).status, 400)
      assert.notInclude((yield* ask(at, "/api/feed")).body, "\"paused\":true")
      const own = { ...right, origin: `http://127.0.0.1:${at}`, "sec-fetch-site": "same-origin" }
      assert.deepEqual(JSON.parse((yield* change(own)).body), { count: 0, again: false })
      assert.include((yield* ask(at, "/api/feed")).body, "\"paused\":true")
      // No other site may read an answer.
      const { headers } = yield* ask(at, "/api/jobs", { origin: "https://evil.example" })
      assert.isUndefined(headers["access-control-allow-origin"])
    }).pipe(Effect.provide(serve())))

  it.live("beyond loopback every request needs the token", () =>
    Effect.gen(function*() {
      const at = yield* port
      for (const path of paths) {
        for (
          const headers of [{}, bearer("0123456789abcdef-wrong"), basic("wrong"), { authorization: `Token ${token}` }]
        ) {
          const { body, headers: answered, status } = yield* ask(at, path, headers)
          assert.strictEqual(status, 401, path)
          assert.strictEqual(body, "Refused: token\n")
          // Browsers ask for a password when a page is opened, not when the page asks.
          assert.include(answered["www-authenticate"], path.startsWith("/api/") ? "Bearer" : "Basic")
        }
        // Whatever name it has there.
        const host = "jobs.example:4000"
        for (const headers of [bearer(token), basic(token)]) {
          assert.isAtMost((yield* ask(at, path, { host, ...headers })).status, 404, path)
        }
      }
      // Its token in an address opens nothing.
      assert.strictEqual((yield* ask(at, `/?token=${token}`)).status, 401)
      assert.deepInclude(JSON.parse((yield* ask(at, "/api/session", basic(token))).body), { canChange: true })
    }).pipe(Effect.provide(serve({ host: "0.0.0.0" }))))

  it.live("content is shown only where that was said", () =>
    Effect.gen(function*() {
      const told = (showContent: boolean) =>
        Effect.gen(function*() {
          const at = yield* port
          const id = yield* Job.enqueue(Note, { text: secret })
          const answers = yield* Effect.forEach(
            [`/api/job?id=${encodeURIComponent(id)}`, "/api/jobs", "/api/feed"],
            (path) => ask(at, path, bearer(token)),
            { concurrency: 1 }
          )
          return answers.map(({ body }) => body).join("\n")
        }).pipe(Effect.provide(serve({ showContent })))
      assert.include(yield* told(true), secret)
      assert.notInclude(yield* told(false), secret)
    }))

  it.live("the token stands in no span and no log", () =>
    Effect.gen(function*() {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const logged: Array<unknown> = []
      const logger = Logger.make(({ message }) => void logged.push(message))
      yield* Effect.gen(function*() {
        const at = yield* port
        for (const path of paths) {
          yield* ask(at, path, bearer(token))
          yield* ask(at, path, basic(token))
        }
        yield* ask(at, "/api/change", { ...json, ...bearer(token) }, pause)
      }).pipe(
        Effect.provide(
          serve({ host: "0.0.0.0" }).pipe(
            Layer.provide([Layer.succeed(Tracer.Tracer, tracer), Logger.layer([logger])])
          )
        )
      )
      const told = [...logged, ...spans.flatMap(({ attributes, events }) => [[...attributes], events])]
      assert.isAbove(spans.length, 0)
      const text = told.map((part) => inspect(part, { depth: 10 })).join("\n")
      for (const secret of [token, basic(token).authorization.slice(6)]) assert.notInclude(text, secret)
    }))

  it.live("every answer keeps the page to itself", () =>
    Effect.gen(function*() {
      const at = yield* port
      for (const path of ["/", "/main.js", "/api/jobs", "/healthz"]) {
        const { headers } = yield* ask(at, path)
        const policy = String(headers["content-security-policy"])
        assert.include(policy, "default-src 'none'")
        assert.include(policy, "script-src 'self';")
        assert.notMatch(policy, /unsafe|\*|https?:/)
        assert.deepInclude(headers, { "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" })
      }
      const { headers } = yield* ask(at, "/style.css")
      assert.strictEqual((yield* ask(at, "/style.css", { "if-none-match": String(headers["etag"]) })).status, 304)
    }).pipe(Effect.provide(serve())))

  it.live("the token is made up and shown once, or taken from DASHBOARD_TOKEN, and a weak one is refused", () =>
    Effect.gen(function*() {
      const said: Array<string> = []
      const console: Console.Console = Object.assign(Object.create(globalThis.console), {
        error: (...words: ReadonlyArray<unknown>) => void said.push(words.join(" "))
      })
      const env = (values: Record<string, string>) => ConfigProvider.layer(ConfigProvider.fromUnknown(values))
      const open = Dashboard.layer({ port: 0 }).pipe(Layer.provideMerge(Sqlite.memory()))
      const canChange = (token: string) =>
        Effect.gen(function*() {
          const { body, status } = yield* ask(yield* port, "/api/session", bearer(token))
          return status === 200 && JSON.parse(body).canChange
        })
      yield* Effect.gen(function*() {
        assert.lengthOf(said, 1)
        const made = /once: (\S+)$/.exec(said[0] ?? "")?.[1] ?? ""
        assert.isAtLeast(made.length, 32)
        assert.isTrue(yield* canChange(made))
        assert.lengthOf(said, 1)
      }).pipe(Effect.provide(open.pipe(Layer.provide(env({})))), Effect.provideService(Console.Console, console))
      yield* Effect.gen(function*() {
        assert.isTrue(yield* canChange(token))
        assert.lengthOf(said, 1)
      }).pipe(
        Effect.provide(open.pipe(Layer.provide(env({ DASHBOARD_TOKEN: token })))),
        Effect.provideService(Console.Console, console)
      )
      const weak = yield* Effect.flip(Effect.scoped(Layer.build(serve({ token: Redacted.make("short") }))))
      assert.instanceOf(weak, WeakToken)
      assert.notInclude(String(weak), "short")
    }))
})
