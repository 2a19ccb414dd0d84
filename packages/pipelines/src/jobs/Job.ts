/**
 * A unit of work that survives its process: a pipeline, a predictor or any Effect, under a name.
 *
 * The life of a job:
 * 1. `make` declares it: a name, what it takes, what it gives, how it is retried. It is a value and does nothing.
 * 2. `enqueue` writes it into the store, in the caller's transaction where one is open.
 * 3. A worker that has its handler (`toLayer`, `Worker.layer`) claims it and runs it: one attempt.
 * 4. Model calls, code steps and `memo`s inside are kept as they are answered. `sleep`, `waitFor` and `call` give
 *    the slot back and run the handler again later; what was kept is found, not done again.
 * 5. A failure is retried on schedule. An error that says it is not retryable, or the last attempt, makes the job
 *    dead; it can be requeued, and goes on with what it kept.
 * 6. Its result can be awaited from anywhere, typed, until it is pruned.
 *
 * A job runs at least once. A crash may repeat the step that was running, never one whose answer was stored.
 */
import type { Fields } from "@effect-dspy/core/Signature"
import * as Step from "@effect-dspy/core/Step"
import * as Context from "effect/Context"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import type { Codec, CodecError } from "./Codec.ts"
import * as Failure from "./Failure.ts"
import { type Handler, Handlers } from "./Handlers.ts"
import { type GroupNotFound, JobCancelled, JobDead, JobNotFound } from "./JobError.ts"
import * as JobEvents from "./JobEvents.ts"
import { isFinal, type JobId, type JobInfo } from "./JobInfo.ts"
import { type Ending, type Entry, Jobs } from "./Jobs.ts"
import * as JobSpans from "./JobSpans.ts"
import * as Memo from "./Memo.ts"
import * as Retry from "./Retry.ts"
import * as Run from "./Run.ts"
import type { StoreError } from "./StoreError.ts"

/** What can say what a job takes or gives: a schema, or fields. */
type Shape = Schema.Codec<unknown, unknown> | Fields

/** The values of a shape. */
type Value<S> = S extends Schema.Codec<infer A, infer _I> ? A : S extends Fields ? Schema.Struct<S>["Type"] : never

/**
 * - `queue`: default `default`
 * - `id`: the job's identity; the same id while the job is there is the same job. Without it each enqueued job is
 *   another one.
 * - `error`: errors that are stored whole and come back typed; others are stored by name
 * - `retry`, `maxAttempts`: default `Retry.standard`, 5
 * - `timeout`: of one attempt; default none
 * - `priority`: minutes of head start over jobs that came before, default 0. A job that waits longer than that
 *   goes first, so nobody starves.
 *
 * @category models
 */
export interface Options<P extends Shape, A extends Shape, E extends Shape> {
  readonly payload: P
  readonly success?: A
  readonly error?: E
  readonly queue?: string
  readonly id?: (payload: Value<P>) => string
  readonly retry?: Retry.Retry
  readonly maxAttempts?: number
  readonly timeout?: Duration.Input
  readonly priority?: number
}

/**
 * What a worker needs to know of a job, whatever its types.
 *
 * @category models
 */
export interface Any {
  readonly name: string
  readonly queue: string
  readonly payloadText: Schema.Codec<unknown, string>
  readonly successText: Schema.Codec<unknown, string>
  readonly errorText: Schema.Codec<unknown, string>
  readonly isError: (error: unknown) => boolean
  readonly retry: Retry.Retry
  readonly maxAttempts: number
  readonly timeout: Duration.Duration | undefined
}

/**
 * A job that takes `P`, gives `A` and may fail with `E`.
 *
 * - `toLayer`: gives the job to a worker. The handler's services are those there are when the layer is built.
 *   `onDead` runs in the worker when the job has died, at most once; it sees the payload.
 *
 * @category models
 */
export interface Job<in out P, in out A, out E> extends Any {
  readonly payloadText: Schema.Codec<P, string>
  readonly successText: Schema.Codec<A, string>
  readonly errorText: Schema.Codec<E, string>
  readonly priority: number
  readonly identify: ((payload: P) => string) | undefined
  readonly toLayer: <R, R2 = never>(
    handler: (payload: P) => Effect.Effect<NoInfer<A>, unknown, R>,
    options?: { readonly onDead?: (payload: P, job: JobInfo) => Effect.Effect<void, never, R2> }
  ) => Layer.Layer<never, never, Handlers | R | R2>
}

