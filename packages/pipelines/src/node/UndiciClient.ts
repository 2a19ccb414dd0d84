/**
 * effect's `HttpClient` on undici, with a short way for what an LM sends.
 *
 * A request that has its whole body, wants no HTTP span and no upgrade goes by `UndiciExchange`. Everything else goes
 * by effect's own client for undici, over the same connections. What that does and the short way does not: to close an
 * answer that nobody reads when `HttpClient.withScope` or `HttpClient.followRedirects` is through with it. effect keeps
 * those answers in books of its own; here the garbage collector closes them.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type * as Undici from "@effect/platform-node/Undici"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Url from "effect/http/Url"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Tracer from "effect/Tracer"
import * as UndiciExchange from "./UndiciExchange.ts"
import * as UndiciResponse from "./UndiciResponse.ts"

type Response = Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>

/**
 * A client over the dispatcher in scope.
 *
 * @category constructors
 */
export const make: Effect.Effect<HttpClient.HttpClient, never, NodeHttpClient.Dispatcher> = Effect.gen(function*() {
  const dispatcher = yield* NodeHttpClient.Dispatcher
  const other = yield* NodeHttpClient.makeUndici
  return HttpClient.makeWith<never, never, HttpClientError.HttpClientError, never>(
    (asked) =>
      Effect.flatMap(asked, (request): Response =>
        Effect.withFiber((fiber) => {
          const body = wholeBody(request)
          return body === undefined || !isQuiet(fiber, request)
            ? other.execute(request)
            : send(dispatcher, fiber, request, body)
        })),
    Effect.succeed
  )
})

/** A body that undici takes as it is; null for none. */
type Body = string | Uint8Array | null

const wholeBody = ({ body, headers }: HttpClientRequest.HttpClientRequest): Body | undefined => {
  if (headers.upgrade !== undefined) return undefined
  switch (body._tag) {
    case "Empty":
      return null
    case "Uint8Array":
      return body.body
    case "Raw":
      return typeof body.body === "string" || body.body instanceof Uint8Array ? body.body : undefined
    default:
      return undefined
  }
}

const isQuiet = (fiber: Fiber.Fiber<unknown, unknown>, request: HttpClientRequest.HttpClientRequest): boolean =>
  fiber.getRef(HttpClient.TracerDisabledWhen)(request) || fiber.getRef(Tracer.DisablePropagation)

const send = (
  dispatcher: Undici.Dispatcher,
  fiber: Fiber.Fiber<unknown, unknown>,
  request: HttpClientRequest.HttpClientRequest,
  body: Body
): Response => {
  const made = Url.make(request.url, request.urlParams, Option.getOrUndefined(request.hash))
  if (Result.isFailure(made)) {
    const reason = new HttpClientError.InvalidUrlError({ request, cause: made.failure })
    return Effect.fail(new HttpClientError.HttpClientError({ reason }))
  }
  const { href, origin, pathname, search } = made.success
  const answer = UndiciExchange.send(dispatcher, {
    ...fiber.getRef(NodeHttpClient.UndiciOptions),
    method: request.method,
    headers: request.headers,
    origin,
    path: pathname + search,
    body,
    // Limits on time are up to the caller (`LM.timeout`).
    headersTimeout: 0,
    bodyTimeout: 0
  })
  return Effect.mapBoth(answer, {
    onFailure: (cause) =>
      new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) }),
    onSuccess: (exchange) => UndiciResponse.make(request, href.split("#")[0] ?? href, exchange)
  })
}
