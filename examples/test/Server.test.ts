/**
 * The server examples over real sockets: a client, the server, and behind it a model's endpoint that writes the
 * beginning of an answer and then hangs.
 */
import { EventStream, LM, Predict } from "@effect-dspy/core"
import { OpenAiCompatible } from "@effect-dspy/providers"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, ManagedRuntime, Redacted, Stream } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { spawn } from "node:child_process"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { EffectApp } from "../src/server/EffectApp.ts"
import { nodeHandler } from "../src/server/NodeHandler.ts"
import { tell } from "../src/server/Tell.ts"
import { root } from "./harness.ts"

const listen = (server: Http.Server) =>
  Effect.callback<string>((resume) => {
    server.listen(0, "127.0.0.1", () => {
      resume(Effect.succeed(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
    })
  })

const serving = (server: Http.Server) =>
  Effect.acquireRelease(listen(server), () =>
    Effect.sync(() => {
      server.closeAllConnections()
      server.close()
    }))

const until = (condition: () => boolean) =>
  Effect.gen(function*() {
    while (!condition()) yield* Effect.sleep("5 millis")
  }).pipe(Effect.timeout("10 seconds"))

/** An endpoint; `texts` are what it streams, and after the last it hangs, or ends where it is told to. */
const endpoint = (texts: ReadonlyArray<string>, ends: boolean) =>
  Effect.gen(function*() {
    const counts = { asked: 0, closed: 0 }
    const chunk = (delta: object, finish: string | null) =>
      `data: ${
        JSON.stringify({
          id: "1",
          object: "chat.completion.chunk",
          created: 1,
          model: "m",
          choices: [{ index: 0, delta, finish_reason: finish }]
        })
      }\n\n`
    const server = Http.createServer((request, response) => {
      counts.asked++
      request.resume()
      response.on("close", () => response.writableFinished || counts.closed++)
      response.writeHead(200, { "content-type": "text/event-stream" })
      for (const content of texts) response.write(chunk({ content }, null))
      if (ends) response.end(`${chunk({}, "stop")}data: [DONE]\n\n`)
    })
    const url = yield* serving(server)
    const live = OpenAiCompatible.layer({
      provider: "test",
      model: "m",
      baseUrl: `${url}/v1`,
      apiKey: Redacted.make("sk-secret")
    })
    return { counts, live: Layer.orDie(live) }
  })

type Model = Layer.Layer<LM>

const node = (model: Model) =>
  Effect.gen(function*() {
    const runtime = yield* Effect.acquireRelease(
      Effect.sync(() => ManagedRuntime.make(model)),
      (runtime) => runtime.disposeEffect
    )
    return yield* serving(Http.createServer(nodeHandler(runtime)))
  })

const effect = (model: Model) =>
  Effect.gen(function*() {
    const http = NodeHttpServer.layer(Http.createServer, { port: 0, host: "127.0.0.1" })
    const app = HttpRouter.serve(EffectApp.pipe(HttpRouter.provideRequest(model)), {
      disableLogger: true,
      disableListenLog: true
    })
    const services = yield* Layer.build(Layer.provideMerge(app, http))
    return HttpServer.formatAddress(Context.get(services, HttpServer.HttpServer).address)
  })

for (const [name, serve] of [["node:http", node], ["effect http", effect]] as const) {
  describe(`the ${name} server`, () => {
    it.live("streams a story", () =>
      Effect.gen(function*() {
        const { live } = yield* endpoint(["{\"title\":\"Sea", "\",\"story\":\"Wide.\"}"], true)
        const url = yield* serve(live)
        const response = yield* Effect.promise(() => fetch(`${url}/tell?about=tides`))
        assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
        const text = yield* Effect.promise(() => response.text())
        const events = text.split("\n\n").filter((one) => one.startsWith("data: ")).map((one) =>
          JSON.parse(one.slice(6))
        )
        assert.deepStrictEqual(events[0], { _tag: "Delta", field: "title", text: "Sea" })
        assert.deepStrictEqual(events.at(-1), { _tag: "Done", output: { title: "Sea", story: "Wide." } })
        const refused = yield* Effect.promise(() => fetch(`${url}/tell`))
        assert.strictEqual(refused.status, 400)
      }))

    it.live("closes the model's socket when the client has gone", () =>
      Effect.gen(function*() {
        const { counts, live } = yield* endpoint(["{\"title\":\"Sea"], false)
        const url = yield* serve(live)
        const controller = new AbortController()
        const response = yield* Effect.promise(() => fetch(`${url}/tell?about=tides`, { signal: controller.signal }))
        const reader = response.body?.getReader()
        const decoder = new TextDecoder()
        let text = ""
        while (!text.includes("Delta")) {
          text += decoder.decode((yield* Effect.promise(async () => reader?.read()))?.value)
        }
        assert.deepStrictEqual(counts, { asked: 1, closed: 0 })
        controller.abort()
        yield* until(() => counts.closed === 1)
        assert.deepStrictEqual(counts, { asked: 1, closed: 1 })
      }))

    it.live("shows neither key nor prompt when the model can't be reached", () =>
      Effect.gen(function*() {
        const live = Layer.orDie(OpenAiCompatible.layer({
          provider: "test",
          model: "m",
          baseUrl: "http://127.0.0.1:1/v1",
          apiKey: Redacted.make("sk-secret")
        }))
        const url = yield* serve(live)
        const text = yield* Effect.promise(async () => (await fetch(`${url}/tell?about=hidden`)).text())
        assert.match(text, /"_tag":"Failed","error":"LMError","reason":"Network"/)
        assert.notMatch(text, /sk-secret|hidden/)
      }))
  })
}

describe("without a server", () => {
  it.live("an AsyncIterable that is left closes the model's socket", () =>
    Effect.gen(function*() {
      const { counts, live } = yield* endpoint(["{\"title\":\"Sea"], false)
      const runtime = yield* Effect.acquireRelease(
        Effect.sync(() => ManagedRuntime.make(live)),
        (runtime) => runtime.disposeEffect
      )
      yield* Effect.promise(async () => {
        const events = Stream.toAsyncIterableEffect(Predict.stream(tell, { about: "tides" }))
        for await (const event of await runtime.runPromise(events)) {
          assert.deepStrictEqual(event, { _tag: "Delta", field: "title", text: "Sea" })
          break
        }
      })
      yield* until(() => counts.closed === 1)
    }))

  it.live("and so does a Response whose body is cancelled", () =>
    Effect.gen(function*() {
      const { counts, live } = yield* endpoint(["{\"title\":\"Sea"], false)
      const runtime = yield* Effect.acquireRelease(
        Effect.sync(() => ManagedRuntime.make(live)),
        (runtime) => runtime.disposeEffect
      )
      const response = yield* Effect.promise(() =>
        runtime.runPromise(Predict.stream(tell, { about: "tides" }).pipe(EventStream.response(tell)))
      )
      yield* until(() => counts.asked === 1)
      yield* Effect.promise(async () => response.body?.cancel())
      yield* until(() => counts.closed === 1)
    }))
})

describe("server.ts", () => {
  for (const kind of ["effect", "node"]) {
    it(`${kind}: streams with the offline model, and ends on Ctrl-C`, async () => {
      const child = spawn(
        process.execPath,
        ["--conditions=@effect-dspy/source", "examples/src/server.ts", kind, "0"],
        { cwd: root, stdio: ["ignore", "pipe", "inherit"], timeout: 20_000, killSignal: "SIGKILL" }
      )
      const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
      const url = await new Promise<string>((resolve, reject) => {
        let printed = ""
        child.once("close", () => reject(new Error(`ended: ${printed}`)))
        child.stdout.setEncoding("utf8").on("data", (text: string) => {
          printed += text
          const found = /listening at (http:\S+)\n/.exec(printed)?.[1]
          if (found !== undefined) resolve(found)
        })
      })
      const text = await (await fetch(`${url}/tell?about=tides`)).text()
      assert.match(text, /"_tag":"Delta","field":"story"/)
      assert.match(text, /"_tag":"Done"/)
      child.kill("SIGINT")
      assert.strictEqual(await ended, 130)
    })
  }
})
