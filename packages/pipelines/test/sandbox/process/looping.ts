/** Runs a loop in a sandbox and tells the id of the sandbox's process. */
import { CodeExecutor } from "@effect-dspy/core"
import { Sandbox } from "@effect-dspy/pipelines/sandbox"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import process from "node:process"

const program = Effect.gen(function*() {
  const { session } = yield* CodeExecutor.CodeExecutor
  const { run } = yield* session({ limits: { time: "2 seconds" } })
  yield* Effect.forkChild(run("while (true) {}"))
  yield* Effect.sleep(300)
  const [pid = ""] = execFileSync("ps", ["-o", "pid=,args=", "--ppid", String(process.pid)], { encoding: "utf8" })
    .split("\n").filter((line) => line.includes("SandboxProcess"))
  console.log(Number.parseInt(pid, 10))
  return yield* Effect.never
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Sandbox.layer())))
