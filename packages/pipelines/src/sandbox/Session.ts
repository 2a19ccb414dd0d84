/**
 * One session of a sandbox: a process, the functions it may call, and the runs on it, one after the other.
 *
 * A run that had to be ended by ending the process leaves a session without what earlier runs have defined; the next
 * run starts on a new process, with the session's variables and functions.
 */
import * as CodeError from "@effect-dspy/core/CodeError"
import type * as CodeExecutor from "@effect-dspy/core/CodeExecutor"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import type * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Channel from "./Channel.ts"
import type { FromProcess, Outcome, ToProcess } from "./Protocol.ts"

/** Limits with nothing left out. */
export interface Limits {
  readonly time: Duration.Duration
  readonly memoryBytes: number
  readonly outputChars: number
}

/** How long a step that cannot be stopped from within may go on over the time limit before its process is killed. */
const graceMillis = 1000

/** A process that is not ready by then will not be: it takes a sixth of a second on an idle machine. */
const startMillis = 30_000

/** What a function gave, as the process is told. */
interface Answer {
  readonly ok: boolean
  readonly text: string | null
}

/** The end of a run. */
type Done = Extract<FromProcess, { readonly type: "done" }>

/** A process of a session, and how to end it. */
interface Running extends Channel.Channel {
  readonly scope: Scope.Closeable
}

/**
 * Begins a session. Its process starts at once, so that a sandbox which cannot run is known before code is written.
 *
 * @category constructors
 */
export const make = <R>(
  options: CodeExecutor.Options<R>,
  limits: Limits
): Effect.Effect<CodeExecutor.Session, CodeError.CodeError, R | Scope.Scope> =>
  Effect.gen(function*() {
    const { concurrency = 8 } = options
    if (!(concurrency >= 1)) throw new TypeError(`a session: at least 1 call of functions at once, not ${concurrency}`)
    const context = yield* Effect.context<R>()
    const outer = yield* Effect.scope
    const turn = yield* Semaphore.make(1)
    const permits = yield* Semaphore.make(concurrency)
    const opening: ToProcess = {
      type: "open",
      memoryBytes: limits.memoryBytes,
      outputChars: limits.outputChars,
      variables: Object.entries(options.variables ?? {}).map(([name, value]) => [name, JSON.stringify(value)]),
      functions: Object.keys(options.functions ?? {}),
      endings: options.endings ?? []
    }
    let running: Running | undefined

    const start: Effect.Effect<Running, CodeError.CodeError> = Effect.gen(function*() {
      const scope = yield* Scope.fork(outer)
      return yield* Effect.onExit(
        opened(opening, limits, scope),
        (exit) => Exit.isSuccess(exit) ? Effect.void : Scope.close(scope, exit)
      )
    })

    const end = Effect.suspend(() => {
      const ended = running
      running = undefined
      return ended === undefined ? Effect.void : Scope.close(ended.scope, Exit.void)
    })

    /** Runs a function the code has called. */
    const answer = (name: string, json: string): Effect.Effect<Answer> => {
      const called = Object.hasOwn(options.functions ?? {}, name) ? options.functions?.[name] : undefined
      // The process knows of no others, so this is what one that was taken over hears.
      if (called === undefined) return Effect.succeed({ ok: false, text: "there is no such function" })
      return Effect.suspend(() => called(...JSON.parse(json) as ReadonlyArray<Schema.Json>)).pipe(
        Effect.provideContext(context),
        (called) => permits.withPermit(called),
        Effect.match({
          onFailure: (error) => ({ ok: false, text: error instanceof Error ? error.message : "the function failed" }),
          onSuccess: (value) => ({ ok: true, text: value === undefined ? null : JSON.stringify(value) })
        })
      )
    }

    let runs = 0

    /** Hears the process out until the run is done. Calls of the code are fibers of the run. */
    const follow = (process: Running, code: string): Effect.Effect<Done, CodeError.CodeError, Scope.Scope> =>
      Effect.gen(function*() {
        const clock = yield* Clock.Clock
        const time = Duration.toMillis(limits.time)
        const run = ++runs
        let spent = 0
        // Messages the process has not worked off, and when it must have. While it waits for functions, it owes none.
        let owed = 0
        let due = 0
        const say = (message: ToProcess) => {
          if (owed++ === 0) due = clock.currentTimeMillisUnsafe() + time - spent + graceMillis
          process.say(message)
        }
        say({ type: "run", code, timeMillis: time })
        while (true) {
          const hear = Queue.take(process.heard)
          const heard = owed === 0
            ? Option.some(yield* hear)
            : yield* Effect.timeoutOption(hear, Math.max(0, due - clock.currentTimeMillisUnsafe()))
          if (Option.isNone(heard)) {
            return yield* CodeError.make(new CodeError.TimeLimit({ limit: limits.time }), "", true)
          }
          const message = heard.value
          if (message.type === "done") return message
          if (message.type === "waiting") {
            owed--
            spent = message.spentMillis
          } else if (message.type === "call") {
            yield* Effect.forkScoped(Effect.onExit(answer(message.name, message.json), (exit) =>
              Effect.sync(() =>
                Queue.offerUnsafe(process.heard, { type: "answer", run, call: message.call, exit })
              )))
          } else if (message.type === "answer") {
            if (message.run !== run) {
              continue
            }
            // A defect of a function is one of the program, not of the code.
            if (Exit.isFailure(message.exit)) {
              return yield* Effect.failCause(message.exit.cause)
            }
            say({ type: "settle", call: message.call, ...message.exit.value })
          } else {
            return yield* CodeError.make(died(message), "", true)
          }
        }
      })

    const run = (code: string): Effect.Effect<CodeExecutor.Ran, CodeError.CodeError> =>
      Effect.gen(function*() {
        const process = running ??= yield* start
        let kept = false
        const done = yield* Effect.scoped(follow(process, code)).pipe(
          Effect.tap((done) =>
            Effect.sync(() => {
              kept = !done.spoiled
            })
          ),
          // Whatever else ended the run, nobody knows what the code is doing.
          Effect.ensuring(Effect.suspend(() =>
            kept ? Effect.void : end
          ))
        )
        return yield* ran(done, limits)
      })

    running = yield* start
    return { run: (code) => turn.withPermit(run(code)) }
  })

