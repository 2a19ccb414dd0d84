/**
 * An engine for code nobody has read: QuickJS, compiled to WebAssembly, with limits.
 *
 * The code sees the language, `console`, and what it is given; there is no file, no process, no network and no module
 * in its world. It is stopped between two of its steps when its time is over, when it has printed too much or called
 * an ending, and then what it has defined is still there. A step that takes long by itself (a huge string being
 * built) is not stopped from here: the program kills the process.
 *
 * This runs inside the sandbox's process and loads nothing of effect: it starts in a sixth of a second.
 */
import { performance } from "node:perf_hooks"
import type { QuickJSDeferredPromise, QuickJSHandle, QuickJSWASMModule } from "quickjs-emscripten-core"
import { prelude } from "./Prelude.ts"
import type { Outcome, ToProcess } from "./Protocol.ts"

/** What a guest is made with. */
type Opening = Extract<ToProcess, { readonly type: "open" }>

/** What the process tells the program. */
interface Host {
  readonly call: (call: number, name: string, json: string) => void
  readonly waiting: (spentMillis: number) => void
  readonly done: (output: string, outcome: Outcome, spoiled: boolean) => void
}

/** Promises of one run that wait for the host: more would only fill the program's memory. */
const maxCalls = 1000

/** Characters of arguments that wait for the host at once. */
const maxWaitingChars = 16_000_000

/** Jobs that are given the chance to notice that their run was stopped. */
const maxJobs = 1000

/** What the engine gets on top, to say that its memory is full. */
const spareBytes = 1_000_000

/** The engine's own stack, well below that of WebAssembly: too deep a recursion is an error of the code. */
const stackBytes = 256 * 1024

/** Top-level `await` in code that is no module; quickjs-emscripten passes the flag on, but has no name for it. */
const asyncGlobal = 1 << 7

/**
 * Makes a guest. It runs one piece of code at a time.
 *
 * @category constructors
 */
export const make = (quickjs: QuickJSWASMModule, opening: Opening, host: Host) => {
  const runtime = quickjs.newRuntime()
  runtime.setMemoryLimit(opening.memoryBytes)
  runtime.setMaxStackSize(stackBytes)
  const context = runtime.newContext()
  const pending = new Map<number, { readonly deferred: QuickJSDeferredPromise; readonly chars: number }>()
  let calls = 0
  let waitingChars = 0
  let output = ""
  let stopped: Outcome | undefined
  let promise: QuickJSHandle | undefined
  let spent = 0
  let time = 0
  let deadline = Infinity

  const stop = (outcome: Outcome) => {
    stopped ??= outcome
    return { error: context.newError("stopped") }
  }
  runtime.setInterruptHandler(() => {
    if (stopped === undefined && performance.now() > deadline) stopped = { type: "time" }
    return stopped !== undefined
  })

  const lengthOf = (text: QuickJSHandle): number =>
    context.getProp(text, "length").consume((length) => context.getNumber(length))
  const print = context.newFunction("print", (text) => {
    const room = opening.outputChars - output.length
    if (lengthOf(text) <= room) {
      output += context.getString(text)
      return undefined
    }
    return stop({ type: "output" })
  })
  const call = context.newFunction("call", (name, json) => {
    if (stopped !== undefined) return stop(stopped)
    const chars = lengthOf(json)
    if (pending.size >= maxCalls || waitingChars + chars > maxWaitingChars) return stop({ type: "output" })
    const deferred = context.newPromise()
    waitingChars += chars
    pending.set(++calls, { deferred, chars })
    host.call(calls, context.getString(name), context.getString(json))
    return deferred.handle
  })
  const end = context.newFunction("end", (name, json) => {
    if (context.typeof(json) !== "string") return stop({ type: "ending", name: context.getString(name), json: null })
    if (lengthOf(json) > opening.outputChars) return stop({ type: "output" })
    return stop({ type: "ending", name: context.getString(name), json: context.getString(json) })
  })

  const begin = (): readonly [encode: QuickJSHandle, describe: QuickJSHandle] => {
    const made = context.unwrapResult(context.evalCode(prelude, "prelude.js"))
    const given = [opening.variables, opening.functions, opening.endings].map((value) =>
      context.newString(JSON.stringify(value))
    )
    const ways = context.unwrapResult(context.callFunction(made, context.undefined, print, call, end, ...given))
    for (const handle of given) handle.dispose()
    return [context.getProp(ways, 0), context.getProp(ways, 1)]
  }
  const [encode, describe] = begin()

  /** A value of the code through one of the prelude's functions; `undefined` where that gives no text. */
  const through = (way: QuickJSHandle, value: QuickJSHandle): string | undefined => {
    const result = context.callFunction(way, context.undefined, value)
    if (result.error !== undefined) {
      result.error.dispose()
      return undefined
    }
    return result.value.consume((text) => {
      if (context.typeof(text) !== "string") return undefined
      if (lengthOf(text) > opening.outputChars) {
        stop({ type: "output" }).error.dispose()
        return undefined
      }
      return context.getString(text)
    })
  }

  const thrown = (error: QuickJSHandle): Outcome => {
    // Code that has filled its memory leaves no room for words about it.
    runtime.setMemoryLimit(opening.memoryBytes + spareBytes)
    const detail = through(describe, error) ?? "an error that cannot be shown"
    runtime.setMemoryLimit(opening.memoryBytes)
    return detail.startsWith("InternalError: out of memory") ? { type: "memory" } : { type: "thrown", detail }
  }

  const finish = (outcome: Outcome) => {
    promise?.dispose()
    promise = undefined
    // Code that did not wait for its calls does not hear of them.
    for (const { deferred } of pending.values()) deferred.dispose()
    pending.clear()
    waitingChars = 0
    // What was stopped may have left jobs behind, which are to end before the next run.
    for (let left = maxJobs; stopped !== undefined && left > 0 && runtime.hasPendingJob(); left--) {
      runtime.executePendingJobs(1).dispose()
    }
    deadline = Infinity
    const said = output
    output = ""
    host.done(said, stopped ?? outcome, runtime.hasPendingJob())
  }

  /** Lets the code go on as far as it can, and says how far it came. */
  const advance = (begun: number) => {
    runtime.executePendingJobs().dispose()
    if (promise === undefined) return
    const state = context.getPromiseState(promise)
    if (state.type === "fulfilled") {
      // The engine wraps the value of an async script in an object.
      const json = state.value.consume((wrapped) =>
        context.getProp(wrapped, "value").consume((value) => through(encode, value))
      )
      return finish({ type: "value", json: json ?? null })
    }
    if (state.type === "rejected") return finish(state.error.consume(thrown))
    spent += performance.now() - begun
    if (stopped !== undefined || pending.size === 0) return finish({ type: "stalled" })
    host.waiting(spent)
  }

  return {
    run: (code: string, timeMillis: number): void => {
      const begun = performance.now()
      stopped = undefined
      spent = 0
      time = timeMillis
      deadline = begun + time
      const result = context.evalCode(code, "code.js", asyncGlobal)
      if (result.error !== undefined) return finish(result.error.consume(thrown))
      promise = result.value
      advance(begun)
    },
    settle: (id: number, ok: boolean, text: string | null): void => {
      const waiting = pending.get(id)
      if (waiting === undefined) return host.waiting(spent)
      const begun = performance.now()
      deadline = begun + time - spent
      pending.delete(id)
      waitingChars -= waiting.chars
      const value = text === null ? context.undefined : ok ? context.newString(text) : context.newError(text)
      if (ok) waiting.deferred.resolve(value)
      else waiting.deferred.reject(value)
      value.dispose()
      advance(begun)
    }
  }
}
