/**
 * The arithmetic of rate limits: what a bucket, a window and a learned limit become when something is taken.
 *
 * It is that of the stores in `effect/persistence/RateLimiter`, as functions from state to state: in memory they run
 * over a map, in a database over a row that is locked meanwhile. Times are milliseconds of one clock.
 */

/**
 * Tokens in a bucket, as of the last whole refill.
 *
 * @category models
 */
export interface Bucket {
  readonly tokens: number
  readonly refilledAt: number
}

/**
 * Takes tokens from a bucket that gets one back every `refillMs` and holds `limit`. `remaining` is below zero for what
 * is owed, `elapsed` the time since the last refill. With `allowOverflow` the debt is kept and must be waited for;
 * without, nothing is taken. Taking a negative number gives back.
 *
 * @category transitions
 */
export const takeFromBucket = (
  bucket: Bucket | undefined,
  options: {
    readonly tokens: number
    readonly limit: number
    readonly refillMs: number
    readonly allowOverflow: boolean
  },
  now: number
): { readonly state: Bucket; readonly remaining: number; readonly elapsed: number } => {
  const { allowOverflow, limit, refillMs, tokens } = options
  const { refilledAt, tokens: held } = bucket ?? { tokens: limit, refilledAt: now }
  const refills = Math.max(0, Math.floor((now - refilledAt) / refillMs))
  const full = refills > 0 ? Math.min(limit, held + refills) : held
  const since = full >= limit ? now : refilledAt + refills * refillMs
  const remaining = full - tokens
  return {
    state: { tokens: remaining >= 0 || allowOverflow ? remaining : full, refilledAt: since },
    remaining,
    elapsed: Math.max(0, now - since)
  }
}

/**
 * What was taken since a window began, and when it is over.
 *
 * @category models
 */
export interface Window {
  readonly count: number
  readonly expiresAt: number
}

/**
 * Counts tokens in a window that grows by `refillMs` for each of them. Above `limit`, where there is one, nothing is
 * counted, but the count it would have made is given.
 *
 * @category transitions
 */
export const countInWindow = (
  window: Window | undefined,
  options: { readonly tokens: number; readonly refillMs: number; readonly limit: number | undefined },
  now: number
): { readonly state: Window; readonly count: number; readonly ttl: number } => {
  const current = window === undefined || window.expiresAt <= now ? { count: 0, expiresAt: now } : window
  const count = current.count + options.tokens
  const state = options.limit !== undefined && count > options.limit
    ? current
    : { count, expiresAt: current.expiresAt + options.refillMs * options.tokens }
  return { state, count, ttl: state.expiresAt - now }
}

/**
 * What refusals have taught about a limit that nobody has stated. `cooldown`: nobody sends until `until`; `learning`:
 * everybody sends, and `observed` counts them; `learned`: `limit` requests in `windowMs`, and `until` is when the
 * present ones are used up.
 *
 * @category models
 */
export interface Learned {
  readonly phase: "cooldown" | "learning" | "learned"
  readonly epoch: number
  readonly until: number
  readonly startedAt: number
  readonly observed: number
  readonly limit: number
  readonly windowMs: number
  readonly expiresAt: number
}

/** What is learned is kept for a minute after its use: limits change. */
const keptMs = 60_000

/** The longest wait that is believed: an hour. */
const longestMs = 3_600_000

const forget = (state: Learned | undefined, now: number): Learned | undefined =>
  state === undefined || state.expiresAt <= now ? undefined : state

/**
 * Whether there is something learned that has not been forgotten.
 *
 * @category predicates
 */
export const isKnown = (state: Learned | undefined, now: number): boolean => forget(state, now) !== undefined

/**
 * Asks whether something may be sent: how long it has to wait, and the epoch to report a refusal with.
 *
 * @category transitions
 */
export const consumeLearned = (
  before: Learned | undefined,
  options: { readonly tokens: number; readonly fallbackWindowMs: number },
  now: number
): {
  readonly state: Learned | undefined
  readonly delay: number
  readonly epoch: number
  readonly phase: Learned["phase"] | "inactive"
} => {
  const state = forget(before, now)
  if (state === undefined) return { state, delay: 0, epoch: 0, phase: "inactive" }
  const { epoch, phase } = state
  switch (phase) {
    case "cooldown":
      if (state.until > now) return { state, delay: state.until - now, epoch, phase }
      return {
        state: {
          ...state,
          phase: "learning",
          epoch: epoch + 1,
          startedAt: now,
          observed: options.tokens,
          expiresAt: now + options.fallbackWindowMs + keptMs
        },
        delay: 0,
        epoch: epoch + 1,
        phase: "learning"
      }
    case "learning":
      return { state: { ...state, observed: state.observed + options.tokens }, delay: 0, epoch, phase }
    case "learned": {
      const eachMs = state.windowMs / state.limit
      const idle = state.until <= now
      const observed = (idle ? 0 : state.observed) + options.tokens
      const until = (idle ? now : state.until) + eachMs * options.tokens
      const elapsed = observed * eachMs - (until - now)
      const windows = Math.floor((observed - 1) / state.limit)
      return {
        state: { ...state, observed, until },
        delay: Math.max(0, windows * state.windowMs - elapsed),
        epoch,
        phase
      }
    }
  }
}

/**
 * Reports a refusal that asked to wait. One that was sent in an earlier epoch is old news.
 *
 * @category transitions
 */
export const learnFrom = (
  before: Learned | undefined,
  refusal: { readonly epoch: number; readonly tokens: number; readonly retryAfterMs: number },
  now: number
): Learned | undefined => {
  const state = forget(before, now)
  if ((state?.epoch ?? 0) !== refusal.epoch) return state
  const waitMs = clamp(refusal.retryAfterMs)
  const until = now + waitMs
  if (state?.phase === "cooldown") {
    const later = Math.max(state.until, until)
    return { ...state, until: later, expiresAt: later + keptMs }
  }
  const accepted = (state?.observed ?? 0) - refusal.tokens
  if (state?.phase === "learning" && accepted > 0) {
    const windowMs = clamp(now - state.startedAt + waitMs)
    return {
      ...state,
      phase: "learned",
      epoch: state.epoch + 1,
      until: state.startedAt + windowMs,
      observed: accepted,
      limit: accepted,
      windowMs,
      expiresAt: now + windowMs + keptMs
    }
  }
  return {
    phase: "cooldown",
    epoch: refusal.epoch,
    until,
    startedAt: 0,
    observed: 0,
    limit: 0,
    windowMs: 0,
    expiresAt: until + keptMs
  }
}

const clamp = (ms: number): number => (ms > 0 ? Math.min(ms, longestMs) : 1)
