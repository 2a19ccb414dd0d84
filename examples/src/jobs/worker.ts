/**
 * `npm run jobs:worker [-- --db URL --lm MODEL --concurrency N]`
 *
 * Works until it is told to end: the first Ctrl-C (or SIGTERM) drains, the second one hands running jobs back at
 * once. As many workers as you like share a database.
 */
import { type Claims, Failure, StoreError, Worker, WorkerMain } from "@effect-dspy/pipelines/jobs"
import { Cause, Clock, Config, Console, Effect, Exit, Layer, LayerMap, Option } from "effect"
import { Command, Flag } from "effect/cli"
import process from "node:process"
import * as Flags from "../main/Flags.ts"
import * as Model from "../main/Model.ts"
import * as OneLine from "../main/OneLine.ts"
import * as Program from "../main/Program.ts"
import * as Db from "./Db.ts"
import * as DocumentProcessor from "./DocumentProcessor.ts"
import { Documents } from "./Documents.ts"

const command = Command.make("jobs:worker", {
  db: Db.flag,
  lm: Flags.lm.pipe(
    Flag.withDefault("offline"),
    Flag.withDescription("offline, openai/MODEL, compatible/MODEL, ...; default EFFECT_DSPY_LM, then offline")
  ),
  baseUrl: Flag.String("base-url").pipe(
    Flag.withMetavar("URL"),
    Flag.optional,
    Flag.withDescription("The endpoint, up to /v1; default OPENAI_BASE_URL")
  ),
  latency: Flags.duration("latency", "Of the offline model, simulated; default 200ms a call, 300ms for the summary")
    .pipe(Flag.optional),
  slots: Flags.atLeast("concurrency", 1).pipe(
    Flag.withFallbackConfig(Config.Int("EFFECT_DSPY_CONCURRENCY")),
    Flag.withDefault(10),
    Flag.withDescription("Documents in flight in this process; default EFFECT_DSPY_CONCURRENCY, then 10")
  ),
  concurrency: Flags.atLeast("lm-concurrency", 1).pipe(
    Flag.withDefault(64),
    Flag.withDescription("Model calls in flight over everything, default 64")
  ),
  timeout: Flags.duration("timeout", "For one request, default 2 minutes", 1).pipe(Flag.optional),
  drain: Flags.duration("drain", "How long running jobs may go on after Ctrl-C or SIGTERM, default 25s").pipe(
    Flag.optional
  )
}, (flags) => Effect.sync(() => WorkerMain.run(worker(flags), { onFailure }))).pipe(
  Command.withDescription("Do enqueued jobs")
)

/** What the flags say. */
interface Flags extends Model.Options {
  readonly db: string
  readonly slots: number
  readonly drain: Option.Option<Worker.Options["drain"]>
}

const worker = (flags: Flags) => {
  // Models that documents ask for by name, each built when it is first needed and shared from then on.
  const models = LayerMap.make((lm: string) => Model.layer({ ...flags, lm }), { idleTimeToLive: "5 minutes" })
  const handler = Layer.unwrap(Effect.map(models, DocumentProcessor.layer))
  const ready = Layer.effectDiscard(
    Console.error(`a worker with ${flags.slots} slots on ${Db.shown(flags.db)}, model ${flags.lm}`)
  )
  const drain = Option.getOrUndefined(flags.drain)
  return ready.pipe(
    Layer.provide(Worker.layer([handler], {
      queues: { llm: flags.slots },
      around,
      ...(drain === undefined ? undefined : { drain })
    })),
    Layer.provide([Model.layer(flags), Documents.layer]),
    Layer.provide(Db.layer(flags.db))
  )
}

/** One line for each attempt, for people who watch. */
const around = (job: Claims.Claim, handler: Effect.Effect<unknown, unknown>) =>
  Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    const said = (what: string) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Console.error(`${job.id} ${OneLine.of(what)} after ${now - start} ms`))
    return yield* Effect.onExit(handler, (exit) =>
      Exit.isSuccess(exit)
        ? said("succeeded")
        : Cause.hasInterruptsOnly(exit.cause)
        ? said("was interrupted")
        : said(Failure.describe(Failure.fromCause(exit.cause, job.attempt).failure)))
  })

/** What is wrong with the flags, the database or the model is one line and the exit code of wrong usage. */
const onFailure = <E>(cause: Cause.Cause<E>): Effect.Effect<number> => {
  const error = Cause.squash(cause)
  return Effect.as(
    error instanceof Model.UsageError || error instanceof StoreError.StoreError
      ? Console.error(error.message)
      : Effect.logError("The worker can't go on", cause),
    2
  )
}

Effect.runCallback(Program.parse(command), {
  onExit: (exit) => {
    // Once it works, the worker says itself how the process ends.
    if (Exit.isFailure(exit)) process.exitCode = Program.exitCode(exit)
  }
})
