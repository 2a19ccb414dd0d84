/**
 * The dependency graph of a pipeline as data: who needs what from whom, and the longest path through it.
 *
 * It is computed once, when the pipeline is made. Wiring mistakes that the compiler reports to typed
 * callers are thrown here for untyped ones.
 */
import type * as Step from "@effect-dspy/core/Step"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"

/**
 * - `needs`: fields the step waits for, `after`: the steps that give them
 * - `gives`: fields it produces
 *
 * @category models
 */
export interface Node {
  readonly name: string
  readonly needs: ReadonlyArray<string>
  readonly after: ReadonlyArray<string>
  readonly gives: ReadonlyArray<string>
}

/**
 * `steps` are in an order in which each comes after the steps it needs. `streaming`: a step starts when the fields it
 * needs are written, not when the answers that hold them end.
 *
 * @category models
 */
export interface Plan {
  readonly name: string
  readonly streaming: boolean
  readonly input: ReadonlyArray<string>
  readonly steps: ReadonlyArray<Node>
}

/**
 * How long a step takes, and how long after its start single fields of it are complete, where a model writes them
 * one after the other.
 *
 * @category models
 */
export interface Timing {
  readonly total: Duration.Input
  readonly fields: { readonly [field: string]: Duration.Input | undefined }
}

/**
 * By step: how long it takes.
 *
 * @category models
 */
export type Durations = { readonly [step: string]: Duration.Input | Timing | undefined }

/**
 * The longest path through a pipeline. No run can be faster than `millis`.
 *
 * @category models
 */
export interface CriticalPath {
  readonly steps: ReadonlyArray<string>
  readonly millis: number
}

/**
 * Steps that cannot be wired by their field names.
 *
 * @category errors
 */
export class WiringError extends Data.TaggedError("WiringError")<{
  readonly pipeline: string
  readonly problem: "missing" | "doubled" | "cycle"
  readonly fields: ReadonlyArray<string>
  readonly steps: ReadonlyArray<string>
}> {
  override get message(): string {
    const fields = this.fields.map((field) => `\`${field}\``).join(", ")
    const steps = this.steps.join(", ")
    switch (this.problem) {
      case "missing":
        return `${this.pipeline}: ${steps} needs ${fields}, which is neither input nor given by a step`
      case "doubled":
        return `${this.pipeline}: ${fields} is given more than once (${steps}); rename it with Step.mapOutput or drop it with Step.omitOutput`
      case "cycle":
        return `${this.pipeline}: ${steps} wait for each other (${fields})`
    }
  }
}

type Wired = Pick<Step.Any, "input" | "output">

/**
 * Wires steps by field names.
 *
 * @category constructors
 */
export const make = (
  name: string,
  input: ReadonlyArray<string>,
  steps: { readonly [name: string]: Wired },
  isOptional: (step: Wired, field: string) => boolean,
  streaming = false
): Plan => {
  // The pipeline's own input gives its fields under no name: a step may be called anything.
  const givenBy = new Map<string, Array<string | undefined>>(input.map((field) => [field, [undefined]]))
  for (const [step, { output }] of Object.entries(steps)) {
    for (const field of Object.keys(output.fields)) givenBy.set(field, [...(givenBy.get(field) ?? []), step])
  }
  for (const [field, givers] of givenBy) {
    if (givers.length > 1) {
      const steps = givers.map((giver) => giver ?? "input")
      throw new WiringError({ pipeline: name, problem: "doubled", fields: [field], steps })
    }
  }
  const nodes = Object.entries(steps).map(([step, wired]): Node => {
    const wanted = Object.keys(wired.input.fields)
    const missing = wanted.filter((field) => !givenBy.has(field) && !isOptional(wired, field))
    if (missing.length > 0) {
      throw new WiringError({ pipeline: name, problem: "missing", fields: missing, steps: [step] })
    }
    const needs = wanted.filter((field) => givenBy.has(field))
    const after = new Set(needs.flatMap((field) => givenBy.get(field) ?? []).filter((giver) => giver !== undefined))
    return { name: step, needs, after: [...after], gives: Object.keys(wired.output.fields) }
  })
  return { name, streaming, input, steps: ordered(name, nodes) }
}

