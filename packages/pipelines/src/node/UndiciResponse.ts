/**
 * effect's view of an answer from undici: what `HttpClient` gives, read from an `UndiciExchange`.
 *
 * Text, JSON, bytes and pieces are read directly. The rest, which no model's answer needs, is what effect makes of a
 * web `Response` with the same bytes.
 */
import * as Effect from "effect/Effect"
import * as Cookies from "effect/http/Cookies"
import * as Headers from "effect/http/Headers"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import { pipeArguments } from "effect/Pipeable"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as UndiciExchange from "./UndiciExchange.ts"

type Failure = HttpClientError.HttpClientError

// It decodes whole texts only, and so keeps nothing between them.
const utf8 = new TextDecoder()

/**
 * The answer to `request` from `url`.
 *
 * @category constructors
 */
export const make = (
  request: HttpClientRequest.HttpClientRequest,
  url: string,
  exchange: UndiciExchange.Exchange
): HttpClientResponse.HttpClientResponse => {
  const response = new UndiciResponse(request, url, exchange)
  if (!exchange.complete) dropped.register(response, exchange)
  return response
}

// A long answer that nobody reads would hold its socket for ever.
const dropped = new FinalizationRegistry<UndiciExchange.Exchange>((exchange) => exchange.leave())

class UndiciResponse extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly [HttpIncomingMessage.TypeId]: typeof HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId]: typeof HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly request: HttpClientRequest.HttpClientRequest
  readonly url: string
  private readonly exchange: UndiciExchange.Exchange

  constructor(request: HttpClientRequest.HttpClientRequest, url: string, exchange: UndiciExchange.Exchange) {
    super()
    this.request = request
    this.url = url
    this.exchange = exchange
  }

  get status(): number {
    return this.exchange.status
  }

  get headers(): Headers.Headers {
    return Headers.fromInput(this.exchange.headers)
  }

  get cookies(): Cookies.Cookies {
    const { "set-cookie": cookies } = this.exchange.headers
    return cookies === undefined ? Cookies.empty : Cookies.fromSetCookie(cookies)
  }

  get remoteAddress(): Option.Option<string> {
    return Option.none()
  }

  get text(): Effect.Effect<string, Failure> {
    return Effect.map(this.bytes, (bytes) => utf8.decode(bytes))
  }

  get json(): Effect.Effect<Schema.Json, Failure> {
    return Effect.flatMap(this.text, (text) =>
      Effect.try({
        try: (): Schema.Json => text === "" ? null : JSON.parse(text),
        catch: (cause) => this.unreadable(cause)
      }))
  }

  get arrayBuffer(): Effect.Effect<ArrayBuffer, Failure> {
    return Effect.map(this.bytes, (bytes) => new Uint8Array(bytes).buffer)
  }

  get stream(): Stream.Stream<Uint8Array, Failure> {
    return Stream.fromPull(Effect.succeed(this.exchange.take)).pipe(
      Stream.mapError((cause) => this.unreadable(cause)),
      // A reader that stops has no use for the rest.
      Stream.ensuring(Effect.sync(() => this.exchange.leave()))
    )
  }

  get urlParamsBody(): HttpClientResponse.HttpClientResponse["urlParamsBody"] {
    return this.web((web) => web.urlParamsBody)
  }

  get formData(): HttpClientResponse.HttpClientResponse["formData"] {
    return this.web((web) => web.formData)
  }

  // A request that asks for one goes effect's way.
  get upgrade(): HttpClientResponse.HttpClientResponse["upgrade"] {
    const description = "expected 101 Switching Protocols"
    const reason = new HttpClientError.StatusCodeError({ request: this.request, response: this, description })
    return Effect.fail(new HttpClientError.HttpClientError({ reason }))
  }

  toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, {
      _id: "effect/http/HttpClientResponse",
      request: this.request.toJSON(),
      status: this.status
    })
  }

  pipe() {
    return pipeArguments(this, arguments)
  }

  private get bytes(): Effect.Effect<Uint8Array, Failure> {
    return Effect.mapError(this.exchange.bytes, (cause) => this.unreadable(cause))
  }

  /** Reads it as what effect makes of a web `Response`. */
  private web<A>(
    read: (web: HttpClientResponse.HttpClientResponse) => Effect.Effect<A, Failure>
  ): Effect.Effect<A, Failure> {
    return Effect.flatMap(this.arrayBuffer, (body) => {
      const web = HttpClientResponse.fromWeb(this.request, new Response(body, { headers: this.headers }))
      return Effect.mapError(read(web), ({ cause }) => this.unreadable(cause))
    })
  }

  private unreadable(cause: unknown): Failure {
    return new HttpClientError.HttpClientError({
      reason: new HttpClientError.DecodeError({ request: this.request, response: this, cause })
    })
  }
}
