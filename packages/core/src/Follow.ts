/**
 * Follows one predictor call while its replies are written, and tells of its fields.
 *
 * The life of a call that is followed:
 * 1. Each request gets a sink; the text that comes goes through the format's `FieldReader`.
 * 2. What is written of a text field is told as it comes. A complete field is decoded by its own decoder; when
 *    that succeeds it is told and pinned, and no later reply changes it.
 * 3. A reply breaks off, or can't be used: a restart is told, and the next reply is read anew.
 * 4. An assertion on a text field fails: the request is interrupted, its socket closed, and what was wrong goes back
 *    to the model like any other finding.
 * 5. The last reply is read as a whole. Its fields fill up what was not pinned, and the output is checked again.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Format } from "./Adapter.ts"
import type { Completion } from "./Completion.ts"
import * as Echo from "./Echo.ts"
import type { FieldEvent } from "./FieldEvent.ts"
import type { FieldReader } from "./FieldReader.ts"
import { type Request, text as Text } from "./LM/Request.ts"
import * as Sink from "./LM/Sink.ts"
import type { Service } from "./LM/Tag.ts"
import type { LMError } from "./LMError.ts"
import { Invalid, type OutputReason } from "./PredictError.ts"
import type { Any as Signature } from "./Signature.ts"

/** One event of any fields. */
type Event = FieldEvent<{ readonly [field: string]: unknown }>

/**
 * Takes events in their order, several at once where they came together; the model's socket is not read meanwhile.
 *
 * @category models
 */
export interface Listener {
  (events: ReadonlyArray<Event>): Effect.Effect<void>
}

/**
 * A listener of single events. When it finishes one at once, the next follows without a step of the fiber, which would
 * cost more than a token of a fast model.
 *
 * @category constructors
 */
export const one = (listener: (event: Event) => Effect.Effect<void>): Listener => {
  const from = (events: ReadonlyArray<Event>, start: number): Effect.Effect<void> => {
    for (let at = start; at < events.length; at++) {
      const event = events[at]
      const told = event === undefined ? Effect.void : listener(event)
      if (told !== Effect.void) {
        return at + 1 === events.length
          ? told
          : Effect.flatMap(told, () => from(events, at + 1))
      }
    }
    return Effect.void
  }
  return (events) => from(events, 0)
}

/**
 * By text field: looks at what is written so far, and gives what is wrong with it, for the model to read.
 *
 * @category models
 */
export type Assertions = { readonly [field: string]: ((partial: string) => string | undefined) | undefined }

/** An answer, and why it was cut where an assertion did so. */
interface Answered {
  readonly completion: Completion
  readonly cut: OutputReason | undefined
}

/**
 * - `ask`: sends one request of the call
 * - `restart`: another reply follows
 * - `settle`: the output of the call, from that of the last reply
 *
 * @category models
 */
export interface Follow {
  readonly ask: (lm: Service, request: Request) => Effect.Effect<Answered, LMError>
  readonly restart: (reason: string) => Effect.Effect<void>
  readonly settle: (output: unknown) => Effect.Effect<Result.Result<unknown, OutputReason>>
}

type Values = { readonly [field: string]: unknown }

/**
 * Follows one call.
 *
 * @category constructors
 */
