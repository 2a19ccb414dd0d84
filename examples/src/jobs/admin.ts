/**
 * `npm run jobs -- ls|show|retry|cancel|pause|resume|prune|watch`
 *
 * Looks at jobs and tells them what to do, while workers run or not. Results go to standard output, with `--json` as
 * one JSON object a line; what was done is told on standard error.
 */
import { Failure, JobInfo, Jobs } from "@effect-dspy/pipelines/jobs"
import Table from "cli-table3"
import { Console, DateTime, Duration, Effect, Layer, Option, PubSub } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Flags from "../main/Flags.ts"
import { UsageError } from "../main/Model.ts"
import * as OneLine from "../main/OneLine.ts"
import * as Program from "../main/Program.ts"
import * as Db from "./Db.ts"
import { Documents } from "./Documents.ts"

const states = ["scheduled", "queued", "running", "retrying", "succeeded", "dead", "cancelled"] as const

/** The flags all commands have. `lm` is taken so that one set of flags serves every command around jobs. */
const root = Command.make("jobs").pipe(
  Command.withDescription("Look at durable jobs and tell them what to do"),
  Command.withSharedFlags({
    db: Db.flag,
    lm: Flags.lm.pipe(Flag.optional, Flag.withHidden)
  })
)

/** Runs on the store that the flags name. */
const onStore = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.flatMap(
    root,
    ({ db }) => Effect.provide(self, Documents.layer.pipe(Layer.provideMerge(Db.layer(db, { mustExist: true }))))
  )

const json = Flag.Boolean("json").pipe(Flag.withDefault(false), Flag.withDescription("One JSON object a line"))

const ids = Argument.String("ID").pipe(Argument.variadic())

const queue = Argument.String("QUEUE")

const print = (line: string) => Console.log(line)

const say = (line: string) => Console.error(line)

const ls = Command.make("ls", {
  json,
  state: Flag.Literals("state", states).pipe(Flag.optional, Flag.withDescription("Only jobs in this state")),
  queue: Flag.String("queue").pipe(Flag.optional, Flag.withDescription("Only jobs of this queue")),
  name: Flag.String("name").pipe(Flag.optional, Flag.withDescription("Only jobs of this name")),
  limit: Flags.atLeast("limit", 1).pipe(Flag.withDefault(100), Flag.withDescription("At most so many, default 100"))
}, ({ json, limit, name, queue, state }) =>
  Effect.gen(function*() {
    const jobs = yield* Jobs
    const found = yield* jobs.list({
      limit,
      ...(Option.isSome(state) ? { state: state.value } : undefined),
      ...(Option.isSome(queue) ? { queue: queue.value } : undefined),
      ...(Option.isSome(name) ? { name: name.value } : undefined)
    })
    if (json) {
      return yield* Effect.forEach(found, (job) => print(JSON.stringify(job)), { concurrency: 1, discard: true })
    }
    if (found.length > 0) yield* print(table(found))
    const paused = yield* jobs.paused
    yield* say(`${summary(yield* jobs.counts)}${paused.length === 0 ? "" : `; paused: ${paused.join(", ")}`}`)
  }).pipe(onStore)).pipe(Command.withDescription("Jobs, newest first"))

const show = Command.make(
  "show",
  { json, id: Argument.String("ID") },
  ({ id, json }) =>
    Effect.gen(function*() {
      const jobs = yield* Jobs
      const documents = yield* Documents
      const job = yield* jobs.find(id)
      if (Option.isNone(job)) {
        yield* say(`there is no job ${id}`)
        return yield* Effect.fail("failed" as const)
      }
      const document = yield* documents.find(documentOf(job.value))
      const shown = {
        ...job.value,
        ...Option.match(document, { onNone: () => undefined, onSome: (document) => ({ document }) })
      }
      if (json) return yield* print(JSON.stringify(shown))
      yield* Effect.forEach(lines(job.value), print, { concurrency: 1, discard: true })
      if (Option.isSome(document)) {
        yield* print(`document  ${document.value.status}`)
        for (const [field, value] of Object.entries(document.value.fields)) yield* print(`  ${field}: ${flat(value)}`)
      }
    }).pipe(onStore)
).pipe(Command.withDescription("Everything about one job"))

