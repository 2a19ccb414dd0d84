import { Embedder, type Event, Events, LMError, LMErrorReason, Metrics, Usage } from "@effect-dspy/core"
import * as Telling from "@effect-dspy/core/Telling"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Metric, Schedule } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { attributes, recording, shape } from "./spans.ts"
import { timed } from "./support.ts"

const busy = new LMErrorReason.Overloaded({})

/** An embedder that takes 2 seconds for a request, and fails for the reasons there are, one for each. */
const embedder = (
  reasons: ReadonlyArray<LMErrorReason.Reason> = [],
  more: Partial<Embedder.Options> = {}
): Layer.Layer<Embedder.Embedder> => {
  const left = [...reasons]
  return Layer.sync(Embedder.Embedder, () =>
    Embedder.make({
      provider: "gemini",
      model: "vectors",
      endpoint: "https://vectors.test/v1/embeddings",
      embedMany: (texts) =>
        Effect.delay(
          Effect.suspend(() => {
            const reason = left.shift()
            return reason === undefined
              ? Effect.succeed({
                vectors: texts.map((text) => Float32Array.of(text.length, 1)),
                model: "vectors-0925",
                usage: { inputTokens: texts.length * 10, costUsd: texts.length * 0.5 }
              })
              : Effect.fail(LMError.make("gemini", "vectors", reason))
          }),
          "2 seconds"
        ),
      ...more
    }))
}

const spaced = Embedder.retry({ schedule: Schedule.spaced("1 second") })

/** The events of a program, as it runs under a virtual clock. */
const eventsOf = Effect.fnUntraced(function*<A, E>(program: Effect.Effect<A, E>) {
  const seen: Array<Event> = []
  yield* timed(Effect.exit(Events.observe((event) => seen.push(event))(program)))
  return seen
})

/** Texts that are embedded in a step of this name. */
const inStep = (step: string, ...texts: ReadonlyArray<string>) =>
  Effect.provideService(Embedder.embedMany(texts), Telling.Where, { run: step, step: `P/${step}` })

const together = <A, E, R>(all: ReadonlyArray<Effect.Effect<A, E, R>>) => Effect.all(all, { concurrency: "unbounded" })

