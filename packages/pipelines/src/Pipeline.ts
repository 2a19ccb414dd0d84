/**
 * A record of steps wired by field names, run as concurrently as their needs allow.
 *
 * The life of a run:
 * 1. The input's fields are put into cells, one per field, written once. Nobody waits for optional ones that the input,
 *    or later a step, leaves out.
 * 2. All steps start at once, each waiting for the cells it needs. Nobody schedules anything: a step runs
 *    the moment its last field arrives, so the run takes as long as its longest path.
 * 3. What a step gives goes into cells. A nested pipeline hands its fields out as they come, and so does a
 *    predictor in a pipeline that streams: the next step starts when its fields are written, not when the answer
 *    ends.
 * 4. When a step fails, the others are interrupted, down to their sockets, and the pipeline fails with
 *    that step's error.
 * 5. The output is every field the steps gave, in declared order.
 *
 * A pipeline is a step itself. For parameters and traces its steps are `Pipeline/step`.
 */
import * as Parameters from "@effect-dspy/core/Parameters"
import type { Fields } from "@effect-dspy/core/Signature"
import * as Step from "@effect-dspy/core/Step"
import * as Telling from "@effect-dspy/core/Telling"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as Cells from "./Cells.ts"
import * as Plan from "./Plan.ts"
import * as Recorder from "./Recorder.ts"
import * as Report from "./Report.ts"
import * as RunEvents from "./RunEvents.ts"
import * as StepReport from "./StepReport.ts"
import type * as Wiring from "./Wiring.ts"

/**
 * A step made of steps. `plan` is its graph; `stepwise` hands fields out as they come.
 *
 * @category models
 */
export interface Pipeline<in I, out O, out E = never, out R = never> extends Step.Step<I, O, E, R> {
  readonly plan: Plan.Plan
  readonly named: (name: string) => Pipeline<I, O, E, R>
  readonly stepwise: (input: I, publish: Step.Publish) => Effect.Effect<O, E, R>
}

/**
 * Wires steps into a pipeline. `concurrency` bounds the steps running at once; the default is all that can. With
 * `streaming`, models are asked to stream, and a step starts as soon as the fields it needs are complete; a field that
 * was handed on stays as it is, even when the reply it came from could not be used. A field that is missing, mistyped,
 * given twice or part of a cycle does not compile.
 *
 * ```ts
 * import { Step } from "@effect-dspy/core"
 * import { Pipeline } from "@effect-dspy/pipelines"
 * import { Effect, Schema } from "effect"
 *
 * const words = Step.make("Words", {
 *   input: { text: Schema.String },
 *   output: { words: Schema.Array(Schema.String) },
 *   run: ({ text }) => Effect.succeed({ words: text.split(" ") })
 * })
 * const longest = Step.make("Longest", {
 *   input: { words: Schema.Array(Schema.String) },
 *   output: { longest: Schema.String },
 *   run: ({ words }) => Effect.succeed({ longest: words.toSorted((a, b) => b.length - a.length)[0] ?? "" })
 * })
 * const pipeline = Pipeline.make("Demo", { input: { text: Schema.String }, steps: { longest, words } })
 * await Effect.runPromise(pipeline({ text: "to be wired" })) // => { longest: "wired", words: ["to", "be", "wired"] }
 * ```
 *
 * @category constructors
 */
export const make = <const I extends Fields, const S extends Wiring.Steps>(
  name: string,
  options: {
    readonly input: I
    readonly steps: S & Wiring.Check<S, Schema.Struct<I>["Type"]>
    readonly concurrency?: number | "unbounded"
    readonly streaming?: boolean
  }
): Pipeline<
  Schema.Struct<I>["Type"],
  Wiring.Simplify<Wiring.AllOut<S>>,
  Wiring.Errors<S[keyof S]>,
  Wiring.Services<S[keyof S]>
