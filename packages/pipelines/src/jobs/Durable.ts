/**
 * The memo of a job for programs that something else runs again: a workflow, a cluster, a script started anew.
 *
 * Model answers, code steps and `Job.memo`s below `within` are kept under an id of yours, in the same store and in the
 * same way as those of a job. Whatever runs the program a second time under that id finds them.
 */
import * as LMAround from "@effect-dspy/core/LM/Around"
import * as Step from "@effect-dspy/core/Step"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Claims } from "./Claims.ts"
import { idOf } from "./Job.ts"
import { Jobs } from "./Jobs.ts"
import * as Memo from "./Memo.ts"
import * as Run from "./Run.ts"
import type { StoreError } from "./StoreError.ts"

/**
 * Runs a program with a memo of that id. Two programs that run at once must not share one.
 *
 * ```ts
 * import { Durable, Job } from "@effect-dspy/pipelines/jobs"
 * import { Sqlite } from "@effect-dspy/pipelines/sqlite"
 * import { Effect, Schema } from "effect"
 *
 * let fetched = 0
 * const fetch = Job.memo("fetch", Schema.Int, Effect.sync(() => ++fetched))
 * const broken = Effect.andThen(fetch, Effect.fail("a crash"))
 * const program = Effect.gen(function*() {
 *   yield* Effect.ignore(Durable.within("report-7")(broken))
 *   return yield* Durable.within("report-7")(fetch)
 * })
 * await Effect.runPromise(Effect.provide(program, Sqlite.memory())) // => 1
 * ```
 *
 * `Job.sleep`, `Job.waitFor` and `Job.call` need a worker that runs the job again, and die here.
 *
 * @category combinators
 */
export const within = (id: string) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Jobs | Claims> =>
  Effect.gen(function*() {
    const jobs = yield* Jobs
    const claims = yield* Claims
    const claimedAt = yield* Clock.currentTimeMillis
    const made = yield* Run.make(
      {
        id: memoOf(id),
        name: "",
        queue: "",
        payload: "",
        attempt: 1,
        token: "",
        cancelled: false,
        paused: false,
        remembered: true,
        claimedAt,
        waitedMs: 0
      },
      jobs,
      claims
    )
    const run = { ...made, park: () => Effect.die(new TypeError(`${id}: only a worker runs a program again later`)) }
    return yield* self.pipe(
      LMAround.around(Memo.answers(run)),
      Effect.provideService(Step.Around, Memo.steps(run)),
      Effect.provideService(Run.Current, run)
    )
  })

/**
 * Forgets what was kept under an id.
 *
 * @category combinators
 */
export const forget = (id: string): Effect.Effect<void, StoreError, Claims> =>
  Effect.flatMap(Claims, (claims) => claims.forget(memoOf(id)))

/** No job has such a name. */
const memoOf = (id: string): string => idOf("~", id)
