/**
 * Requests and tokens per window of time, kept to before an endpoint has to say no.
 *
 * The life of a request:
 * 1. It stands in line: groups (`LM.withGroup`) in turn, each first come, first served. One that can see from its place
 *    that its turn comes after the call's deadline fails at once with `RateLimited` and the wait; nothing is sent.
 * 2. At the head it takes one request and its estimated tokens out of their buckets, and waits until they are
 *    refilled. Interrupted there, it gives them back.
 * 3. What the endpoint told lately (`Completion.rateLimits`) may make it wait longer, and so may a 429 that somebody
 *    met meanwhile, when `adaptive`. Then it gives back what it took, and takes it again after that wait.
 * 4. It is sent, and the next one is at the head.
 * 5. Its answer settles the account: tokens it did not use go back, tokens it used beyond the estimate are taken.
 *
 * The buckets are small: at 60 a minute one request a second, where one bucket of 60 would let 119 through in a
 * minute. They live in effect's `RateLimiterStore` if one is in context when the layer is built (Redis, or the SQL
 * store of `@effect-dspy/pipelines/sql`), shared with all who use the same store and key; else in memory.
 *
 * It goes under retry, so that every attempt takes its turn, and over concurrency, so that nobody holds a permit while
 * waiting in this line. Where permits are short, requests wait for them after their turn, and may leave closer together
 * than their turns were: set that bound higher than the rate and the latency need.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { RateLimiterError } from "effect/persistence/RateLimiter"
import type { Completion } from "../Completion.ts"
import * as LMError from "../LMError.ts"
import * as Reason from "../LMErrorReason.ts"
import * as Telling from "../Telling.ts"
import type { Decorator } from "./Decorator.ts"
import * as Group from "./Group.ts"
import * as Headroom from "./Headroom.ts"
import * as Line from "./Line.ts"
import { wrap } from "./Make.ts"
import { RateLimiterStore } from "./Persistence.ts"
import * as RateStore from "./RateStore.ts"
import type { Request } from "./Request.ts"
import type { Service } from "./Tag.ts"
import * as Tokens from "./Tokens.ts"

/**
 * - `requests`, `tokens`: most of them in any stretch of time as long as `per`; one, both or, when `adaptive`, none.
 *   Tokens are exact to the size of one request
 * - `burst`: requests that may leave at once after a quiet time. By default a sixtieth of `requests` may, counted
 *   inside the limit; a burst of your own comes on top of it
 * - `adaptive`: a 429 makes everybody wait as long as it asks, and teaches a limit that is forgotten again
 * - `key`: names the limit in a shared store; by default endpoint, account and model
 *
 * @category models
 */
export interface Options {
  readonly requests?: number
  readonly tokens?: number
  readonly per: Duration.Input
  readonly burst?: number
  readonly adaptive?: boolean
  readonly key?: string
}

/**
 * Sends no more than the limits allow, by waiting.
 *
 * ```ts
 * import { LM } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Clock, Effect } from "effect"
 *
 * const Live = TestLM.layer(() => "ok").pipe(LM.rateLimit({ requests: 60, per: "3 seconds" }))
 * const ask = Effect.andThen(LM.generate({ messages: [] }), Clock.currentTimeMillis)
 * const times = Effect.all([ask, ask, ask], { concurrency: 3 }).pipe(Effect.provide(Live))
 * // One every 50 ms.
 * await Effect.runPromise(Effect.map(times, ([first, , third]) => third - first >= 100)) // => true
 * ```
 *
 * @category decorators
 */
export const rateLimit = (options: Options): Decorator => (lm) =>
  Effect.map(Effect.serviceOption(RateLimiterStore), (shared) => {
    const limiter = make(lm, options, Option.getOrUndefined(shared))
    return wrap(lm, (request) => Effect.withFiber((fiber) => limited(limiter, fiber, request)))
  })

/** A bucket of the store: how much it holds for a request of this cost, and the time one unit takes to come back. */
interface Pace {
  readonly of: keyof Line.Cost
  readonly key: string
  readonly holds: (cost: number) => number
  readonly refill: Duration.Duration
  readonly refillMs: number
}

