/**
 * The events of a predictor call: its start, its end, and the place that everything in between has.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type * as Call from "./Call.ts"
import { Show } from "./Content.ts"
import * as Telling from "./Telling.ts"

/**
 * Runs an exchange and tells of it.
 *
 * @category combinators
 */
export const told = <E>(
  to: Telling.Listener,
  self: Call.Definition,
  path: string,
  { fiber, input, lm, signature }: Call.Opened,
  exchange: Call.Exchange<E>
): Effect.Effect<unknown, E> => {
  const show = fiber.getRef(Show)
  const { kind, name } = self
  const place = { call: to.id() }
  const call = Effect.withFiber<unknown, E>((within) => {
    Telling.tell(to, within, {
      _tag: "CallStarted",
      predictor: name,
      kind,
      signature: self.signature.name,
      path,
      ...(show === undefined ? undefined : { input: show(JSON.stringify(input)) })
    })
    return Telling.ending(within, exchange.run, (ended, exit) => {
      const last = exchange.last()
      Telling.tell(to, within, {
        _tag: "CallEnded",
        predictor: name,
        path,
        ...ended,
        usage: exchange.usage(),
        attempts: exchange.attempts(),
        provider: last?.provider ?? lm.provider,
        model: last?.model ?? lm.model,
        ...(last === undefined ? undefined : { finishReason: last.finishReason }),
        ...(show === undefined || Exit.isFailure(exit) ? undefined : {
          output: show(JSON.stringify(Result.getOrElse(signature.derived.encodeOutput(exit.value), () => ({}))))
        })
      })
    })
  })
  return Telling.within(fiber, place, call)
}
