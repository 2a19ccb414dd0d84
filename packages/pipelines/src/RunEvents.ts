/**
 * The events and spans of a pipeline run and its steps, where somebody listens or traces.
 */
import * as Spans from "@effect-dspy/core/Spans"
import * as Telling from "@effect-dspy/core/Telling"
import * as Usage from "@effect-dspy/core/Usage"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Plan } from "./Plan.ts"

/**
 * Tells of a run, and makes it the place of what happens in it.
 *
 * @category combinators
 */
export const run = <A, E, R>(
  fiber: Fiber.Fiber<unknown, unknown>,
  pipeline: string,
  plan: Plan,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const to = Telling.listener(fiber)
  const told = to === undefined ? self : Effect.withFiber<A, E, R>((fiber) => {
    const parent = fiber.getRef(Telling.Where).run
    const within = Effect.withFiber<A, E, R>((fiber) => {
      Telling.tell(to, fiber, {
        _tag: "RunStarted",
        pipeline,
        ...(parent === undefined ? undefined : { parent }),
        steps: plan.steps.map(({ after, name }) => ({ name, after }))
      })
      return Telling.ending(fiber, self, (ended) => Telling.tell(to, fiber, { _tag: "RunEnded", pipeline, ...ended }))
    })
    return Telling.within(fiber, { run: to.id() }, within)
  })
  return !Spans.traced(fiber) ? told : Spans.within(`invoke_workflow ${plan.name}`, () => ({
    attributes: {
      "gen_ai.operation.name": "invoke_workflow",
      "gen_ai.workflow.name": plan.name,
      "effect_dspy.path": pipeline
    }
  }), told)
}

/**
 * Makes a step the place of what happens until it ends, the wait for its turn included.
 *
 * @category combinators
 */
export const within = <A, E, R>(
  pipeline: string,
  name: string,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) =>
    Telling.listener(fiber) === undefined ? self : Telling.within(fiber, { step: `${pipeline}/${name}` }, self)
  )

/**
 * Tells of a step that begins now.
 *
 * @category combinators
 */
export const step = <A, E, R>(pipeline: string, name: string, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Spans.within(
    `step ${name}`,
    () => ({ attributes: { "effect_dspy.path": `${pipeline}/${name}` } }),
    told(name, self)
  )

const told = <A, E, R>(name: string, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const to = Telling.listener(fiber)
    if (to === undefined) return self
    let usage = Usage.zero
    Telling.tell(to, fiber, { _tag: "StepStarted", name })
    const counted = Usage.observe((more) => {
      usage = Usage.add(usage, more)
    })(self)
    return Telling.ending(
      fiber,
      counted,
      (ended) => Telling.tell(to, fiber, { _tag: "StepEnded", name, ...ended, usage })
    )
  })
