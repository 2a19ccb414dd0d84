/**
 * What the library costs where the model costs nothing. `npm run bench`
 *
 * Bars (2 KB document, no tracer): a call at most 1.6x the same work by hand, 2.2x with retry, concurrency
 * and timeout, at most 7 us more with a tracer, 1 us with events and metrics that nobody reads, 25 us with metrics
 * that are counted; a pipeline of five steps at most 1.7x the five calls with
 * Effect.all; 10,000 calls of 1 s in flight take at most 1.25 s and 6.5 KB of live heap each.
 */
import { Events, LM, Metrics, Predict, Signature } from "@effect-dspy/core"
import { Pipeline } from "@effect-dspy/pipelines"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import { type Contender, micros } from "./Measure.ts"
import { byHand, content, describe, reply, stub } from "./Work.ts"

const plain = stub(() => reply)

/** Runs an effect many times on one fiber; the loop itself costs next to nothing. */
const loop = <E, R>(effect: () => Effect.Effect<unknown, E, R>, times: number): Effect.Effect<void, E, R> => {
  let left = times
  return Effect.whileLoop({ while: () => left-- > 0, body: effect, step: () => {} })
}

const withLM = (lm: LM.Service) => <A, E>(self: Effect.Effect<A, E, LM>) => Effect.provideService(self, LM, lm)

const resilient = await Effect.runPromise(LM.decorator.resilient({ timeout: "1 minute", concurrency: 64 })(plain))

// A tracer as an exporter installs one: it makes spans and forgets them.
const tracer = Layer.succeed(
  Tracer.Tracer,
  Tracer.make({ span: (options) => new Tracer.NativeSpan(options) })
)

const looped =
  (lm: LM.Service, layer: Layer.Layer<never> | Layer.Layer<Events.Events> = Layer.empty) => (times: number) =>
    Effect.runPromise(Effect.provide(withLM(lm)(loop(() => describe({ content }), times)), layer))

const calls: ReadonlyArray<Contender> = [
  {
    name: "by hand",
    run: (times) => {
      for (let i = 0; i < times; i++) byHand()
    }
  },
  { name: "Predict", run: looped(plain) },
  { name: "Predict, resilient", run: looped(resilient) },
  { name: "Predict, tracer", run: looped(plain, tracer) },
  { name: "Predict, events", run: looped(plain, Events.layer) },
  { name: "Predict, metrics", run: looped(plain, Metrics.layer) }
]

const call = await micros(calls, { times: 10_000, rounds: 15, clock: "processor" })
const hand = call.get("by hand") ?? 0

const text = Schema.String
const step = <const I extends Signature.Fields, const O extends Signature.Fields>(
  name: string,
  input: I,
  output: O & { readonly [K in keyof I]?: never }
) => Predict.make(Signature.make<string, I, O>(name, { input, output }))

const steps = {
  title: step("Title", { content: text }, { title: text }),
  keywords: step("Keywords", { content: text }, { keywords: text }),
  category: step("Category", { content: text }, { category: text }),
  summarize: step("Summarize", { content: text, title: text, keywords: text }, { summary: text }),
  quality: step("Quality", { content: text, title: text, category: text }, { score: text })
}
const replies: { readonly [signature: string]: string } = {
  Title: "{\"title\":\"t\"}",
  Keywords: "{\"keywords\":\"k\"}",
  Category: "{\"category\":\"c\"}",
  Summarize: "{\"summary\":\"s\"}",
  Quality: "{\"score\":\"q\"}"
}
const fiveReplies = stub((signature) => replies[signature] ?? "")
const pipeline = Pipeline.make("Document", { input: { content: text }, steps })

const plainComposition = Effect.gen(function*() {
  const facts = yield* Effect.all({
    title: steps.title({ content }),
    keywords: steps.keywords({ content }),
    category: steps.category({ content })
  }, { concurrency: "unbounded" })
  const { title: { title }, keywords: { keywords }, category: { category } } = facts
  const rest = yield* Effect.all({
    summarize: steps.summarize({ content, title, keywords }),
    quality: steps.quality({ content, title, category })
  }, { concurrency: "unbounded" })
  return { title, keywords, category, ...rest.summarize, ...rest.quality }
})

const five = await micros([
  { name: "Effect.all", run: (times) => Effect.runPromise(withLM(fiveReplies)(loop(() => plainComposition, times))) },
  {
    name: "Pipeline",
    run: (times) => Effect.runPromise(withLM(fiveReplies)(loop(() => pipeline({ content }), times)))
  }
], { times: 2000, rounds: 15, clock: "processor" })

/** Calls of a model that takes so long, all at once; `sent` counts those that wait for it. */
const crowd = (count: number, latency: Duration.Input) => {
  const seen = { sent: 0 }
  const slow = LM.wrap(plain, (request) =>
    Effect.suspend(() => {
      seen.sent++
      return Effect.delay(plain.generate(request), latency)
    }))
  const all = Effect.forEach(Array.from({ length: count }), () => describe({ content }), {
    concurrency: "unbounded",
    discard: true
  })
  return { seen, all: withLM(slow)(all) }
}

/** Seconds until so many calls of one second are done: of the clock on the wall, and of the processor's. */
const inFlight = async (count: number) => {
  const { all } = crowd(count, "1 second")
  const start = performance.now()
  const cpu = process.cpuUsage()
  await Effect.runPromise(all)
  const { system, user } = process.cpuUsage(cpu)
  return { wall: (performance.now() - start) / 1000, processor: (system + user) / 1e6 }
}

/** What each of so many calls holds on to while it waits, in bytes: however long a busy machine took to send them. */
const held = async (count: number) => {
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  const { all, seen } = crowd(count, "1 hour")
  const fiber = Effect.runFork(all)
  while (seen.sent < count) await new Promise((resolve) => setTimeout(resolve, 10))
  globalThis.gc?.()
  const bytes = (process.memoryUsage().heapUsed - before) / count
  await Effect.runPromise(Fiber.interrupt(fiber))
  return bytes
}
await inFlight(1000)
const many = await inFlight(10_000)
const bytes = await held(10_000)

const ratio = (value: number, base: number) => `${(value / base).toFixed(2)}x`
const row = (name: string, value: string, bar: string) =>
  console.log(`${name.padEnd(44)} ${value.padStart(20)}   ${bar}`)
const took = (name: string) => call.get(name) ?? 0

console.log(`by hand ${hand.toFixed(1)} us, Predict ${took("Predict").toFixed(1)} us, medians of 15 rounds\n`)
row("Predict / by hand", ratio(took("Predict"), hand), "at most 1.6x")
row("Predict with retry, concurrency, timeout", ratio(took("Predict, resilient"), hand), "at most 2.2x")
row("a tracer adds", `${(took("Predict, tracer") - took("Predict")).toFixed(1)} us`, "at most 7 us")
row("events that nobody reads add", `${(took("Predict, events") - took("Predict")).toFixed(1)} us`, "at most 1 us")
row("metrics add", `${(took("Predict, metrics") - took("Predict")).toFixed(1)} us`, "at most 25 us")
row("Pipeline of 5 / Effect.all of 5", ratio(five.get("Pipeline") ?? 0, five.get("Effect.all") ?? 1), "at most 1.7x")
row("10,000 in flight at 1 s, wall", `${many.wall.toFixed(2)} s`, "at most 1.25 s, where nothing else runs")
row("10,000 in flight at 1 s, processor", `${many.processor.toFixed(2)} s`, "")
row("10,000 in flight, live heap a call", `${(bytes / 1024).toFixed(2)} KB`, "at most 6.5 KB")
