/**
 * What the dashboard's page is told is what the server has, name by name: `Wire` imports nothing, so that the page can be
 * checked without a build, and the compiler compares the two here. A field that is new to jobs or their histories is
 * sent to browsers, so it is either named in `Wire` or left out of the answer. Nothing here runs: `tsc` is the test.
 */
import type * as Wire from "@effect-dspy/pipelines/dashboard/Wire"
import type { History } from "@effect-dspy/pipelines/jobs"
import type * as Failure from "@effect-dspy/pipelines/jobs/Failure"
import type { JobInfo, State } from "@effect-dspy/pipelines/jobs/JobInfo"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const check = <_ extends true>() => {}

check<Equal<State, Wire.State>>()
check<Equal<keyof JobInfo, keyof Wire.Job>>()
check<Equal<keyof Failure.Failure, keyof Wire.Failure>>()
check<Equal<keyof History.Attempt, keyof Wire.Attempt>>()
check<Equal<keyof History.Entry, keyof Wire.Entry>>()
check<Equal<History.Entry["kind"], Wire.Entry["kind"]>>()
check<Equal<History.Attempt["outcome"], Wire.Attempt["outcome"]>>()
