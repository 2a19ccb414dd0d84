/**
 * How a job that somebody waits for can end, other than well.
 *
 * An error of the job's own `error` schema comes as itself; these are the others.
 */
import * as Schema from "effect/Schema"
import * as Failure from "./Failure.ts"

/**
 * The job is dead, and not by an error of its `error` schema.
 *
 * @category errors
 */
export class JobDead extends Schema.TaggedError<JobDead>("@effect-dspy/pipelines/jobs/JobDead")("JobDead", {
  id: Schema.String,
  failure: Failure.Failure
}) {
  readonly isRetryable = false
  override get message(): string {
    return `${this.id} is dead: ${Failure.describe(this.failure)}`
  }
}

/**
 * The job was cancelled.
 *
 * @category errors
 */
export class JobCancelled extends Schema.TaggedError<JobCancelled>("@effect-dspy/pipelines/jobs/JobCancelled")(
  "JobCancelled",
  { id: Schema.String }
) {
  readonly isRetryable = false
  override get message(): string {
    return `${this.id} was cancelled`
  }
}

/**
 * A job was enqueued into a group that is not there: it was never opened, or ended so long ago that it has been
 * pruned. Nothing was enqueued.
 *
 * @category errors
 */
export class GroupNotFound extends Schema.TaggedError<GroupNotFound>("@effect-dspy/pipelines/jobs/GroupNotFound")(
  "GroupNotFound",
  { group: Schema.String }
) {
  readonly isRetryable = false
  override get message(): string {
    return `there is no group ${this.group}: Group.make opens one`
  }
}

/**
 * There is no job of this id: it never was, or it ended so long ago that it has been pruned.
 *
 * @category errors
 */
export class JobNotFound extends Schema.TaggedError<JobNotFound>("@effect-dspy/pipelines/jobs/JobNotFound")(
  "JobNotFound",
  { id: Schema.String }
) {
  readonly isRetryable = false
  override get message(): string {
    return `there is no job ${this.id}`
  }
}
