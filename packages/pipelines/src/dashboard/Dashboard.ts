/**
 * A page for the people on call: queues, running jobs, the dead, and what can be done about them.
 *
 * 1. It opens a server of its own, on loopback unless told otherwise, over the store of jobs that workers share; it
 *    can run in a worker, in an app, or alone.
 * 2. Every request is judged first (`Access`). What may come in is answered by `Routes`, from counters and indexes.
 * 3. While a page is open, one reader follows the store and sends what has changed (`Feed`).
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as ByteSize from "effect/ByteSize"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import type { ServeError } from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as SqlClient from "effect/sql/SqlClient"
import { createServer } from "node:http"
import type { Jobs } from "../jobs/Jobs.ts"
import * as Access from "./Access.ts"
import * as Assets from "./Assets.ts"
import * as Routes from "./Routes.ts"

/**
 * - `port`: 0 for any; the `HttpServer` the layer gives knows which
 * - `host`: default `127.0.0.1`. Beyond loopback every request needs the token, and the way there should be encrypted
 * - `token`: default `DASHBOARD_TOKEN`, or one that is made up and shown once on standard error
 * - `showContent`: whether payloads, results and answers are shown, default `false`
 *
 * @category models
 */
export interface Options {
  readonly port: number
  readonly host?: string
  readonly token?: Redacted.Redacted | string
  readonly showContent?: boolean
}

/**
 * The dashboard of the store in context, as a server.
 *
 * ```ts no-run
 * import { Dashboard } from "@effect-dspy/pipelines/dashboard"
 * import { Sqlite } from "@effect-dspy/pipelines/sqlite"
 * import { Effect, Layer } from "effect"
 *
 * const Live = Dashboard.layer({ port: 4000 }).pipe(Layer.provide(Sqlite.layer({ filename: "jobs.db" })))
 * Effect.runFork(Layer.launch(Live))
 * ```
 *
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<
  HttpServer.HttpServer,
  ServeError | Access.WeakToken | Assets.MissingAsset | Config.ConfigError,
  Jobs | SqlClient.SqlClient
> => {
  const host = options.host ?? "127.0.0.1"
  return Layer.unwrap(Effect.gen(function*() {
    const access = Access.make(yield* Access.token(options.token), host)
    const assets = yield* Assets.read
    const routes = Routes.layer({ access, assets, showContent: options.showContent ?? false })
    const handler = yield* HttpRouter.toHttpEffect(routes)
    return HttpServer.serve(guarded(access, handler))
  })).pipe(
    Layer.provideMerge(NodeHttpServer.layerServer(createServer, {
      port: options.port,
      host,
      // Open pages hold a connection each; they are cut off, and come back when there is a server again.
      gracefulShutdownTimeout: "100 millis"
    }))
  )
}

/** Judged before anything else, a request for what isn't there too. */
const guarded = <E, R>(
  access: Access.Access,
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const verdict = access.judge(request)
    if (verdict._tag === "Admitted") {
      return handler.pipe(
        Effect.map(HttpServerResponse.setHeaders(Assets.headers)),
        Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.kilobytes(256))
      )
    }
    // Browsers ask for a password when a page is opened, and not behind the page's back.
    const challenge = request.url.startsWith("/api/") ? "Bearer" : "Basic realm=\"jobs\", charset=\"UTF-8\""
    return Effect.succeed(HttpServerResponse.text(`Refused: ${verdict.why}\n`, {
      status: verdict.status,
      headers: { ...Assets.headers, ...(verdict.status === 401 ? { "www-authenticate": challenge } : undefined) }
    }))
  })