/** `memory`: the store again, where it is in memory and answers without an effect. */
interface Limiter {
  readonly lm: Service
  readonly store: RateStore.RateStore
  readonly memory: RateStore.Memory | undefined
  readonly paces: ReadonlyArray<Pace>
  readonly adaptive: {
    readonly key: string
    readonly fallbackLimit: number
    readonly fallbackWindow: Duration.Duration
  } | undefined
  readonly line: Line.Line
  readonly headroom: { readonly [K in keyof Line.Cost]: Headroom.Headroom }
  readonly countsTokens: boolean
}

const make = (lm: Service, options: Options, shared: RateStore.RateStore | undefined): Limiter => {
  const { adaptive = false, burst, key = `${lm.endpoint} ${lm.model}`, requests, tokens } = options
  const per = Duration.fromInputUnsafe(options.per)
  const paces: Array<Pace> = []
  if (requests !== undefined) paces.push(pace("requests", key, requests, per, burst))
  if (tokens !== undefined) paces.push(pace("tokens", key, tokens, per, burst))
  const memory = shared === undefined ? RateStore.make() : undefined
  return {
    lm,
    store: shared ?? memory ?? RateStore.make(),
    memory,
    paces,
    adaptive: adaptive ? { key, fallbackLimit: requests ?? 1, fallbackWindow: per } : undefined,
    line: Line.make(),
    headroom: { requests: Headroom.make(), tokens: Headroom.make() },
    countsTokens: tokens !== undefined
  }
}

/** A default bucket holds what one sixtieth of the window refills. */
const parts = 60

/** A nanosecond: a shorter `Duration` is zero. */
const shortest = 1e-6

// In any stretch of `per` a bucket gives what it holds and what it is refilled with. Both together are the limit, and
// one millisecond more keeps the request that opens a stretch apart from the one that ends it.
const pace = (
  of: keyof Line.Cost,
  key: string,
  amount: number,
  per: Duration.Duration,
  burst: number | undefined
): Pace => {
  const held = Math.max(1, Math.floor(amount / parts))
  const refillMs = Math.max(
    shortest,
    burst === undefined ? (Duration.toMillis(per) + 1) / (amount - held + 1) : Duration.toMillis(per) / amount
  )
  return {
    of,
    key: `${key} ${of}`,
    holds: (cost) => burst === undefined ? Math.max(held, cost) : burst * cost,
    refill: Duration.millis(refillMs),
    refillMs
  }
}

const limited = (
  self: Limiter,
  fiber: Fiber.Fiber<unknown, unknown>,
  request: Request
): Effect.Effect<Completion, LMError.LMError> => {
  const clock = fiber.getRef(Clock.Clock)
  const group = fiber.getRef(Group.Group)
  const deadline = request.attempts?.deadline ?? Infinity
  const countsTokens = self.countsTokens || self.headroom.tokens.told !== undefined
  const cost = { requests: 1, tokens: countsTokens ? Tokens.estimate(fiber, self.lm, request) : 0 }
  const now = clock.currentTimeMillisUnsafe()
  const soonest = Line.soonest(self.line, group, cost, self.paces, now)
  if (soonest >= deadline) return tooLate(self, soonest - now)
  if (self.line.size === 0 && freeAtOnce(self, cost, now)) return send(self, clock, cost, 0, request)
  const turn = Telling.waiting("rateLimit", Line.stand(self.line, group, cost, reserve(self, clock, cost, deadline)))
  return Effect.flatMap(turn, (epoch) => send(self, clock, cost, epoch, request))
}

const send = (
  self: Limiter,
  clock: Clock.Clock,
  cost: Line.Cost,
  epoch: number,
  request: Request
): Effect.Effect<Completion, LMError.LMError> => {
  const sent = { requests: ++self.headroom.requests.sent, tokens: self.headroom.tokens.sent += cost.tokens }
  return Effect.tapError(
    Effect.flatMap(self.lm.generate(request), (completion) => settle(self, clock, cost, sent, completion)),
    (failure) => refund(self, cost, epoch, failure)
  )
}