export const make = (
  signature: Signature,
  format: Format,
  listener: Listener,
  assertions: Assertions = {}
): Follow => {
  const { outputs } = signature.derived
  const fields = new Map(outputs.map((field) => [field.name, field]))
  const asserted = Object.keys(assertions).length > 0
  const pinned = new Map<string, unknown>()
  // Whether a reply came after fields were pinned: only then can the output mix two of them.
  let mixed = false
  let attempt = 1
  let reader: FieldReader | undefined
  let texts = new Map<string, string>()
  let raw = ""
  let request: Request = { messages: [], output: Text, settings: {} }

  const restarted = (reason: string): Event => {
    attempt++
    mixed = pinned.size > 0
    begin()
    return { _tag: "Restart", attempt, reason }
  }

  const restart = (reason: string) => Effect.suspend(() => listener([restarted(reason)]))

  const begin = () => {
    reader = format.reader?.()
    texts = new Map()
    raw = ""
  }

  const complete = (field: string, json: unknown): Event | undefined => {
    // A reply that repeats its prompt is read once it is complete, with the prompt taken out.
    if (reader === undefined || Echo.remove(raw, request) !== raw) {
      reader = undefined
      return undefined
    }
    const decoded = fields.get(field)?.decode(json)
    if (decoded === undefined || Result.isFailure(decoded)) return undefined
    pinned.set(field, decoded.success)
    return { _tag: "Field", field, value: decoded.success }
  }

  /** Reads on; gives why the reply is cut, where an assertion says so. */
  const read = (text: string, events: Array<Event>): OutputReason | undefined => {
    raw += text
    for (const piece of reader?.push(text) ?? []) {
      const { field } = piece
      if (pinned.has(field)) continue
      if (piece._tag === "Complete") {
        const event = complete(field, piece.json)
        if (event !== undefined) events.push(event)
      } else if (piece._tag === "Element") {
        events.push({ _tag: "Element", field, index: piece.index, value: piece.json })
      } else {
        const written = (texts.get(field) ?? "") + piece.text
        texts.set(field, written)
        const wrong = asserted ? assertions[field]?.(written) : undefined
        if (wrong !== undefined) return new Invalid({ issues: [{ path: [field], expected: wrong }] })
        events.push({ _tag: "Delta", field, text: piece.text })
      }
    }
    return undefined
  }

  const take = (
    parts: ReadonlyArray<Sink.Part>,
    cut: (reason: OutputReason) => Effect.Effect<void>
  ): Effect.Effect<void> => {
    const events: Array<Event> = []
    for (const part of parts) {
      if (part.type === "restart") events.push(restarted("the reply broke off"))
      if (part.type !== "text") continue
      const reason = read(part.text, events)
      if (reason !== undefined) return Effect.andThen(listener(events), cut(reason))
    }
    return events.length === 0 ? Effect.void : listener(events)
  }

  return {
    restart,
    ask: (lm, asked) =>
      Effect.suspend(() => {
        request = asked
        begin()
        const cut = Deferred.makeUnsafe<OutputReason>()
        // Nothing more is read of a reply that is cut: the race interrupts whoever waits here.
        const cutAt = (reason: OutputReason) => Effect.andThen(Deferred.succeed(cut, reason), Effect.never)
        const sink = Sink.make((parts) => Effect.suspend(() => take(parts, cutAt)))
        const answer = Effect.map(
          Effect.tap(lm.generate({ ...request, sink }), sink.finish),
          (completion): Answered => ({ completion, cut: undefined })
        )
        if (!asserted) return answer
        const ended = Effect.map(Deferred.await(cut), (reason): Answered => ({
          completion: {
            content: [{ type: "text", text: raw }],
            finishReason: "other",
            usage: { calls: 1 },
            provider: lm.provider,
            model: lm.model
          },
          cut: reason
        }))
        return Effect.raceFirst(answer, ended)
      }),
    settle: (output) =>
      Effect.suspend((): Effect.Effect<Result.Result<unknown, OutputReason>> => {
        const values = output as Values
        const whole: Values = { ...values, ...Object.fromEntries(pinned) }
        if (mixed) {
          const checked = signature.derived.encodeOutput(whole)
          if (Result.isFailure(checked)) return Effect.succeed(Result.fail(new Invalid({ issues: checked.failure })))
        }
        const rest = outputs.filter(({ name }) => !pinned.has(name) && Object.hasOwn(whole, name))
        // A field may read differently in the whole reply; what was told of it is then void.
        const misread = rest.some(({ name }) => {
          const text = texts.get(name)
          const value = whole[name]
          return text !== undefined && (typeof value !== "string" || !value.startsWith(text))
        })
        const events: Array<Event> = misread ? [restarted("the whole reply reads otherwise")] : []
        for (const { name } of rest) events.push({ _tag: "Field", field: name, value: whole[name] })
        return Effect.as(listener(events), Result.succeed(whole))
      })
  }
}
