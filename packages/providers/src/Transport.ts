/**
 * One JSON POST to an endpoint, and its answer as text.
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
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Stream from "effect/Stream"
import * as HttpFailure from "./HttpFailure.ts"

/** An answer of more than 32 MB is no answer: no model writes that much, a broken proxy may. */
const maxBytes = 32 * 1024 * 1024

/**
 * Posts to one endpoint on behalf of one model.
 *
 * @category models
 */
export interface Transport {
  (
    url: string,
    headers: { readonly [name: string]: string },
    body: string
  ): Effect.Effect<string, LMError.LMError>
}

/**
 * A transport over an HTTP client; `provider` and `model` are named in its errors.
 *
 * @category constructors
 */
export const make = (client: HttpClient.HttpClient, provider: string, model: string): Transport => {
  const fail = (reason: Reason.Reason) => LMError.make(provider, model, reason)
  return (url, headers, body) => {
    const request = HttpClientRequest.post(url, { headers, body: HttpBody.text(body, "application/json") })
    const answer = Effect.mapError(client.execute(request), (error) => fail(connection(error)))
    return Effect.flatMap(answer, (response) => {
      const text = Effect.mapError(read(response), (problem) =>
        fail(
          problem === "tooLarge"
            ? new Reason.InvalidResponse({ status: response.status })
            : new Reason.StreamCut()
        ))
      return response.status === 200
        ? text
        // The words of a failed answer help, but a body that breaks off must not hide its status.
        : Effect.flatMap(
          Effect.orElseSucceed(text, () => ""),
          (words) =>
            Effect.flatMap(Clock.currentTimeMillis, (now) =>
              Effect.fail(HttpFailure.toError(
                provider,
                model,
                { status: response.status, headers: response.headers, body: words },
                now
              )))
        )
    }).pipe(Effect.provideContext(discreet))
  }
}

// HTTP spans would carry URLs and headers, trace headers would go to third parties, and a redirect would take
// the prompt and the key to a host nobody named.
const discreet = Context.make(HttpClient.TracerDisabledWhen, () => true).pipe(
  Context.add(HttpClient.TracerPropagationEnabled, false),
  Context.add(FetchHttpClient.RequestInit, { redirect: "manual" })
)

const read = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<string, "tooLarge" | "cut"> => {
  const { "content-encoding": encoding, "content-length": length } = response.headers
  // A plain body says how long it is and is read at once; others are counted on the way.
  const declared = length === undefined || encoding !== undefined ? undefined : Number(length)
  if (declared !== undefined && declared <= maxBytes) return Effect.mapError(response.text, () => "cut")
  return Effect.suspend(() => {
    // One that says it is too long is opened all the same: only a stream that ends closes its connection.
    let bytes = declared ?? 0
    let text = ""
    return response.stream.pipe(
      Stream.mapError(() => "cut" as const),
      Stream.tap((chunk) => {
        bytes += chunk.byteLength
        return bytes > maxBytes ? Effect.fail("tooLarge" as const) : Effect.void
      }),
      Stream.decodeText(),
      Stream.runForEach((chunk) =>
        Effect.sync(() => {
          text += chunk
        })
      ),
      Effect.map(() => text)
    )
  })
}

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
