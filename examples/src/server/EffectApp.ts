/**
 * The story over an effect http app. A client that leaves ends the response, the response ends the stream, and the
 * stream closes the model's socket.
 */
import { EventStream, Predict } from "@effect-dspy/core"
import { Effect } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { aboutOf, tell } from "./Tell.ts"

/** The routes; they need an LM, which `HttpRouter.provideRequest` gives them. */
export const EffectApp = HttpRouter.add(
  "GET",
  "/tell",
  Effect.gen(function*() {
    const about = aboutOf((yield* HttpServerRequest.HttpServerRequest).url)
    if (about === undefined) return HttpServerResponse.text("Ask for /tell?about=something.\n", { status: 400 })
    return HttpServerResponse.fromWeb(yield* Predict.stream(tell, { about }).pipe(EventStream.response(tell)))
  })
)
