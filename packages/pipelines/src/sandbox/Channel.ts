/**
 * A sandbox's process seen from the program: what it says in a queue, and its end.
 *
 * The process is killed when its scope closes, and the scope does not close before it is gone.
 */
import * as CodeError from "@effect-dspy/core/CodeError"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { FromProcess, type ToProcess } from "./Protocol.ts"

/** What is heard of a process: its words, that it is gone, and what functions gave that it has called in a run. */
export type Heard =
  | FromProcess
  | {
    readonly type: "answer"
    readonly run: number
    readonly call: number
    readonly exit: Exit.Exit<{ readonly ok: boolean; readonly text: string | null }>
  }
  | { readonly type: "exited"; readonly exitCode: number | null; readonly signal: string | null }

/** A process that runs. */
export interface Channel {
  readonly heard: Queue.Queue<Heard>
  readonly say: (message: ToProcess) => void
}

// Run from sources, the process runs from sources too.
const program = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "SandboxProcess.ts" : "SandboxProcess.js", import.meta.url).href
)

/**
 * The engine keeps the code in bounds; these hold what would get out of it. Reading must be allowed, for the process
 * has to find its program and the engine. The heap holds messages; the code's memory is the engine's own.
 */
const flags = ["--permission", "--allow-fs-read=*", "--max-old-space-size=256", "--no-warnings"]

/** Messages that wait to be heard: ten times what a guest can say before it has to wait. */
const maxHeard = 10_000

const decode = Schema.decodeUnknownResult(FromProcess)

/**
 * Starts a process. It has no environment: no key of the program is in it.
 *
 * @category constructors
 */
export const start: Effect.Effect<Channel, CodeError.CodeError, Scope.Scope> = Effect.gen(function*() {
  const heard = yield* Queue.unbounded<Heard>()
  const child = yield* Effect.acquireRelease(
    Effect.try({
      try: () => launch(heard),
      // Such as where this process may start no others.
      catch: (error) => CodeError.make(new CodeError.NotStarted({ detail: String(error) }), "", true)
    }),
    end
  )
  return {
    heard,
    say: (message) => {
      // A process that is gone says so itself; what is said to it gets lost.
      if (child.connected) child.send(message, () => {})
    }
  }
})

const launch = (heard: Queue.Queue<Heard>): ChildProcess => {
  const child = spawn(process.execPath, [...flags, program], {
    env: {},
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    windowsHide: true
  })
  child.on("message", (message) => {
    const decoded = decode(message)
    // A process that breaks the protocol, or never stops talking, is not trusted any more.
    if (Result.isFailure(decoded) || Queue.sizeUnsafe(heard) > maxHeard) child.kill("SIGKILL")
    else Queue.offerUnsafe(heard, decoded.success)
  })
  child.on("exit", (exitCode, signal) => Queue.offerUnsafe(heard, { type: "exited", exitCode, signal }))
  child.on("error", (error) => Queue.offerUnsafe(heard, { type: "broken", detail: error.message }))
  return child
}

const isGone = (child: ChildProcess): boolean =>
  child.pid === undefined || child.exitCode !== null || child.signalCode !== null

const end = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (isGone(child)) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })
