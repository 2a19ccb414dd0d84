/**
 * Flags that several commands have, and how their values are written.
 */
import { Flag } from "effect/cli"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/** `--lm`, or `EFFECT_DSPY_LM`. */
export const lm = Flag.String("lm").pipe(
  Flag.withMetavar("MODEL"),
  Flag.withFallbackConfig(Config.String("EFFECT_DSPY_LM"))
)

/**
 * `200ms`, `2s`, `1m`, `7d`, what Effect reads (`2 seconds`), or a number of milliseconds, as its help says; not less
 * than `least` milliseconds.
 */
export const duration = (name: string, description: string, least = 0) =>
  Flag.String(name).pipe(
    Flag.withMetavar("DURATION"),
    Flag.filterMap(
      (text) => {
        const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(text) ?? []
        if (amount === undefined) return Option.filter(Duration.fromInput(text as Duration.Input), Duration.isFinite)
        return Option.some(Duration.millis(Number(amount) * (millis[unit ?? "ms"] ?? 1)))
      },
      () => "Expected a duration such as 200ms, 2s, 1m or 7d"
    ),
    Flag.filter((length) => Duration.toMillis(length) >= least, () => `Expected ${least}ms or more`),
    Flag.withDescription(`${description} (such as 200ms, 2s or 1m; a bare number is milliseconds)`)
  )

const millis: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A whole number that is not less than `minimum`. */
export const atLeast = (name: string, minimum: number) =>
  Flag.Int(name).pipe(
    Flag.withMetavar("N"),
    Flag.filter((count) => count >= minimum, () => `Expected ${minimum} or more`)
  )
