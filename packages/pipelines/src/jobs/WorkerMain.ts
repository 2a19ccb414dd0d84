/**
 * A process that is a worker.
 *
 * 1. It runs until it is told to end: SIGTERM from a supervisor, SIGINT from a terminal.
 * 2. The first signal drains: nothing new is claimed, running jobs may finish within the worker's `drain`.
 * 3. The second one ends the drain: what runs is interrupted and handed back, uncounted, at once.
 * 4. The third is the system's own and kills. Then the locks have to run out.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import process from "node:process"
import * as Worker from "./Worker.ts"

/**
 * Runs a worker's layer as the whole program. The process exits with 0 after SIGTERM, 130 after Ctrl-C, 1 when
 * the layer fails, which is logged; `onFailure` tells it otherwise and gives another code.
 *
 * ```ts no-run
 * import { Job, Worker, WorkerMain } from "@effect-dspy/pipelines/jobs"
 * import { Sqlite } from "@effect-dspy/pipelines/sqlite"
 * import { Effect, Layer, Schema } from "effect"
 *
 * const Greet = Job.make("greet", { payload: { name: Schema.String } })
 * WorkerMain.run(
 *   Worker.layer([Greet.toLayer(({ name }) => Effect.log(name))], { queues: { default: 100 } }).pipe(
 *     Layer.provide(Sqlite.layer({ filename: "jobs.db" }))
 *   )
 * )
 * ```
 *
 * @category running
 */
export const run = <A, E>(
  worker: Layer.Layer<A, E>,
  options: { readonly onFailure?: (cause: Cause.Cause<E>) => Effect.Effect<number> } = {}
): void => {
  const { onFailure = (cause) => Effect.as(Effect.logError("The worker can't go on", cause), 1) } = options
  let failed = 1
  const fiber = Effect.runFork(
    Layer.launch(worker).pipe(
      Effect.tapCause((cause) =>
        Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.map(onFailure(cause), (code) => {
          failed = code
        })
      )
    )
  )
  const signals = ["SIGINT", "SIGTERM"] as const
  let received: (typeof signals)[number] | undefined
  const stop = (signal: (typeof signals)[number]) => {
    if (received !== undefined) {
      for (const each of signals) process.off(each, stop)
      Worker.hurry.openUnsafe()
      return
    }
    received = signal
    fiber.interruptUnsafe(fiber.id)
  }
  for (const signal of signals) process.on(signal, stop)
  fiber.addObserver((exit) => {
    process.exitCode = received === "SIGINT" ? 130 : received === "SIGTERM" || Exit.isSuccess(exit) ? 0 : failed
    process.exit()
  })
}
