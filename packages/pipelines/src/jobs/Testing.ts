/**
 * Jobs without a store, for the tests of an app: `fake` collects what is enqueued and runs it when told, `inline`
 * runs it at once.
 *
 * Handlers run as a worker runs them, with memo, retries, children, sleeps and signals, one after the other and on
 * a time of their own: a delay, a sleep or the wait for a retry is over the moment nothing earlier is left to do.
 * What a test must know of locks, processes and crashes, a real engine shows: `Sqlite.memory`, for one.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Bench from "./bench/Bench.ts"
import { Handlers } from "./Handlers.ts"
import { type Entry, Jobs } from "./Jobs.ts"

/**
 * - `enqueued`: every job so far, as it went in
 * - `drain`: runs jobs until none is left that could run, those they enqueue included
 *
 * @category models
 */
export interface FakeService {
  readonly enqueued: Effect.Effect<ReadonlyArray<Entry>>
  readonly drain: Effect.Effect<void>
}

/**
 * The test's side of `fake`.
 *
 * @category services
 */
export class Fake extends Context.Service<Fake, FakeService>()("@effect-dspy/pipelines/jobs/Fake") {}

/**
 * Collects jobs; `Fake.drain` runs them.
 *
 * ```ts
 * import { Job, Jobs, Testing } from "@effect-dspy/pipelines/jobs"
 * import { Effect, Schema } from "effect"
 *
 * const Welcome = Job.make("welcome", { payload: { name: Schema.String }, success: Schema.String })
 * const welcome = Welcome.toLayer(({ name }) => Effect.succeed(`Hello, ${name}`))
 * const test = Effect.gen(function*() {
 *   const fake = yield* Testing.Fake
 *   const id = yield* Job.enqueue(Welcome, { name: "Ada" }, { delay: "1 day" })
 *   yield* fake.drain
 *   return yield* Job.result(Welcome, id)
 * })
 * await Effect.runPromise(Effect.provide(test, Testing.fake([welcome]))) // => "Hello, Ada"
 * ```
 *
 * @category layers
 */
export const fake = <R = never>(
  handlers: ReadonlyArray<Layer.Layer<never, never, Handlers | R>>
): Layer.Layer<Jobs | Fake, never, Exclude<R, Handlers | Jobs>> =>
  build(
    handlers,
    (bench) => Context.make(Jobs, bench.jobs).pipe(Context.add(Fake, { drain: bench.drain, enqueued: bench.entries }))
  )

/**
 * Runs jobs where they are enqueued, before `enqueue` returns. How a job ended is asked of the job: a failing one
 * does not fail whoever enqueued it.
 *
 * @category layers
 */
export const inline = <R = never>(
  handlers: ReadonlyArray<Layer.Layer<never, never, Handlers | R>>
): Layer.Layer<Jobs, never, Exclude<R, Handlers | Jobs>> =>
  build(
    handlers,
    ({ drain, jobs }) =>
      Context.make(Jobs, { ...jobs, enqueue: (entries) => Effect.andThen(jobs.enqueue(entries), drain) })
  )

const build = <A, R>(
  handlers: ReadonlyArray<Layer.Layer<never, never, Handlers | R>>,
  services: (bench: Bench.Bench) => Context.Context<A | Jobs>
): Layer.Layer<A | Jobs, never, Exclude<R, Handlers | Jobs>> => {
  const registered = handlers.reduce<Layer.Layer<never, never, Handlers | R>>(
    (all, one) => Layer.merge(all, one),
    Layer.empty
  )
  // Handlers enqueue jobs of the same bench.
  return registered.pipe(
    Layer.provideMerge(Layer.effectContext(Effect.map(Bench.make, services))),
    Layer.provide(Layer.fresh(Layer.sync(Handlers, () => new Map())))
  ) as Layer.Layer<A | Jobs, never, Exclude<R, Handlers | Jobs>>
}
