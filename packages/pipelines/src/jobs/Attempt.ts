/**
 * One claimed job, from the look at its claim to its settlement.
 *
 * 1. Cancelled, paused or unknown to this worker: it is settled without being run.
 * 2. Its worker died in the last attempt there was, or its payload can't be read: it is dead.
 * 3. The handler runs, with the memo around model calls and code steps, until it ends, its time is over, it gives
 *    its slot back, or somebody cancels it.
 * 4. What came of it is settled. A store that can't be reached is asked again until it answers; meanwhile the
 *    lock holds, or it doesn't, and then another worker finds everything that was kept.
 *
 * Interrupted by the worker's end, the job is handed back uncounted.
 */
import * as LMAround from "@effect-dspy/core/LM/Around"
import * as LMGroup from "@effect-dspy/core/LM/Group"
import * as Step from "@effect-dspy/core/Step"
import * as Usage from "@effect-dspy/core/Usage"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Claim, Service as Claims, Settlement } from "./Claims.ts"
import * as Failure from "./Failure.ts"
import type { Handler } from "./Handlers.ts"
import type { Any } from "./Job.ts"
import * as JobEvents from "./JobEvents.ts"
import type { Service as Jobs } from "./Jobs.ts"
import * as JobSpans from "./JobSpans.ts"
import type { Journals } from "./Journal.ts"
import * as Memo from "./Memo.ts"
import * as Retry from "./Retry.ts"
import * as Run from "./Run.ts"

/** How long a job nobody here knows stays out of the way of the others. */
const unknownMillis = 5_000

/**
 * Runs around every handler of a worker: logging, tracing, a shared service.
 *
 * @category models
 */
export interface Around {
  (job: Claim, handler: Effect.Effect<unknown, unknown>): Effect.Effect<unknown, unknown>
}

/**
 * What an attempt needs. `started` and `ended` bracket the handler, for those who may have to stop it; `journals` keep
 * its history.
 *
 * @category models
 */
export interface Environment {
  readonly jobs: Jobs
  readonly claims: Claims
  readonly handlers: ReadonlyMap<string, Handler>
  readonly around: Around | undefined
  readonly journals?: Journals
  readonly started: (run: Run.Run) => void
  readonly ended: (run: Run.Run) => void
}

/**
 * Does a claimed job.
 *
 * @category constructors
 */
export const make = (environment: Environment) => (claim: Claim): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { claims, handlers, jobs } = environment
    const handler = handlers.get(claim.name)
    const [settlement, history] = yield* outcome(environment, claim, handler)
    const ours = yield* Effect.orDie(Effect.retry(claims.settle(claim, settlement, history), Run.patience))
    if (!ours) {
      yield* Effect.logWarning(`Job ${claim.id}: this worker was stalled past its lock, its outcome is not written`)
    } else if (settlement._tag === "Dead" && handler !== undefined) {
      yield* mourn(jobs, claim, handler)
    }
  })

/** What becomes of a claimed job, and the history it is settled with. */
const outcome = (
  environment: Environment,
  claim: Claim,
  handler: Handler | undefined
): Effect.Effect<readonly [settlement: Settlement, history?: string]> => {
  if (claim.cancelled) return Effect.succeed([{ _tag: "Cancelled" }])
  if (claim.paused) return Effect.succeed([{ _tag: "Back", delayMillis: 0 }])
  if (handler === undefined) return Effect.succeed([{ _tag: "Back", delayMillis: unknownMillis, unknown: true }])
  const ran = JobSpans.process(claim, JobEvents.attempt(claim, attempt(environment, claim, handler)))
  const { journals } = environment
  return journals === undefined ? Effect.map(ran, (settlement) => [settlement]) : journals.around(claim, ran)
}

