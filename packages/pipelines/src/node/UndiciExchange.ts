/**
 * One request and its answer, on undici's `dispatch`.
 *
 * undici's `request` puts a Node stream, a promise and an abort signal around this, and effect's client its own
 * bookkeeping around that: together as much processor time as the exchange itself (`npm run bench:transport`). A
 * model's answer is short and read at once, or read as it comes; neither needs them.
 *
 * The life of an exchange:
 * 1. It is dispatched. A caller that gives up before undici has a connection says so: nothing is sent, and the
 *    connection is closed as soon as it is there.
 * 2. The head of the answer comes, and the caller goes on with it. The bytes behind it are kept.
 * 3. While they are taken slowly or not at all, the socket pauses at `plenty` bytes.
 * 4. It ends or fails. What came before a failure can still be taken, and then the failure.
 *
 * Callers go on in a microtask, so never inside undici's parser. effect lets them go on in the async context they came
 * from, not in the socket's.
 */
import type * as Undici from "@effect/platform-node/Undici"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Pull from "effect/Pull"
import { Buffer } from "node:buffer"

type Controller = Undici.Dispatcher.DispatchController

/**
 * Names in lower case; a header that came several times is a list.
 *
 * @category models
 */
export type Headers = { readonly [name: string]: string | Array<string> | undefined }

/**
 * An answer that is read in one way can't be read in the other as well.
 *
 * @category errors
 */
export class AlreadyRead extends Data.TaggedError("AlreadyRead")<{ readonly as: "pieces" | "a whole" }> {
  override readonly message = `this answer is read as ${this.as}`
}

/** As much as undici's own streams keep. */
const plenty = 64 * 1024

/**
 * Sends a request and waits for the head of its answer. Interrupted, it closes the socket.
 *
 * @category constructors
 */
export const send = (
  dispatcher: Undici.Dispatcher,
  request: Undici.Dispatcher.DispatchOptions
): Effect.Effect<Exchange, Error> =>
  Effect.callback((resume) => {
    const exchange = new Exchange(() =>
      resume(exchange.failure === undefined ? Effect.succeed(exchange) : Effect.fail(exchange.failure))
    )
    dispatcher.dispatch(request, exchange)
    return Effect.sync(() => exchange.leave())
  })

/**
 * An answer on its way. It is read as a whole by `bytes`, as often as one likes, or once in pieces by `take`.
 *
 * @category models
 */
export class Exchange implements Undici.Dispatcher.DispatchHandler {
  status = 0
  headers: Headers = {}
  failure: Error | undefined
  /** Whether all of it has come. */
  complete = false
  private chunks: Array<Uint8Array> = []
  private size = 0
  private controller: Controller | undefined
  private reader: "whole" | "pieces" | undefined
  /** Goes on with the head, or with a failure instead; does nothing when called again. */
  private readonly answered: () => void
  /** Closed while somebody waits for more. */
  private readonly news = Latch.makeUnsafe(true)

  constructor(answered: () => void) {
    this.answered = answered
  }

  /** All of it, once it is complete. Interrupted, it closes the socket. */
  readonly bytes: Effect.Effect<Uint8Array, Error> = Effect.suspend(() => {
    if (this.reader === "pieces") return Effect.fail(new AlreadyRead({ as: "pieces" }))
    this.reader = "whole"
    this.controller?.resume()
    return this.complete
      ? Effect.succeed(this.joined())
      : Effect.onInterrupt(this.later(this.bytes), () => Effect.sync(() => this.leave()))
  })

  /** What has come since the last time; waits until something has. */
  readonly take: Pull.Pull<NonEmptyReadonlyArray<Uint8Array>, Error> = Effect.suspend(() => {
    if (this.reader === "whole") return Effect.fail(new AlreadyRead({ as: "a whole" }))
    this.reader = "pieces"
    const [first, ...others] = this.chunks
    if (first === undefined) return this.complete ? Cause.done() : this.later(this.take)
    this.chunks = []
    this.size = 0
    this.controller?.resume()
    return Effect.succeed([first, ...others])
  })

  /** Ends it: the socket is closed unless all of it has come. */
  leave(): void {
    if (this.complete) return
    this.failure ??= new Error("nobody waits for the answer any more")
    this.controller?.abort(this.failure)
  }

  onRequestStart(controller: Controller): void {
    this.controller = controller
    if (this.failure !== undefined) controller.abort(this.failure)
  }

  onResponseStart(_: Controller, status: number, headers: Headers): void {
    // A status below 200 is not the answer yet.
    if (status < 200) return
    this.status = status
    this.headers = headers
    queueMicrotask(this.answered)
  }

  onResponseData(controller: Controller, chunk: Uint8Array): void {
    this.chunks.push(chunk)
    this.size += chunk.byteLength
    if (this.reader === "whole") return
    if (this.size > plenty) controller.pause()
    this.tell()
  }

  onResponseEnd(): void {
    this.complete = true
    this.tell()
  }

  onResponseError(_: Controller | undefined, error: Error): void {
    this.failure ??= error
    queueMicrotask(this.answered)
    this.tell()
  }

  /** Goes on when something has come, and fails when nothing will. */
  private later<A, E>(next: Effect.Effect<A, E>): Effect.Effect<A, E | Error> {
    if (this.failure !== undefined) return Effect.fail(this.failure)
    this.news.closeUnsafe()
    return Effect.andThen(this.news.await, next)
  }

  private tell(): void {
    if (!this.news.isOpen()) queueMicrotask(() => this.news.openUnsafe())
  }

  private joined(): Uint8Array {
    const [first, ...others] = this.chunks
    if (first !== undefined && others.length === 0) return first
    const all = Buffer.concat(this.chunks)
    this.chunks = [all]
    return all
  }
}
