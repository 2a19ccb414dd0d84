/** The three engines, each with an empty store for every test. */
import type { Claims, Engine, Jobs, StoreError } from "@effect-dspy/pipelines/jobs"
import { Postgres } from "@effect-dspy/pipelines/postgres"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { describe, it } from "@effect/vitest"
import { Effect, type Layer, type Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import * as postgres from "./postgres.ts"

export type Store = Layer.Layer<Jobs | Claims.Claims | SqlClient.SqlClient, StoreError.StoreError>

type Test = (
  name: string,
  body: (store: Store) => Effect.Effect<void, unknown, Scope.Scope>
) => void

/** Runs the same tests on every engine. Quick looks, so that a lost word shows as a slow test and not as a second of silence. */
export const onEveryEngine = (
  name: string,
  tests: (test: Test, engine: string) => void,
  options: Engine.Options = { poll: "250 millis" }
) => {
  const declare = (engine: string, store: () => Effect.Effect<Store, never, Scope.Scope>) =>
    describe(`${name} (${engine})`, () => {
      tests(
        (name, body) => it.live(name, () => Effect.flatMap(store(), (store) => Effect.scoped(body(store))), 20_000),
        engine
      )
    })
  declare("memory", () => Effect.succeed(Sqlite.memory(options)))
  declare(
    "sqlite",
    () => Effect.map(directory, (path) => Sqlite.layer({ filename: join(path, "jobs.db"), ...options }))
  )
  let server: Awaited<ReturnType<typeof postgres.serve>> | undefined
  let databases = 0
  beforeAll(async () => {
    server = await postgres.serve()
  }, 60_000)
  afterAll(() => server?.close(), 60_000)
  declare("postgres", () =>
    Effect.suspend(() => {
      if (server === undefined) return Effect.die("no PostgreSQL")
      const database = `jobs_test_${process.pid}_${databases++}`
      return Effect.map(postgres.createDatabase(server, database), (url) => Postgres.layer({ url, ...options }))
    }))
}

/** A directory that is deleted with the scope. */
const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-dspy-jobs-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)
