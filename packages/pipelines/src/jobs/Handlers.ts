/**
 * What a worker can do: the handlers of jobs by name.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Any } from "./Job.ts"
import type { JobInfo } from "./JobInfo.ts"

/**
 * A job with the code that does it. Its services are provided already.
 *
 * @category models
 */
export interface Handler {
  readonly job: Any
  readonly run: (payload: unknown) => Effect.Effect<unknown, unknown>
  readonly onDead: (payload: unknown, job: JobInfo) => Effect.Effect<void>
}

/**
 * The handlers of a worker; `Job`'s `toLayer` adds to them.
 *
 * @category services
 */
export class Handlers extends Context.Service<Handlers, Map<string, Handler>>()(
  "@effect-dspy/pipelines/jobs/Handlers"
) {}
