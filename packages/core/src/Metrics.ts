/**
 * Metrics of calls, requests (embeddings too), tokens, money, waits, tools, pipelines and jobs, as effect's `Metric`s.
 *
 * They are counted from events, so the path of a call holds no metric, and whoever installs none pays nothing. Names
 * are those of OpenTelemetry's conventions for generative AI (`gen_ai.`) where there is one, else ours
 * (`effect_dspy.`). `PrometheusMetrics` and `OtlpMetrics` of effect hand them out; `docs/observability.md` lists them.
 *
 * No prompt, input or id of a call is ever an attribute: there are as many series as models, predictors and queues.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import type { AttemptEnded, CallEnded, Event, JobEnded } from "./Event.ts"
import * as Events from "./Events.ts"
import * as GenAi from "./GenAi.ts"
import type { Usage } from "./Usage.ts"

// Boundaries are the conventions': powers of two from 10 ms, powers of four from one token.
const seconds = Array.from({ length: 14 }, (_, power) => 0.01 * 2 ** power)
const tokens = Array.from({ length: 14 }, (_, power) => 4 ** power)

/** Jobs may wait and run longer than requests: up to 11 hours. */
const longSeconds = Array.from({ length: 12 }, (_, power) => 0.01 * 4 ** power)

const duration = (name: string, description: string, boundaries = seconds) =>
  Metric.histogram(name, { description, boundaries, attributes: { unit: "s" } })

const counter = (name: string, description: string, unit: string) =>
  Metric.counter(name, { description, incremental: true, attributes: { unit } })

const metrics = {
  requestDuration: duration("gen_ai.client.operation.duration", "Time from a request to its answer or failure."),
  firstChunk: duration("gen_ai.client.operation.time_to_first_chunk", "Time from a request to its first piece."),
  tokenUsage: Metric.histogram("gen_ai.client.token.usage", {
    description: "Tokens of a request and its answer.",
    boundaries: tokens,
    attributes: { unit: "{token}" }
  }),
  toolDuration: duration("gen_ai.execute_tool.duration", "Time a tool took."),
  workflowDuration: duration("gen_ai.workflow.duration", "Time a pipeline took."),
  calls: counter("effect_dspy.calls", "Predictor calls that ended.", "{call}"),
  callDuration: duration("effect_dspy.call.duration", "Time a predictor call took, retries and waits included."),
  tokens: counter("effect_dspy.tokens", "Tokens by kind; cached ones are input, reasoning is output.", "{token}"),
  cost: counter("effect_dspy.cost", "Money spent, in US dollars.", "USD"),
  errors: counter("effect_dspy.errors", "Requests that failed, by reason.", "{request}"),
  retries: counter("effect_dspy.retries", "Requests sent again after a failure, by its reason.", "{request}"),
  inFlight: Metric.gauge("effect_dspy.requests.in_flight", {
    description: "Requests whose answer is waited for.",
    attributes: { unit: "{request}" }
  }),
  waits: duration(
    "effect_dspy.wait.duration",
    "Time spent waiting for a retry, a rate limit, a permit, a turn, a batch."
  ),
  cacheHits: counter("effect_dspy.cache.hits", "Answers that were kept and not asked for again.", "{answer}"),
  jobs: counter("effect_dspy.jobs.ended", "Runs of jobs, by what came of them.", "{run}"),
  jobDuration: duration("effect_dspy.job.duration", "Time one run of a job took.", longSeconds),
  jobWait: duration("effect_dspy.job.wait", "Time a job was due before a worker took it.", longSeconds)
}

type Name = keyof typeof metrics
type Labels = { readonly [name: string]: string | undefined }
type Update = (name: Name, value: number, labels: Labels) => void

/**
 * Counts what events tell of. Calling it does one or more updates of the registry in `context`.
 *
 * @category constructors
 */
