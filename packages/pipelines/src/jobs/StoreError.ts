/**
 * The database could not do what was asked.
 *
 * Everything that talks to the store fails with this one error. Workers wait and try again by themselves; to
 * those who enqueue or ask it says whether the same call may succeed later.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { GroupNotFound } from "./JobError.ts"

/**
 * - `operation`: what was tried (`enqueue`, `settle`, ...)
 * - `cause`: the database's own error
 *
 * @category errors
 */
export class StoreError extends Schema.TaggedError<StoreError>("@effect-dspy/pipelines/jobs/StoreError")("StoreError", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    const detail = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `${this.operation}: ${detail}`
  }

  /** Whether the same call may succeed later: a lock, a lost connection. A full disk is a matter for people. */
  get isRetryable(): boolean {
    const { cause } = this
    return typeof cause === "object" && cause !== null && "isRetryable" in cause && cause.isRetryable === true
  }
}

/**
 * Turns any failure of `self` into a `StoreError` of this operation, except the engine's own errors.
 *
 * @category combinators
 */
export const during =
  (operation: string) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, StoreError | Extract<E, GroupNotFound>, R> =>
    Effect.mapError(
      self,
      (cause) =>
        cause instanceof StoreError || cause instanceof GroupNotFound
          // An error of this class in `E` is one of those extracted.
          ? cause as StoreError | Extract<E, GroupNotFound>
          : new StoreError({ operation, cause })
    )

/**
 * The failure to open a store. Effect's own tables are created by code that dies when it can't, so defects count.
 *
 * @category constructors
 */
export const opening = (cause: Cause.Cause<unknown>): Effect.Effect<never, StoreError> =>
  Cause.hasInterruptsOnly(cause)
    ? Effect.interrupt
    : Effect.fail(new StoreError({ operation: "open", cause: Cause.squash(cause) }))
