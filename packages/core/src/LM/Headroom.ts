/**
 * What an endpoint says it will still take, kept up to date between its answers.
 *
 * An answer tells how much is left and in how many milliseconds all of it is back; endpoints that say so refill
 * steadily. What was sent since that answer's request is not in its figures and is taken off them; what comes back
 * with time is added. Only somebody else on the same account, or a limit set too high, makes this the wait that
 * counts.
 */
import type { RateLimits } from "../Completion.ts"

/**
 * `sent` is how much was ever sent. `told` are the newest figures: `left` at `at`, `perMs` come back each millisecond,
 * all are back at `fullAt`, and `sent` is how much had been sent with their request.
 *
 * @category models
 */
export interface Headroom {
  sent: number
  told:
    | {
      readonly left: number
      readonly perMs: number
      readonly at: number
      readonly fullAt: number
      readonly sent: number
    }
    | undefined
}

/**
 * Nothing sent, nothing told.
 *
 * @category constructors
 */
export const make = (): Headroom => ({ sent: 0, told: undefined })

/**
 * Takes in what an answer told. `sent` is the figure at the time its request went, that request included.
 *
 * @category mutations
 */
export const tell = (
  self: Headroom,
  allowance: NonNullable<RateLimits["requests"]>,
  sent: number,
  now: number
): void => {
  const { limit, remaining, resetMs } = allowance
  // An answer to an earlier request may come late; its figures are older.
  if (remaining === undefined || resetMs === undefined || sent < (self.told?.sent ?? 0)) return
  self.told = {
    left: remaining,
    perMs: limit === undefined || resetMs === 0 ? 0 : Math.max(0, limit - remaining) / resetMs,
    at: now,
    fullAt: now + resetMs,
    sent
  }
}

/**
 * Milliseconds until this much may be sent.
 *
 * @category getters
 */
export const wait = ({ sent, told }: Headroom, cost: number, now: number): number => {
  if (told === undefined || told.fullAt <= now) return 0
  const missing = cost - (told.left - (sent - told.sent) + (now - told.at) * told.perMs)
  if (missing <= 0) return 0
  const full = told.fullAt - now
  return Math.ceil(told.perMs > 0 ? Math.min(full, missing / told.perMs) : full)
}