describe("the events of embeddings", () => {
  it.effect("are those of requests, with what they cost, the failures and the waits between them", () =>
    Effect.gen(function*() {
      const seen = yield* eventsOf(Effect.provide(Embedder.embedMany(["PLANTED", "b"]), spaced(embedder([busy]))))
      const asked = { provider: "gemini", model: "vectors", operation: "embeddings", texts: 2 } as const
      assert.deepStrictEqual(seen, [
        { _tag: "AttemptStarted", at: 5, call: "1", attempt: 1, ...asked },
        {
          _tag: "AttemptEnded",
          at: 2005,
          call: "1",
          attempt: 1,
          ...asked,
          outcome: "failed",
          error: "Overloaded",
          ms: 2000,
          usage: { calls: 1 }
        },
        { _tag: "Waiting", at: 2005, call: "1", for: "retry", ms: 1000, error: "Overloaded" },
        { _tag: "Waited", at: 3005, call: "1", for: "retry", outcome: "succeeded", ms: 1000 },
        { _tag: "AttemptStarted", at: 3005, call: "1", attempt: 2, ...asked },
        {
          _tag: "AttemptEnded",
          at: 5005,
          call: "1",
          attempt: 2,
          ...asked,
          outcome: "succeeded",
          ms: 2000,
          usage: { calls: 1, inputTokens: 20, costUsd: 1 },
          answeredBy: "vectors-0925"
        }
      ])
    }))

  it.effect("tell of a shared request once, and tell the others that they wait for it", () =>
    Effect.gen(function*() {
      const steps = together([inStep("a", "one", "two"), inStep("b", "three"), inStep("c", "four")])
      const seen = yield* eventsOf(Effect.provide(steps, embedder()))
      assert.deepStrictEqual(
        seen.map((event) => [event._tag, event.step, event.call, "texts" in event ? event.texts : undefined]),
        [
          ["Waiting", "P/b", "1", undefined],
          ["Waiting", "P/c", "1", undefined],
          ["AttemptStarted", "P/a", "1", 4],
          ["AttemptEnded", "P/a", "1", 4],
          ["Waited", "P/b", "1", undefined],
          ["Waited", "P/c", "1", undefined]
        ]
      )
      assert.deepInclude(seen.at(-1), { _tag: "Waited", for: "batch", outcome: "succeeded", ms: 2000 })
    }))

  it.effect("tell the others when their own texts have come, failed or been given up", () =>
    Effect.gen(function*() {
      const tooLong = new LMErrorReason.ContextTooLong({})
      const steps = Effect.all([
        Effect.exit(inStep("a", "refused")),
        inStep("b", "fine"),
        Effect.timeoutOption(inStep("c", "left"), "3 seconds"),
        inStep("d", "fine")
      ], { concurrency: 4 })
      // All four of them, the first two, `a`; then `b`, and then `d`, for `c` has left.
      const seen = yield* eventsOf(Effect.provide(steps, embedder([tooLong, tooLong, tooLong])))
      const waits = seen.flatMap((event) => event._tag === "Waited" ? [[event.step, event.outcome, event.at]] : [])
      assert.deepStrictEqual(waits, [
        ["P/c", "interrupted", 3000],
        ["P/b", "succeeded", 8005],
        ["P/d", "succeeded", 10_005]
      ])
    }))

  it.effect("tell of the wait for a permit, in a batch of its own", () =>
    Effect.gen(function*() {
      const bounded = embedder([], { concurrency: 1, batching: { size: 1 } })
      const seen = yield* eventsOf(Effect.provide(Embedder.embedMany(["a", "b", "c"]), bounded))
      const waits = seen.flatMap((event) => event._tag === "Waited" ? [[event.call, event.for, event.ms]] : [])
      assert.deepStrictEqual(waits, [["2", "permit", 2000], ["3", "permit", 4000]])
    }))

  it.effect("tell how a request ended that nobody waits for any more", () =>
    Effect.gen(function*() {
      const seen = yield* eventsOf(
        Effect.timeoutOption(Embedder.embed("a"), "1 second").pipe(Effect.provide(embedder()))
      )
      assert.deepInclude(seen.at(-1), { _tag: "AttemptEnded", outcome: "interrupted", ms: 995 })
    }))

  it.effect("are not made where nobody listens", () =>
    Effect.gen(function*() {
      const deaf: Telling.Listener = {
        id: () => assert.fail("an id"),
        tell: () => assert.fail("an event"),
        listens: () => false
      }
      const both = together([inStep("a", "a"), inStep("b", "b")])
      const { exit } = yield* timed(Effect.provideService(Effect.provide(both, embedder()), Telling.Current, deaf))
      assert.isTrue(Exit.isSuccess(exit))
    }))
})

describe("the metrics of embeddings", () => {
  it.effect("are those of the conventions, with the operation embeddings", () =>
    Effect.gen(function*() {
      const program = Effect.provide(
        together([inStep("a", "PLANTED"), inStep("b", "PLANTED")]),
        spaced(embedder([busy]))
      )
      const { exit } = yield* timed(
        Effect.andThen(program, PrometheusMetrics.format()).pipe(
          Effect.provide(Metrics.layer),
          Effect.provideService(Metric.MetricRegistry, new Map())
        )
      )
      const text = yield* exit
      const model =
        `gen_ai_operation_name="embeddings",gen_ai_provider_name="gcp.gemini",gen_ai_request_model="vectors"`
      const answered = `${model},gen_ai_response_model="vectors-0925"`
      for (
        const line of [
          `gen_ai_client_operation_duration_count{${answered}} 1`,
          `gen_ai_client_operation_duration_sum{${answered}} 2`,
          `gen_ai_client_operation_duration_count{${model},error_type="Overloaded"} 1`,
          `gen_ai_client_token_usage_sum{${answered},gen_ai_token_type="input"} 20`,
          `gen_ai_client_token_usage_count{${answered},gen_ai_token_type="input"} 1`,
          `effect_dspy_tokens{${model},effect_dspy_token_kind="input"} 20`,
          `effect_dspy_cost{${model}} 1`,
          `effect_dspy_errors{${model},error_type="Overloaded"} 1`,
          `effect_dspy_retries{error_type="Overloaded"} 1`,
          `effect_dspy_requests_in_flight{${model}} 0`,
          `effect_dspy_wait_duration_sum{effect_dspy_wait="batch"} 5`
        ]
      ) {
        assert.include(text.split("\n"), line)
      }
      assert.notInclude(text, "gen_ai_token_type=\"output\"")
      assert.notInclude(text, "PLANTED")
    }))
})

