/**
 * Word of changes, between the processes that share a store.
 *
 * Everybody who waits (an idle worker, somebody awaiting a result, a worker that may have to cancel) also looks
 * again after a while, so a word that gets lost costs time and nothing else. That lets engines be quick and
 * careless here: PostgreSQL notifies, SQLite watches its file's version, memory has nobody to tell.
 */
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"

/**
 * What changed: jobs came into a queue, somebody should look at what was asked of running jobs, jobs ended, or
 * something, nobody knows what.
 *
 * @category models
 */
export type Topic = `queue/${string}` | "control" | "done" | "*"

/**
 * - `ring`: tells everybody, this process too, soon and at most once in a few milliseconds
 * - `heard`: a subscription, from now until the scope closes
 *
 * @category models
 */
export interface Wake {
  readonly ring: (topic: Topic) => Effect.Effect<void>
  readonly heard: Effect.Effect<PubSub.Subscription<Topic>, never, Scope.Scope>
}

/**
 * How an engine reaches other processes: `send` is called with topics, `listen` runs as long as somebody is
 * subscribed and calls back with what it hears.
 *
 * @category models
 */
export interface Line {
  readonly send: (topic: Topic) => Effect.Effect<void>
  readonly listen: (hear: (topic: Topic) => void) => Effect.Effect<never>
}

/**
 * A line to nobody.
 *
 * @category constructors
 */
export const silent: Line = { send: () => Effect.void, listen: () => Effect.never }

/**
 * Word over a line.
 *
 * @category constructors
 */
export const make = (line: Line): Effect.Effect<Wake, never, Scope.Scope> =>
  Effect.gen(function*() {
    const pubsub = yield* PubSub.unbounded<Topic>()
    const scope = yield* Effect.scope
    const due = new Set<Topic>()
    let listening = false
    // Rings that come while one is on its way go together: a busy sender sends about a hundred a second.
    const send = (topic: Topic) =>
      Effect.andThen(
        Effect.sleep("10 millis"),
        Effect.suspend(() => {
          due.delete(topic)
          return line.send(topic)
        })
      )
    return {
      ring: (topic) =>
        Effect.suspend(() => {
          PubSub.publishUnsafe(pubsub, topic)
          if (line === silent || due.has(topic)) return Effect.void
          due.add(topic)
          return Effect.asVoid(Effect.forkIn(Effect.andThen(line.send(topic), send(topic)), scope))
        }),
      heard: Effect.suspend(() => {
        const subscribed = PubSub.subscribe(pubsub)
        if (listening) return subscribed
        listening = true
        return Effect.andThen(
          Effect.forkIn(line.listen((topic) => PubSub.publishUnsafe(pubsub, topic)), scope),
          subscribed
        )
      })
    }
  })