> => {
  const steps: Wiring.Steps = options.steps
  const { concurrency: bound } = options
  if (typeof bound === "number" && !(bound >= 1)) throw new TypeError(`${name}: at least 1 step at once, not ${bound}`)
  const input = Schema.Struct(options.input)
  const plan = Plan.make(
    name,
    Object.keys(options.input),
    steps,
    (step, field) => isOptional(step.input, field),
    options.streaming
  )
  const fields: Fields = Object.assign({}, ...Object.values(steps).map((step) => step.output.fields))
  return build(name, {
    input,
    output: Schema.Struct(fields),
    plan,
    runners: runners(steps, plan),
    bound
  })
}

/**
 * The graph of a pipeline, its longest path and its drawing as a Mermaid flowchart. `durations` says how
 * long steps take; without it every step counts as 1 ms, and the path is the one with the most steps.
 *
 * ```ts
 * import { Step } from "@effect-dspy/core"
 * import { Pipeline } from "@effect-dspy/pipelines"
 * import { Effect, Schema } from "effect"
 *
 * const text = Schema.String
 * const draft = Step.make("Draft", { input: { idea: text }, output: { draft: text }, run: () => Effect.succeed({ draft: "" }) })
 * const check = Step.make("Check", { input: { draft: text }, output: { ok: text }, run: () => Effect.succeed({ ok: "" }) })
 * const plan = Pipeline.plan(Pipeline.make("Write", { input: { idea: text }, steps: { check, draft } }))
 * plan.criticalPath.steps // => ["draft", "check"]
 * plan.mermaid.split("\n") // => ["flowchart LR", "  input -->|idea| draft", "  draft -->|draft| check"]
 * ```
 *
 * @category getters
 */
export const plan = (
  self: { readonly plan: Plan.Plan },
  durations?: Plan.Durations
): Plan.Plan & { readonly criticalPath: Plan.CriticalPath; readonly mermaid: string } => {
  const even = () => Object.fromEntries(self.plan.steps.map((step) => [step.name, 1]))
  return {
    ...self.plan,
    criticalPath: Plan.criticalPath(self.plan, durations ?? even()),
    mermaid: Plan.mermaid(self.plan)
  }
}

const isOptional = (struct: Schema.Struct<Fields>, field: string): boolean =>
  SchemaAST.isOptional((struct.fields[field] ?? Schema.Never).ast)

/**
 * Runs a program and gives its result beside the runs of its pipelines; `Recorder.observe` also tells of a program
 * that fails. `report` looks back at a run: `Report` says what it finds, `ReportText` and `ReportHtml` write it down.
 *
 * ```ts
 * import { Step } from "@effect-dspy/core"
 * import { Pipeline, ReportText } from "@effect-dspy/pipelines"
 * import { Effect, Schema } from "effect"
 *
 * const text = Schema.String
 * const draft = Step.make("Draft", { input: { idea: text }, output: { draft: text }, run: ({ idea }) => Effect.succeed({ draft: idea }) })
 * const write = Pipeline.make("Write", { input: { idea: text }, steps: { draft } })
 * const program = Effect.map(Pipeline.record(write({ idea: "tides" })), ([, runs]) => runs.map(Pipeline.report))
 * const [report] = await Effect.runPromise(program)
 * report?.criticalPath.steps // => ["draft"]
 * report && ReportText.text(report).startsWith("Write succeeded after") // => true
 * ```
 *
 * @category reports
 */
export const record = Recorder.collect

/**
 * Where the time and the money of a run went.
 *
 * @category reports
 */
export const report = (run: Recorder.Run): Report.Report => Report.make(run)

/** A pipeline without its types: what a run needs to know. */
interface Definition {
  readonly input: Schema.Struct<Fields>
  readonly output: Schema.Struct<Fields>
  readonly plan: Plan.Plan
  readonly runners: ReadonlyArray<Runner>
  readonly bound: number | "unbounded" | undefined
}

/** One step, ready to run: it reads its fields from the cells and may put some before it ends. */
interface Runner {
  readonly name: string
  readonly needs: ReadonlyArray<string>
  readonly output: Schema.Struct<Fields>
  readonly run: (cells: Cells.Cells, put: Step.Publish) => Effect.Effect<unknown, unknown, unknown>
}