/**
 * Declares a job.
 *
 * ```ts
 * import { Job, Worker } from "@effect-dspy/pipelines/jobs"
 * import { Sqlite } from "@effect-dspy/pipelines/sqlite"
 * import { Effect, Layer, Schema } from "effect"
 *
 * const Greet = Job.make("greet", { payload: { name: Schema.String }, success: Schema.String })
 * const program = Effect.gen(function*() {
 *   const id = yield* Job.enqueue(Greet, { name: "Ada" })
 *   return yield* Job.result(Greet, id)
 * })
 * const Live = Worker.layer([Greet.toLayer(({ name }) => Effect.succeed(`Hello, ${name}!`))], { queues: { default: 10 } }).pipe(
 *   Layer.provideMerge(Sqlite.memory())
 * )
 * await Effect.runPromise(Effect.provide(program, Live)) // => "Hello, Ada!"
 * ```
 *
 * @category constructors
 */
export const make = <
  const P extends Shape,
  const A extends Shape = typeof Schema.Void,
  const E extends Shape = typeof Schema.Never
>(name: string, options: Options<P, A, E>): Job<Value<P>, Value<A>, Value<E>> => {
  // The defaults of the types are the defaults here.
  const success: Schema.Codec<Value<A>, unknown> = schemaOf(options.success ?? Schema.Void as A & typeof Schema.Void)
  const error: Schema.Codec<Value<E>, unknown> = schemaOf(options.error ?? Schema.Never as E & typeof Schema.Never)
  const job = {
    name,
    queue: options.queue ?? "default",
    payloadText: textOf(schemaOf(options.payload)),
    successText: textOf(success),
    errorText: textOf(error),
    isError: Schema.is(Schema.toType(error)),
    retry: options.retry ?? Retry.standard,
    maxAttempts: options.maxAttempts ?? 5,
    timeout: options.timeout === undefined ? undefined : Duration.fromInputUnsafe(options.timeout)
  }
  return {
    ...job,
    priority: options.priority ?? 0,
    identify: options.id,
    // The worker gives both what the payload's schema has decoded, and runs them with the services of that time.
    toLayer: (handler, { onDead } = {}) =>
      register(job, handler as Handler["run"], (onDead ?? (() => Effect.void)) as Handler["onDead"])
  }
}

/**
 * A step as a job: its name, what it takes and what it gives are the step's.
 *
 * ```ts
 * import { Step } from "@effect-dspy/core"
 * import { Job, Testing } from "@effect-dspy/pipelines/jobs"
 * import { Effect, Schema } from "effect"
 *
 * const count = Step.make("Count", {
 *   input: { text: Schema.String },
 *   output: { words: Schema.Int },
 *   run: ({ text }) => Effect.succeed({ words: text.split(" ").length })
 * })
 * const Count = Job.fromStep(count, { queue: "fast" })
 * const program = Effect.flatMap(Job.enqueue(Count, { text: "three short words" }), (id) => Job.result(Count, id))
 * await Effect.runPromise(Effect.provide(program, Testing.inline([Count.toLayer(count)]))) // => { words: 3 }
 * ```
 *
 * @category constructors
 */
export const fromStep = <I, O, E, R>(
  step: Step.Step<I, O, E, R>,
  options:
    & Omit<
      Options<Schema.Codec<I, unknown>, Schema.Codec<O, unknown>, typeof Schema.Never>,
      "payload" | "success" | "error"
    >
    & {
      readonly name?: string
    } = {}
): Job<I, O, never> =>
  make(options.name ?? step.name, {
    ...options,
    payload: Step.inputSchema(step),
    success: Step.outputSchema(step)
  }) as Job<I, O, never>

/**
 * - `delay`: due so much later
 * - `priority`: instead of the job's own
 * - `id`: the identity, instead of the job's own
 * - `group`: the group it belongs to, which must be there, see `Group`
 *
 * @category models
 */
export interface EnqueueOptions {
  readonly delay?: Duration.Input
  readonly priority?: number
  readonly id?: string
  readonly group?: string
}

/**
 * Enqueues a job. Within a transaction of the store's `SqlClient` it belongs to the transaction. An id that is
 * there already gives the same job: nothing is added, and a dead one is requeued.
 *
 * @category combinators
 */
export const enqueue = <P, A, E>(
  job: Job<P, A, E>,
  payload: P,
  options?: EnqueueOptions
): Effect.Effect<JobId, EnqueueError, Jobs> => Effect.map(enqueueMany(job, [payload], options), ([id]) => id ?? "")

/**
 * Enqueues many jobs in one statement: all of them or none.
 *
 * @category combinators
 */
export const enqueueMany = <P, A, E>(
  job: Job<P, A, E>,
  payloads: Iterable<P>,
  options: EnqueueOptions = {}
): Effect.Effect<ReadonlyArray<JobId>, EnqueueError, Jobs> =>
  Effect.gen(function*() {
    const jobs = yield* Jobs
    const entries = yield* Effect.forEach(payloads, (payload) => entry(job, payload, options), { concurrency: 1 })
    yield* jobs.enqueue(entries)
    yield* JobEvents.enqueued(entries)
    return entries.map(({ id }) => id)
  }).pipe((self) => JobSpans.send(job, self))

