/**
 * `npm run jobs:enqueue -- FILE|DIR|GLOB ... [--db URL] [--lm MODEL] [--priority N] [--delay DURATION]`
 *
 * Puts documents into the app's table and a job for each beside it, all in one transaction, and prints the jobs' ids.
 * The same text is the same job: enqueued twice, it is done once, and standard error says what has become of it.
 */
import { Job, type JobInfo, Jobs } from "@effect-dspy/pipelines/jobs"
import { Console, Effect, Layer, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { SqlClient } from "effect/sql"
import { createHash } from "node:crypto"
import * as process from "node:process"
import * as Flags from "../main/Flags.ts"
import * as Model from "../main/Model.ts"
import * as Program from "../main/Program.ts"
import * as Sources from "../main/Sources.ts"
import * as Db from "./Db.ts"
import { ProcessDocument } from "./DocumentProcessor.ts"
import { Documents } from "./Documents.ts"

const maxBytes = 1_000_000

const command = Command.make("jobs:enqueue", {
  files: Argument.String("FILE|DIR|GLOB").pipe(
    Argument.atLeast(1),
    Argument.withDescription(
      "Text or Markdown; - reads standard input; a directory means its *.md, *.markdown and *.txt"
    )
  ),
  db: Db.flag,
  lm: Flag.String("lm").pipe(
    Flag.withMetavar("MODEL"),
    Flag.optional,
    Flag.withDescription("The model for these documents; default the worker's")
  ),
  priority: Flag.Finite("priority").pipe(
    Flag.withMetavar("MINUTES"),
    Flag.withDefault(0),
    Flag.withDescription("Head start over jobs that came before, default 0")
  ),
  delay: Flags.duration("delay", "Due so much later").pipe(Flag.optional)
}, ({ db, delay, files, lm, priority }) =>
  Effect.gen(function*() {
    if (Option.isSome(lm)) yield* Model.check(lm.value)
    const base = process.env["INIT_CWD"] ?? process.cwd()
    let failed = false
    const read = (source: Sources.Source) =>
      Effect.result(Sources.text(source, maxBytes)).pipe(
        Effect.flatMap(Result.match({
          onFailure: ({ message }) => {
            failed = true
            return Effect.as(Console.error(`${source.name}: ${message}`), [])
          },
          onSuccess: (content) => Effect.succeed([{ id: source.name, content, version: version(content) }])
        }))
      )
    const sources = yield* Sources.expand(files, base)
    const found = (yield* Effect.forEach(sources, read, { concurrency: 8 })).flat()
    const payloads = found.map(({ id, version }) => ({
      documentId: id,
      version,
      ...Option.match(lm, { onNone: () => undefined, onSome: (lm) => ({ lm }) })
    }))
    const unchanged = Option.isSome(lm) || Option.isSome(delay) || priority !== 0 ? ", with its own flags" : ""
    const enqueue = Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const documents = yield* Documents
      const jobs = yield* Jobs
      const known = (yield* Effect.forEach(payloads, (payload) => jobs.find(idOf(payload)), { concurrency: 8 }))
        .flatMap(Option.toArray)
      const all = Effect.andThen(
        Effect.forEach(found, ({ content, id, version }) => documents.add(id, version, content), {
          concurrency: 1,
          discard: true
        }),
        Job.enqueueMany(
          ProcessDocument,
          payloads,
          { priority, ...Option.match(delay, { onNone: () => undefined, onSome: (delay) => ({ delay }) }) }
        )
      )
      const ids = yield* sql.withTransaction(all)
      yield* Effect.forEach(known, (job) => Console.error(`${job.id}: ${become(job)}${unchanged}`), {
        concurrency: 1,
        discard: true
      })
      return ids
    })
    // The payload fits its schema and there is no group; only the store may fail.
    const ids = yield* Effect.provide(
      Effect.catchTag(enqueue, ["SchemaError", "CodecError", "GroupNotFound", "SqlError"], Effect.die),
      Documents.layer.pipe(Layer.provideMerge(Db.layer(db)))
    )
    yield* Effect.forEach(ids, (id) => Console.log(id), { concurrency: 1, discard: true })
    if (failed) return yield* Effect.fail("failed" as const)
  })).pipe(Command.withDescription("Enqueue documents as durable jobs"))

const idOf = (payload: { readonly documentId: string; readonly version: string }): JobInfo.JobId =>
  Job.idOf(ProcessDocument.name, ProcessDocument.identify?.(payload) ?? "")

/** What a job that was there before does now. */
const become = ({ state }: JobInfo.JobInfo): string => state === "dead" ? "was dead, put back" : `already ${state}`

const version = (content: string): string => createHash("sha256").update(content).digest("hex").slice(0, 12)

Program.run(command)