export const counting = (context: Context.Context<never>): (event: Event) => void => {
  const series = new Map<string, Metric.Metric<number, unknown>>()
  const update: Update = (name, value, labels) => {
    let key: string = name
    for (const label of Object.values(labels)) key += `\u0000${label ?? ""}`
    let metric = series.get(key)
    if (metric === undefined) {
      const present = Object.entries(labels).filter((entry): entry is [string, string] => entry[1] !== undefined)
      const base: Metric.Metric<number, unknown> = metrics[name]
      metric = Metric.withAttributes(base, present)
      series.set(key, metric)
    }
    metric.updateUnsafe(value, context)
  }
  const inFlight = new Map<string, number>()
  const flying = (by: 1 | -1, event: Asked) => {
    const key = `${event.operation}\u0000${event.provider}\u0000${event.model}`
    const count = (inFlight.get(key) ?? 0) + by
    inFlight.set(key, count)
    update("inFlight", count, modelOf(event))
  }
  return (event) => {
    switch (event._tag) {
      case "AttemptStarted":
        return flying(1, event)
      case "AttemptEnded":
        flying(-1, event)
        return request(update, event)
      case "Priced":
        return update("cost", event.costUsd, modelOf(event))
      case "FirstToken":
        return update("firstChunk", event.ms / 1000, modelOf(event))
      case "CallEnded":
        return call(update, event)
      case "Waiting":
        return event.for === "retry" ? update("retries", 1, { "error.type": event.error }) : undefined
      case "Waited":
        return update("waits", event.ms / 1000, { "effect_dspy.wait": event.for })
      case "CacheHit":
        return update("cacheHits", 1, { "effect_dspy.cache": event.cache, ...modelOf(event) })
      case "ToolEnded":
        return update("toolDuration", event.ms / 1000, { "gen_ai.tool.name": event.tool, "error.type": errorOf(event) })
      case "RunEnded":
        return update("workflowDuration", event.ms / 1000, {
          "gen_ai.workflow.name": event.pipeline,
          "error.type": errorOf(event)
        })
      case "JobStarted":
        return update("jobWait", event.waitedMs / 1000, { "messaging.destination.name": event.queue })
      case "JobEnded":
        return job(update, event)
    }
  }
}

/** Who was asked, and for what. */
type Asked = Pick<AttemptEnded, "operation" | "provider" | "model">

const modelOf = ({ model, operation, provider }: Asked): Labels => ({
  "gen_ai.operation.name": operation ?? "chat",
  "gen_ai.provider.name": GenAi.provider(provider),
  "gen_ai.request.model": model
})

// An interrupted one did not fail, and has no error; it is told apart all the same.
const errorOf = ({ error, outcome }: Pick<CallEnded, "outcome" | "error">): string | undefined =>
  outcome === "interrupted" ? "interrupted" : error

const request = (update: Update, event: AttemptEnded): void => {
  const { answeredBy, error, ms, usage } = event
  const labels = modelOf(event)
  update("requestDuration", ms / 1000, { ...labels, "gen_ai.response.model": answeredBy, "error.type": errorOf(event) })
  if (error !== undefined) update("errors", 1, { ...labels, "error.type": error })
  for (const [type, count] of [["input", usage.inputTokens], ["output", usage.outputTokens]] as const) {
    if (count !== undefined) {
      update("tokenUsage", count, { ...labels, "gen_ai.response.model": answeredBy, "gen_ai.token.type": type })
    }
  }
  for (const [kind, figure] of kinds) {
    const count = usage[figure]
    if (count !== undefined) update("tokens", count, { ...labels, "effect_dspy.token.kind": kind })
  }
  if (usage.costUsd !== undefined) update("cost", usage.costUsd, labels)
}

const kinds = [
  ["input", "inputTokens"],
  ["cached", "cachedTokens"],
  ["cache_write", "cacheWriteTokens"],
  ["output", "outputTokens"],
  ["reasoning", "reasoningTokens"]
] as const satisfies ReadonlyArray<readonly [string, keyof Usage]>

const call = (update: Update, event: CallEnded): void => {
  const labels = {
    "effect_dspy.predictor": event.predictor,
    "effect_dspy.outcome": event.outcome,
    "error.type": event.error
  }
  update("calls", 1, labels)
  update("callDuration", event.ms / 1000, labels)
}

const job = (update: Update, event: JobEnded): void => {
  const labels = {
    "messaging.destination.name": event.queue,
    "effect_dspy.job.name": event.name,
    "effect_dspy.outcome": event.outcome
  }
  update("jobs", 1, labels)
  update("jobDuration", event.ms / 1000, labels)
}

/**
 * Counts what happens in everything it is provided to, with the app's `Events`.
 *
 * ```ts
 * import { Metrics, Predict, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect, Schema } from "effect"
 * import { PrometheusMetrics } from "effect/observability"
 *
 * const greet = Predict.make(Signature.make("Greet", { input: { to: Schema.String }, output: { answer: Schema.String } }))
 * const program = Effect.andThen(greet({ to: "Ada" }), PrometheusMetrics.format())
 * const text = await Effect.runPromise(Effect.provide(program, [TestLM.layer([{ answer: "Hello." }]), Metrics.layer]))
 * text.includes(`effect_dspy_calls{effect_dspy_predictor="Greet",effect_dspy_outcome="succeeded"} 1`) // => true
 * ```
 *
 * @category layers
 */
export const layer: Layer.Layer<Events.Events> = Layer.effectDiscard(
  Effect.gen(function*() {
    const { observe } = yield* Events.Events
    yield* observe(counting(yield* Effect.context<never>()))
  })
).pipe(Layer.provideMerge(Events.layer))