/**
 * Why a job could not be enqueued: the payload does not fit, its group is not there, or the store could not take it.
 *
 * @category errors
 */
export type EnqueueError = Schema.SchemaError | CodecError | GroupNotFound | StoreError

/**
 * A job as it goes into the store.
 *
 * @category constructors
 */
export const entry = <P, A, E>(
  job: Job<P, A, E>,
  payload: P,
  options: EnqueueOptions & { readonly parent?: JobId } = {}
): Effect.Effect<Entry, Schema.SchemaError | CodecError, Jobs> =>
  Effect.gen(function*() {
    const { codec } = yield* Jobs
    const key = options.id ?? job.identify?.(payload) ?? SecureRandom.uuidV7Unsafe()
    const sealed = yield* Effect.flatMap(Schema.encodeEffect(job.payloadText)(payload), codec.seal)
    return {
      id: idOf(job.name, key),
      name: job.name,
      queue: job.queue,
      payload: sealed,
      priority: options.priority ?? job.priority,
      delayMillis: options.delay === undefined ? 0 : Duration.toMillis(options.delay),
      group: options.group,
      parent: options.parent,
      trace: yield* JobSpans.here
    }
  })

/**
 * The id of the job of this name and key. Keys that are too long for an index are cut and made unique by a hash.
 *
 * @category getters
 */
export const idOf = (name: string, key: string): JobId => {
  const id = `${name}/${key}`
  return id.length <= 200 ? id : `${id.slice(0, 130)}#${createHash("sha256").update(id).digest("hex")}`
}

/**
 * Waits until a job has ended and gives its result. The process that asks need not be a worker.
 *
 * @category combinators
 */
export const result = <P, A, E>(
  job: Job<P, A, E>,
  id: JobId
): Effect.Effect<A, E | JobDead | JobCancelled | JobNotFound | ReadError, Jobs> =>
  Effect.scoped(Effect.gen(function*() {
    const jobs = yield* Jobs
    const heard = yield* jobs.wake.heard
    while (true) {
      const ending = yield* jobs.ending(id)
      if (Option.isNone(ending)) return yield* new JobNotFound({ id })
      if (isFinal(ending.value.state)) return yield* read(jobs.codec, job, id, ending.value)
      // Word may get lost; looking again now and then costs one small query.
      yield* Effect.race(waitForEnd(heard), Effect.sleep("500 millis"))
    }
  }))

/**
 * Why an ended job could not be read: the store, the key, or a result that does not fit the job's schema.
 *
 * @category errors
 */
export type ReadError = Schema.SchemaError | CodecError | StoreError

/**
 * Keeps the result of an effect under a name: within a job it is done once, whatever happens. Outside of a job it is
 * simply done. Failures are not kept. Used twice under one name, the first and the second are told apart.
 *
 * @category inside a job
 */
export const memo = <A, E, R>(
  name: string,
  schema: Schema.Codec<A, unknown>,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const run = fiber.getRef(Run.Current)
    return run === undefined ? effect : Memo.named(run, name, schema, effect)
  })

/**
 * Sleeps without holding a slot or a process: the handler runs again when the time is over. Outside of a job it simply
 * sleeps.
 *
 * @category inside a job
 */
export const sleep = (name: string, duration: Duration.Input): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const run = fiber.getRef(Run.Current)
    if (run === undefined) return Effect.sleep(duration)
    const until = Effect.map(run.now, (now) => now + Duration.toMillis(duration))
    return Effect.gen(function*() {
      const wake = yield* Memo.named(run, `sleep/${name}`, Schema.Finite, until)
      const left = wake - (yield* run.now)
      if (left > 0) return yield* run.park({ delayMillis: left })
    })
  })

/**
 * Waits for a signal (`Job.signal`) without holding a slot. A signal that came before is there. Only within a job.
 *
 * @category inside a job
 */
export const waitFor = <A>(name: string, schema: Schema.Codec<A, unknown>): Effect.Effect<A, ReadError> =>
  Effect.flatMap(inside("waitFor"), (run) => {
    const value = Effect.gen(function*() {
      const sealed = yield* run.claims.heard(run.claim.id, name)
      if (sealed === undefined) return yield* run.park({ signal: name })
      return yield* Effect.flatMap(run.jobs.codec.open(sealed), Schema.decodeEffect(textOf(schema)))
    })
    return Memo.awaited(run, `signal/${name}`, schema, value)
  })

/**
 * Sends a signal to a job that waits for it, or will. The last value of a name counts until it is heard.
 *
 * @category combinators
 */