/** The further wait that is known by now, 0 for none; `learned` and `epoch` are those of `reserve`. */
interface Hold {
  readonly wait: number
  readonly learned: boolean
  readonly epoch: number
}

// Gives the epoch that a refusal is to be reported with. `learned`: a turn was had in the limit that was learned, and
// is not asked for twice.
const reserve = (
  self: Limiter,
  clock: Clock.Clock,
  cost: Line.Cost,
  deadline: number,
  learned = false
): Effect.Effect<number, LMError.LMError> =>
  Effect.suspend(() => {
    const again = (wait: number, learned: boolean) =>
      Effect.andThen(pause(self, clock, wait, deadline), reserve(self, clock, cost, deadline, learned))
    const told = toldToWait(self, clock, cost)
    if (told > 0) return again(told, learned)
    return Effect.flatMap(take(self, cost), (refilled) => {
      const held = hold(self, clock, cost, learned)
      const turn = refilled > 0 ? Effect.andThen(pause(self, clock, refilled, deadline), held) : held
      return Effect.flatMap(Effect.onError(turn, () => giveBack(self, cost)), ({ epoch, learned, wait }) =>
        wait === 0
          ? Effect.succeed(epoch)
          // If the cost were kept, the buckets would refill during the wait, and two requests would leave at once after
          // it.
          : Effect.andThen(giveBack(self, cost), again(wait, learned)))
    })
  })

// Nobody is in line, memory answers at once, and no refusal is remembered: there is no need to stand in line, if the
// buckets are full enough.
const freeAtOnce = (self: Limiter, cost: Line.Cost, now: number): boolean => {
  const { adaptive, headroom, memory, paces } = self
  if (memory === undefined || (adaptive !== undefined && memory.learned(adaptive.key, now))) return false
  if (Headroom.wait(headroom.requests, cost.requests, now) > 0) return false
  if (Headroom.wait(headroom.tokens, cost.tokens, now) > 0) return false
  for (const [index, pace] of paces.entries()) {
    if (waitOf(pace, memory.take(debiting(pace, cost[pace.of], cost[pace.of]), now)) === 0) continue
    for (const taken of paces.slice(0, index + 1)) memory.take(debiting(taken, -cost[taken.of], cost[taken.of]), now)
    return false
  }
  return true
}

// Looks again after the wait for the buckets: an answer or a refusal may have asked for more meanwhile.
const hold = (
  self: Limiter,
  clock: Clock.Clock,
  cost: Line.Cost,
  learned: boolean
): Effect.Effect<Hold, LMError.LMError> =>
  Effect.suspend(() => {
    const wait = toldToWait(self, clock, cost)
    if (wait > 0 || self.adaptive === undefined) return Effect.succeed({ wait, learned, epoch: 0 })
    const consumed = asked(self, self.store.adaptiveConsume({ ...self.adaptive, tokens: learned ? 0 : 1 }))
    return Effect.map(consumed, ({ delay, epoch, phase }) => {
      const cooling = phase === "cooldown"
      return { wait: learned && !cooling ? 0 : Duration.toMillis(delay), learned: !cooling, epoch }
    })
  })

const toldToWait = ({ headroom }: Limiter, clock: Clock.Clock, cost: Line.Cost): number => {
  const now = clock.currentTimeMillisUnsafe()
  return Math.max(
    Headroom.wait(headroom.requests, cost.requests, now),
    Headroom.wait(headroom.tokens, cost.tokens, now)
  )
}

const pause = (
  self: Limiter,
  clock: Clock.Clock,
  ms: number,
  deadline: number
): Effect.Effect<void, LMError.LMError> =>
  Effect.suspend(() => {
    const turnAt = clock.currentTimeMillisUnsafe() + ms
    if (turnAt >= deadline) return tooLate(self, ms)
    self.line.turnAt = turnAt
    return Effect.sleep(ms)
  })

const tooLate = ({ lm }: Limiter, ms: number): Effect.Effect<never, LMError.LMError> =>
  Effect.fail(LMError.make(lm.provider, lm.model, new Reason.RateLimited({ retryAfter: Duration.millis(ms) })))

