/**
 * A callable with named, typed fields: what predictors, pipelines and code have in common.
 *
 * A step is a function from an input record to an Effect of an output record, and it knows its name and
 * its fields at run time. That is all a `Pipeline` needs to wire steps by field name.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import * as Schema from "effect/Schema"
import type { Fields } from "./Signature.ts"

/**
 * Takes a field as soon as it is complete, before the step's whole output is. A field once published
 * stays as it is.
 *
 * @category models
 */
export interface Publish {
  (field: string, value: unknown): void
}

/**
 * Whether steps that could hand out fields while a model still writes do so; a `Pipeline` says so for its steps.
 * Steps made of other steps hand their fields out early in any case.
 *
 * @category services
 */
export const Streaming = Context.Reference<boolean>("@effect-dspy/core/Step/Streaming", { defaultValue: () => false })

/**
 * - `named`: the same step under another name, for steps that are tuned or traced by name
 * - `stepwise`: runs the step and publishes fields early; absent, they are all ready at the end
 *
 * @category models
 */
export interface Step<in I, out O, out E = never, out R = never> extends Pipeable {
  (input: I): Effect.Effect<O, E, R>
  readonly name: string
  readonly input: Schema.Struct<Fields>
  readonly output: Schema.Struct<Fields>
  readonly named?: (name: string) => Step<I, O, E, R>
  readonly stepwise?: (input: I, publish: Publish) => Effect.Effect<O, E, R>
}

/**
 * A step of any types.
 *
 * @category models
 */
export type Any = Step<never, unknown, unknown, unknown>

/**
 * Sees a code step (one made by `make`) that is about to run on an input, as `LM.Around` sees model calls. `run`
 * does the step's work; not running it answers without.
 *
 * @category models
 */
export interface Middleware {
  (
    step: Pick<Any, "name" | "input" | "output">,
    input: unknown,
    run: Effect.Effect<unknown, unknown, unknown>
  ): Effect.Effect<unknown, unknown, unknown>
}

/**
 * The middleware around code steps of the running fiber: a durable job keeps here what its steps gave. Model
 * calls have `LM.Around`; steps made of other steps have neither, because their parts have.
 *
 * @category services
 */
export const Around = Context.Reference<Middleware | undefined>("@effect-dspy/core/Step/Around", {
  defaultValue: () => undefined
})

/**
 * Makes a step from code. Its fields are declared, because names are needed to wire a pipeline before it
 * runs; the types of `run` follow from them.
 *
 * ```ts
 * import { Step } from "@effect-dspy/core"
 * import { Effect, Schema } from "effect"
 *
 * const countWords = Step.make("CountWords", {
 *   input: { text: Schema.String },
 *   output: { words: Schema.Int },
 *   run: ({ text }) => Effect.succeed({ words: text.split(/\s+/).length })
 * })
 * await Effect.runPromise(countWords({ text: "three short words" })) // => { words: 3 }
 * ```
 *
 * @category constructors
 */
export const make = <const I extends Fields, const O extends Fields, E = never, R = never>(
  name: string,
  options: {
    readonly input: I
    readonly output: O
    readonly run: (input: Schema.Struct<I>["Type"]) => Effect.Effect<Schema.Struct<O>["Type"], E, R>
  }
): Step<Schema.Struct<I>["Type"], Schema.Struct<O>["Type"], E, R> => {
  const step = { name, input: Schema.Struct(options.input), output: Schema.Struct(options.output) }
  return callable((input: Schema.Struct<I>["Type"]) =>
    Effect.withFiber<Schema.Struct<O>["Type"], E, R>((fiber) => {
      const around = fiber.getRef(Around)
      return around === undefined
        ? options.run(input)
        // Middleware gives what the step gives: its own output, or one it has kept of the same step.
        : around(step, input, options.run(input)) as Effect.Effect<Schema.Struct<O>["Type"], E, R>
    }), step)
}

/**
 * The schema of what a step gives, with its type: for a job's `success`, a cache, a file.
 *
 * ```ts
 * import { Step } from "@effect-dspy/core"
 * import { Effect, Schema } from "effect"
 *
 * const now = Step.make("Now", { input: {}, output: { at: Schema.Date }, run: () => Effect.succeed({ at: new Date(0) }) })
 * Schema.encodeSync(Schema.toCodecJson(Step.outputSchema(now)))({ at: new Date(0) }) // => { at: "1970-01-01T00:00:00.000Z" }
 * ```
 *
 * @category getters
 */
