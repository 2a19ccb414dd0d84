/**
 * What is sent to every open page, whenever it has changed: one reader of the store, however many pages there are,
 * and none when there is no page.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Service as Jobs } from "../jobs/Jobs.ts"
import type { StoreError } from "../jobs/StoreError.ts"
import type { Board } from "./Board.ts"
import type { Live } from "./Wire.ts"
import * as Writing from "./Writing.ts"

/** A busy store changes all the time; people don't read faster than this. */
const pauseMillis = 250

/** The part of the time that is spent looking, at most: one tenth. */
const share = 10

/** Only the newest state is kept: a page that reads slowly gets that one, not all. */
const shared = { capacity: 1, strategy: "sliding", replay: 1 } as const

/**
 * Server-sent events as text: `live` and `activity`, each as JSON, `down` when the store doesn't answer, and a sign
 * of life every 15 seconds.
 *
 * @category constructors
 */
export const make = (
  jobs: Jobs,
  board: Board,
  showContent: boolean
): Effect.Effect<Stream.Stream<string>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const live = Stream.unwrap(Effect.gen(function*() {
      const heard = yield* jobs.wake.heard
      const writing = yield* showContent ? Writing.listen : Effect.undefined
      const told = writing === undefined ? Effect.never : writing.changed.await
      const changed = (tookMillis: number) =>
        Effect.sleep(Math.max(pauseMillis, tookMillis * share)).pipe(
          Effect.andThen(Effect.raceAll([PubSub.take(heard), told, Effect.sleep("1 second")])),
          Effect.andThen(PubSub.takeUpTo(heard, 1000)),
          Effect.andThen(Effect.sync(() => writing?.changed.closeUnsafe()))
        )
      const written = Effect.map(board.live, (live): Live => ({
        ...live,
        running: live.running.map((job) => {
          const texts = writing?.of(job.id) ?? []
          return texts.length === 0 ? job : { ...job, writing: texts }
        })
      }))
      return looking("live", written, ({ queues, running }) => [queues, running], changed)
    }))
    const activity = Stream.suspend(() =>
      looking("activity", board.activity, (activity) => activity, () => Effect.sleep("2 seconds"))
    )
    const sharedLive = yield* Stream.share(live, shared)
    const sharedActivity = yield* Stream.share(activity, shared)
    const alive = Stream.map(Stream.tick("15 seconds"), () => ": alive\n\n")
    return Stream.mergeAll([alive, sharedLive, sharedActivity], { concurrency: 3 })
  })

/**
 * Looks again and again, and tells what is different. Only differences in `essence` count; `wait` is given how long the
 * last look took.
 */
const looking = <A>(
  name: string,
  ask: Effect.Effect<A, StoreError>,
  essence: (value: A) => unknown,
  wait: (tookMillis: number) => Effect.Effect<unknown>
): Stream.Stream<string> => {
  let last: string | undefined
  let tookMillis = 0
  const look = Effect.match(ask, {
    onFailure: (error) => ({ name: "down", essence: error.operation, data: "{}" }),
    onSuccess: (value) => ({ name, essence: JSON.stringify(essence(value)), data: JSON.stringify(value) })
  })
  const timed = Effect.map(Effect.timed(look), ([took, seen]) => {
    tookMillis = Duration.toMillis(took)
    return seen
  })
  const next = Effect.andThen(Effect.suspend(() => last === undefined ? Effect.void : wait(tookMillis)), timed)
  return Stream.fromEffectRepeat(next).pipe(
    Stream.filter(({ essence, name }) => {
      const different = last !== `${name}${essence}`
      last = `${name}${essence}`
      return different
    }),
    Stream.map(({ data, name }) => Sse.encoder.write({ _tag: "Event", id: undefined, event: name, data }))
  )
}
