/**
 * The document pipeline as a workflow of `effect/workflow`, on a cluster of runners over PostgreSQL: for those who
 * outgrow queues and want signals, compensation, or workflows that start others.
 *
 *     node --conditions=@effect-dspy/source examples/src/jobs/workflow.ts runner --db postgres://... --port 34431
 *     node --conditions=@effect-dspy/source examples/src/jobs/workflow.ts run FILE --db postgres://...
 *
 * 1. `run` starts a workflow and awaits its result; the same text is the same workflow.
 * 2. Whichever runner holds the workflow's shard runs it. When that process dies, its shards go to the others once
 *    their locks have run out, and the workflow begins again there.
 * 3. The memo is that of jobs, under the workflow's id: answers that were paid for are found, not asked for again.
 *    It is forgotten when the workflow has its result, which the cluster keeps.
 */
import { Step } from "@effect-dspy/core"
import { Durable } from "@effect-dspy/pipelines/jobs"
import * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import { Console, Effect, Layer, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ClusterWorkflowEngine, RunnerAddress } from "effect/cluster"
import { Activity, Workflow } from "effect/workflow"
import { createHash } from "node:crypto"
import * as process from "node:process"
import { DocumentPipeline } from "../main/DocumentPipeline.ts"
import * as Flags from "../main/Flags.ts"
import * as Model from "../main/Model.ts"
import * as Program from "../main/Program.ts"
import * as Sources from "../main/Sources.ts"
import * as Db from "./Db.ts"

const Fields = Step.outputSchema(DocumentPipeline)

/** What the caller is told: the tag of what went wrong, not the words of prompts or replies. */
class Failed extends Schema.TaggedError<Failed>()("Failed", { tag: Schema.String }) {}

const Process = Workflow.make("ProcessDocument", {
  payload: { content: Schema.String },
  success: Fields,
  error: Failed,
  idempotencyKey: ({ content }) => createHash("sha256").update(content).digest("hex")
})

const handler = Process.toLayer(({ content }, executionId) =>
  Effect.gen(function*() {
    const result = yield* Activity.make({
      name: "pipeline",
      success: Fields,
      error: Failed,
      execute: DocumentPipeline({ content }).pipe(
        Durable.within(executionId),
        Effect.mapError(({ _tag }) => new Failed({ tag: _tag }))
      )
    })
    yield* Effect.orDie(Durable.forget(executionId))
    return result
  })
)

const cluster = (options: { readonly port: number | undefined }) =>
  ClusterWorkflowEngine.layer.pipe(
    Layer.provideMerge(NodeClusterSocket.layer({
      clientOnly: options.port === undefined,
      shardingConfig: {
        runnerAddress: Option.map(
          Option.fromUndefinedOr(options.port),
          (port) => RunnerAddress.make("127.0.0.1", port)
        ),
        runnerListenAddress: Option.none(),
        shardsPerGroup: 30,
        // A dead runner's workflows wait that long.
        shardLockExpiration: "10 seconds",
        shardLockRefreshInterval: "3 seconds",
        entityMessagePollInterval: "1 second"
      }
    }))
  )

/** One line for what went wrong; wrong usage is said where all commands say it. */
const said = (error: { readonly message: string }): Effect.Effect<never, Program.Problem> =>
  error instanceof Model.UsageError
    ? Effect.fail(error)
    : Effect.andThen(
      Console.error(error instanceof Failed ? `it failed: ${error.tag}` : error.message),
      Effect.fail("failed" as const)
    )

const runner = Command.make("runner", {
  db: Db.flag,
  lm: Flags.lm.pipe(Flag.withDefault("offline")),
  baseUrl: Flag.String("base-url").pipe(Flag.optional),
  latency: Flags.duration("latency", "Of the offline model, simulated").pipe(Flag.optional),
  timeout: Flags.duration("timeout", "For one request, default 2 minutes", 1).pipe(Flag.optional),
  concurrency: Flags.atLeast("lm-concurrency", 1).pipe(Flag.withDefault(64)),
  port: Flags.atLeast("port", 1).pipe(
    Flag.withDefault(34431),
    Flag.withDescription("Where the other runners reach it")
  )
}, (flags) =>
  Layer.launch(
    Layer.effectDiscard(Console.error(`a runner on port ${flags.port}`)).pipe(
      Layer.provide(handler),
      Layer.provide(cluster(flags)),
      Layer.provide([Db.layer(flags.db), Model.layer(flags)])
    )
  ).pipe(Effect.catch(said)))

const run = Command.make("run", {
  file: Argument.String("FILE"),
  db: Db.flag
}, ({ db, file }) =>
  Effect.gen(function*() {
    const base = process.env["INIT_CWD"] ?? process.cwd()
    const [source] = yield* Sources.expand([file], base)
    const content = source === undefined ? "" : yield* Sources.text(source, 1_000_000)
    yield* Console.log(JSON.stringify(yield* Process.execute({ content })))
  }).pipe(Effect.provide(cluster({ port: undefined }).pipe(Layer.provide(Db.layer(db)))), Effect.catch(said)))

Program.run(
  Command.make("workflow").pipe(
    Command.withDescription("Documents as workflows on a cluster"),
    Command.withSubcommands([runner, run])
  )
)
