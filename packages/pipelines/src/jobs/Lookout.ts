/**
 * What makes a worker look: word of changes, the time at which a job is due, and a second gone by.
 *
 * A slot without work waits until it is told or until its queue looks by itself, once a second. So that a retry
 * or a delayed job does not come up to a second late, the lookout asks the store when the next job of an idle
 * queue is due, and rings then.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Latch from "effect/Latch"
import * as PubSub from "effect/PubSub"
import type { Service as Claims } from "./Claims.ts"
import type { StoreError } from "./StoreError.ts"
import type { Topic } from "./Wake.ts"

/**
 * A queue as the lookout sees it: whether it has free slots and may claim.
 *
 * @category models
 */
export interface Post {
  readonly name: string
  readonly isReady: () => boolean
}

/** How often everything is looked at, whatever was heard. */
const roundMillis = 1000

/** Due times further away are asked for again in a later round. */
const horizonMillis = 2 * roundMillis

/** A busy store is not asked more often than that. */
const restMillis = 50

/**
 * Listens and rings until it is interrupted. `control` is run each round and when somebody asked something of jobs;
 * `freed` is opened when a full queue has a slot again.
 *
 * @category constructors
 */
export const make = (options: {
  readonly posts: ReadonlyArray<Post>
  readonly heard: PubSub.Subscription<Topic>
  readonly freed: Latch.Latch
  readonly claims: Pick<Claims, "bell" | "dueWithin">
  readonly control: Effect.Effect<void>
  readonly quietly: (what: string, self: Effect.Effect<unknown, StoreError>) => Effect.Effect<void>
}): Effect.Effect<never> => {
  const { claims, control, freed, heard, posts, quietly } = options
  const now = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1_000_000)
  /** When the next job of a queue is due, on this process's clock. */
  const due = new Map<string, number>()
  let nextRound = 0
  let asked = -Infinity
  let wantsToAsk = true

  /** A store that fails is left alone for a while. */
  const rest = () => {
    asked = nextRound
    due.clear()
  }

  const ask = (time: number) =>
    Effect.suspend(() => {
      asked = time
      wantsToAsk = false
      due.clear()
      const ready = posts.filter((post) => post.isReady()).map(({ name }) => name)
      if (ready.length === 0) return Effect.void
      return Effect.map(claims.dueWithin(ready, horizonMillis), (found) => {
        for (const [name, millis] of found) due.set(name, time + Math.ceil(millis))
      }).pipe(Effect.tapError(() => Effect.sync(rest)))
    })

  return Effect.forever(Effect.gen(function*() {
    const start = yield* now
    const until = Math.min(nextRound, ...due.values(), wantsToAsk ? asked + restMillis : Infinity)
    const first = yield* Effect.timeoutOption(
      Effect.raceFirst(PubSub.take(heard), Effect.as(freed.await, undefined)),
      Duration.millis(Math.max(0, until - start))
    )
    // Everything that has come in meanwhile is answered by one look.
    const topics = new Set<Topic>(yield* PubSub.takeUpTo(heard, 1000))
    if (first._tag === "Some" && first.value !== undefined) topics.add(first.value)
    if (freed.isOpen()) wantsToAsk = true
    freed.closeUnsafe()
    const time = yield* now
    const round = time >= nextRound
    if (round) nextRound = time + roundMillis
    if (round || topics.has("control") || topics.has("*")) yield* control
    if (round) wantsToAsk = true
    for (const { isReady, name } of posts) {
      const told = topics.has("*") || topics.has(`queue/${name}`)
      const came = (due.get(name) ?? Infinity) <= time
      if (!told && !came) continue
      wantsToAsk = true
      due.delete(name)
      if (isReady()) yield* quietly("bell", Effect.tapError(claims.bell(name), () => Effect.sync(rest)))
    }
    if (wantsToAsk && time - asked >= restMillis) yield* quietly("due", ask(time))
  }))
}
