/**
 * The story over Node's own server, with nothing of effect but a runtime that holds the model. `pipeline` ties the two
 * ends together: a client that leaves closes the response, which cancels the body, which closes the model's socket.
 */
import { EventStream, type LM, Predict } from "@effect-dspy/core"
import type { ManagedRuntime } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { aboutOf, tell } from "./Tell.ts"

export const nodeHandler = (runtime: ManagedRuntime.ManagedRuntime<LM, never>) => {
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const about = aboutOf(request.url)
    if (about === undefined) {
      response.writeHead(400).end("Ask for /tell?about=something.\n")
      return
    }
    const { body } = await runtime.runPromise(Predict.stream(tell, { about }).pipe(EventStream.response(tell)))
    response.writeHead(200, EventStream.headers)
    if (body !== null) await pipeline(Readable.fromWeb(body), response)
  }
  return (request: IncomingMessage, response: ServerResponse): void => {
    // What fails here is the connection: of the call itself the stream tells.
    serve(request, response).catch(() => response.destroy())
  }
}
