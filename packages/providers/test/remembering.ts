/**
 * A protocol that remembers one stream: what its readers were told before is not read again.
 *
 * A stream that is cut at each of its bytes is read as often as it has bytes, and each time it tells nearly the same
 * events. What knows of bytes does all its work anew. A protocol's reader knows of nothing but events, and it is what
 * takes the time, so:
 *
 * 1. The protocol's own reader reads the whole stream once, and what it makes of each event is written down.
 * 2. A remembering reader that is told the same event at the same place says what was written down.
 * 3. At the end, or at an event that is another (one that was torn apart), the protocol's own reader takes over: one
 *    that has read the events before.
 * 4. It is kept for the next cut, and reads on from there, unless it took the other event in. One that refused it
 *    must be as it was: where it is not, it says something else in the end than a reader that was never disturbed.
 */
import { Effect, Result } from "effect"
import type { Event, Protocol, Reader } from "../src/Protocol.ts"
import { readStream } from "./pieces.ts"

/** Event by event what a stream says. */
type Known = ReadonlyArray<{ readonly event: Event; readonly read: ReturnType<Reader["push"]> }>

/** Reads `bytes` as `protocol` does, and the faster whatever begins like them. */
export const remembering = (protocol: Protocol, bytes: Uint8Array): Effect.Effect<Protocol> =>
  Effect.map(learn(protocol, bytes), (known) => {
    let kept: { readonly reader: Reader; count: number } | undefined

    // A reader that was told the first events, that many.
    const toldOf = (count: number): Reader => {
      if (kept === undefined || kept.count > count) kept = { reader: protocol.reader(), count: 0 }
      for (const { event } of known.slice(kept.count, count)) kept.reader.push(event)
      kept.count = count
      return kept.reader
    }

    const reader = (): Reader => {
      let count = 0
      let own: Reader | undefined
      return {
        push: (event) => {
          const next = known[count]
          if (own === undefined && next?.event.name === event.name && next?.event.data === event.data) {
            count++
            return next.read
          }
          own ??= toldOf(count)
          const read = own.push(event)
          if (Result.isSuccess(read)) kept = undefined
          return read
        },
        end: () => (own ?? toldOf(count)).end()
      }
    }
    return { ...protocol, reader }
  })

const learn = (protocol: Protocol, bytes: Uint8Array): Effect.Effect<Known> =>
  Effect.suspend(() => {
    const known: Array<Known[number]> = []
    const reader = (): Reader => {
      const { end, push } = protocol.reader()
      return {
        push: (event) => {
          const read = push(event)
          known.push({ event, read })
          return read
        },
        end
      }
    }
    return Effect.as(readStream({ ...protocol, reader }, { pieces: [bytes] }), known)
  })
