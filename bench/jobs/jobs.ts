import { LM } from "@effect-dspy/core"
import { Job } from "@effect-dspy/pipelines/jobs"
import { Postgres } from "@effect-dspy/pipelines/postgres"
import { Sqlite } from "@effect-dspy/pipelines/sqlite"
import { Effect, Layer, Schema } from "effect"

/** Gives the time it started, in milliseconds since 1970. */
export const Touch = Job.make("touch", { payload: {}, success: Schema.Finite })
export const Trivial = Job.make("trivial", { payload: { n: Schema.Int } })
export const Five = Job.make("five", { payload: { n: Schema.Int } })

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
