import { NodeTransport } from "@effect-dspy/pipelines/node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"

/** A server on loopback that answers with `respond`, and knows its connections. */
const serve = (respond: (response: Http.ServerResponse, index: number) => void) =>
  Effect.acquireRelease(
    Effect.callback<
      { readonly http: Http.Server; readonly url: string; opened: number; closed: number; asked: number }
    >(
      (resume) => {
        const http = Http.createServer((request, response) => {
          request.resume().on("end", () => respond(response, state.asked++))
        })
        const state = { http, url: "", opened: 0, closed: 0, asked: 0 }
        http.on("connection", (socket) => {
          state.opened++
          socket.on("close", () => state.closed++)
        })
        http.listen(0, "127.0.0.1", () => {
          resume(
            Effect.succeed(Object.assign(state, { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/` }))
          )
        })
      }
    ),
    ({ http }) =>
      Effect.callback<void>((resume) => {
        http.close(() => resume(Effect.void))
        http.closeAllConnections()
      })
  )

const get = (url: string) => Effect.flatMap(HttpClient.get(url), (response) => response.text)

/** Waits until something is so, at most two seconds. */
const until = (condition: () => boolean, left = 200): Effect.Effect<void> =>
  Effect.suspend(() =>
    condition() || left === 0 ? Effect.void : Effect.andThen(Effect.sleep("10 millis"), until(condition, left - 1))
  )

// A connection goes back to its pool a moment after its answer is read.
const rest = Effect.sleep("20 millis")

describe("NodeTransport", () => {
  it.live("keeps its connections, and opens as many as there are calls at once", () =>
    Effect.gen(function*() {
      const server = yield* serve((response) => setTimeout(() => response.end("yes"), 50))
      yield* Effect.gen(function*() {
        const twenty = Effect.forEach(Array.from({ length: 20 }), () => get(server.url), { concurrency: "unbounded" })
        assert.deepStrictEqual(new Set(yield* twenty), new Set(["yes"]))
        assert.strictEqual(server.opened, 20)
        yield* rest
        yield* twenty
        assert.strictEqual(server.opened, 20)
      }).pipe(Effect.provide(NodeTransport.layer))
      // The pool ends with its layer.
      yield* until(() => server.closed === 20)
      assert.strictEqual(server.closed, 20)
    }))

  it.live("is one pool for all layers built on it", () =>
    Effect.gen(function*() {
      const server = yield* serve((response) => response.end("yes"))
      const user = (name: string) =>
        Layer.effectDiscard(Effect.andThen(get(`${server.url}${name}`), rest)).pipe(Layer.provide(NodeTransport.layer))
      yield* Effect.provide(Effect.void, Layer.provideMerge(user("a"), user("b")))
      assert.strictEqual(server.asked, 2)
      assert.strictEqual(server.opened, 1)
    }))

  it.live("closes the socket of a call that is interrupted, and no other", () =>
    Effect.gen(function*() {
      const server = yield* serve((response, index) => {
        if (index > 0) response.end("yes")
      })
      yield* Effect.gen(function*() {
        const hanging = yield* Effect.forkChild(get(server.url))
        yield* until(() => server.asked === 1)
        assert.strictEqual(yield* get(server.url), "yes")
        yield* rest
        yield* Fiber.interrupt(hanging)
        yield* until(() => server.closed === 1)
        assert.deepStrictEqual([server.opened, server.closed], [2, 1])
        assert.strictEqual(yield* get(server.url), "yes")
        assert.strictEqual(server.closed, 1)
      }).pipe(Effect.provide(NodeTransport.layer))
    }))

  it.live("does not follow redirects", () =>
    Effect.gen(function*() {
      const server = yield* serve((response) => {
        response.writeHead(302, { location: "/elsewhere" }).end()
      })
      const response = yield* Effect.provide(HttpClient.get(server.url), NodeTransport.layer)
      assert.strictEqual(response.status, 302)
      assert.strictEqual(server.asked, 1)
    }))
})
