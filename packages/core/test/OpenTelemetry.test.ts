/** Apps that have OpenTelemetry's own SDK: spans go there through `@effect/opentelemetry`. */
import { LM, LMErrorReason } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import * as OtelTracer from "@effect/opentelemetry/OtelTracer"
import { assert, it } from "@effect/vitest"
import { SpanKind, SpanStatusCode } from "@opentelemetry/api"
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Effect, Layer, Schedule } from "effect"
import { mood } from "./support.ts"

it.live("spans of calls and requests are spans of OpenTelemetry's SDK", () =>
  Effect.gen(function*() {
    const exporter = new InMemorySpanExporter()
    const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
    const Tracing = OtelTracer.layer.pipe(
      Layer.provide(Layer.succeed(OtelTracer.OtelTracerProvider, provider))
    )
    const Live = TestLM.layer([new LMErrorReason.Overloaded({}), { label: "pos", score: 1 }]).pipe(
      LM.retry({ schedule: Schedule.spaced("1 millis") })
    )
    yield* mood({ text: "PLANTED" }).pipe(Effect.withSpan("app"), Effect.provide([Live, Tracing]))
    const spans = exporter.getFinishedSpans()
    const id = (name: string) => spans.find((span) => span.name === name)?.spanContext().spanId
    const call = spans.find((span) => span.parentSpanContext?.spanId === id("app"))
    if (call === undefined) return assert.fail("no span of the call")
    assert.strictEqual(call.name, "chat scripted")
    assert.strictEqual(call.kind, SpanKind.CLIENT)
    assert.deepStrictEqual(call.attributes["gen_ai.response.finish_reasons"], ["stop"])
    const requests = spans.filter((span) => span.parentSpanContext?.spanId === call.spanContext().spanId)
    assert.deepStrictEqual(
      requests.map((span) => [span.attributes["effect_dspy.attempt"], span.status.code]),
      [[1, SpanStatusCode.ERROR], [2, SpanStatusCode.OK]]
    )
    assert.notInclude(
      JSON.stringify(spans.map(({ attributes, events, status }) => [attributes, events, status])),
      "PLANTED"
    )
  }))
