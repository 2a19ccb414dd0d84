/**
 * The span of one HTTP exchange with a model's host, and the trace's id in its headers: both only where
 * `Spans.Settings` asks for them.
 *
 * effect's own HTTP spans carry whole URLs and headers; this one has method, host, path and status.
 */
import * as Spans from "@effect-dspy/core/Spans"
import * as Effect from "effect/Effect"

/** Headers by name, and what a header may be. */
type Headers = { readonly [name: string]: string }

/**
 * Sends a request with the headers it is to have; `send` says when it has learnt the answer's status.
 *
 * @category combinators
 */
export const spanned = <H extends Headers, A, E, R>(
  url: string,
  headers: H,
  send: (headers: H, answered: (status: number) => void) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const { http = false, propagate = false } = fiber.getRef(Spans.Settings)
    if ((!http && !propagate) || !Spans.traced(fiber)) return send(headers, ignored)
    const sent = Effect.withFiber<A, E, R>((inside) => {
      const span = Spans.current(inside)
      const outgoing = propagate && span !== undefined
        ? { ...headers, traceparent: Spans.toTraceparent(span) }
        : headers
      return send(outgoing, (status) => http && span?.attribute("http.response.status_code", status))
    })
    if (!http) return sent
    const { hostname, origin, pathname, port, protocol } = new URL(url)
    return Spans.within("POST", () => ({
      kind: "client",
      attributes: {
        "http.request.method": "POST",
        "url.full": `${origin}${pathname}`,
        "server.address": hostname,
        "server.port": Number(port) || (protocol === "https:" ? 443 : 80)
      }
    }), sent)
  })

const ignored = () => {}
