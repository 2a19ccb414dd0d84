/**
 * Runs code that a model wrote, somewhere it can do no harm.
 *
 * core knows the service only: code goes in, what it printed and gave comes out, within limits. `Sandbox` of
 * `@effect-dspy/pipelines/sandbox` runs JavaScript in a WebAssembly engine inside a process of its own; another
 * layer may use a container or a remote service. Generated code is never evaluated in the process of the program.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { CodeError } from "./CodeError.ts"

/**
 * - `time`: of one run, without the time it waits for functions of the host (default 5 seconds)
 * - `memoryBytes`: of the code and all that it holds (default 64 MB)
 * - `outputChars`: what one run may print and return, in characters (default 1,000,000)
 *
 * @category models
 */
export interface Limits {
  readonly time?: Duration.Input
  readonly memoryBytes?: number
  readonly outputChars?: number
}

/**
 * A function of the host that code may call: it takes and gives JSON, and the code has to await it. What it fails
 * with is thrown in the code, by its `message`.
 *
 * @category models
 */
export interface HostFunction<out R = never> {
  (...args: ReadonlyArray<Schema.Json>): Effect.Effect<Schema.Json | undefined, unknown, R>
}

/**
 * What code finds when it begins, and nothing else.
 *
 * - `variables`: by name; they travel once and stay in the session
 * - `functions`: by name; at most `concurrency` (default 8) of them run at once
 * - `endings`: names of functions that end a run with their argument, such as `SUBMIT`
 *
 * @category models
 */
export interface Options<out R = never> {
  readonly variables?: { readonly [name: string]: Schema.Json }
  readonly functions?: { readonly [name: string]: HostFunction<R> }
  readonly endings?: ReadonlyArray<string>
  readonly concurrency?: number
  readonly limits?: Limits
}

/**
 * What a run came to.
 *
 * - `output`: what it printed
 * - `value`: of its last expression, where it has one that is JSON
 * - `ending`: the function that ended it, and its argument
 *
 * @category models
 */
export interface Ran {
  readonly output: string
  readonly value?: Schema.Json
  readonly ending?: { readonly name: string; readonly argument: Schema.Json | undefined }
}

/**
 * Code that is run piece by piece: what one run defines at its top, the next one finds. Runs of one session follow
 * each other, however they are called.
 *
 * @category models
 */
export interface Session {
  readonly run: (code: string) => Effect.Effect<Ran, CodeError>
}

/**
 * - `language`: tag of the language, as in a fence: `js`
 * - `manual`: what a model has to know to write code for it, in a few sentences
 * - `session`: begins with nothing but what the options give; it ends with its scope
 *
 * @category models
 */
export interface Service {
  readonly language: string
  readonly manual: string
  readonly session: <R = never>(options?: Options<R>) => Effect.Effect<Session, CodeError, R | Scope.Scope>
}

/**
 * Who runs code.
 *
 * ```ts
 * import { CodeExecutor } from "@effect-dspy/core"
 * import { Sandbox } from "@effect-dspy/pipelines/sandbox"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const { session } = yield* CodeExecutor.CodeExecutor
 *   const { run } = yield* session({
 *     variables: { words: ["tide", "moon"] },
 *     functions: { lookup: (word) => Effect.succeed(`${word}!`) }
 *   })
 *   yield* run("const found = await Promise.all(words.map((word) => lookup(word)))")
 *   return yield* run("console.log(found.length); found[1]")
 * })
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Sandbox.layer()))) // => { output: "2\n", value: "moon!" }
 * ```
 *
 * @category services
 */
export class CodeExecutor extends Context.Service<CodeExecutor, Service>()("@effect-dspy/core/CodeExecutor") {}