/**
 * The longest path, where each step takes as long as `durations` says (0 when it says nothing). Times of single
 * fields count in a pipeline that streams.
 *
 * ```ts
 * import { Step } from "@effect-dspy/core"
 * import { Pipeline, Plan } from "@effect-dspy/pipelines"
 * import { Effect, Schema } from "effect"
 *
 * const text = Schema.String
 * const a = Step.make("A", { input: { x: text }, output: { a: text }, run: ({ x }) => Effect.succeed({ a: x }) })
 * const b = Step.make("B", { input: { a: text }, output: { b: text }, run: ({ a }) => Effect.succeed({ b: a }) })
 * const pipeline = Pipeline.make("Demo", { input: { x: text }, steps: { a, b } })
 * Plan.criticalPath(pipeline.plan, { a: "2 seconds", b: "3 seconds" }) // => { steps: ["a", "b"], millis: 5000 }
 * const streaming = Pipeline.make("Demo", { input: { x: text }, steps: { a, b }, streaming: true })
 * const durations = { a: { total: "2 seconds", fields: { a: "1 second" } }, b: "3 seconds" } as const
 * Plan.criticalPath(streaming.plan, durations) // => { steps: ["a", "b"], millis: 4000 }
 * ```
 *
 * @category getters
 */
export const criticalPath = (plan: Plan, durations: Durations): CriticalPath => {
  const ready = new Map<string, CriticalPath>()
  let longest: CriticalPath = { steps: [], millis: 0 }
  for (const { gives, name, needs } of plan.steps) {
    const before = needs.reduce<CriticalPath>(
      (latest, field) => {
        const path = ready.get(field)
        return path !== undefined && path.millis > latest.millis ? path : latest
      },
      { steps: [], millis: 0 }
    )
    const { fields, total } = timing(durations[name])
    const steps = [...before.steps, name]
    for (const field of gives) {
      const after = plan.streaming ? fields[field] ?? total : total
      ready.set(field, { steps, millis: before.millis + Duration.toMillis(after) })
    }
    const millis = before.millis + Duration.toMillis(total)
    if (millis > longest.millis) longest = { steps, millis }
  }
  return longest
}

const timing = (duration: Duration.Input | Timing | undefined): Timing =>
  typeof duration === "object" && "fields" in duration ? duration : { total: duration ?? Duration.zero, fields: {} }

/**
 * The graph as a Mermaid flowchart: one box a step, one arrow a field.
 *
 * @category formatting
 */
export const mermaid = (plan: Plan): string => {
  const id = (step: Node | undefined): string => {
    if (step === undefined) return "input"
    // Mermaid reads plain words as they are; it stumbles over its own keywords and over anything else.
    return /^(?!input$|end$|graph$|style$|class$|click$|subgraph$)\w+$/i.test(step.name)
      ? step.name
      : `step${plan.steps.indexOf(step)}["${step.name.replaceAll("\"", "#quot;")}"]`
  }
  const giver = (field: string) => plan.steps.find((step) => step.gives.includes(field))
  return [
    "flowchart LR",
    ...plan.steps.flatMap((step) => step.needs.map((field) => `  ${id(giver(field))} -->|${field}| ${id(step)}`))
  ].join("\n")
}

// Kahn's algorithm ("Topological sorting of large networks", 1962), in rounds, keeping the declared order.
const ordered = (name: string, nodes: ReadonlyArray<Node>): ReadonlyArray<Node> => {
  const done = new Set<string>()
  const sorted: Array<Node> = []
  let open = nodes
  while (open.length > 0) {
    const ready = open.filter((node) => node.after.every((step) => done.has(step)))
    if (ready.length === 0) {
      const waiting = new Set(open.map((node) => node.name))
      const fields = open.flatMap((node) => node.gives)
      const awaited = new Set(open.flatMap((node) => node.needs))
      throw new WiringError({
        pipeline: name,
        problem: "cycle",
        fields: fields.filter((field) => awaited.has(field)),
        steps: [...waiting]
      })
    }
    for (const node of ready) done.add(node.name)
    sorted.push(...ready)
    open = open.filter((node) => !done.has(node.name))
  }
  return sorted
}
