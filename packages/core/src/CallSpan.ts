/**
 * The span of a predictor call, where a tracer is installed.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Call from "./Call.ts"
import { Show } from "./Content.ts"
import * as GenAi from "./GenAi.ts"
import { sender } from "./LM/Generate.ts"
import type { Output } from "./LM/Request.ts"
import * as SettingsModule from "./LM/Settings.ts"
import * as Spans from "./Spans.ts"

/**
 * Runs a call in its span. The call begins inside, because a request belongs to the span it is made in.
 *
 * @category combinators
 */
export const spanned = <A, E, R>(
  fiber: Fiber.Fiber<unknown, unknown>,
  { kind, name, signature }: Call.Definition,
  path: string,
  settings: SettingsModule.Settings,
  output: Output,
  call: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const lm = sender(fiber)
  const asked = GenAi.asked(lm, SettingsModule.merge(lm.defaults, settings), { output })
  const isAgent = kind === "ReAct"
  return Effect.withSpan(call, isAgent ? `invoke_agent ${name}` : `chat ${lm.model}`, {
    kind: isAgent ? "internal" : "client",
    attributes: {
      ...asked,
      ...(isAgent ? { "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name } : undefined),
      "effect_dspy.predictor": name,
      "effect_dspy.signature": signature.name,
      "effect_dspy.path": path
    },
    // A stack trace would only lead to this line. Without it a span costs 5 us instead of 7.
    captureStackTrace: false
  }) as Effect.Effect<A, E, R>
}

/**
 * Runs an exchange, and writes what came of it into the span around it.
 *
 * @category combinators
 */
export const ending = <E>(
  fiber: Fiber.Fiber<unknown, unknown>,
  exchange: Call.Exchange<E>,
  run: Effect.Effect<unknown, E>
): Effect.Effect<unknown, E> => {
  const span = Spans.current(fiber)
  if (span === undefined) return run
  return Effect.onExit(run, (exit) =>
    Effect.sync(() => {
      const last = exchange.last()
      if (last !== undefined) {
        GenAi.answered(span, last)
        const show = fiber.getRef(Show)
        if (show !== undefined) span.attribute("gen_ai.output.messages", GenAi.outputMessages(last, show))
      }
      GenAi.paid(span, exchange.usage())
      span.attribute("effect_dspy.attempts", exchange.attempts())
      GenAi.failed(span, exit)
    }))
}
