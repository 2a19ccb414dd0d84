/** The jobs of the bench, their stores and their model. */
import { LM } from "@effect-dspy/core"
import { Job, Jobs } from "@effect-dspy/pipelines/jobs"
import { Postgres } from "@effect-dspy/pipelines/postgres"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"

/** Gives the time it started, in milliseconds since 1970. */
export const Touch = Job.make("touch", { payload: {}, success: Schema.Finite })
export const Trivial = Job.make("trivial", { payload: { n: Schema.Int } })
export const Five = Job.make("five", { payload: { n: Schema.Int } })

/** One call to an endpoint that takes two seconds. */
export const Wait = Job.make("wait", { payload: { n: Schema.Int }, timeout: "2 minutes" })
export const Article = Job.make("article", { payload: { n: Schema.Int } })

/**
 * The article's job: classify, then analyze, and a summary beside both. Seven seconds of calls, four of them on the
 * longest path; here each second takes 200 ms.
 */
export const article = <E, R>(call: (step: string, millis: number) => Effect.Effect<void, E, R>) =>
  Effect.all(
    [
      Effect.andThen(call("classify", 2 * secondMillis), call("analyze", 2 * secondMillis)),
      call("summary", 3 * secondMillis)
    ],
    { concurrency: 2, discard: true }
  )

/** What a second of the article takes here. */
export const secondMillis = 200

/** Waits until every job has succeeded. */
export const drained = Effect.gen(function*() {
  const jobs = yield* Jobs
  while ((yield* jobs.counts).some(({ state }) => state !== "succeeded")) yield* Effect.sleep("20 millis")
})

/** Forgets all jobs there are. */
export const clear = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql.withTransaction(Effect.andThen(
    sql`DELETE FROM effect_dspy_jobs`,
    sql`DELETE FROM effect_queue WHERE id NOT LIKE 'bell/%'`
  ))
})

/** `postgres://...`, or a file, with `?NORMAL` behind it for `synchronous=NORMAL`. */
export const store = (at: string) => {
  const [filename = at, mode] = at.split("?")
  return at.startsWith("postgres:")
    ? Postgres.layer({ url: at })
    : Sqlite.layer({ filename, synchronous: mode === "NORMAL" ? "NORMAL" : "FULL" })
}

/** A model that answers at once with the 2 KB of a real answer. */
export const stub = Layer.succeed(
  LM,
  LM.make({
    provider: "stub",
    model: "stub",
    endpoint: "stub",
    generate: () =>
      Effect.succeed({
        content: [{ type: "text" as const, text: "x".repeat(2000) }],
        finishReason: "stop" as const,
        usage: { calls: 1 },
        provider: "stub",
        model: "stub"
      })
  })
)
