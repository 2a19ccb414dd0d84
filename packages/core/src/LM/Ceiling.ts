/**
 * How many requests an endpoint takes at once, found out by asking.
 *
 * The life of a limit:
 * 1. It starts at 8 and doubles with every round that goes well. A round is as many answers as the limit allows
 *    requests, and only a round in which the limit was reached says anything about it.
 * 2. A refusal tells that a crowd was too large. How many of it were taken is seen in two ways: it is as many as were
 *    in flight less those who were refused, and it is one less than the request that was refused first made them. Where
 *    requests overtake each other the first is right, where refused ones take up room the second; neither is too high
 *    for long. The limit falls to that number, by a fifth at least and by half at most: answers may be on their way to
 *    us, and then it is not as low as it should be.
 * 3. From then on it grows by one a round up to the number found, stays there for thirty rounds, and then feels for
 *    more: endpoints change.
 * 4. Answers that take half as long again as they used to end the doubling and take a tenth of the limit: the
 *    endpoint keeps requests waiting instead of refusing them.
 *
 * Additive increase and multiplicative decrease are those of TCP (Jacobson, "Congestion Avoidance and Control", 1988).
 */

/**
 * The limit in force, with what it was learned from. Change it by the functions of this module only.
 *
 * @category models
 */
export interface Ceiling {
  readonly max: number
  limit: number
  inFlight: number
  /** Doubling, until the first refusal or slowness. */
  eager: boolean
  /** Counts the cuts, so that a crowd refused together makes one of them. */
  epoch: number
  /**
   * The last cut: it goes no lower than `floor`. Of a crowd of `peak`, `refusals` were refused, the first at `lowest`.
   */
  floor: number
  peak: number
  refusals: number
  lowest: number
  /** Where growth pauses, and for how many rounds it has paused. */
  known: number
  paused: number
  /** The running round. */
  answers: number
  reached: boolean
  /** The running measurement of latency, in milliseconds, and what it usually is. */
  measured: number
  total: number
  loaded: boolean
  usual: number | undefined
}

/**
 * A request on its way: how many were in flight with it, and after which cut it was sent.
 *
 * @category models
 */
export interface Sent {
  readonly crowd: number
  readonly epoch: number
}

/** Few enough for the smallest accounts, and three rounds from 64. */
const start = 8

/** Rounds before the limit goes beyond a number that was refused. */
const pause = 30

/** Fewer answers than this say little about latency. */
const sample = 16

/** Slower than this, by the usual latency, is slow. */
const slowness = 1.5

/**
 * A limit that has learned nothing yet.
 *
 * @category constructors
 */
export const make = (max: number): Ceiling => ({
  max,
  limit: Math.min(max, start),
  inFlight: 0,
  eager: true,
  epoch: 0,
  floor: 1,
  peak: 0,
  refusals: 0,
  lowest: Infinity,
  known: Infinity,
  paused: 0,
  answers: 0,
  reached: false,
  measured: 0,
  total: 0,
  loaded: false,
  usual: undefined
})

/**
 * Counts a request that leaves.
 *
 * @category mutations
 */
export const sent = (self: Ceiling): Sent => {
  self.inFlight++
  if (self.inFlight >= self.limit) self.reached = self.loaded = true
  return { crowd: self.inFlight, epoch: self.epoch }
}

/**
 * Counts an answer that took `ms` milliseconds.
 *
 * @category mutations
 */
export const answered = (self: Ceiling, request: Sent, ms: number): void => {
  self.inFlight--
  // What was sent before the last cut says nothing about the limit since.
  if (request.epoch !== self.epoch) return
  self.answers++
  if (self.answers >= self.limit) endRound(self)
  self.measured++
  self.total += ms
  if (self.measured >= Math.max(sample, self.limit)) judgeLatency(self)
}

/**
 * Counts a request that was refused for its crowd: 429, 503, 529, or no answer in time.
 *
 * @category mutations
 */
export const refused = (self: Ceiling, request: Sent): void => {
  if (request.epoch === self.epoch) {
    // One that came of feeling for more only says that what was known still holds.
    const fall = self.limit > self.known ? self.known : Math.floor(self.limit * 0.8)
    cut(self)
    self.floor = Math.ceil(self.limit / 2)
    self.limit = Math.max(self.floor, fall)
  }
  self.inFlight--
  if (request.epoch < self.epoch - 1) return
  self.refusals++
  self.lowest = Math.min(self.lowest, request.crowd)
  self.known = Math.max(self.floor, self.peak - self.refusals, self.lowest - 1)
  self.limit = Math.min(self.limit, self.known)
}

/**
 * Counts a request that ended in a way that says nothing about the crowd.
 *
 * @category mutations
 */
export const ended = (self: Ceiling): void => {
  self.inFlight--
}

const endRound = (self: Ceiling): void => {
  if (self.reached) {
    if (self.eager) self.limit = Math.min(self.max, self.limit * 2)
    else if (self.limit < self.known) self.limit++
    // A whole round above the number that was refused: it holds no longer.
    else if (self.limit > self.known) self.known = Infinity
    else if (++self.paused >= pause) self.limit++
    self.limit = Math.min(self.max, self.limit)
  }
  self.answers = 0
  self.reached = self.inFlight >= self.limit
}

const judgeLatency = (self: Ceiling): void => {
  const latency = self.total / self.measured
  const { loaded, usual } = self
  restartMeasurement(self)
  if (usual === undefined || latency < usual) self.usual = latency
  else {
    if (loaded && latency > slowness * usual) {
      cut(self)
      self.limit = Math.max(1, Math.floor(self.limit * 0.9))
      self.floor = self.limit
    }
    // Work changes, and with it what is usual; but under load slowness is not to be taken for that.
    self.usual = usual + (latency - usual) * (loaded ? 0.01 : 0.1)
  }
}

const cut = (self: Ceiling): void => {
  self.peak = self.inFlight
  self.refusals = 0
  self.lowest = Infinity
  self.epoch++
  self.eager = false
  self.paused = 0
  self.answers = 0
  self.reached = false
  restartMeasurement(self)
}

const restartMeasurement = (self: Ceiling): void => {
  self.measured = 0
  self.total = 0
  self.loaded = self.inFlight >= self.limit
}