const build = <I, O, E, R>(name: string, definition: Definition): Pipeline<I, O, E, R> => {
  // Wiring has checked that the steps' fields, errors and services are those of the type.
  const execute = (input: I, publish?: Step.Publish) => run(name, definition, input, publish) as Effect.Effect<O, E, R>
  return Step.callable((input: I) => execute(input), {
    name,
    input: definition.input,
    output: definition.output,
    plan: definition.plan,
    named: (other: string) => build<I, O, E, R>(other, definition),
    stepwise: execute
  })
}

// For typed callers, the types guarantee that every required field is there.
const promised = (from: string, struct: Schema.Struct<Fields>, values: Cells.Values): Cells.Values => {
  for (const field of Object.keys(struct.fields)) {
    if (!Object.hasOwn(values, field) && !isOptional(struct, field)) {
      throw new TypeError(`${from} did not give \`${field}\``)
    }
  }
  return values
}

// Whoever waits for a field must hear that it won't come.
const settle = (
  struct: Schema.Struct<Fields>,
  values: Cells.Values,
  cells: Cells.Cells,
  put: Step.Publish
): void => {
  for (const field of Object.keys(struct.fields)) {
    if (Object.hasOwn(values, field)) put(field, values[field])
    else cells.leaveOut(field)
  }
}

const run = (
  name: string,
  { bound, input: declared, output, plan, runners }: Definition,
  input: unknown,
  publish: Step.Publish | undefined
): Effect.Effect<unknown, unknown, unknown> =>
  Effect.withFiber((fiber) => {
    const gives = Object.keys(output.fields)
    const values = promised(`${name}: the input`, declared, input as Cells.Values)
    const cells = Cells.make(values)
    settle(declared, values, cells, cells.put)
    const put: Step.Publish = (field, value) => {
      if (cells.put(field, value)) publish?.(field, value)
    }
    const path = Parameters.join(fiber.getRef(Parameters.Path), name)
    const observer = fiber.getRef(StepReport.Observer)
    const turn = typeof bound === "number" ? Telling.inTurn("turn", bound) : identity
    const all = (observer?: StepReport.OnStep) =>
      Effect.forEach(runners, (runner) => {
        const wait = cells.all(runner.needs)
        // A step that does not give what it promised has failed. Its fields wake others only after its end was told.
        const work = RunEvents.step(
          path,
          runner.name,
          Effect.map(
            Effect.suspend(() => runner.run(cells, put)),
            (given) => promised(`${name}: ${runner.name}`, runner.output, given as Cells.Values)
          )
        )
        const ran = observer === undefined
          ? Effect.andThen(wait, turn(work))
          : StepReport.observed(observer, path, runner.name, wait, turn, work)
        return Effect.map(
          RunEvents.within(path, runner.name, ran),
          (given) => settle(runner.output, given, cells, put)
        )
      }, { concurrency: "unbounded", discard: true })
    const steps = observer === undefined
      ? all()
      : StepReport.whole(observer, path, runners.map((runner) => runner.name), all)
    const placed = Effect.provideService(steps, Parameters.Path, path)
    const ran = plan.streaming ? Effect.provideService(placed, Step.Streaming, true) : placed
    return RunEvents.run(fiber, path, plan, Effect.map(ran, () => cells.pick(gives)))
  })

const runners = (steps: Wiring.Steps, plan: Plan.Plan): ReadonlyArray<Runner> =>
  plan.steps.map(({ name, needs }) => {
    const step = steps[name]
    if (step === undefined) throw new TypeError(`${plan.name}: no step ${name}`)
    // The cells hold what the wiring promised: exactly the step's input.
    const input = (cells: Cells.Cells) => cells.pick(needs) as never
    const { named } = step
    const own = named === undefined ? step : named(name)
    const call: Runner["run"] = (cells, put) =>
      own.stepwise === undefined ? own(input(cells)) : own.stepwise(input(cells), put)
    return { name, needs, output: step.output, run: named === undefined ? within(name, call) : call }
  })

// A step that cannot take a name of its own (code with predictors inside) gets a path of its own.
const within = (name: string, call: Runner["run"]): Runner["run"] => (cells, put) =>
  Parameters.within(name)(call(cells, put))
