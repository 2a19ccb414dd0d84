/**
 * Where jobs are kept: the `--db` option of every command around them, and what it means.
 *
 * `sqlite:FILE` is a file beside the user, `postgres://...` a server for workers on many machines. Whatever is wrong
 * with it is said in one line, and never with the password in it.
 */
import type { Claims, Jobs, StoreError } from "@effect-dspy/pipelines/jobs"
import { Postgres } from "@effect-dspy/pipelines/postgres"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { Config, Effect, Layer, Redacted } from "effect"
import { Flag } from "effect/cli"
import type { SqlClient } from "effect/sql"
import { existsSync } from "node:fs"
import * as path from "node:path"
import * as process from "node:process"
import { UsageError } from "../main/Model.ts"

/** `--db`, or `EFFECT_DSPY_DB`, or a file in the user's directory. */
export const flag = Flag.String("db").pipe(
  Flag.withMetavar("URL"),
  Flag.withFallbackConfig(Config.String("EFFECT_DSPY_DB")),
  Flag.withDefault("sqlite:jobs.db"),
  Flag.withDescription("sqlite:FILE or postgres://...; default EFFECT_DSPY_DB, then sqlite:jobs.db")
)

/** Everything a store of jobs gives. */
export type Db = Jobs | Claims.Claims | SqlClient.SqlClient

/**
 * The store at `db`. `mustExist` is for those who only look: a mistyped file is an error then, not a new file.
 */
export const layer = (db: string, options: { readonly mustExist?: boolean } = {}): Layer.Layer<Db, UsageError> => {
  if (/^postgres(ql)?:\/\//.test(db)) {
    return URL.canParse(db)
      ? named(db, Postgres.layer({ url: Redacted.make(db) }))
      : refused("--db: expected postgres://USER:PASSWORD@HOST:PORT/DATABASE")
  }
  const file = /^sqlite:(?:\/\/(?=\/))?(.+)$/.exec(db)?.[1]
  if (file === undefined) {
    return refused(`--db ${shown(db)}: expected sqlite:FILE or postgres://USER:PASSWORD@HOST:PORT/DATABASE`)
  }
  // npm runs scripts in the package's folder and says where the user was.
  const filename = path.resolve(process.env["INIT_CWD"] ?? process.cwd(), file)
  if (options.mustExist === true && !existsSync(filename)) return refused(`--db ${db}: there is no such file`)
  return named(db, Sqlite.layer({ filename }))
}

/** A database as it may be shown: without its password. */
export const shown = (db: string): string => db.replace(/^(\w+:\/\/[^:@/]*):.*@/, "$1:***@")

const named = (db: string, store: Layer.Layer<Db, StoreError.StoreError>): Layer.Layer<Db, UsageError> =>
  Layer.catch(store, (error) => refused(`--db ${shown(db)}: ${problem(error.cause)}`))

/** The innermost message there is: drivers wrap what happened in what they were doing. */
const problem = (cause: unknown): string => {
  if (cause instanceof AggregateError && cause.errors.length > 0) return problem(cause.errors[0])
  if (typeof cause !== "object" || cause === null) return String(cause)
  if ("reason" in cause && typeof cause.reason === "object") return problem(cause.reason)
  if ("cause" in cause && cause.cause !== undefined) return problem(cause.cause)
  if (!("message" in cause) || typeof cause.message !== "string") return "it can't be opened"
  // The driver's words for a URL that names nobody, where the environment doesn't either.
  return cause.message === "No username configured"
    ? "it names no user, expected postgres://USER@HOST/DATABASE"
    : cause.message.replace(/\s+/g, " ")
}

const refused = (problem: string): Layer.Layer<Db, UsageError> =>
  Layer.effectContext(Effect.fail(new UsageError({ problem })))