const retry = Command.make("retry", {
  ids,
  dead: Flag.Boolean("all-dead").pipe(Flag.withDefault(false), Flag.withDescription("All that are dead"))
}, ({ dead, ids }) =>
  Effect.gen(function*() {
    const jobs = yield* Jobs
    const wanted = dead
      ? (yield* jobs.list({ state: "dead", limit: 1_000_000 })).map(({ id }) => id)
      : [...new Set(ids)]
    yield* enough(wanted, dead)
    if (wanted.length === 0) return yield* say("no dead jobs")
    // Those that were listed are dead; of those that were named it is told why one can't be put back.
    for (const id of dead ? [] : wanted) {
      const state = Option.map(yield* jobs.find(id), ({ state }) => state)
      if (Option.isNone(state)) yield* say(`${id}: there is no such job`)
      else if (state.value !== "dead" && state.value !== "cancelled") {
        yield* say(`${id}: is ${state.value}, and neither dead nor cancelled`)
      }
    }
    const count = yield* jobs.requeue(wanted)
    yield* say(`${count} of ${wanted.length} put back; they go on with what they have kept`)
    if (count < wanted.length) return yield* Effect.fail("failed" as const)
  }).pipe(onStore)).pipe(Command.withDescription("Put dead or cancelled jobs back"))

const cancel = Command.make("cancel", { ids }, ({ ids }) =>
  Effect.gen(function*() {
    const jobs = yield* Jobs
    yield* enough(ids, false)
    let failed = false
    for (const id of ids) {
      const done = yield* jobs.cancel(id)
      if (done === undefined) failed = true
      yield* say(
        `${id}: ${
          done === undefined
            ? "has ended, or never was"
            : done === "requested"
            ? "its worker has been told"
            : done
        }`
      )
    }
    if (failed) return yield* Effect.fail("failed" as const)
  }).pipe(onStore)).pipe(Command.withDescription("Cancel jobs, waiting or running"))

const pause = Command.make(
  "pause",
  { queue },
  ({ queue }) =>
    Effect.gen(function*() {
      const jobs = yield* Jobs
      const counts = yield* jobs.counts
      yield* jobs.pause(queue)
      yield* say(`${queue} is paused: what runs goes on, nothing new is begun`)
      if (!counts.some((row) => row.queue === queue)) yield* say(`there is no job of a queue named ${queue} yet`)
    }).pipe(onStore)
).pipe(Command.withDescription("Let a queue rest"))

const resume = Command.make(
  "resume",
  { queue },
  ({ queue }) =>
    Effect.flatMap(Jobs, (jobs) => jobs.resume(queue)).pipe(
      Effect.andThen(say(`${queue} goes on`)),
      onStore
    )
).pipe(Command.withDescription("Let a paused queue go on"))

const prune = Command.make("prune", {
  succeeded: Flags.duration("succeeded", "Keep succeeded and cancelled jobs so long, default 7d").pipe(
    Flag.withDefault(Duration.days(7))
  ),
  dead: Flags.duration("dead", "Keep dead jobs so long, default 180d").pipe(Flag.withDefault(Duration.days(180)))
}, ({ dead, succeeded }) =>
  Effect.gen(function*() {
    const jobs = yield* Jobs
    const count = yield* jobs.prune({
      succeededMillis: Duration.toMillis(succeeded),
      deadMillis: Duration.toMillis(dead)
    })
    yield* say(`${count} deleted`)
  }).pipe(onStore)).pipe(Command.withDescription("Delete jobs that ended long ago"))

