/**
 * The events of one request: it leaves, its answer begins and grows, it is there or failed.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Completion } from "../Completion.ts"
import { Show } from "../Content.ts"
import type { LMError } from "../LMError.ts"
import * as Telling from "../Telling.ts"
import type { Request } from "./Request.ts"
import * as Sink from "./Sink.ts"

/** A reader sees ten changes a second as a flow; more would only cost. */
const writtenEveryMs = 100

/**
 * Sends a request and tells of it.
 *
 * @category combinators
 */
export const told = (
  to: Telling.Listener,
  fiber: Fiber.Fiber<unknown, unknown>,
  asked: { readonly provider: string; readonly model: string },
  request: Request,
  send: (request: Request) => Effect.Effect<Completion, LMError>
): Effect.Effect<Completion, LMError> => {
  const { model, provider } = asked
  const attempt = request.attempts?.used ?? 1
  const about = { attempt, provider, model }
  Telling.tell(to, fiber, { _tag: "AttemptStarted", ...about })
  const reading = request.sink === undefined ? undefined : new Reading(to, fiber, about)
  const sent = request.sink === undefined || reading === undefined
    ? request
    : { ...request, sink: Sink.mapEmit(request.sink, (emit) => reading.through(emit)) }
  return Telling.ending(fiber, send(sent), (ended, exit) => {
    reading?.flush()
    const completion = Exit.isSuccess(exit) ? exit.value : undefined
    const retryAfter = completion === undefined ? retryAfterOf(exit) : undefined
    Telling.tell(to, fiber, {
      _tag: "AttemptEnded",
      ...about,
      ...ended,
      usage: completion?.usage ?? { calls: 1 },
      ...(completion === undefined ? undefined : { model: completion.model, finishReason: completion.finishReason }),
      ...(reading?.firstMs === undefined ? undefined : { firstTokenMs: reading.firstMs }),
      ...(retryAfter === undefined ? undefined : { retryAfterMs: Duration.toMillis(retryAfter) })
    })
  })
}

const retryAfterOf = (exit: Exit.Exit<Completion, LMError>): Duration.Duration | undefined => {
  const failure = Exit.findErrorOption(exit)
  return failure._tag === "Some" ? failure.value.retryAfter : undefined
}

/** An answer that is written. */
class Reading {
  readonly to: Telling.Listener
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly about: { readonly attempt: number; readonly provider: string; readonly model: string }
  readonly startMs: number
  readonly show: ((text: string) => string) | undefined
  firstMs: number | undefined
  characters = 0
  told = 0
  toldMs = -Infinity
  pending = ""

  constructor(to: Telling.Listener, fiber: Fiber.Fiber<unknown, unknown>, about: Reading["about"]) {
    this.to = to
    this.fiber = fiber
    this.about = about
    this.startMs = this.now()
    this.show = fiber.getRef(Show)
  }

  through(emit: Sink.Emit): Sink.Emit {
    return (parts) => {
      for (const part of parts) {
        if (part.type === "text" || part.type === "reasoning" || part.type === "toolInput") this.take(part.text)
      }
      return emit(parts)
    }
  }

  take(text: string): void {
    const now = this.now()
    if (this.firstMs === undefined) {
      this.firstMs = now - this.startMs
      Telling.tell(this.to, this.fiber, { _tag: "FirstToken", ...this.about, ms: this.firstMs })
    }
    this.characters += text.length
    if (this.show !== undefined) this.pending += text
    if (now - this.toldMs >= writtenEveryMs) this.flush()
  }

  flush(): void {
    if (this.told === this.characters) return
    this.told = this.characters
    this.toldMs = this.now()
    Telling.tell(this.to, this.fiber, {
      _tag: "Written",
      attempt: this.about.attempt,
      characters: this.characters,
      ...(this.show === undefined ? undefined : { text: this.show(this.pending) })
    })
    this.pending = ""
  }

  now(): number {
    return this.fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
  }
}
