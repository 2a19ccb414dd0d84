/**
 * The spans of durable jobs: one where a job is sent, one for each run of it, in whatever process that is.
 *
 * The sending span's place travels with the job, and its runs go on in the same trace. Names are those of
 * OpenTelemetry's conventions for messaging. A payload, a result or an error's words never stand in them.
 */
import * as Spans from "@effect-dspy/core/Spans"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"
import type { Claim, Settlement } from "./Claims.ts"
import { describe, type Failure } from "./Failure.ts"

/**
 * The span that goes with what is enqueued here.
 *
 * @category propagation
 */
export const here: Effect.Effect<string | undefined> = Effect.withFiber((fiber) => {
  const span = Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
  return Effect.succeed(span === undefined ? undefined : Spans.toTraceparent(span))
})

const attributes = (job: { readonly name: string; readonly queue: string }, operation: "send" | "process") => ({
  "messaging.system": "effect_dspy",
  "messaging.operation.name": operation,
  "messaging.operation.type": operation,
  "messaging.destination.name": job.queue,
  "effect_dspy.job.name": job.name
})

/**
 * The span of enqueueing.
 *
 * @category combinators
 */
export const send = <A, E, R>(
  job: { readonly name: string; readonly queue: string },
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Spans.within(`send ${job.queue}`, () => ({ kind: "producer", attributes: attributes(job, "send") }), self)

/** What a run that failed leaves in its span: the failure as it is stored, without words of the program. */
class JobFailed extends Data.TaggedError("JobFailed")<{
  readonly settlement: Settlement
  readonly failure: Failure
}> {
  override get message(): string {
    return describe(this.failure)
  }
}

/**
 * The span of one run, below the one that sent the job.
 *
 * @category combinators
 */
export const process = (claim: Claim, self: Effect.Effect<Settlement>): Effect.Effect<Settlement> =>
  Effect.withFiber((fiber) => {
    if (!Spans.traced(fiber)) return self
    const parent = claim.trace === undefined ? undefined : Spans.fromTraceparent(claim.trace)
    const run = Effect.flatMap(self, (settlement) => {
      const failure = "failure" in settlement ? settlement.failure : undefined
      const outcome = Effect.annotateCurrentSpan({
        "effect_dspy.job.outcome": settlement._tag,
        ...(failure === undefined ? undefined : { "error.type": failure.name })
      })
      return Effect.andThen(
        outcome,
        failure === undefined
          ? Effect.succeed(settlement)
          : Effect.fail(new JobFailed({ settlement, failure }))
      )
    })
    const spanned = Effect.withSpan(run, `process ${claim.queue}`, {
      kind: "consumer",
      parent,
      root: parent === undefined,
      attributes: {
        ...attributes(claim, "process"),
        "messaging.message.id": claim.id,
        "effect_dspy.job.attempt": claim.attempt
      },
      captureStackTrace: false
    })
    return Effect.catch(spanned, ({ settlement }) => Effect.succeed(settlement))
  })
