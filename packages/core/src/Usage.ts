/**
 * What calls cost: requests sent, tokens, money.
 *
 * A provider reports the usage of one answer in its `Completion`; `LM.make` counts every request that
 * is really sent and hands the sum to whoever listens. `Usage.track` listens around any program, a
 * single predictor or a whole batch, and costs nothing when nobody does.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * Counts are whole numbers, money is US dollars. `inputTokens` includes cached tokens and cache writes,
 * `outputTokens` includes reasoning. A figure nobody reported is absent, never 0. Requests that failed
 * count as calls; replayed and cached answers are 0 calls.
 *
 * @category models
 */
export const Usage = Schema.Struct({
  calls: Schema.Natural,
  inputTokens: Schema.optionalKey(Schema.Finite),
  cachedTokens: Schema.optionalKey(Schema.Finite),
  cacheWriteTokens: Schema.optionalKey(Schema.Finite),
  outputTokens: Schema.optionalKey(Schema.Finite),
  reasoningTokens: Schema.optionalKey(Schema.Finite),
  costUsd: Schema.optionalKey(Schema.Finite)
})

/**
 * What calls cost; see the schema of the same name.
 *
 * @category models
 */
export type Usage = typeof Usage.Type

/** Tokens and money of one answer: a `Usage` without the count of calls. */
export type Tokens = Omit<Usage, "calls">

const figures = [
  "inputTokens",
  "cachedTokens",
  "cacheWriteTokens",
  "outputTokens",
  "reasoningTokens",
  "costUsd"
] as const satisfies ReadonlyArray<keyof Tokens>

/**
 * The listener that `LM.make` reports to: once with `{ calls: 1 }` when a request leaves, once with the
 * tokens when its answer is there.
 *
 * @category services
 */
export const Listener = Context.Reference<((usage: Usage) => void) | undefined>(
  "@effect-dspy/core/Usage/Listener",
  { defaultValue: () => undefined }
)

/**
 * Nothing sent, nothing known.
 *
 * @category constructors
 */
export const zero: Usage = { calls: 0 }

/**
 * Adds two usages. A figure known on one side only is kept as it is: a sum is a lower bound of what
 * providers reported, not a guess.
 *
 * ```ts
 * import { Usage } from "@effect-dspy/core"
 *
 * Usage.add({ calls: 1, inputTokens: 10 }, { calls: 1, inputTokens: 5, outputTokens: 2 }) // => { calls: 2, inputTokens: 15, outputTokens: 2 }
 * ```
 *
 * @category combinators
 */
export const add = (self: Usage, that: Usage): Usage => {
  const sum: { -readonly [K in keyof Usage]: Usage[K] } = { calls: self.calls + that.calls }
  for (const figure of figures) {
    const a = self[figure]
    const b = that[figure]
    if (a !== undefined || b !== undefined) sum[figure] = (a ?? 0) + (b ?? 0)
  }
  return sum
}

/**
 * Calls `onUsage` for every request sent and every answer received below `self`, also when `self` fails.
 * Listeners nest: the inner one reports to the outer one too.
 *
 * @category combinators
 */
export const observe =
  (onUsage: (usage: Usage) => void) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) => {
      const outer = fiber.getRef(Listener)
      const listener = outer === undefined ? onUsage : (usage: Usage) => {
        onUsage(usage)
        outer(usage)
      }
      return Effect.provideService(self, Listener, listener)
    })

/**
 * Runs a program and gives its result beside what it cost.
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Predict, Signature, Usage } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Schema } from "effect"
 *
 * const Shout = Signature.make("Shout", { input: { text: Schema.String }, output: { loud: Schema.String } })
 * const program = Predict.make(Shout)({ text: "hi" }).pipe(Usage.track, Effect.provide(TestLM.layer([{ loud: "HI" }])))
 * await Effect.runPromise(program) // => [{ loud: "HI" }, { calls: 1 }]
 * ```
 *
 * @category combinators
 */
export const track = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<readonly [A, Usage], E, R> =>
  Effect.suspend(() => {
    let total = zero
    const tracked = observe((usage) => {
      total = add(total, usage)
    })(self)
    return Effect.map(tracked, (value) => [value, total] as const)
  })

/**
 * Who keeps the books around the running fiber; use `trackBy`.
 *
 * @category services
 */
export const Books = Context.Reference<((key: string, value: string, usage: Usage) => void) | undefined>(
  "@effect-dspy/core/Usage/Books",
  { defaultValue: () => undefined }
)

/**
 * Says on whose account a program runs: a tenant, a job, an experiment. It costs nothing where nobody keeps books.
 *
 * @category combinators
 */
export const by = (key: string, value: string) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const books = fiber.getRef(Books)
    return books === undefined ? self : observe((usage) => books(key, value, usage))(self)
  })

/**
 * Calls `onUsage` for what runs on somebody's account below `self`, by key and value of `Usage.by`, also when `self`
 * fails. For the books of an app: put it around whatever serves requests.
 *
 * @category combinators
 */
export const observeBy =
  (onUsage: (key: string, value: string, usage: Usage) => void) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) => {
      const outer = fiber.getRef(Books)
      return Effect.provideService(
        self,
        Books,
        outer === undefined ? onUsage : (key, value, usage) => {
          onUsage(key, value, usage)
          outer(key, value, usage)
        }
      )
    })

/**
 * Runs a program and gives its result beside what it cost on each account of one kind. An account within another one
 * of its kind counts on both.
 *
 * ```ts
 * import { LM, Usage } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect } from "effect"
 *
 * const ask = LM.generate({ messages: [] })
 * const served = Effect.all([
 *   Usage.by("tenant", "acme")(ask),
 *   Usage.by("tenant", "acme")(ask),
 *   Usage.by("tenant", "ajax")(ask)
 * ], { concurrency: 3, discard: true })
 * const program = served.pipe(Usage.trackBy("tenant"), Effect.provide(TestLM.layer(() => "ok")))
 * const [, bills] = await Effect.runPromise(program)
 * bills // => { acme: { calls: 2 }, ajax: { calls: 1 } }
 * ```
 *
 * @category combinators
 */
export const trackBy =
  (key: string) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<readonly [A, { readonly [value: string]: Usage }], E, R> =>
    Effect.suspend(() => {
      const bills = new Map<string, Usage>()
      const tracked = observeBy((kind, value, usage) => {
        if (kind === key) bills.set(value, add(bills.get(value) ?? zero, usage))
      })(self)
      return Effect.map(tracked, (value) => [value, Object.fromEntries(bills)] as const)
    })
