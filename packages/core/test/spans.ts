/** A tracer that keeps the spans it makes, and ways to look at them. */
import { Cause, Layer, Option, Tracer } from "effect"

export const recording = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { spans, layer: Layer.succeed(Tracer.Tracer, tracer) }
}

/** Each span with the name of its parent, its seconds from and to, and whether it failed. */
export const shape = (spans: ReadonlyArray<Tracer.NativeSpan>) =>
  spans.map((span) => {
    const parent = Option.getOrUndefined(span.parent)
    const { status } = span
    const seconds = (nanos: bigint) => Number(nanos / 1_000_000n) / 1000
    return {
      name: span.name,
      parent: parent?._tag === "Span" ? parent.name : undefined,
      at: seconds(status.startTime),
      to: status._tag === "Ended" ? seconds(status.endTime) : undefined,
      ...(status._tag === "Ended" && status.exit._tag === "Failure" && !Cause.hasInterruptsOnly(status.exit.cause)
        ? { failed: true }
        : undefined)
    }
  })

export const attributes = (span: Tracer.NativeSpan | undefined) => Object.fromEntries(span?.attributes ?? [])
