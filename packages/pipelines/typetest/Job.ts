/**
 * What the compiler knows of jobs. Nothing here runs: `tsc` is the test.
 */
import { Predict, Signature, Step } from "@effect-dspy/core"
import {
  Cron,
  type Handlers,
  Job,
  type JobError,
  type Jobs,
  type StoreError,
  Worker
} from "@effect-dspy/pipelines/jobs"
import { Context, Effect, type Layer, Schema } from "effect"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const check = <_ extends true>() => {}

class NoPaper extends Schema.TaggedError<NoPaper>()("NoPaper", { tray: Schema.Int }) {}
class Printer
  extends Context.Service<Printer, { readonly print: (text: string) => Effect.Effect<number> }>()("Printer")
{}
class Alarm extends Context.Service<Alarm, { readonly ring: Effect.Effect<void> }>()("Alarm") {}

const Print = Job.make("print", {
  payload: { text: Schema.String, copies: Schema.optionalKey(Schema.Int) },
  success: Schema.Int,
  error: NoPaper,
  id: ({ text }) => text
})

// --- inference, without annotations

type Payload = { readonly text: string; readonly copies?: number }
check<Equal<typeof Print, Job.Job<Payload, number, NoPaper>>>()
const result = Job.result(Print, "print/1")
check<Equal<Effect.Success<typeof result>, number>>()
check<
  Equal<
    Effect.Error<typeof result>,
    NoPaper | JobError.JobDead | JobError.JobCancelled | JobError.JobNotFound | Job.ReadError
  >
>()
check<Equal<Effect.Services<typeof result>, Jobs>>()
const enqueued = Job.enqueue(Print, { text: "a" })
check<Equal<Effect.Success<typeof enqueued>, string>>()
check<Equal<Effect.Error<typeof enqueued>, Job.EnqueueError>>()
check<Equal<Extract<Effect.Error<typeof enqueued>, { readonly _tag: "GroupNotFound" }>, JobError.GroupNotFound>>()

// What has no success gives nothing, what has no error fails with none of its own.
const Plain = Job.make("plain", { payload: { n: Schema.FiniteFromString } })
check<Equal<typeof Plain, Job.Job<{ readonly n: number }, void, never>>>()

// A payload may be any schema.
const List = Job.make("list", { payload: Schema.Array(Schema.Date), success: Schema.Struct({ first: Schema.Date }) })
check<Equal<typeof List, Job.Job<ReadonlyArray<Date>, { readonly first: Date }, never>>>()

// A step's types are the job's.
const title = Predict.make(
  Signature.make("Title", { input: { content: Schema.String }, output: { title: Schema.String } })
)
const Title = Job.fromStep(title)
check<Equal<typeof Title, Job.Job<{ readonly content: string }, { readonly title: string }, never>>>()

// --- what a handler needs, the worker needs

const handler = Print.toLayer(({ text }) => Effect.flatMap(Printer, ({ print }) => print(text)), {
  onDead: ({ copies }) => Effect.flatMap(Alarm, ({ ring }) => copies === undefined ? Effect.void : ring)
})
check<Equal<Layer.Services<typeof handler>, Handlers.Handlers | Printer | Alarm>>()
const worker = Worker.layer([handler, Plain.toLayer(() => Effect.void)], { queues: { default: 1 } })
check<Equal<Extract<Layer.Services<typeof worker>, Printer | Alarm>, Printer | Alarm>>()
check<Equal<Layer.Error<typeof worker>, StoreError.StoreError>>()

// --- what is wrong does not compile

// @ts-expect-error the payload has no field `txt`
Job.enqueue(Print, { txt: "a" })
// @ts-expect-error copies are numbers
Job.enqueue(Print, { text: "a", copies: "2" })
// @ts-expect-error a field is missing in one of them
Job.enqueueMany(Print, [{ text: "a" }, {}])
// @ts-expect-error the handler gives a text, the job a number
Print.toLayer(({ text }) => Effect.succeed(text))
// @ts-expect-error the handler asks for a field there is not
Print.toLayer(({ txt }) => Effect.succeed(txt))
// @ts-expect-error the hook sees the payload
Print.toLayer(() => Effect.succeed(1), { onDead: ({ pages }) => Effect.log(pages) })
// @ts-expect-error the id is made of the payload
Job.make("wrong", { payload: { text: Schema.String }, id: ({ title }) => title })
// @ts-expect-error an id is a text
Job.make("wrong", { payload: { n: Schema.Int }, id: ({ n }) => n })
// @ts-expect-error the payload of a cron job fits the job
Cron.make("0 3 * * *", Print, () => ({ text: 3 }))
// @ts-expect-error a job within a job has a payload too
Job.call(Print, {})
// @ts-expect-error a signal's value fits its schema
Job.signal("print/1", "paid", Schema.Boolean, "yes")

// --- a step made of code is a job as well

const words = Step.make("Words", {
  input: { text: Schema.String },
  output: { words: Schema.Int },
  run: () => Effect.succeed({ words: 1 })
})
Job.fromStep(words, { queue: "fast" }).toLayer(words)