const attempt = (
  { around, claims, ended, jobs, started }: Environment,
  claim: Claim,
  { job, run: handle }: Handler
): Effect.Effect<Settlement> =>
  Effect.gen(function*() {
    if (claim.attempt > job.maxAttempts) {
      return { _tag: "Dead" as const, failure: Failure.of("crashed", "WorkerDied", claim.attempt - 1) }
    }
    const payload = yield* open(jobs, job, claim)
    if (Option.isNone(payload)) {
      return { _tag: "Dead" as const, failure: Failure.of("payload", "Unreadable", claim.attempt) }
    }
    const run = yield* Run.make(claim, jobs, claims)
    const handler = handle(payload.value).pipe(
      // Where calls wait for a limit, jobs are served in turn: a big one does not keep the others waiting.
      LMGroup.provide(claim.id),
      LMAround.around(Memo.answers(run)),
      Effect.provideService(Step.Around, Memo.steps(run)),
      (handler) => around === undefined ? handler : around(claim, handler),
      Effect.provideService(Run.Current, run),
      Usage.by("job", claim.id),
      (handler) => job.timeout === undefined ? Effect.asSome(handler) : Effect.timeoutOption(handler, job.timeout)
    )
    started(run)
    const outcome = yield* Effect.raceFirst(Effect.exit(handler), Deferred.await(run.stop)).pipe(
      Effect.ensuring(Effect.sync(() => ended(run)))
    )
    if (!Exit.isExit(outcome)) return stop(outcome)
    if (Exit.isSuccess(outcome)) {
      return Option.isNone(outcome.value)
        ? yield* retry(job, { failure: Failure.of("timeout", "Timeout", claim.attempt), isRetryable: true })
        : yield* succeed(jobs, job, run, outcome.value.value)
    }
    // A handler that interrupts itself did not finish; that nobody asked for it makes it a failure.
    const verdict = Cause.hasInterruptsOnly(outcome.cause)
      ? { failure: Failure.of("defect", "Interrupted", claim.attempt), isRetryable: true }
      : Failure.fromCause(outcome.cause, claim.attempt)
    return yield* retry(job, verdict, jobs)
  })

const open = (jobs: Jobs, job: Any, claim: Claim): Effect.Effect<Option.Option<unknown>> =>
  jobs.codec.open(claim.payload).pipe(Effect.flatMap(Schema.decodeEffect(job.payloadText)), Effect.option)

const stop = (stop: Run.Stop): Settlement => {
  if (stop._tag === "Cancel") return { _tag: "Cancelled" }
  const delays = stop.waits.flatMap(({ delayMillis }) => delayMillis === undefined ? [] : [delayMillis])
  return {
    _tag: "Parked",
    delayMillis: delays.length === 0 ? undefined : Math.min(...delays),
    children: stop.waits.flatMap(({ child }) => child === undefined ? [] : [child]),
    signals: stop.waits.flatMap(({ signal }) => signal === undefined ? [] : [signal])
  }
}

const succeed = (jobs: Jobs, job: Any, run: Run.Run, value: unknown): Effect.Effect<Settlement> =>
  Schema.encodeEffect(job.successText)(value).pipe(
    Effect.flatMap(jobs.codec.seal),
    Effect.match({
      onFailure: (): Settlement => ({
        _tag: "Dead",
        failure: Failure.of("result", "Unwritable", run.claim.attempt)
      }),
      onSuccess: (result): Settlement => ({ _tag: "Succeeded", result, forget: run.wrote() })
    })
  )

const retry = (job: Any, verdict: Failure.Verdict, jobs?: Jobs): Effect.Effect<Settlement> =>
  Effect.gen(function*() {
    const { error, failure, isRetryable, retryAfter } = verdict
    if (isRetryable && retryAfter !== undefined) {
      // Told when to come back: waiting is not the job's fault, so it is not counted.
      return { _tag: "Back" as const, delayMillis: Duration.toMillis(retryAfter), failure }
    }
    const delay = isRetryable && failure.attempt < job.maxAttempts
      ? yield* Retry.delayAfter(job.retry, failure.attempt)
      : undefined
    if (delay !== undefined) return { _tag: "Retry" as const, failure, delayMillis: Duration.toMillis(delay) }
    if (jobs === undefined || error === undefined || !job.isError(error)) return { _tag: "Dead" as const, failure }
    const sealed = yield* Effect.option(Effect.flatMap(Schema.encodeEffect(job.errorText)(error), jobs.codec.seal))
    return { _tag: "Dead" as const, failure, error: Option.getOrUndefined(sealed) }
  })

/** Tells the job's own hook that it is dead. */
const mourn = (jobs: Jobs, claim: Claim, { job, onDead }: Handler): Effect.Effect<void> =>
  Effect.gen(function*() {
    const payload = yield* open(jobs, job, claim)
    const info = yield* jobs.find(claim.id)
    if (Option.isSome(payload) && Option.isSome(info)) yield* onDead(payload.value, info.value)
  }).pipe(Effect.catchCause((cause) => Effect.logWarning(`Job ${claim.id}: onDead failed`, cause)))
