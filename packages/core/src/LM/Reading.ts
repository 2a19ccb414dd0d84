/**
 * A streamed answer seen while it is written: when it began, how long it is.
 */
import * as Clock from "effect/Clock"
import type * as Fiber from "effect/Fiber"
import { Show } from "../Content.ts"
import * as Telling from "../Telling.ts"
import type * as Sink from "./Sink.ts"

/** A reader sees ten changes a second as a flow; more would only cost. */
const writtenEveryMs = 100

/**
 * One answer, watched; it tells of it where somebody listens. `firstMs` is the time from the request to its first
 * piece.
 *
 * @category models
 */
export class Reading {
  readonly to: Telling.Listener | undefined
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly about: { readonly attempt: number; readonly provider: string; readonly model: string }
  readonly startMs: number
  readonly show: ((text: string) => string) | undefined
  firstMs: number | undefined
  characters = 0
  told = 0
  toldMs = -Infinity
  pending = ""

  constructor(to: Reading["to"], fiber: Reading["fiber"], about: Reading["about"]) {
    this.to = to
    this.fiber = fiber
    this.about = about
    this.startMs = this.now()
    const show = to === undefined ? undefined : fiber.getRef(Show)
    this.show = show?.pieces === true ? show : undefined
  }

  /** `emit`, with a look at every part on its way. */
  through(emit: Sink.Emit): Sink.Emit {
    return (parts) => {
      for (const part of parts) {
        if (part.type === "text" || part.type === "reasoning" || part.type === "toolInput") this.take(part.text)
      }
      return emit(parts)
    }
  }

  /** Tells what has not been told yet. */
  flush(): void {
    if (this.to === undefined || this.told === this.characters) return
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

  private take(text: string): void {
    if (this.firstMs !== undefined && this.to === undefined) return
    const now = this.now()
    if (this.firstMs === undefined) {
      this.firstMs = now - this.startMs
      if (this.to !== undefined) {
        Telling.tell(this.to, this.fiber, { _tag: "FirstToken", ...this.about, ms: this.firstMs })
      }
    }
    this.characters += text.length
    if (this.show !== undefined) this.pending += text
    if (now - this.toldMs >= writtenEveryMs) this.flush()
  }

  private now(): number {
    return this.fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
  }
}
