/**
 * Many alarms, one timer.
 *
 * Hardly any limit on time is ever reached, and the limits of a layer are the same for all its calls. So those of one
 * length stand in line, the earliest first, and one fiber sleeps for the first of them: setting an alarm and taking it
 * back are a few assignments, where a timer of its own would be a fiber for each call. The fiber goes when nothing is
 * left to wait for.
 *
 * `Deadline` and `LM.hedge` set them.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/**
 * An alarm that was set. Change it by `cancel` only.
 *
 * @category models
 */
export interface Alarm {
  readonly line: Line
  readonly at: number
  readonly ring: () => void
  before: Alarm | undefined
  after: Alarm | undefined
  set: boolean
}

/** The alarms of one length, on one clock. */
interface Line {
  readonly clock: Clock.Clock
  readonly lines: Map<number, Line>
  readonly ms: number
  first: Alarm | undefined
  last: Alarm | undefined
  sleeper: Fiber.Fiber<void> | undefined
}

// By clock: a virtual one is moved without the others.
const clocks = new WeakMap<Clock.Clock, Map<number, Line>>()

const nanos = 1_000_000

/** Less than this is no wait at all: fractions of a millisecond remain of a sleep. */
const due = 0.001

// The clock that nobody sets: a moved wall clock must not move alarms.
const now = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / nanos

/**
 * Has `ring` called in `ms` milliseconds, by the clock of the fiber.
 *
 * @category constructors
 */
export const set = (fiber: Fiber.Fiber<unknown, unknown>, ms: number, ring: () => void): Alarm => {
  const clock = fiber.getRef(Clock.Clock)
  const line = lineOf(clock, ms)
  const alarm: Alarm = { line, at: now(clock) + ms, ring, before: line.last, after: undefined, set: true }
  if (line.last === undefined) line.first = alarm
  else line.last.after = alarm
  line.last = alarm
  if (line.sleeper === undefined) {
    // Nothing of the caller's context but its clock: the sleeper may outlive the call.
    line.sleeper = Effect.runForkWith(Context.make(Clock.Clock, clock))(watch(line))
  }
  return alarm
}

/**
 * Takes an alarm back; one that has rung is gone already.
 *
 * @category mutations
 */
export const cancel = (self: Alarm): void => {
  if (!self.set) return
  remove(self)
  const { first, lines, ms, sleeper } = self.line
  if (first !== undefined) return
  lines.delete(ms)
  sleeper?.interruptUnsafe()
}

const lineOf = (clock: Clock.Clock, ms: number): Line => {
  let lines = clocks.get(clock)
  if (lines === undefined) {
    lines = new Map()
    clocks.set(clock, lines)
  }
  let line = lines.get(ms)
  if (line === undefined) {
    line = { clock, lines, ms, first: undefined, last: undefined, sleeper: undefined }
    lines.set(ms, line)
  }
  return line
}

const remove = (alarm: Alarm): void => {
  const { after, before, line } = alarm
  if (before === undefined) line.first = after
  else before.after = after
  if (after === undefined) line.last = before
  else after.before = before
  // What is gone holds on to nothing: a chain of dead alarms would keep those that were set after them.
  alarm.before = alarm.after = undefined
  alarm.set = false
}

// Sleeps for the first alarm, which may have been taken back meanwhile, and rings those whose time has come.
const watch = (line: Line): Effect.Effect<void> =>
  Effect.suspend(() => {
    for (let { first } = line; first !== undefined; first = line.first) {
      const left = first.at - now(line.clock)
      if (left > due) return Effect.flatMap(Effect.sleep(left), () => watch(line))
      remove(first)
      first.ring()
    }
    line.lines.delete(line.ms)
    return Effect.void
  })