export const outputSchema = <I, O, E, R>(self: Step<I, O, E, R>): Schema.Codec<O, unknown> =>
  // A step's fields are those of its type, and need no services; `output` says so at run time only, because a schema
  // in the type would make steps invariant.
  self.output as unknown as Schema.Codec<O, unknown>

/**
 * The schema of what a step takes, with its type: for a job's `payload`, a form, a route.
 *
 * @category getters
 */
export const inputSchema = <I, O, E, R>(self: Step<I, O, E, R>): Schema.Codec<I, unknown> =>
  // As with `outputSchema`.
  self.input as unknown as Schema.Codec<I, unknown>

/** The keys of `T` renamed by `M`, the others as they are. */
type Renamed<T, M> = { readonly [K in keyof T as K extends keyof M ? M[K] & string : K]: T[K] }

/** Each property one by one, so that errors and hovers show fields instead of operators. */
type Simplify<T> = { readonly [K in keyof T]: T[K] } & {}

/**
 * Renames what a step takes: `{ text: "title" }` feeds its field `text` from a field called `title`.
 *
 * @category combinators
 */
export const mapInput = <const M extends { readonly [own: string]: string }>(renames: M) =>
<I, O, E, R>(
  self: Step<I, O, E, R> & ([keyof M] extends [keyof I] ? unknown : WrongRename<Exclude<keyof M, keyof I>>)
): Step<Simplify<Renamed<I, M>>, O, E, R> => {
  const own = Object.keys(self.input.fields)
  return adapt(self, {
    input: Schema.Struct(rename(self.input.fields, renames)),
    output: self.output,
    // Names are put back one by one; what they hold is not touched.
    toInput: (input: Simplify<Renamed<I, M>>) => original(own, renames, input as Values) as I,
    toOutput: (output) => output,
    published: (field) => field
  })
}

/**
 * Renames what a step gives: `{ translated: "titleFr" }` hands its field `translated` on as `titleFr`.
 *
 * @category combinators
 */
export const mapOutput = <const M extends { readonly [own: string]: string }>(renames: M) =>
<I, O, E, R>(
  self: Step<I, O, E, R> & ([keyof M] extends [keyof O] ? unknown : WrongRename<Exclude<keyof M, keyof O>>)
): Step<I, Simplify<Renamed<O, M>>, E, R> =>
  reshape(self, (record) => rename(record, renames), (field) => renamed(renames, field))

/**
 * Leaves fields out of what a step gives, so that two steps with a field of the same name (`reasoning`)
 * can stand in one pipeline.
 *
 * @category combinators
 */
export const omitOutput = <const K extends string>(...keys: ReadonlyArray<K>) =>
<I, O, E, R>(
  self: Step<I, O, E, R> & ([K] extends [keyof O] ? unknown : WrongRename<Exclude<K, keyof O>>)
): Step<I, Simplify<Omit<O, K>>, E, R> => {
  const omitted = new Set<string>(keys)
  return reshape(
    self,
    (record) => Object.fromEntries(Object.entries(record).filter(([key]) => !omitted.has(key))),
    (field) => omitted.has(field) ? undefined : field
  )
}

/**
 * Runs a step through a function over its effect: another model, other settings, a time limit. The step keeps its
 * name and fields.
 *
 * ```ts
 * import { LM, Step } from "@effect-dspy/core"
 * import { Effect, Schema } from "effect"
 *
 * const seed = Step.make("Seed", {
 *   input: {},
 *   output: { seed: Schema.Number },
 *   run: () => Effect.map(LM.Settings, (settings) => ({ seed: settings.seed ?? 0 }))
 * })
 * const seeded = Step.mapEffect((self: ReturnType<typeof seed>) => LM.withSettings({ seed: 7 })(self))(seed)
 * await Effect.runPromise(seeded({})) // => { seed: 7 }
 * ```
 *
 * @category combinators
 */
export const mapEffect =
  <O, E, R, E2, R2>(through: (self: Effect.Effect<O, E, R>) => Effect.Effect<O, E2, R2>) =>
  <I>(self: Step<I, O, E, R>): Step<I, O, E2, R2> => {
    const { named, stepwise } = self
    return callable((input: I) => through(self(input)), {
      name: self.name,
      input: self.input,
      output: self.output,
      ...(named === undefined ? undefined : { named: (name: string) => mapEffect(through)(named(name)) }),
      ...(stepwise === undefined ? undefined : {
        stepwise: (input: I, publish: Publish) => through(stepwise(input, publish))
      })
    })
  }

