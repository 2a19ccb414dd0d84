/**
 * Whether prompts and replies may be shown in spans and events. They may not, unless somebody says so.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * `redact` sees every text before it is shown, and gives what may be seen of it. It sees whole texts only: with a
 * redactor, streamed answers are not shown while they are written, because what it looks for could be cut in two.
 *
 * @category models
 */
export interface Options {
  readonly redact?: (text: string) => string
}

/**
 * Shows a text; `pieces` says whether parts of one may be shown, too.
 *
 * @category models
 */
export interface Shows {
  (text: string): string
  readonly pieces: boolean
}

/**
 * What shows a text; absent where nothing may be shown.
 *
 * @category services
 */
export const Show = Context.Reference<Shows | undefined>("@effect-dspy/core/Content/Show", {
  defaultValue: () => undefined
})

const shown = ({ redact }: Options): Shows =>
  Object.assign((text: string) => redact === undefined ? text : redact(text), { pieces: redact === undefined })

/**
 * Shows prompts and replies of a program in its spans and events.
 *
 * ```ts
 * import { Content, Events, Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * const ask = Predict.make(Signature.make("Ask", { input: { text: Schema.String }, output: { answer: Schema.String } }))
 * const seen: Array<string | undefined> = []
 * const program = ask({ text: "My card is 4711." }).pipe(
 *   Content.show({ redact: (text) => text.replaceAll(/\d/g, "*") }),
 *   Events.observe((event) => event._tag === "CallStarted" && seen.push(event.input)),
 *   Effect.provide(TestLM.layer([{ answer: "Thanks." }]))
 * )
 * await Effect.runPromise(program) // => { answer: "Thanks." }
 * seen // => ["{\"text\":\"My card is ****.\"}"]
 * ```
 *
 * @category combinators
 */
export const show = (options: Options = {}) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(self, Show, shown(options))

/**
 * The same for everything a layer is provided to.
 *
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<never> => Layer.succeed(Show, shown(options))