describe("the spans of embeddings", () => {
  const spansOf = Effect.fnUntraced(function*<A, E>(program: Effect.Effect<A, E>) {
    const { layer, spans } = recording()
    yield* timed(Effect.exit(Effect.provide(program, layer)))
    return spans
  })

  it.effect("are one for a batch, and speak the language of the conventions", () =>
    Effect.gen(function*() {
      const spans = yield* spansOf(Effect.provide(Embedder.embedMany(["PLANTED", "b"]), embedder()))
      assert.deepStrictEqual(shape(spans), [{ name: "embeddings vectors", parent: undefined, at: 0.005, to: 2.005 }])
      assert.strictEqual(spans[0]?.kind, "client")
      assert.deepStrictEqual(attributes(spans[0]), {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.request.model": "vectors",
        "server.address": "vectors.test",
        "server.port": 443,
        "gen_ai.response.model": "vectors-0925",
        "gen_ai.embeddings.dimension.count": 2,
        "gen_ai.usage.input_tokens": 20,
        "effect_dspy.usage.cost_usd": 1,
        "effect_dspy.attempts": 1,
        "effect_dspy.texts": 2
      })
    }))

  it.effect("are over, and told of, when the caller goes on", () =>
    Effect.gen(function*() {
      const { layer, spans } = recording()
      const seen: Array<string> = []
      const one = Effect.tap(inStep("b", "b"), () => Effect.sync(() => seen.push(`${shape(spans)[0]?.to}`, "gone on")))
      const both = Effect.all([inStep("a", "a"), one], { concurrency: 2 })
      yield* timed(
        Events.observe((event) => seen.push(event._tag))(Effect.provide(both, embedder())).pipe(Effect.provide(layer))
      )
      assert.deepStrictEqual(seen, ["Waiting", "AttemptStarted", "AttemptEnded", "Waited", "2.005", "gone on"])
    }))

  it.effect("have their requests below them as soon as there are two, halves of a refused batch among them", () =>
    Effect.gen(function*() {
      const parent = "embeddings vectors"
      const again = yield* spansOf(Effect.provide(Embedder.embed("a"), spaced(embedder([busy]))))
      assert.deepStrictEqual(shape(again).map(({ failed = false, name, parent }) => [name, parent, failed]), [
        ["embeddings vectors", undefined, false],
        ["embeddings vectors", parent, true],
        ["embeddings vectors", parent, false]
      ])
      const refused = embedder([new LMErrorReason.ContextTooLong({}), new LMErrorReason.ContextTooLong({})])
      const halves = yield* spansOf(
        Effect.provide(together(["a", "b"].map((text) => Effect.exit(Embedder.embed(text)))), refused)
      )
      assert.deepStrictEqual(
        halves.map((span) => {
          const { "effect_dspy.attempt": attempt, "effect_dspy.texts": texts, "error.type": error } = attributes(span)
          return [attempt, texts, error]
        }),
        // One of the texts has its vector, so the batch has not failed.
        [[undefined, 2, undefined], [1, 2, "ContextTooLong"], [2, 1, "ContextTooLong"], [3, 1, undefined]]
      )
    }))

  it.effect("say what a batch failed for, of which nobody got a vector", () =>
    Effect.gen(function*() {
      const spans = yield* spansOf(
        Effect.provide(Embedder.embedMany(["a", "b"]), embedder([new LMErrorReason.Authentication({})]))
      )
      assert.deepStrictEqual(spans.map((span) => attributes(span)["error.type"]), ["Authentication"])
      assert.deepStrictEqual(shape(spans).map(({ failed }) => failed), [true])
    }))
})

describe("the usage of embeddings", () => {
  it.effect("goes on the accounts of its callers", () =>
    Effect.gen(function*() {
      const served = together([
        Usage.by("tenant", "acme")(Embedder.embed("aaaa")),
        Usage.by("tenant", "ajax")(Embedder.embed("bbbb"))
      ])
      const { exit } = yield* timed(served.pipe(Usage.trackBy("tenant"), Usage.track, Effect.provide(embedder())))
      const [[, bills], all] = yield* exit
      assert.deepStrictEqual(bills, {
        acme: { calls: 1, inputTokens: 10, costUsd: 0.5 },
        ajax: { calls: 0, inputTokens: 10, costUsd: 0.5 }
      })
      assert.deepStrictEqual(all, { calls: 1, inputTokens: 20, costUsd: 1 })
    }))
})