// Takes a cost out of all buckets, and gives the milliseconds until they are refilled.
const take = (self: Limiter, cost: Line.Cost): Effect.Effect<number, LMError.LMError> => {
  const [first, second] = self.paces
  if (first === undefined) return Effect.succeed(0)
  const wait = debit(self, first, cost[first.of])
  return second === undefined
    ? wait
    : Effect.zipWith(wait, debit(self, second, cost[second.of]), Math.max)
}

const debit = (self: Limiter, pace: Pace, amount: number, size = amount): Effect.Effect<number, LMError.LMError> =>
  Effect.map(asked(self, self.store.tokenBucket(debiting(pace, amount, size))), (bucket) => waitOf(pace, bucket))

const debiting = (pace: Pace, amount: number, size: number) => ({
  key: pace.key,
  tokens: amount,
  limit: pace.holds(size),
  refillRate: pace.refill,
  allowOverflow: true
})

const waitOf = ({ refillMs }: Pace, [remaining, elapsed]: readonly [number, number]): number =>
  Math.ceil(Math.max(0, Math.ceil(-remaining) * refillMs - elapsed))

const giveBack = (self: Limiter, cost: Line.Cost): Effect.Effect<void> =>
  Effect.forEach(self.paces, (pace) => credit(self, pace, cost[pace.of], cost[pace.of]), {
    concurrency: 1,
    discard: true
  })

// What can't be given back is not worth losing an answer for.
const credit = (self: Limiter, pace: Pace, amount: number, size: number): Effect.Effect<void> =>
  amount === 0 ? Effect.void : Effect.ignore(debit(self, pace, -amount, size))

const settle = (
  self: Limiter,
  clock: Clock.Clock,
  cost: Line.Cost,
  sent: Line.Cost,
  completion: Completion
): Effect.Effect<Completion> => {
  const { rateLimits, usage: { inputTokens, outputTokens } } = completion
  const now = clock.currentTimeMillisUnsafe()
  if (rateLimits?.requests !== undefined) {
    Headroom.tell(self.headroom.requests, rateLimits.requests, sent.requests, now)
  }
  if (rateLimits?.tokens !== undefined) Headroom.tell(self.headroom.tokens, rateLimits.tokens, sent.tokens, now)
  const answered = Effect.succeed(completion)
  const pace = self.paces.find(({ of }) => of === "tokens")
  if (pace === undefined || (inputTokens === undefined && outputTokens === undefined)) return answered
  const unused = cost.tokens - ((inputTokens ?? 0) + (outputTokens ?? 0))
  if (self.memory === undefined) return Effect.andThen(credit(self, pace, unused, cost.tokens), answered)
  if (unused !== 0) self.memory.take(debiting(pace, -unused, cost.tokens), now)
  return answered
}

/** What a 429 without Retry-After is taken to ask for. */
const defaultCooldown = Duration.seconds(1)

// A refused request used no tokens, but endpoints count it among the requests.
const refund = (self: Limiter, cost: Line.Cost, epoch: number, { reason }: LMError.LMError): Effect.Effect<void> => {
  if (reason._tag !== "RateLimited" && reason._tag !== "Overloaded") return Effect.void
  const refunded = giveBack(self, { requests: 0, tokens: cost.tokens })
  if (reason._tag === "Overloaded" || self.adaptive === undefined) return refunded
  const { key } = self.adaptive
  const retryAfter = reason.retryAfter ?? defaultCooldown
  return Effect.andThen(
    refunded,
    Effect.ignore(self.store.adaptiveFeedback({ key, epoch, tokens: 1, status: 429, retryAfter }))
  )
}

// Limits that can't be read are not ignored: whoever shares them relies on them.
const asked = <A>({ lm }: Limiter, answer: Effect.Effect<A, RateLimiterError>): Effect.Effect<A, LMError.LMError> =>
  Effect.mapError(answer, () => LMError.make(lm.provider, lm.model, new Reason.Network({ code: "RATE_LIMIT_STORE" })))
