/**
 * What jobs cost: `npm run bench:jobs [-- --speed --peers --flight --article --retention=N] [postgres://...]`.
 *
 * Without flags everything but `--retention` (which writes N finished jobs first, a million by default). PostgreSQL
 * is the one at the URL, or one the bench brings with it. BullMQ stands beside ours where it is installed
 * (`npm install --prefix bench`), on Redis too where one answers at REDIS_URL or on its usual port.
 */
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as postgres from "../packages/pipelines/test/jobs/postgres.ts"
import { articles, flight } from "./jobs/flight.ts"
import { peers } from "./jobs/peers.ts"
import { retention } from "./jobs/retention.ts"
import { speed } from "./jobs/speed.ts"

const flag = { type: "boolean", default: false } as const
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { speed: flag, peers: flag, flight: flag, article: flag, retention: { type: "string" } },
  // `--retention` alone means a million.
  args: process.argv.slice(2).map((arg) => arg === "--retention" ? "--retention=1000000" : arg)
})
const all = !values.speed && !values.peers && !values.flight && !values.article && values.retention === undefined

const directory = mkdtempSync(join(tmpdir(), "effect-dspy-bench-"))
const file = (name: string) => join(directory, `${name}.db`)

const [url] = positionals
if (url !== undefined) process.env["DATABASE_URL"] = url
const server = await postgres.serve()
const database = (name: string) => Effect.runPromise(postgres.createDatabase(server, `effect_dspy_bench_${name}`))

const redisAnswers = (at: URL) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(Number(at.port === "" ? 6379 : at.port), at.hostname)
    socket.on("connect", () => socket.end("PING\r\n"))
    socket.on("data", (data) => resolve(String(data).startsWith("+PONG")))
    socket.on("error", () => resolve(false))
  })
const redis = process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379"

try {
  if (all || values.speed) {
    await speed("SQLite, synchronous=FULL", file("full"))
    await speed("SQLite, synchronous=NORMAL", `${file("normal")}?NORMAL`)
    await speed("PostgreSQL", await database("speed"))
  }
  if (all || values.peers) {
    await peers(await database("peers"), await redisAnswers(new URL(redis)) ? redis : undefined)
  }
  if (all || values.flight) {
    // Its worker runs what users install.
    execFileSync("node_modules/.bin/tsc", ["-b", "packages/core", "packages/providers", "packages/pipelines"])
    await flight(file("flight"))
  }
  if (all || values.article) await articles((name) => file(`article-${name}`))
  if (values.retention !== undefined) {
    const count = Number(values.retention)
    await retention("SQLite", file("empty"), file("million"), count)
    await retention("PostgreSQL", await database("empty"), await database("million"), count)
  }
} finally {
  await server.close()
  rmSync(directory, { recursive: true, force: true })
}
