/**
 * Runs code in the sandbox of the packages as they would be published: packed, unpacked beside their peers, and
 * without the condition that leads to the sources. Needs a build.
 */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"

const home = mkdtempSync(join(tmpdir(), "effect-dspy-packed-"))
try {
  const modules = join(home, "node_modules")
  for (const name of ["core", "pipelines"]) {
    const [packed] = JSON.parse(
      execFileSync("npm", ["pack", "--json", "--pack-destination", home], {
        cwd: `packages/${name}`,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"]
      })
    )
    const target = join(modules, "@effect-dspy", name)
    mkdirSync(target, { recursive: true })
    execFileSync("tar", ["-xzf", join(home, packed.filename), "-C", target, "--strip-components=1"])
  }
  const install = (peer) => {
    mkdirSync(dirname(join(modules, peer)), { recursive: true })
    symlinkSync(resolve("node_modules", peer), join(modules, peer))
  }
  install("effect")
  const program = join(home, "program.mjs")
  writeFileSync(
    program,
    `import { CodeExecutor } from "@effect-dspy/core"
import { Sandbox } from "@effect-dspy/pipelines/sandbox"
import { Effect } from "effect"
const ran = Effect.flatMap(CodeExecutor.CodeExecutor, ({ session }) => session()).pipe(
  Effect.flatMap(({ run }) => run("[6 * 7]")),
  Effect.scoped,
  Effect.provide(Sandbox.layer()),
  Effect.match({
    onFailure: ({ reason }) => reason._tag + " " + /quickjs-emscripten-core/.test(reason.detail),
    onSuccess: ({ value }) => JSON.stringify(value)
  })
)
console.log(await Effect.runPromise(ran))`
  )
  const expect = (expected) => {
    const said = execFileSync(process.execPath, [program], { cwd: home, encoding: "utf8" }).trim()
    if (said !== expected) throw new Error(`the packed sandbox said ${said} instead of ${expected}`)
  }
  // The engine is an optional peer: who lacks it is told which package is missing.
  expect("NotStarted true")
  for (const peer of ["quickjs-emscripten-core", "@jitl/quickjs-ng-wasmfile-release-sync", "@jitl/quickjs-ffi-types"]) {
    install(peer)
  }
  expect("[42]")
} finally {
  rmSync(home, { recursive: true, force: true })
}
