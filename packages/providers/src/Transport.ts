/**
 * One JSON POST to an endpoint, and its answer as text: whole, or as it comes.
 *
 * What an LM call needs of HTTP and no more: the answer is bounded, failures are `LMErrorReason`s, trace
 * headers do not go to third parties, and interruption closes the socket.
 */
import * as LMError from "@effect-dspy/core/LMError"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Stream from "effect/Stream"
import * as HttpFailure from "./HttpFailure.ts"
import * as HttpSpan from "./HttpSpan.ts"
import type { Headers } from "./Protocol.ts"

/** An answer of more than 32 MB is an error: no model writes that much, but a broken proxy may. */
const maxBytes = 32 * 1024 * 1024

/**
 * An answer: its headers, with names in lower case, and its text.
 *
 * @category models
 */
export interface Received {
  readonly headers: { readonly [name: string]: string | undefined }
  readonly text: string
}

/**
 * Posts to one endpoint on behalf of one model.
 *
 * - `post`: gives the answer when it is complete
 * - `stream`: hands the answer's text on as it comes, and gives the headers at its end
 *
 * @category models
 */
export interface Transport {
  readonly post: (url: string, headers: Headers, body: string) => Effect.Effect<Received, LMError.LMError>
  readonly stream: (
    url: string,
    headers: Headers,
    body: string,
    onText: (text: string) => Effect.Effect<void, LMError.LMError>
  ) => Effect.Effect<Received["headers"], LMError.LMError>
}

/**
 * A transport over an HTTP client; `provider` and `model` are named in its errors.
 *
 * @category constructors
 */
export const make = (client: HttpClient.HttpClient, provider: string, model: string): Transport => {
  const fail = (reason: Reason.Reason) => LMError.make(provider, model, reason)
  const problem = (status: number) => (kind: "tooLarge" | "cut") =>
    fail(kind === "tooLarge" ? new Reason.InvalidResponse({ status }) : new Reason.StreamCut())
  const execute = <A>(
    url: string,
    headers: Headers,
    body: string,
    answered: (response: HttpClientResponse.HttpClientResponse) => Effect.Effect<A, LMError.LMError>
  ): Effect.Effect<A, LMError.LMError> =>
    HttpSpan.spanned(url, headers, (headers, seen) => {
      const request = HttpClientRequest.post(url, { headers, body: HttpBody.text(body, "application/json") })
      const answer = Effect.mapError(client.execute(request), (error) => fail(connection(error)))
      return Effect.updateContext(
        Effect.flatMap(answer, (response) => {
          seen(response.status)
          return response.status === 200 ? answered(response) : failed(response)
        }),
        discreet
      )
    })
  // The words of a failed answer help, but a body that breaks off must not hide its status.
  const failed = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<never, LMError.LMError> =>
    Effect.flatMap(
      Effect.orElseSucceed(read(response, response.headers), () => ""),
      (words) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          Effect.fail(HttpFailure.toError(
            provider,
            model,
            { status: response.status, headers: response.headers, body: words },
            now
          )))
    )
  return {
    post: (url, headers, body) =>
      execute(url, headers, body, (response) => {
        // Read once: a response makes its headers anew each time it is asked.
        const { headers, status } = response
        return Effect.mapBoth(read(response, headers), {
          onFailure: problem(status),
          onSuccess: (text) => ({ headers, text })
        })
      }),
    stream: (url, headers, body, onText) =>
      execute(
        url,
        headers,
        body,
        (response) => Effect.as(pieces(response, problem(response.status), onText), response.headers)
      )
  }
}

// HTTP spans would carry URLs and headers, trace headers would go to third parties, and a redirect would take
// the prompt and the key to a host nobody named.
// Added one by one: a merge would copy the whole context for each call.
const discreet = <R>(context: Context.Context<R>): Context.Context<R> =>
  context.pipe(
    Context.add(HttpClient.TracerDisabledWhen, () => true),
    Context.add(HttpClient.TracerPropagationEnabled, false),
    Context.add(FetchHttpClient.RequestInit, { redirect: "manual" })
  )

const read = (
  response: HttpClientResponse.HttpClientResponse,
  { "content-encoding": encoding, "content-length": length }: Received["headers"]
): Effect.Effect<string, "tooLarge" | "cut"> => {
  // A plain body says how long it is and is read at once; others are counted on the way.
  const declared = length === undefined || encoding !== undefined ? undefined : Number(length)
  if (declared !== undefined && declared <= maxBytes) return Effect.mapError(response.text, () => "cut")
  let text = ""
  const whole = pieces(response, (kind) => kind, (piece) =>
    Effect.sync(() => {
      text += piece
    }), declared)
  return Effect.map(whole, () => text)
}

// One that says it is too long is opened all the same: only a stream that ends closes its connection.
const pieces = <E, E2>(
  response: HttpClientResponse.HttpClientResponse,
  problem: (kind: "tooLarge" | "cut") => E,
  onText: (piece: string) => Effect.Effect<void, E2>,
  declared = 0
): Effect.Effect<void, E | E2> =>
  Effect.suspend(() => {
    let bytes = declared
    const decoder = new TextDecoder()
    // One step for what came in one piece: its bytes are counted, decoded and handed on together.
    const read = Stream.runForEachArray(response.stream, (chunks): Effect.Effect<void, E | E2> => {
      let text = ""
      for (const chunk of chunks) {
        bytes += chunk.byteLength
        text += decoder.decode(chunk, { stream: true })
      }
      return bytes > maxBytes ? Effect.fail(problem("tooLarge")) : onText(text)
    })
    return read.pipe(
      Effect.mapError((error) => HttpClientError.isHttpClientError(error) ? problem("cut") : error),
      Effect.flatMap(() => {
        const rest = decoder.decode()
        return rest === "" ? Effect.void : onText(rest)
      })
    )
  })

const connection = (error: HttpClientError.HttpClientError): Reason.Reason => {
  const code = codeOf(error.reason)
  return new Reason.Network(code === undefined ? {} : { code })
}

// The system's word (ECONNREFUSED, ENOTFOUND, ...) lies somewhere down the chain of causes.
const codeOf = (error: unknown, depth = 0): string | undefined => {
  if (typeof error !== "object" || error === null || depth > 5) return undefined
  if ("code" in error && typeof error.code === "string") return error.code
  return "cause" in error ? codeOf(error.cause, depth + 1) : undefined
}
