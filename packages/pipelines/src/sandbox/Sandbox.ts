/**
 * Runs JavaScript that a model wrote: QuickJS compiled to WebAssembly, in a process of its own.
 *
 * Three walls, one behind the other:
 * 1. The engine. Code sees the language and what it is given: no module, file, process, network or timer. Its memory
 *    and what it prints are bounded, and it is stopped at its time limit; what it has defined stays.
 * 2. The process. It is killed when the engine does not stop in time, when its run is interrupted, and with its
 *    session. It has no environment, and Node's permission model takes writing, processes, workers and add-ons away.
 * 3. The channel. What the process says is checked, and it can call nothing but the functions of its session.
 *
 * Each session has a process of its own and each process one session, so no code finds what another has left. The layer
 * needs Node, `quickjs-emscripten-core` and `@jitl/quickjs-ng-wasmfile-release-sync`.
 */
import * as CodeExecutor from "@effect-dspy/core/CodeExecutor"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import * as Session from "./Session.ts"

/**
 * - `limits`: of sessions that name no others
 * - `processes`: sessions at once (default 16); more wait for their turn. A session that is opened within a function
 *   of another one needs a process beside it
 *
 * @category models
 */
export interface Options {
  readonly limits?: CodeExecutor.Limits
  readonly processes?: number
}

const manual =
  "The code is a JavaScript program (ES2023) in an interpreter without modules, files, network or timers. " +
  "What is declared at its top stays for later programs, so declare a name once and assign to it afterwards. " +
  "`await` works at the top. `console.log` prints, and the value of the last expression is shown too."

/**
 * A `CodeExecutor` that runs code in processes beside this one.
 *
 * ```ts
 * import { CodeError, CodeExecutor } from "@effect-dspy/core"
 * import { Sandbox } from "@effect-dspy/pipelines/sandbox"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const { session } = yield* CodeExecutor.CodeExecutor
 *   const { run } = yield* session({ limits: { time: "200 millis" } })
 *   yield* run("let sum = 1")
 *   const error = yield* Effect.flip(run("while (true) sum++"))
 *   return [error.reason._tag, error.stateLost, (yield* run("sum > 1")).value]
 * })
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Sandbox.layer()))) // => ["TimeLimit", false, true]
 * ```
 *
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<CodeExecutor.CodeExecutor> =>
  Layer.effect(
    CodeExecutor.CodeExecutor,
    Effect.map(Semaphore.make(options.processes ?? 16), (processes) => ({
      language: "js",
      manual,
      session: Effect.fn("Sandbox.session")(function*<R>(session: CodeExecutor.Options<R> = {}) {
        yield* Effect.acquireRelease(processes.take(1), () => processes.release(1), { interruptible: true })
        return yield* Session.make(session, limits({ ...options.limits, ...session.limits }))
      })
    }))
  )

/** Where a timer ends: 24 days. */
const longest = Duration.millis(2 ** 31 - 1)

const limits = ({ memoryBytes, outputChars, time }: CodeExecutor.Limits): Session.Limits => ({
  time: Duration.min(Duration.fromInputUnsafe(time ?? "5 seconds"), longest),
  memoryBytes: memoryBytes ?? 64 * 1024 * 1024,
  outputChars: outputChars ?? 1_000_000
})
