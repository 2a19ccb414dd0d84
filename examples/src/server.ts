/**
 * A server that streams a story while it is written: `curl -N 'http://localhost:3000/tell?about=tides'`.
 *
 *     node --conditions=@effect-dspy/source examples/src/server.ts [effect | node] [port]
 *
 * `effect` (the default) serves it with effect's http app, `node` with a plain `node:http` handler over a
 * `ManagedRuntime`: how an app that is not written with effect uses the library.
 *
 * The offline model stands in for a real one; `OpenAi.layer({ model: "gpt-5-mini" })` takes its place and nothing else
 * changes.
 */
import { LM } from "@effect-dspy/core"
import { Offline } from "@effect-dspy/providers/offline"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, ManagedRuntime } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import { EffectApp } from "./server/EffectApp.ts"
import { nodeHandler } from "./server/NodeHandler.ts"

const [kind = "effect", portText = "3000"] = process.argv.slice(2)
const port = Number(portText)

const Live = Offline.layer().pipe(LM.resilient())

const effectServer = Layer.mergeAll(
  HttpRouter.serve(EffectApp.pipe(HttpRouter.provideRequest(Live)), { disableLogger: true, disableListenLog: true }),
  Layer.effectDiscard(HttpServer.addressFormattedWith((address) => Console.log(`listening at ${address}`)))
).pipe(Layer.provide(NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" })), Layer.launch)

const nodeServer = Effect.acquireUseRelease(
  Effect.sync(() => {
    const runtime = ManagedRuntime.make(Live)
    return { runtime, server: createServer(nodeHandler(runtime)) }
  }),
  ({ server }) =>
    Effect.callback<never>(() => {
      server.listen(port, "127.0.0.1", () => {
        const address = server.address()
        if (typeof address === "object") console.log(`listening at http://127.0.0.1:${address?.port}`)
      })
    }),
  ({ runtime, server }) =>
    Effect.promise(() => {
      server.close()
      return runtime.dispose()
    })
)

NodeRuntime.runMain(kind === "node" ? nodeServer : effectServer)
