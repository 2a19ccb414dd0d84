/**
 * Jobs that belong together, and what is to happen when the last of them has ended.
 *
 * A group is opened, filled and closed in one transaction, so its callbacks can't run before it is full. Jobs of
 * a group may add others to it while they run (`Job.enqueue` with its `group`).
 */
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import type * as Schema from "effect/Schema"
import type { CodecError } from "./Codec.ts"
import { type Entry, type GroupInfo, Jobs } from "./Jobs.ts"
import type { StoreError } from "./StoreError.ts"

/** A job to enqueue later, as `Job.entry` gives it. */
type Callback = Effect.Effect<Entry, Schema.SchemaError | CodecError, Jobs>

/**
 * - `id`: default a random one; a group that is there already is filled further
 * - `onComplete`: enqueued once, when every job has ended, whatever its end
 * - `onSuccess`: enqueued once, when every job has succeeded; a dead one may still get there by being requeued
 *
 * @category models
 */
export interface Options {
  readonly id?: string
  readonly onComplete?: Callback
  readonly onSuccess?: Callback
}

/**
 * Opens a group and fills it; gives its id. An empty group is complete at once.
 *
 * ```ts
 * import { Group, Job, Testing } from "@effect-dspy/pipelines/jobs"
 * import { Effect, Schema } from "effect"
 *
 * const Page = Job.make("page", { payload: { n: Schema.Int } })
 * const Report = Job.make("report", { payload: { month: Schema.String } })
 * const log: Array<string> = []
 * const program = Effect.gen(function*() {
 *   const fake = yield* Testing.Fake
 *   yield* Group.make(
 *     { onComplete: Job.entry(Report, { month: "May" }) },
 *     (group) => Job.enqueueMany(Page, [{ n: 1 }, { n: 2 }], { group })
 *   )
 *   yield* fake.drain
 *   return log
 * })
 * const handlers = [
 *   Page.toLayer(({ n }) => Effect.sync(() => void log.push(`page ${n}`))),
 *   Report.toLayer(({ month }) => Effect.sync(() => void log.push(month)))
 * ]
 * await Effect.runPromise(Effect.provide(program, Testing.fake(handlers))) // => ["page 1", "page 2", "May"]
 * ```
 *
 * @category constructors
 */
export const make = <A, E, R>(
  options: Options,
  fill: (group: string) => Effect.Effect<A, E, R>
): Effect.Effect<string, E | Schema.SchemaError | CodecError | StoreError, R | Jobs> =>
  Effect.gen(function*() {
    const jobs = yield* Jobs
    const id = options.id ?? SecureRandom.uuidV7Unsafe()
    const onComplete = options.onComplete === undefined ? undefined : yield* options.onComplete
    const onSuccess = options.onSuccess === undefined ? undefined : yield* options.onSuccess
    yield* jobs.group({ id, onComplete, onSuccess }, fill(id))
    return id
  })

/**
 * Waits until every job of a group has ended; gives how they did. `None` when there is no such group.
 *
 * @category combinators
 */
export const completed = (id: string): Effect.Effect<Option.Option<GroupInfo>, StoreError, Jobs> =>
  Effect.scoped(Effect.gen(function*() {
    const jobs = yield* Jobs
    const heard = yield* jobs.wake.heard
    while (true) {
      const group = yield* jobs.findGroup(id)
      if (Option.isNone(group) || group.value.pending === 0) return group
      yield* Effect.timeoutOption(PubSub.take(heard), "500 millis")
    }
  }))