const watch = Command.make("watch", {
  json,
  done: Flag.Boolean("until-done").pipe(
    Flag.withDefault(false),
    Flag.withDescription("End when every job has ended; exit code 1 when one is dead")
  )
}, ({ done, json }) =>
  Effect.scoped(Effect.gen(function*() {
    const jobs = yield* Jobs
    const heard = yield* jobs.wake.heard
    let last = ""
    while (true) {
      const counts = yield* jobs.counts
      const line = json ? JSON.stringify(counts) : summary(counts)
      if (line !== last) yield* print(json ? line : `${clock(yield* DateTime.now)} ${line}`)
      last = line
      if (done && counts.every(({ state }) => JobInfo.isFinal(state))) {
        return counts.some(({ state }) => state === "dead") ? yield* Effect.fail("failed" as const) : undefined
      }
      // A line for each change, and at most a few a second.
      yield* Effect.timeoutOption(PubSub.take(heard), "1 second")
      yield* Effect.sleep("200 millis")
      yield* PubSub.takeUpTo(heard, 1000)
    }
  })).pipe(onStore)).pipe(Command.withDescription("Counts, a line for each change, until Ctrl-C"))

const enough = (ids: ReadonlyArray<string>, any: boolean) =>
  ids.length > 0 || any
    ? Effect.void
    : Effect.fail(new UsageError({ problem: "Missing required argument: ID (--help shows the flags)" }))

const summary = (counts: ReadonlyArray<{ readonly queue: string; readonly state: string; readonly count: number }>) => {
  const queues = [...new Set(counts.map(({ queue }) => queue))]
  return queues.length === 0 ?
    "no jobs" :
    queues.map((queue) =>
      `${queue}: ${
        counts.filter((row) => row.queue === queue).map(({ count, state }) => `${count} ${state}`).join(", ")
      }`
    ).join("; ")
}

const table = (jobs: ReadonlyArray<JobInfo.JobInfo>): string => {
  const rows = new Table({
    head: ["id", "queue", "state", "attempts", "enqueued", "failure"],
    colAligns: ["left", "left", "left", "right", "left", "left"],
    style: { head: [], border: [] }
  })
  for (const { attempts, enqueuedAt, failure, id, queue, state, unknown } of jobs) {
    rows.push([
      id,
      queue,
      unknown ? `${state}, no worker knows it` : state,
      attempts,
      time(enqueuedAt),
      failure === undefined ? "" : OneLine.fit(Failure.describe(failure), 60)
    ])
  }
  return rows.toString()
}

const lines = (job: JobInfo.JobInfo): ReadonlyArray<string> => [
  `id        ${job.id}`,
  `name      ${job.name}`,
  `queue     ${job.queue}`,
  `state     ${job.state}`,
  `attempts  ${job.attempts}`,
  `priority  ${job.priority}`,
  `enqueued  ${time(job.enqueuedAt)}`,
  ...(JobInfo.isFinal(job.state) ? [] : [`due       ${time(job.dueAt)}`]),
  ...(job.finishedAt === undefined ? [] : [`finished  ${time(job.finishedAt)}`]),
  ...(job.progress === undefined ? [] : [`progress  ${JSON.stringify(job.progress)}`]),
  ...(job.failure === undefined ? [] : [`failure   ${Failure.describe(job.failure)}`])
]

/** The document a job of `DocumentProcessor` is about; its id is `process-document/DOCUMENT@VERSION`. */
const documentOf = ({ id, name }: JobInfo.JobInfo): string => id.slice(name.length + 1).replace(/@[0-9a-f]+$/, "")

const flat = (value: unknown): string => typeof value === "string" ? value : JSON.stringify(value)

const time = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(Math.round(millis)))

const clock = (now: DateTime.Utc): string => DateTime.formatIso(now).slice(11, 19)

Program.run(root.pipe(Command.withSubcommands([ls, show, retry, cancel, pause, resume, prune, watch])))
