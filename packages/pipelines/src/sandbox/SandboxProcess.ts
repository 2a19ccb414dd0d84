/**
 * The program of a sandbox's process: one guest, told what to do over the IPC channel.
 *
 * It is started by `Sandbox`, with no environment and with Node's permissions for writing, processes, workers and
 * add-ons taken away, and it ends when the channel does. It must not import anything of effect: a session would take
 * longer to start than most code to run.
 */
import process from "node:process"
import type { QuickJSSyncVariant, QuickJSWASMModule } from "quickjs-emscripten-core"
import * as Guest from "./Guest.ts"
import type { FromProcess, ToProcess } from "./Protocol.ts"

const say = (message: FromProcess): void => {
  process.send?.(message)
}

const broken = (error: unknown): void => say({ type: "broken", detail: error instanceof Error ? error.message : "" })

const serve = (quickjs: QuickJSWASMModule): void => {
  let guest: ReturnType<typeof Guest.make> | undefined
  process.on("message", (message: ToProcess) => {
    if (message.type === "run") return guest?.run(message.code, message.timeMillis)
    if (message.type === "settle") return guest?.settle(message.call, message.ok, message.text)
    try {
      guest = Guest.make(quickjs, message, {
        call: (call, name, json) => say({ type: "call", call, name, json }),
        waiting: (spentMillis) => say({ type: "waiting", spentMillis }),
        done: (output, outcome, spoiled) => say({ type: "done", output, outcome, spoiled })
      })
      say({ type: "ready" })
    } catch (error) {
      broken(error)
    }
  })
}

process.on("disconnect", () => process.exit())
// The engine is an optional peer: whoever lacks it is told so, by the words of the import that failed.
Promise.all([import("quickjs-emscripten-core"), import("@jitl/quickjs-ng-wasmfile-release-sync")]).then(
  ([core, variant]) =>
    // Its types describe its CommonJS form; imported, the default is the variant itself.
    core.newQuickJSWASMModuleFromVariant(variant.default as unknown as QuickJSSyncVariant)
).then(serve).catch(broken)
