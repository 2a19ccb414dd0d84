/**
 * Where the parts of a streamed answer go.
 *
 * A streamed call is the same request with a sink in it, so every decorator, middleware and memo works for
 * streams without knowing of them: whoever answers in the end, the parts come in order and the finish comes once.
 *
 * The life of a sink:
 * 1. `LM.stream` makes one for a request, and the request carries it through middleware and decorators.
 * 2. `LM.make` opens an attempt for each request that is sent. The first to emit is the live one; what others
 *    say meanwhile (a hedge) stays in their completions.
 * 3. The live attempt fails or is interrupted: the next one to emit announces a `restart`, and what came before
 *    is void.
 * 4. The call is answered: parts of an answer that was not streamed (a cache hit, an endpoint that can't) are
 *    handed out whole, then `finish`.
 */
import * as Effect from "effect/Effect"
import type { Completion, Content, ToolCall } from "../Completion.ts"

/**
 * - `text`, `reasoning`: pieces in the order they are written
 * - `toolInput`: a piece of the arguments of a tool call, as JSON text
 * - `toolCall`: one call, complete
 * - `restart`: another attempt begins; the parts before it are void
 * - `finish`: the whole answer, once, at the end
 *
 * @category models
 */
export type Part =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  | { readonly type: "toolInput"; readonly id: string; readonly name: string; readonly text: string }
  | { readonly type: "toolCall"; readonly call: ToolCall }
  | { readonly type: "restart" }
  | { readonly type: "finish"; readonly completion: Completion }

/**
 * Takes parts; suspends while the reader is behind.
 *
 * @category models
 */
export interface Emit {
  (parts: ReadonlyArray<Part>): Effect.Effect<void>
}

/**
 * One request sent: `emit` takes its parts, `end` says how it ended (`undefined`: it failed).
 *
 * @category models
 */
export interface Attempt {
  readonly emit: Emit
  readonly end: (completion: Completion | undefined) => void
}

/**
 * - `attempt`: opens an attempt, called once for each request sent
 * - `finish`: ends the stream with the answer of the call
 *
 * @category models
 */
export interface Sink {
  readonly attempt: () => Attempt
  readonly finish: (completion: Completion) => Effect.Effect<void>
}

/**
 * A sink that writes to one reader.
 *
 * @category constructors
 */
export const make = (write: Emit): Sink => {
  let live: Attempt | undefined
  // Whether the reader holds parts, and the content of the answer they make up once it is complete.
  let written = false
  let streamed: ReadonlyArray<Content> | undefined
  const discard = (): boolean => {
    const before = written
    written = false
    return before
  }
  return {
    attempt: () => {
      const attempt: Attempt = {
        emit: (parts) => {
          if (live !== attempt) {
            if (live !== undefined || streamed !== undefined) return Effect.void
            live = attempt
            if (discard()) {
              written = true
              return write([{ type: "restart" }, ...parts])
            }
          }
          written = true
          return write(parts)
        },
        end: (completion) => {
          if (live !== attempt) return
          live = undefined
          streamed = completion?.content
        }
      }
      return attempt
    },
    finish: (completion) => {
      const finish: Part = { type: "finish", completion }
      // Decorators may give the answer another usage; its content is handed on as it is.
      if (completion.content === streamed) return write([finish])
      const parts = [...completion.content.map(whole), finish]
      return write(discard() ? [{ type: "restart" }, ...parts] : parts)
    }
  }
}

/**
 * The same sink, with another `emit` for each attempt: to see parts as they come and when the reader has taken them.
 *
 * @category combinators
 */
export const mapEmit = (self: Sink, through: (emit: Emit) => Emit): Sink => ({
  ...self,
  attempt: () => {
    const attempt = self.attempt()
    return { ...attempt, emit: through(attempt.emit) }
  }
})

// An answer that was not streamed is handed out part by part, each in one piece.
const whole = (part: Content): Part =>
  part.type === "toolCall" ? { type: "toolCall", call: part } : { type: part.type, text: part.text }