/** What a wrong key looks like to the compiler. */
interface WrongRename<K> {
  readonly "the step has no such field": K
}

/**
 * Makes a callable from a function and its properties: how steps of new kinds are built. The result is
 * frozen.
 *
 * @category constructors
 */
export const callable = <I, O, E, R, P extends object>(
  call: (input: I) => Effect.Effect<O, E, R>,
  properties: P & Omit<Step<I, O, E, R>, keyof Pipeable>
): Step<I, O, E, R> & P => {
  // A fresh function: `call` belongs to the caller and must not be changed.
  const step = (input: I) => call(input)
  const descriptors: PropertyDescriptorMap = {
    pipe: {
      value: function(this: unknown) {
        return pipeArguments(this, arguments)
      }
    }
  }
  // Functions own a read-only `name`, so properties are defined, not assigned.
  for (const [key, value] of Object.entries(properties)) descriptors[key] = { value, enumerable: true }
  return Object.freeze(Object.defineProperties(step, descriptors)) as typeof step & typeof properties & Pipeable
}

/**
 * A step in place of another one: the same name and fields, run otherwise; `again` makes it of the renamed step.
 *
 * @category constructors
 */
export const wrap = <I, O, E, R, E2, R2>(
  step: Step<I, O, E, R>,
  again: (step: Step<I, O, E, R>) => Step<I, O, E2, R2>,
  run: (input: I) => Effect.Effect<O, E2, R2>
): Step<I, O, E2, R2> => {
  const { named } = step
  return callable(run, {
    name: step.name,
    input: step.input,
    output: step.output,
    ...(named === undefined ? undefined : { named: (name: string) => again(named(name)) })
  })
}

type Values = { readonly [key: string]: unknown }

type Renames = { readonly [key: string]: string }

const renamed = (renames: Renames, key: string): string => Object.hasOwn(renames, key) ? renames[key] ?? key : key

const rename = <A>(record: { readonly [key: string]: A }, renames: Renames): { readonly [key: string]: A } =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [renamed(renames, key), value]))

/** The step's own input from one with other names; two fields may be fed from one. */
const original = (keys: ReadonlyArray<string>, renames: Renames, input: Values): Values =>
  Object.fromEntries(keys.flatMap((key) => {
    const name = renamed(renames, key)
    return Object.hasOwn(input, name) ? [[key, input[name]]] : []
  }))

const reshape = <I, O, O2, E, R>(
  self: Step<I, O, E, R>,
  reshaped: <A>(record: { readonly [key: string]: A }) => { readonly [key: string]: A },
  published: (field: string) => string | undefined
): Step<I, O2, E, R> => {
  const names = Object.keys(self.output.fields).map(published).filter((name) => name !== undefined)
  const doubled = names.filter((name, index) => names.indexOf(name) !== index)
  if (doubled.length > 0) throw new TypeError(`${self.name}: two output fields would be called ${doubled.join(", ")}`)
  return adapt(self, {
    input: self.input,
    output: Schema.Struct(reshaped(self.output.fields)),
    toInput: (input: I) => input,
    toOutput: (output) => reshaped(output as Values) as O2,
    published
  })
}

const adapt = <I, O, E, R, I2, O2>(self: Step<I, O, E, R>, shape: {
  readonly input: Schema.Struct<Fields>
  readonly output: Schema.Struct<Fields>
  readonly toInput: (input: I2) => I
  readonly toOutput: (output: O) => O2
  readonly published: (field: string) => string | undefined
}): Step<I2, O2, E, R> => {
  const { named, stepwise } = self
  return callable((input: I2) => Effect.map(self(shape.toInput(input)), shape.toOutput), {
    name: self.name,
    input: shape.input,
    output: shape.output,
    ...(named === undefined ? undefined : { named: (name: string) => adapt(named(name), shape) }),
    ...(stepwise === undefined ? undefined : {
      stepwise: (input: I2, publish: Publish) =>
        Effect.map(
          stepwise(shape.toInput(input), (field, value) => {
            const name = shape.published(field)
            if (name !== undefined) publish(name, value)
          }),
          shape.toOutput
        )
    })
  })
}
