/** Many calls at once, interrupted at any moment: none hangs, none is lost, and no connection stays behind. */
import { NodeTransport } from "@effect-dspy/pipelines/node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Random, Scheduler, Stream } from "effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Http from "node:http"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
const gc: () => void = runInNewContext("gc")

const many = "x".repeat(300_000)

/** What a server does with a request; those that hang are never answered to their end. */
const kinds: { readonly [name: string]: (response: Http.ServerResponse, end: string) => void } = {
  quick: (response, end) => response.end(end),
  slow: (response, end) => void setTimeout(() => response.end(end), 10),
  pieces: (response, end) => {
    const write = (left: number) => {
      if (left === 0) response.end(end)
      else response.write("x", () => setTimeout(() => write(left - 1), 3))
    }
    write(5)
  },
  long: (response, end) => {
    response.write(many)
    setTimeout(() => response.end(end), 5)
  },
  closing: (response, end) => response.setHeader("connection", "close").end(end),
  failing: (response) => response.socket?.resetAndDestroy(),
  breaking: (response) => {
    response.writeHead(200, { "content-length": 1000 }).write("x")
    setTimeout(() => response.destroy(), 3)
  },
  hanging: () => {},
  begun: (response) => response.write("x"),
  unending: (response) => void Array.from({ length: 8 }, () => response.write(many))
}
const hangs = new Set(["hanging", "begun", "unending"])
const fails = new Set(["failing", "breaking"])

const serve = Effect.acquireRelease(
  Effect.callback<{ readonly http: Http.Server; readonly url: string; readonly open: Set<Http.ServerResponse> }>(
    (resume) => {
      const open = new Set<Http.ServerResponse>()
      const http = Http.createServer((request, response) => {
        open.add(response)
        response.on("close", () => open.delete(response)).on("error", () => {})
        let body = ""
        request.on("data", (chunk) => body += String(chunk))
        request.on("end", () => kinds[request.url?.slice(1) ?? ""]?.(response, `<${body}>`))
      })
      // Longer than the tests: it closes no connection in the moment it is used again.
      http.keepAliveTimeout = 120_000
      http.listen(0, "127.0.0.1", () => {
        const address = http.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ http, url: `http://127.0.0.1:${port}/`, open }))
      })
    }
  ),
  ({ http }) =>
    Effect.callback<void>((resume) => {
      http.close(() => resume(Effect.void))
      http.closeAllConnections()
    })
)

type Read = (response: HttpClientResponse.HttpClientResponse) => Effect.Effect<string, unknown>

const readers: ReadonlyArray<Read> = [
  (response) => response.text,
  (response) => Stream.mkString(Stream.decodeText(response.stream)),
  (response) => Stream.mkString(Stream.tap(Stream.decodeText(response.stream), () => Effect.sleep("1 millis")))
]

const pick = <A>(list: ReadonlyArray<A>): Effect.Effect<A> =>
  Effect.map(Random.nextIntBetween(0, list.length - 1), (at) => {
    const found = list[at]
    if (found === undefined) throw new Error("nothing to pick from")
    return found
  })

/** Moments for an interruption: at once, in this turn of the event loop, in the next, and later. */
const moments = [
  Effect.void,
  Effect.promise(() => Promise.resolve()),
  Effect.yieldNow,
  Effect.sleep("2 millis"),
  Effect.sleep("7 millis"),
  Effect.sleep("25 millis")
]

/** One call as chance has it; gives whether it was answered. */
const call = (url: string, body: string) =>
  Effect.gen(function*() {
    const kind = yield* pick(Object.keys(kinds))
    const read = yield* pick(readers)
    const request = HttpClient.post(`${url}${kind}`, { body: HttpBody.text(body) })
    const fiber = yield* Effect.forkChild(Effect.flatMap(request, read), { startImmediately: true })
    const cut = hangs.has(kind) || (yield* Random.nextBoolean)
    if (cut) {
      yield* yield* pick(moments)
      yield* Fiber.interrupt(fiber)
    }
    const exit = yield* Effect.timeoutOrElse(Fiber.await(fiber), {
      duration: "20 seconds",
      orElse: () => Effect.die(new Error(`${kind} hangs`))
    })
    if (Exit.isSuccess(exit)) {
      assert.match(exit.value, new RegExp(`^x*<${body}>$`))
      assert.isFalse(fails.has(kind), kind)
    } else if (Cause.hasInterrupts(exit.cause)) assert.isTrue(cut, kind)
    else assert.isTrue(fails.has(kind), `${kind}: ${Cause.pretty(exit.cause)}`)
    return Exit.isSuccess(exit)
  })

/** Waits until something is so, at most five seconds. */
const until = (condition: () => boolean, left = 500): Effect.Effect<void> =>
  Effect.suspend(() =>
    condition() || left === 0 ? Effect.void : Effect.andThen(Effect.sleep("10 millis"), until(condition, left - 1))
  )

describe("calls that are interrupted at any moment", () => {
  // A fiber yields after so many steps: as it does by itself, and nearly everywhere. Who is interrupted between an
  // answer's head and its reader leaves the answer to the garbage collector; by itself no fiber yields there.
  for (const steps of [2048, 3]) {
    for (const seed of ["one", "two"]) {
      it.live(`neither hang nor leave anything behind: ${steps} steps, chance ${seed}`, () =>
        Effect.gen(function*() {
          const { open, url } = yield* serve
          const calls = Array.from({ length: 300 }, (_, index) => call(url, `${index}`))
          const answered = yield* Effect.all(calls, { concurrency: 60 })
          assert.isAbove(answered.filter(Boolean).length, 50)
          // An interruption reaches the server: nothing it began goes on.
          yield* until(() => {
            if (steps < 2048) gc()
            return open.size === 0
          })
          assert.strictEqual(open.size, 0)
          const quick = Effect.flatMap(
            HttpClient.post(`${url}quick`, { body: HttpBody.text("yes") }),
            ({ text }) => text
          )
          const after = yield* Effect.all(Array.from({ length: 60 }, () => quick), { concurrency: 60 })
          assert.deepStrictEqual(new Set(after), new Set(["<yes>"]))
        }).pipe(
          Effect.provideService(HttpClient.TracerDisabledWhen, () => true),
          Effect.provideService(Scheduler.MaxOpsBeforeYield, steps),
          Random.withSeed(seed),
          Effect.provide(NodeTransport.layer)
        ))
    }
  }
})
