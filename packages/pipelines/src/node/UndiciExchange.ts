/**
 * One request and its answer, on undici's `dispatch`.
 *
 * undici's `request` puts a Node stream, a promise and an abort signal around this, and effect's client its own
 * bookkeeping around that: together as much processor time as the exchange itself (`npm run bench:transport`). A
 * model's answer is short and read at once, or read as it comes; neither needs them.
 *
 * The life of an exchange:
 * 1. It is dispatched. A caller that gives up before undici has a connection says so, and nothing is sent.
 * 2. The head of the answer comes, and the caller goes on with it. The bytes behind it are kept.
 * 3. While they are taken slowly or not at all, the socket pauses at `plenty` bytes.
 * 4. It ends or fails. What came before a failure can still be taken, and then the failure.
 *
 * Callers go on through a promise, so never inside undici's parser. effect lets them go on in the async context they
 * came from, not in the socket's.
 */
import type * as Undici from "@effect/platform-node/Undici"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"

type Controller = Undici.Dispatcher.DispatchController

/**
 * Names in lower case; a header that came several times is a list.
 *
 * @category models
 */
export type Headers = { readonly [name: string]: string | Array<string> | undefined }

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
    const exchange = new Exchange()
    exchange.whenNews(() =>
      resume(exchange.failure === undefined ? Effect.succeed(exchange) : Effect.fail(exchange.failure))
    )
    try {
      dispatcher.dispatch(request, exchange)
    } catch (cause) {
      exchange.onResponseError(undefined, cause instanceof Error ? cause : new Error("not dispatched", { cause }))
    }
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
  private waiting: Array<() => void> = []
  private controller: Controller | undefined
  private left: Error | undefined
  private reader: "whole" | "pieces" | undefined

  /** All of it, once it is complete. Interrupted, it closes the socket. */
  readonly bytes: Effect.Effect<Uint8Array, Error> = Effect.callback((resume) => {
    if (this.reader === "pieces") return resume(Effect.fail(new TypeError("the answer is read in pieces")))
    this.reader = "whole"
    this.controller?.resume()
    const look = (): void => {
      if (this.failure !== undefined) resume(Effect.fail(this.failure))
      else if (this.complete) resume(Effect.succeed(this.joined()))
      else this.whenNews(look)
    }
    look()
    return this.complete ? undefined : Effect.sync(() => this.leave())
  })

  /** What has come since the last time; waits until something has. */
  readonly take: Pull.Pull<NonEmptyReadonlyArray<Uint8Array>, Error> = Effect.callback((resume) => {
    if (this.reader === "whole") return resume(Effect.fail(new TypeError("the answer is read as a whole")))
    this.reader = "pieces"
    const look = (): void => {
      const [first, ...others] = this.chunks
      if (first !== undefined) {
        this.chunks = []
        this.size = 0
        this.controller?.resume()
        resume(Effect.succeed([first, ...others]))
      } else if (this.failure !== undefined) resume(Effect.fail(this.failure))
      else if (this.complete) resume(Cause.done())
      else this.whenNews(look)
    }
    look()
  })

  /** Ends it: the socket is closed unless all of it has come. */
  leave(): void {
    if (this.complete) return
    this.left ??= new Error("nobody waits for the answer any more")
    this.controller?.abort(this.left)
  }

  /** Calls back once, when something has come. */
  whenNews(look: () => void): void {
    void new Promise<void>((resolve) => this.waiting.push(resolve)).then(look)
  }

  onRequestStart(controller: Controller): void {
    this.controller = controller
    if (this.left !== undefined) controller.abort(this.left)
  }

  onResponseStart(_: Controller, status: number, headers: Headers): void {
    // A status below 200 is not the answer yet.
    if (status < 200) return
    this.status = status
    this.headers = headers
    this.wake()
  }

  onResponseData(controller: Controller, chunk: Uint8Array): void {
    this.chunks.push(chunk)
    this.size += chunk.byteLength
    if (this.reader === "whole") return
    if (this.size > plenty) controller.pause()
    this.wake()
  }

  onResponseEnd(): void {
    this.complete = true
    this.wake()
  }

  onResponseError(_: Controller | undefined, error: Error): void {
    this.failure = error
    this.wake()
  }

  private wake(): void {
    const { waiting } = this
    if (waiting.length === 0) return
    this.waiting = []
    for (const go of waiting) go()
  }

  private joined(): Uint8Array {
    const [first = new Uint8Array(), ...others] = this.chunks
    if (others.length === 0) return first
    const all = new Uint8Array(this.size)
    let at = 0
    for (const chunk of this.chunks) {
      all.set(chunk, at)
      at += chunk.byteLength
    }
    this.chunks = [all]
    return all
  }
}
