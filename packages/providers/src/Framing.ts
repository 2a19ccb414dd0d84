/**
 * The events of a streamed answer, from text that comes in pieces of any size.
 *
 * Server-sent events are read by Effect's parser; a line of JSON is an event without a name. An endpoint that
 * was asked to stream and answers in one piece all the same (one JSON document, or a list of them) is read too.
 */
import type { Completion } from "@effect-dspy/core/Completion"
import type { Emit, Part } from "@effect-dspy/core/LM/Sink"
import type { LMError } from "@effect-dspy/core/LMError"
import * as Reason from "@effect-dspy/core/LMErrorReason"
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import * as Result from "effect/Result"
import * as Lenient from "./Lenient.ts"
import type { Event, Protocol, Reader } from "./Protocol.ts"

/** Takes a piece of the answer's text. */
export interface OnText {
  (text: string): Effect.Effect<void, LMError>
}

/**
 * Reads an answer as it comes. `run` feeds its text; the parts of all events in one piece are emitted together.
 *
 * @category decoding
 */
export const read = (
  protocol: Protocol,
  emit: Emit,
  run: (onText: OnText) => Effect.Effect<unknown, LMError>,
  fail: (reason: Reason.Reason) => Effect.Effect<never, LMError>
): Effect.Effect<Completion, LMError> =>
  Effect.suspend(() => {
    const reader = protocol.reader()
    let framer: Framer | undefined
    const onText: OnText = (text) => {
      if (text === "") return Effect.void
      framer ??= begin(protocol, reader, text)
      const parts = framer.feed(text)
      if (Result.isFailure(parts)) return fail(parts.failure)
      return parts.success.length === 0 ? Effect.void : emit(parts.success)
    }
    return Effect.flatMap(run(onText), () => {
      const last = framer?.end() ?? Result.fail(new Reason.StreamCut())
      if (Result.isFailure(last)) return fail(last.failure)
      const { completion, parts } = last.success
      return parts.length === 0 ? Effect.succeed(completion) : Effect.as(emit(parts), completion)
    })
  })

interface Framer {
  readonly feed: (text: string) => Result.Result<ReadonlyArray<Part>, Reason.Reason>
  readonly end: () => Result.Result<
    { readonly parts: ReadonlyArray<Part>; readonly completion: Completion },
    Reason.Reason
  >
}

const none: Result.Result<ReadonlyArray<Part>, never> = Result.succeed([])

// The first characters tell a stream from a document: no event begins with a brace or a bracket, a line does.
const begin = (protocol: Protocol, reader: Reader, text: string): Framer => {
  const first = text.trimStart().charAt(0)
  if (first === "[" || (first === "{" && protocol.framing === "sse")) return document(protocol, reader)
  return protocol.framing === "sse" ? events(reader) : lines(reader)
}

// A last piece that can't be read was cut off; whether the answer was complete before it, the reader knows.
const finished = (reader: Reader, last: Result.Result<ReadonlyArray<Part>, Reason.Reason>) => {
  const readable = Result.isFailure(last) && last.failure._tag === "InvalidResponse" ? none : last
  return Result.flatMap(readable, (parts) => Result.map(reader.end(), (completion) => ({ parts, completion })))
}

const events = (reader: Reader): Framer => {
  let found: Array<Event> = []
  const parser = Sse.makeParser((event) => {
    if (event._tag === "Event") found.push({ name: event.event, data: event.data })
  })
  const take = (): Result.Result<ReadonlyArray<Part>, Reason.Reason> => {
    if (found.length === 0) return none
    const taken = found
    found = []
    return pushAll(reader, taken)
  }
  return {
    feed: (text) => parser.feed(text) === undefined ? take() : Result.fail(new Reason.InvalidResponse({ status: 200 })),
    // Some servers end without the blank line that ends the last event.
    end: () => {
      parser.feed("\n\n")
      return finished(reader, take())
    }
  }
}

const lines = (reader: Reader): Framer => {
  let rest = ""
  const push = (text: string) =>
    pushAll(reader, text.split("\n").filter((line) => line.trim() !== "").map((data) => ({ name: undefined, data })))
  return {
    feed: (text) => {
      const end = text.lastIndexOf("\n")
      if (end < 0) {
        rest += text
        return none
      }
      const complete = rest + text.slice(0, end)
      rest = text.slice(end + 1)
      return push(complete)
    },
    end: () => finished(reader, push(rest))
  }
}

const document = (protocol: Protocol, reader: Reader): Framer => {
  let text = ""
  return {
    feed: (piece) => {
      text += piece
      return none
    },
    end: () => {
      const json = Lenient.parse(text)
      if (json === undefined) return Result.fail(new Reason.StreamCut())
      if (!Array.isArray(json)) {
        return Result.map(protocol.decode(text), (completion) => ({ parts: [], completion }))
      }
      const found = pushAll(reader, json.map((item) => ({ name: undefined, data: JSON.stringify(item) })))
      return Result.flatMap(found, (parts) => finished(reader, Result.succeed(parts)))
    }
  }
}

const pushAll = (
  reader: Reader,
  found: ReadonlyArray<Event>
): Result.Result<ReadonlyArray<Part>, Reason.Reason> => {
  const [only] = found
  if (found.length === 1 && only !== undefined) return reader.push(only)
  const parts: Array<Part> = []
  for (const event of found) {
    const result = reader.push(event)
    if (Result.isFailure(result)) return result
    parts.push(...result.success)
  }
  return Result.succeed(parts)
}
