/**
 * The line in front of a rate limit.
 *
 * One stands at its head and waits for its turn, the others behind it: groups in turn, each first come, first served.
 * Only the head has taken anything, so those who leave before owe nothing back. The line knows what stands in it, and
 * so how soon the next one's turn can come.
 */
import * as Effect from "effect/Effect"
import * as PartitionedSemaphore from "effect/PartitionedSemaphore"
import * as Group from "./Group.ts"

/**
 * What one request takes.
 *
 * @category models
 */
export interface Cost {
  readonly requests: number
  readonly tokens: number
}

/**
 * `size` counts everybody, `waiting` what stands behind the head, by group; at `turnAt`, in milliseconds of the clock,
 * the head goes.
 *
 * @category models
 */
export interface Line {
  readonly head: PartitionedSemaphore.PartitionedSemaphore<string>
  readonly waiting: Map<string, Cost>
  size: number
  turnAt: number
}

/**
 * An empty line.
 *
 * @category constructors
 */
export const make = (): Line => ({
  head: PartitionedSemaphore.makeUnsafe({ permits: 1 }),
  waiting: new Map(),
  size: 0,
  turnAt: 0
})

const nothing: Cost = { requests: 0, tokens: 0 }

/**
 * The soonest that the turn of a newcomer can come, where one request or token comes back every `refillMs`. With other
 * groups in line, or other processes behind the same limit, it may come later.
 *
 * @category getters
 */
export const soonest = (
  self: Line,
  group: string,
  cost: Cost,
  paces: ReadonlyArray<{ readonly of: keyof Cost; readonly refillMs: number }>,
  now: number
): number => {
  if (self.size === 0) return now
  const ahead = self.waiting.get(group) ?? nothing
  return paces.reduce(
    (latest, { of, refillMs }) => Math.max(latest, Math.max(now, self.turnAt) + (ahead[of] + cost[of]) * refillMs),
    now
  )
}

/**
 * Stands in line, and runs `atHead` there.
 *
 * @category combinators
 */
export const stand = <A, E>(
  self: Line,
  group: string,
  cost: Cost,
  atHead: Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    let waits = true
    const advance = Effect.sync(() => {
      waits = false
      change(self, group, cost, -1)
    })
    self.size++
    change(self, group, cost, 1)
    return Effect.onExit(
      Group.inTurn(self.head, Effect.andThen(advance, atHead), self.head.withPermit(group)),
      () =>
        Effect.sync(() => {
          self.size--
          if (waits) change(self, group, cost, -1)
        })
    )
  })

const change = ({ waiting }: Line, group: string, cost: Cost, sign: 1 | -1): void => {
  const before = waiting.get(group) ?? nothing
  const requests = before.requests + sign * cost.requests
  if (requests === 0) waiting.delete(group)
  else waiting.set(group, { requests, tokens: before.tokens + sign * cost.tokens })
}
