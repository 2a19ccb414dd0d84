import { LM, LMErrorReason, Metrics, Predict, Signature } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric, Schedule, Schema, Stream } from "effect"
import { HttpRouter } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import parse from "parse-prometheus-text-format"
import { mood, timed } from "./support.ts"

const answer = { label: "pos", score: 0.9 } as const
const priced = TestLM.completion({
  content: [{ type: "text", text: JSON.stringify(answer) }],
  model: "scripted-0925",
  usage: { calls: 1, inputTokens: 100, cachedTokens: 60, outputTokens: 20, reasoningTokens: 15, costUsd: 0.25 }
})

/** Runs a program with metrics in a registry of its own, and gives what a scrape of it says, by name. */
const scraped = Effect.fnUntraced(function*<A, E, R>(program: Effect.Effect<A, E, R>) {
  const { exit } = yield* timed(
    Effect.andThen(Effect.exit(program), PrometheusMetrics.format()).pipe(
      Effect.provide(Metrics.layer),
      Effect.provideService(Metric.MetricRegistry, new Map())
    )
  )
  const text = yield* exit
  // The parser forgets the labels of histograms, so their figures are read from the text.
  const histogram = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}_sum(?:\\{(.*)\\})? (.*)\\n${name}_count.* (.*)$`, "gm"))].map((
      [, labels = "", sum, count]
    ) => ({ labels, sum: Number(sum), count: Number(count) }))
  return { text, histogram, families: new Map(parse(text).map((family) => [family.name, family])) }
})

describe("metrics", () => {
  it.effect("count calls, requests, tokens, money, errors, retries and waits, and are read by a Prometheus parser", () =>
    Effect.gen(function*() {
      const Live = TestLM.layer([new LMErrorReason.Overloaded({}), priced, priced], { latency: "2 seconds" }).pipe(
        LM.retry({ schedule: Schedule.spaced("1 second") }),
        LM.cache()
      )
      const program = Effect.forEach(["a", "b", "a"], (text) => mood({ text }), { concurrency: 1, discard: true })
      const { families, histogram, text } = yield* scraped(Effect.provide(program, Live))
      const series = (name: string) =>
        families.get(name)?.metrics.map(({ labels = {}, value }) => [labels, Number(value)])
      const model = {
        gen_ai_operation_name: "chat",
        gen_ai_provider_name: "test",
        gen_ai_request_model: "scripted"
      }
      assert.deepStrictEqual(series("effect_dspy_calls"), [[{
        effect_dspy_predictor: "Mood",
        effect_dspy_outcome: "succeeded"
      }, 3]])
      assert.deepStrictEqual(series("effect_dspy_errors"), [[{ ...model, error_type: "Overloaded" }, 1]])
      assert.deepStrictEqual(series("effect_dspy_retries"), [[{ error_type: "Overloaded" }, 1]])
      assert.deepStrictEqual(series("effect_dspy_cost"), [[model, 0.5]])
      assert.deepStrictEqual(series("effect_dspy_cache_hits"), [[{ ...model, effect_dspy_cache: "memory" }, 1]])
      assert.deepStrictEqual(series("effect_dspy_requests_in_flight"), [[model, 0]])
      assert.deepStrictEqual(
        series("effect_dspy_tokens")?.map(([labels, count]) => [Object.values(labels ?? {}).at(-1), count]),
        [["input", 200], ["cached", 120], ["output", 40], ["reasoning", 30]]
      )
      assert.strictEqual(families.get("gen_ai_client_operation_duration")?.type, "HISTOGRAM")
      assert.deepStrictEqual(
        histogram("gen_ai_client_operation_duration").map(({ count, labels, sum }) => [
          labels.includes("error_type=\"Overloaded\""),
          count,
          sum
        ]),
        [[true, 1, 2], [false, 2, 4]]
      )
      assert.include(text, "gen_ai_response_model=\"scripted-0925\"")
      const usage = histogram("gen_ai_client_token_usage")
      assert.deepStrictEqual(usage.map(({ count, sum }) => [count, sum]), [[2, 200], [2, 40]])
      assert.deepStrictEqual(histogram("effect_dspy_wait_duration"), [
        { labels: "effect_dspy_wait=\"retry\"", sum: 1, count: 1 }
      ])
    }))

  it.effect("know what is in flight, and when answers began", () =>
    Effect.gen(function*() {
      const seen: Array<string | undefined> = []
      const inFlight = Effect.map(PrometheusMetrics.format(), (text) => {
        seen.push(
          text.split("\n").find((line) => line.startsWith("effect_dspy_requests_in_flight{"))?.split(" ").at(-1)
        )
      })
      const lm = TestLM.layer(() => TestLM.streamed(["a", "b"], { interval: "2 seconds" }))
      const program = Effect.all([
        Effect.all([1, 2].map(() => Stream.runDrain(LM.stream({ messages: [] }))), { concurrency: 2 }),
        Effect.delay(inFlight, "1 second"),
        Effect.delay(inFlight, "1 minute")
      ], { concurrency: 3 })
      const { histogram } = yield* scraped(Effect.provide(program, lm))
      assert.deepStrictEqual(seen, ["2", "0"])
      assert.deepStrictEqual(histogram("gen_ai_client_operation_time_to_first_chunk").map(({ count }) => count), [2])
    }))

  it.effect("have no series for inputs, and labels that need quoting are quoted", () =>
    Effect.gen(function*() {
      const odd = Predict.make(
        Signature.make("Odd \"name\"\\", { input: { text: Schema.String }, output: { label: Schema.String } })
      )
      const program = Effect.forEach(
        Array.from({ length: 50 }, (_, index) => `PLANTED ${index}`),
        (text) => odd({ text }),
        { concurrency: 5 }
      )
      const { families, text } = yield* scraped(Effect.provide(program, TestLM.layer(() => ({ label: "x" }))))
      assert.notInclude(text, "PLANTED")
      assert.strictEqual(families.get("effect_dspy_calls")?.metrics.length, 1)
    }))

  it.effect("are one with the events of an app, and none without the layer", () =>
    Effect.gen(function*() {
      const registry = new Map()
      yield* mood({ text: "x" }).pipe(
        Effect.provide(TestLM.layer([answer])),
        Effect.provideService(Metric.MetricRegistry, registry)
      )
      assert.strictEqual(registry.size, 0)
      const both = Layer.mergeAll(Metrics.layer, Metrics.layer)
      const text = yield* Effect.andThen(mood({ text: "x" }), PrometheusMetrics.format()).pipe(
        Effect.provide([both, TestLM.layer([answer])]),
        Effect.provideService(Metric.MetricRegistry, registry)
      )
      assert.match(text, /effect_dspy_calls\{.*\} 1\n/)
    }))

  it.effect("are served over HTTP as Prometheus asks for them", () =>
    Effect.gen(function*() {
      const { dispose, handler } = HttpRouter.toWebHandler(PrometheusMetrics.layerHttp({ prefix: "app" }), {
        disableLogger: true
      })
      yield* mood({ text: "x" }).pipe(Effect.provide([TestLM.layer([answer]), Metrics.layer]))
      const response = yield* Effect.promise(() => handler(new Request("http://localhost/metrics")))
      const page = yield* Effect.promise(() => response.text())
      yield* Effect.promise(dispose)
      assert.strictEqual(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8")
      assert.isTrue(parse(page).some(({ name }) => name === "app_effect_dspy_calls"))
    }))
})
