/**
 * When each step of a run started and ended, and how.
 *
 * Asked for from outside, of any program: without an observer a pipeline measures nothing.
 */
import type { Outcome } from "@effect-dspy/core/Event"
import * as Telling from "@effect-dspy/core/Telling"
import * as Usage from "@effect-dspy/core/Usage"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * - `path`: of the pipeline; `step`: the step's name in it
 * - `startMs`: when its last field had arrived and its turn had come; `endMs`: when it was done; milliseconds of the
 *   Clock
 * - `status`: `skipped` never started, because another step failed first
 * - `usage`: what its model calls cost, requests that failed included
 *
 * @category models
 */
export interface StepReport {
  readonly path: string
  readonly step: string
  readonly startMs: number
  readonly endMs: number
  readonly status: Outcome | "skipped"
  readonly usage: Usage.Usage
}

/**
 * Is told of a step.
 *
 * @category models
 */
export interface OnStep {
  (report: StepReport): void
}

/**
 * Who is told of steps around the running fiber; use `observe` or `collect`.
 *
 * @category services
 */
export const Observer = Context.Reference<OnStep | undefined>(
  "@effect-dspy/pipelines/StepReport/Observer",
  { defaultValue: () => undefined }
)

/**
 * Calls `onStep` at the end of every step of every pipeline below `self`, also when `self` fails. Observers
 * nest: the inner one reports to the outer one too.
 *
 * @category combinators
 */
export const observe = (onStep: OnStep) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const outer = fiber.getRef(Observer)
    const observer: OnStep = outer === undefined ? onStep : (report) => {
      onStep(report)
      outer(report)
    }
    return Effect.provideService(self, Observer, observer)
  })

/**
 * Runs a program and gives its result beside its step reports, in the order the steps ended.
 *
 * @category combinators
 */
export const collect = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<readonly [A, ReadonlyArray<StepReport>], E, R> =>
  Effect.suspend(() => {
    const reports: Array<StepReport> = []
    return Effect.map(observe((report) => reports.push(report))(self), (value) => [value, reports] as const)
  })

/**
 * Runs the steps of a pipeline, and reports as skipped those of which it has told nothing at its end: nobody begins a
 * step any more when another one has failed at once.
 *
 * @category combinators
 */
export const whole = <A, E, R>(
  observer: OnStep,
  path: string,
  steps: ReadonlyArray<string>,
  run: (observer: OnStep) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.clockWith((clock) => {
    const left = new Set(steps)
    const told: OnStep = (report) => {
      left.delete(report.step)
      observer(report)
    }
    return Effect.onExit(run(told), () =>
      Effect.sync(() => {
        const now = clock.currentTimeMillisUnsafe()
        for (const step of left) {
          observer({ path, step, startMs: now, endMs: now, status: "skipped", usage: Usage.zero })
        }
      }))
  })

/**
 * Runs a step and reports it: how `Pipeline` does it. The step waits for its fields, then for its turn, and
 * its time begins behind both.
 *
 * @category combinators
 */
export const observed = <A, E, R>(
  observer: OnStep,
  path: string,
  step: string,
  wait: Effect.Effect<void>,
  turn: (self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.clockWith((clock) => {
    let usage = Usage.zero
    let startMs: number | undefined
    const timed = Effect.suspend(() => {
      startMs = clock.currentTimeMillisUnsafe()
      return Usage.observe((more) => {
        usage = Usage.add(usage, more)
      })(work)
    })
    return Effect.onExit(Effect.andThen(wait, turn(timed)), (exit) =>
      Effect.sync(() => {
        const endMs = clock.currentTimeMillisUnsafe()
        observer({
          path,
          step,
          startMs: startMs ?? endMs,
          endMs,
          status: startMs === undefined ? "skipped" : Telling.endOf(exit).outcome,
          usage
        })
      }))
  })
