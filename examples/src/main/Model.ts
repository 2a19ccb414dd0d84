/**
 * The model the flags ask for, as a layer with everything a production call needs around it.
 */
import { LM } from "@effect-dspy/core/LM"
import { Offline } from "@effect-dspy/providers/offline"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { UsageError } from "./UsageError.ts"

export { UsageError } from "./UsageError.ts"

export interface Options {
  readonly lm: string
  readonly baseUrl: Option.Option<string>
  readonly latency: Option.Option<Duration.Duration>
  readonly timeout: Option.Option<Duration.Duration>
  readonly concurrency: number
}

/** How long the offline model pretends to think: the summary, which writes most, takes longest. */
const simulated = (signature: string | undefined) => signature === "Summarize" ? "300 millis" : "200 millis"

export const layer = (options: Options): Layer.Layer<LM, UsageError> =>
  base(options).pipe(
    LM.resilient({
      concurrency: options.concurrency,
      ...Option.match(options.timeout, { onNone: () => ({}), onSome: (timeout) => ({ timeout }) })
    })
  )

/** Fails for a name that no worker could make a model of; needs no key. */
export const check = (lm: string): Effect.Effect<void, UsageError> =>
  lm === "offline"
    ? Effect.void
    : Effect.flatMap(Effect.promise(() => import("./Vendor.ts")), ({ parse }) => Effect.fromResult(parse(lm)))

const base = ({ baseUrl, latency, lm }: Options): Layer.Layer<LM, UsageError> => {
  if (lm !== "offline") {
    if (Option.isSome(latency)) return refused("--latency is for --lm offline only")
    // Endpoints bring a hundred modules with them, which the offline model should not wait for.
    return Layer.unwrap(Effect.map(
      Effect.promise(() => import("./Vendor.ts")),
      (Vendor) => Vendor.layer(lm, Option.getOrUndefined(baseUrl))
    ))
  }
  if (Option.isSome(baseUrl)) {
    return refused("--base-url is for an endpoint: give --lm as well, such as compatible/MODEL")
  }
  return Offline.layer({
    latency: (request) => Option.getOrElse(latency, () => simulated(request.call?.signature.name))
  })
}

const refused = (problem: string) => Layer.effect(LM, Effect.fail(new UsageError({ problem })))