const opened = (
  opening: ToProcess,
  limits: Limits,
  scope: Scope.Closeable
): Effect.Effect<Running, CodeError.CodeError> =>
  Effect.gen(function*() {
    const channel = yield* Scope.provide(Channel.start, scope)
    channel.say(opening)
    const first = yield* Effect.timeoutOption(Queue.take(channel.heard), startMillis)
    if (Option.isSome(first) && first.value.type === "ready") return { ...channel, scope }
    return yield* CodeError.make(
      Option.isNone(first) ? notStarted("the process does not answer") : unready(first.value, limits),
      "",
      true
    )
  })

const notStarted = (detail: string): CodeError.Reason => new CodeError.NotStarted({ detail })

const unready = (heard: Channel.Heard, { memoryBytes }: Limits): CodeError.Reason => {
  if (heard.type === "exited") {
    return notStarted(`the process ended at once (${heard.signal ?? `exit code ${heard.exitCode}`})`)
  }
  if (heard.type !== "broken") return died(heard)
  // The variables alone are too much.
  return heard.detail.includes("out of memory")
    ? new CodeError.MemoryLimit({ limitBytes: memoryBytes })
    : notStarted(heard.detail)
}

const died = (heard: Channel.Heard): CodeError.Reason =>
  heard.type === "exited"
    ? new CodeError.ProcessDied({ exitCode: heard.exitCode, signal: heard.signal })
    : notStarted(heard.type === "broken" ? heard.detail : "the process does not speak our language")

const ran = (
  { outcome, output, spoiled }: Done,
  limits: Limits
): Effect.Effect<CodeExecutor.Ran, CodeError.CodeError> => {
  if (outcome.type === "value") return Effect.succeed({ output, ...read(outcome.json) })
  if (outcome.type === "ending") {
    return Effect.succeed({ output, ending: { name: outcome.name, argument: read(outcome.json).value } })
  }
  return Effect.fail(CodeError.make(reasonOf(outcome, limits), output, spoiled))
}

// The engine's own JSON.
const read = (json: string | null): { readonly value?: Schema.Json } =>
  json === null ? {} : { value: JSON.parse(json) as Schema.Json }

const reasonOf = (
  outcome: Exclude<Outcome, { readonly type: "value" | "ending" }>,
  limits: Limits
): CodeError.Reason => {
  switch (outcome.type) {
    case "thrown":
      return new CodeError.Thrown({ detail: Redacted.make(outcome.detail) })
    case "time":
      return new CodeError.TimeLimit({ limit: limits.time })
    case "memory":
      return new CodeError.MemoryLimit({ limitBytes: limits.memoryBytes })
    case "output":
      return new CodeError.OutputLimit({ limitChars: limits.outputChars })
    default:
      return new CodeError.Stalled()
  }
}