export const signal = <A>(
  id: JobId,
  name: string,
  schema: Schema.Codec<A, unknown>,
  value: A
): Effect.Effect<void, Schema.SchemaError | CodecError | StoreError, Jobs> =>
  Effect.gen(function*() {
    const jobs = yield* Jobs
    const sealed = yield* Effect.flatMap(Schema.encodeEffect(textOf(schema))(value), jobs.codec.seal)
    yield* jobs.signal(id, name, sealed)
  })

/**
 * Runs another job and gives its result, without holding a slot meanwhile. The child belongs to this place of the
 * parent: a parent that is run again finds the same child. Only within a job.
 *
 * @category inside a job
 */
export const call = <P, A, E>(
  job: Job<P, A, E>,
  payload: P,
  options: Omit<EnqueueOptions, "id"> = {}
): Effect.Effect<A, E | JobDead | JobCancelled | EnqueueError> =>
  Effect.flatMap(inside("call"), (run) =>
    Effect.gen(function*() {
      const { jobs } = run
      const id = idOf(job.name, `${run.claim.id}/${run.key(`call/${job.name}`)}`)
      const ending = yield* jobs.ending(id)
      if (Option.isSome(ending) && isFinal(ending.value.state)) return yield* read(jobs.codec, job, id, ending.value)
      if (Option.isNone(ending)) {
        const child = yield* Effect.provideService(
          entry(job, payload, { ...options, parent: run.claim.id }),
          Jobs,
          jobs
        )
        yield* jobs.enqueue([{ ...child, id }])
        yield* JobEvents.enqueued([{ ...child, id }])
      }
      return yield* run.park({ child: id })
    }))

/**
 * Says how far the job is, for `Jobs.find` and dashboards: any JSON value. Outside of a job it says nothing.
 *
 * @category inside a job
 */
export const progress = (value: Schema.Json): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const run = fiber.getRef(Run.Current)
    // Nobody's work depends on it.
    return run === undefined ? Effect.void : Effect.ignore(run.jobs.progress(run.claim.id, JSON.stringify(value)))
  })

/**
 * The job the effect runs in: its id and which attempt this is. `undefined` outside of a job.
 *
 * @category inside a job
 */
export const current: Effect.Effect<{ readonly id: JobId; readonly attempt: number } | undefined> = Effect.withFiber(
  (fiber) => {
    const run = fiber.getRef(Run.Current)
    return Effect.succeed(run === undefined ? undefined : { id: run.claim.id, attempt: run.claim.attempt })
  }
)

const inside = (what: string): Effect.Effect<Run.Run> =>
  Effect.withFiber((fiber) => {
    const run = fiber.getRef(Run.Current)
    return run === undefined ? Effect.die(new TypeError(`Job.${what} is for handlers of jobs`)) : Effect.succeed(run)
  })

const waitForEnd = (heard: PubSub.Subscription<string>): Effect.Effect<void> =>
  Effect.flatMap(PubSub.take(heard), (topic) => topic === "done" || topic === "*" ? Effect.void : waitForEnd(heard))

const read = <P, A, E>(
  codec: Codec,
  job: Job<P, A, E>,
  id: JobId,
  ending: Ending
): Effect.Effect<A, E | JobDead | JobCancelled | Schema.SchemaError | CodecError> => {
  const open = <B>(sealed: string, text: Schema.Codec<B, string>) =>
    Effect.flatMap(codec.open(sealed), Schema.decodeEffect(text))
  switch (ending.state) {
    case "succeeded":
      return open(ending.result ?? "null", job.successText)
    case "cancelled":
      return Effect.fail(new JobCancelled({ id }))
    default:
      return ending.error === undefined
        ? Effect.fail(new JobDead({ id, failure: ending.failure ?? Failure.of("payload", "Unreadable", 1) }))
        : Effect.flatMap(open(ending.error, job.errorText), Effect.fail)
  }
}

// The conditional type `Value` says what the two branches do.
const schemaOf = <S extends Shape>(shape: S): Schema.Codec<Value<S>, unknown> =>
  (Schema.isSchema(shape) ? shape : Schema.Struct(shape as Fields)) as never

const textOf = <A>(schema: Schema.Codec<A, unknown>): Schema.Codec<A, string> =>
  Schema.fromJsonString(Schema.toCodecJson(schema))

const register = (
  job: Any,
  run: Handler["run"],
  onDead: Handler["onDead"]
): Layer.Layer<never, never, Handlers> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const handlers = yield* Handlers
    const services = yield* Effect.context<never>()
    // What the worker sets for the job (the run, middleware) goes before what was there when the layer was built.
    const provide = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.updateContext(self, (own: Context.Context<never>) => Context.merge(services, own))
    handlers.set(job.name, {
      job,
      run: (payload) => provide(run(payload)),
      onDead: (payload, info) => provide(onDead(payload, info))
    })
  }))
