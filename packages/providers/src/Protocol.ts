/**
 * How one vendor's API says what an LM is asked and answers: a protocol.
 *
 * Protocols are pure. They write a request as a body, read a body as a completion and a stream's events as
 * parts; `Endpoint` does the sending. What is particular about a model or a server is data
 * (`Capabilities`), so that a protocol never asks who is on the other side.
 */
import type { Adjustment, Completion } from "@effect-dspy/core/Completion"
import type { Mode, Request } from "@effect-dspy/core/LM/Request"
import type { Part } from "@effect-dspy/core/LM/Sink"
import type { Reason } from "@effect-dspy/core/LMErrorReason"
import type * as Result from "effect/Result"

/**
 * A request as it is sent.
 *
 * - `body`: JSON text; `headers`: those only this request needs, under all others
 * - `adjustments`: where it differs from what was asked for
 * - `mode`: how the model is held to a schema, absent for plain text
 * - `outputTool`: in mode `tool`, the name of the tool whose arguments are the answer
 * - `restore`: brings an answer in the shape the endpoint was given back to that of the signature's schema
 * - `touched`: the answer's properties that `restore` changes, each on its own; absent where it changes the whole
 * - `toolArguments`: the same for the arguments of calls, by the name of the tool; absent where none are changed
 *
 * @category models
 */
export interface Encoded {
  readonly body: string
  readonly headers?: Headers
  readonly adjustments: ReadonlyArray<Adjustment>
  readonly mode?: Mode
  readonly outputTool?: string
  readonly restore?: (json: unknown) => unknown
  readonly touched?: ReadonlySet<string>
  readonly toolArguments?: ReadonlyMap<string, Restoring>
}

/**
 * The way back to the shape of a schema: all of it, and which properties it changes.
 *
 * @category models
 */
export interface Restoring {
  readonly restore: (json: unknown) => unknown
  readonly touched: ReadonlySet<string> | undefined
}

/**
 * One event of a stream: a server-sent event, or a line of JSON (then without `name`).
 *
 * @category models
 */
export interface Event {
  readonly name: string | undefined
  readonly data: string
}

/**
 * Reads the events of one answer in their order.
 *
 * - `push`: the parts an event brings; fails when the event is an error
 * - `end`: the whole answer when the connection has ended; fails with `StreamCut` when it was not complete
 *
 * @category models
 */
export interface Reader {
  readonly push: (event: Event) => Result.Result<ReadonlyArray<Part>, Reason>
  readonly end: () => Result.Result<Completion, Reason>
}

/**
 * - `path`: under the base URL
 * - `authorize`: the headers that carry a key
 * - `headers`: those every request needs
 * - `framing`: how a stream's events are told apart: server-sent events, or a JSON value a line
 * - `encode`: fails, before anything is sent, with what cannot be said in this protocol
 *
 * @category models
 */
export interface Protocol {
  readonly path: (streaming: boolean) => string
  readonly authorize: (key: string) => Headers
  readonly headers: Headers
  readonly framing: "sse" | "lines"
  readonly encode: (request: Request, streaming: boolean) => Result.Result<Encoded, Reason>
  readonly decode: (body: string) => Result.Result<Completion, Reason>
  readonly reader: () => Reader
}

/** HTTP headers by name. */
export type Headers = { readonly [name: string]: string }
