/**
 * What the program and the process that runs code say to each other, as JSON over the process's IPC channel.
 *
 * 1. `open` tells the process its limits and what the code may find; it says `ready`, or `broken` and why.
 * 2. `run` begins a run. Code calls functions of the host with `call` and is answered by `settle`.
 * 3. Each `run` and `settle` is worked off in one go, which ends with `waiting` (for functions) or `done`;
 *    `spoiled` says that code still runs which cannot be stopped from within.
 *
 * Values of the code travel as JSON text: only the code's own engine and the program look into them.
 */
import * as Schema from "effect/Schema"

/** What the program says. */
export type ToProcess =
  | {
    readonly type: "open"
    readonly memoryBytes: number
    readonly outputChars: number
    readonly variables: ReadonlyArray<readonly [name: string, json: string]>
    readonly functions: ReadonlyArray<string>
    readonly endings: ReadonlyArray<string>
  }
  | { readonly type: "run"; readonly code: string; readonly timeMillis: number }
  | { readonly type: "settle"; readonly call: number; readonly ok: boolean; readonly text: string | null }

/** How a run ended. */
export const Outcome = Schema.Union([
  Schema.Struct({ type: Schema.Literal("value"), json: Schema.NullOr(Schema.String) }),
  Schema.Struct({ type: Schema.Literal("ending"), name: Schema.String, json: Schema.NullOr(Schema.String) }),
  Schema.Struct({ type: Schema.Literal("thrown"), detail: Schema.String }),
  Schema.Struct({ type: Schema.Literals(["time", "memory", "output", "stalled"]) })
])

/** One of the ends of a run. */
export type Outcome = typeof Outcome.Type

/** What the process says. It ran code that nobody has read, so what comes from it is checked. */
export const FromProcess = Schema.Union([
  Schema.Struct({ type: Schema.Literal("ready") }),
  Schema.Struct({ type: Schema.Literal("broken"), detail: Schema.String }),
  Schema.Struct({ type: Schema.Literal("call"), call: Schema.Int, name: Schema.String, json: Schema.String }),
  Schema.Struct({ type: Schema.Literal("waiting"), spentMillis: Schema.Finite }),
  Schema.Struct({
    type: Schema.Literal("done"),
    output: Schema.String,
    outcome: Outcome,
    spoiled: Schema.Boolean
  })
])

/** One of the process's messages. */
export type FromProcess = typeof FromProcess.Type
