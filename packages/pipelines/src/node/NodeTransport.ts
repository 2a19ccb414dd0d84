/**
 * The HTTP client for Node: undici by itself, without the `fetch` around it.
 *
 * `fetch` runs everywhere and is what `OpenAi.layer` and the others bring. Where Node is known to be the host,
 * undici does the same call for a third of the processor time (`npm run bench:transport`), and a call that is
 * interrupted closes its socket all the same.
 *
 * ```ts no-run
 * import { LM } from "@effect-dspy/core"
 * import { NodeTransport } from "@effect-dspy/pipelines/node"
 * import { OpenAi } from "@effect-dspy/providers"
 * import { Layer } from "effect"
 *
 * const Live = OpenAi.layerHttp({ model: "gpt-5-mini" }).pipe(Layer.provide(NodeTransport.layer), LM.resilient())
 * ```
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as UndiciClient from "./UndiciClient.ts"

/**
 * One pool of connections for everything built on this layer. It is one value: layers that share it share the
 * pool, and the pool ends with them.
 *
 * - How many calls run at once is up to `LM.concurrency`; the pool opens as many connections as they need.
 * - An idle connection is kept for 30 seconds, which is less than load balancers keep theirs, or for as long as the
 *   server says.
 * - A connection must come about within 10 seconds. There is no limit on the answer: a reasoning model may think
 *   for minutes. `LM.timeout` sets one.
 * - HTTP/1.1, a connection for each call: a call that is cut off then takes no other with it.
 * - Redirects are not followed, so no key goes to a host nobody named.
 * - An answer that nobody reads is closed by the garbage collector. Where the request has no HTTP span, that is so even
 *   under `HttpClient.withScope`.
 *
 * @category layers
 */
export const layer: Layer.Layer<HttpClient.HttpClient> = Layer.provide(
  Layer.effect(HttpClient.HttpClient, UndiciClient.make),
  NodeHttpClient.layerDispatcherOptions({
    allowH2: false,
    connect: { timeout: 10_000 },
    keepAliveTimeout: 30_000,
    keepAliveMaxTimeout: 10 * 60_000
  })
)
