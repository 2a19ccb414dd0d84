/**
 * What most of several samples say (Wang et al., "Self-Consistency", 2022).
 *
 * The samples run side by side. As soon as no other answer can catch up, the rest is interrupted.
 */
import * as Effect from "effect/Effect"
import * as Samples from "./Samples.ts"
import * as Step from "./Step.ts"

/**
 * `by`: what is voted on, such as one field; the whole output when absent. Values are compared by their JSON form,
 * texts without regard to case, punctuation and white space.
 *
 * @category models
 */
export interface Options<O> extends Samples.Options {
  readonly by?: (output: O) => unknown
}

/**
 * A step that runs another one `n` times and gives the first output of the answer most of them gave.
 *
 * ```ts
 * import { Majority, Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 *
 * const capital = Predict.make(Signature.make("Capital", { input: { of: Schema.String }, output: { city: Schema.String } }))
 * const sure = Majority.make(capital, { n: 3, by: ({ city }) => city })
 * const lm = TestLM.layer([{ city: "Bergen" }, { city: "Oslo" }, { city: "oslo." }])
 * await Effect.runPromise(sure({ of: "Norway" }).pipe(Effect.provide(lm))) // => { city: "Oslo" }
 * ```
 *
 * @category constructors
 */
export const make = <I, O, E, R>(step: Step.Step<I, O, E, R>, options: Options<O>): Step.Step<I, O, E, R> =>
  Step.wrap(step, (inner) => make(inner, options), (input) =>
    Effect.suspend(() => {
      const poll = ballot<O>(options.n, options.by)
      return Effect.map(
        Samples.choose(
          step,
          input,
          options,
          (output, index) => Effect.sync(() => poll.cast(output, index)),
          poll.leader
        ),
        won
      )
    }))

/**
 * The output most of them agree on: the first one with the most frequent answer. `undefined` of none.
 *
 * ```ts
 * import { Majority } from "@effect-dspy/core"
 *
 * Majority.vote([{ city: "Bergen" }, { city: "Oslo" }, { city: "oslo" }]) // => { city: "Oslo" }
 * ```
 *
 * @category combinators
 */
export const vote = <O>(outputs: ReadonlyArray<O>, by?: (output: O) => unknown): O | undefined => {
  const poll = ballot(outputs.length, by)
  outputs.forEach(poll.cast)
  return poll.leader()?.output
}

/** One answer: the first output that gave it, and how many did. */
interface Answer<O> {
  output: O
  index: number
  count: number
}

const ballot = <O>(n: number, by: ((output: O) => unknown) | undefined) => {
  const answers = new Map<string, Answer<O>>()
  let cast = 0
  const leader = (): Answer<O> | undefined => {
    let first: Answer<O> | undefined
    for (const answer of answers.values()) {
      if (
        first === undefined || answer.count > first.count ||
        (answer.count === first.count && answer.index < first.index)
      ) {
        first = answer
      }
    }
    return first
  }
  return {
    leader,
    /** Counts an output; gives the winner when no other can catch up. */
    cast: (output: O, index: number): Answer<O> | undefined => {
      cast++
      const key = normal(by === undefined ? output : by(output))
      const answer = answers.get(key)
      if (answer === undefined) answers.set(key, { output, index, count: 1 })
      else {
        answer.count++
        // Of one answer the first sample's wording, whichever came first.
        if (index < answer.index) Object.assign(answer, { output, index })
      }
      const first = leader()
      const second = Math.max(0, ...[...answers.values()].filter((one) => one !== first).map((one) => one.count))
      return first !== undefined && first.count > second + n - cast ? first : undefined
    }
  }
}

const won = <O>(answer: Answer<O> | undefined): O => {
  if (answer === undefined) throw new TypeError("Majority: n must be at least 1")
  return answer.output
}

const normal = (value: unknown): string => {
  const words = (text: string) => text.normalize("NFKC").toLowerCase().replace(/[\p{P}\s]+/gu, " ").trim()
  return JSON.stringify(value, (_, part: unknown) => typeof part === "string" ? words(part) : part) ?? "undefined"
}
