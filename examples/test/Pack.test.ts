/**
 * What a user of the published packages gets: `npm pack`, installed beside an effect project of their own.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { cpSync, globSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const root = fileURLToPath(new URL("../..", import.meta.url))
const exec = promisify(execFile)

/** npm, without a network: everything that is installed lies here already. */
const npm = (cwd: string, ...args: ReadonlyArray<string>) =>
  exec("npm", [...args, "--offline", "--no-audit", "--no-fund", "--loglevel=error"], { cwd, maxBuffer: 1e8 })

const consumer = `
import { Effect, Schema } from "effect"
import { LM, Predict, Signature } from "@effect-dspy/core"
import { Pipeline } from "@effect-dspy/pipelines"
import { OpenAiCompatible } from "@effect-dspy/providers"
import { Offline } from "@effect-dspy/providers/offline"

const title = Predict.make(Signature.make("Title", { input: { text: Schema.String }, output: { title: Schema.String } }))
const pipeline = Pipeline.make("P", { input: { text: Schema.String }, steps: { title } })
const Live = Offline.layer().pipe(LM.resilient())
if (typeof OpenAiCompatible.layer !== "function") throw new Error("no layer")
const output: { readonly title: string } = await Effect.runPromise(Effect.provide(pipeline({ text: "# Tides" }), Live))
console.log(output.title)
`

const loaded = `
import { registerHooks } from "node:module"
const urls = []
registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) })
await import("@effect-dspy/core")
await import("@effect-dspy/providers")
console.log(urls.filter((url) => /effect\\/dist\\/(persistence|sql|cluster|ai|workflow|cli)\\//.test(url)).join("\\n"))
`

const served = `
import { Dashboard } from "@effect-dspy/pipelines/dashboard"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { Effect, Layer } from "effect"
import { HttpServer } from "effect/http"

const Live = Dashboard.layer({ port: 0, token: "long-enough-for-a-test" }).pipe(Layer.provide(Sqlite.memory()))
const ask = (path) => HttpServer.addressFormattedWith((address) =>
  Effect.promise(async () => (await fetch(address + path)).status))
const statuses = Effect.forEach(["/", "/main.js", "/vendor/lit-html/lit-html.js", "/vendor/uplot.js", "/api/jobs"], ask)
console.log((await Effect.runPromise(Effect.provide(statuses, Live))).join(" "))
`

/** What the dashboard needs beside the packages; a copy finds the one effect there is. */
const besideDashboard = ["lit-html", "uplot", "undici", "ws", "@effect/platform-node", "@effect/platform-node-shared"]

describe("the packed packages", () => {
  it("install beside effect, with one copy of it, and type-check and run there", { timeout: 180_000 }, async () => {
    const scratch = mkdtempSync(join(tmpdir(), "effect-dspy-pack-"))
    try {
      await exec(process.execPath, [
        join(root, "node_modules/typescript/bin/tsc"),
        "-b",
        "packages/core",
        "packages/providers",
        "packages/pipelines"
      ], { cwd: root })
      const packed = join(scratch, "packed")
      mkdirSync(packed)
      const sources = ["packages/core", "packages/providers", "packages/pipelines", "node_modules/effect"]
      await npm(
        scratch,
        "pack",
        "--ignore-scripts",
        "--pack-destination",
        packed,
        ...sources.map((path) => join(root, path))
      )
      const app = join(scratch, "app")
      mkdirSync(app)
      writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", type: "module", private: true }))
      await npm(app, "install", ...readdirSync(packed).map((file) => join(packed, file)))
      assert.lengthOf(globSync("node_modules/**/effect/package.json", { cwd: app }), 1)

      writeFileSync(join(app, "consumer.ts"), consumer)
      writeFileSync(
        join(app, "tsconfig.json"),
        JSON.stringify({
          compilerOptions: {
            module: "NodeNext",
            target: "ES2023",
            strict: true,
            exactOptionalPropertyTypes: true,
            noEmit: true,
            types: []
          }
        })
      )
      await exec(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", app], { cwd: app })
      const { stdout } = await exec(process.execPath, ["consumer.ts"], { cwd: app })
      assert.strictEqual(stdout, "Tides\n")

      writeFileSync(join(app, "loaded.mjs"), loaded)
      const modules = await exec(process.execPath, ["loaded.mjs"], { cwd: app })
      assert.strictEqual(modules.stdout.trim(), "")

      for (const name of besideDashboard) {
        cpSync(join(root, "node_modules", name), join(app, "node_modules", name), { recursive: true })
      }
      writeFileSync(join(app, "served.mjs"), served)
      const statuses = await exec(process.execPath, ["served.mjs"], { cwd: app })
      assert.strictEqual(statuses.stdout.trim(), "200 200 200 200 200")
    } finally {
      rmSync(scratch, { recursive: true, force: true })
    }
  })
})
