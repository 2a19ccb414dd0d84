/**
 * Many callers, few requests: texts that are asked for at about the same time travel together.
 *
 * The life of a text:
 * 1. It joins the batch that is being collected. The batch leaves when it is full, or a short while after its
 *    first text.
 * 2. The answer's vectors go back to their callers, its tokens to whoever listens to each of them.
 * 3. An endpoint that refuses the batch gets its halves: a text that is too long fails its own caller and not the
 *    strangers it travelled with.
 * 4. A caller that is interrupted leaves; when the last one has left, the request is interrupted too and its
 *    socket closed.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import { pipeArguments } from "effect/Pipeable"
import * as Request from "effect/Request"
import type { RequestResolver } from "effect/RequestResolver"
import * as Tracer from "effect/Tracer"
import * as GenAi from "../GenAi.ts"
import type * as LMError from "../LMError.ts"
import type { Reason } from "../LMErrorReason.ts"
import * as Usage from "../Usage.ts"

/**
 * What a text is embedded for. Some models place questions and the texts that answer them differently.
 *
 * @category models
 */
export type Purpose = "query" | "document"

/**
 * One answer: a vector for each text, in their order. `usage` is what the endpoint reported.
 *
 * @category models
 */
export interface Answer {
  readonly vectors: ReadonlyArray<Float32Array>
  readonly usage: Pick<Usage.Tokens, "inputTokens" | "costUsd">
}

/**
 * Sends one request.
 *
 * @category models
 */
export interface Send {
  (texts: ReadonlyArray<string>, purpose: Purpose): Effect.Effect<Answer, LMError.LMError>
}

/**
 * - `batchSize`: most texts in one request
 * - `delay`: how long the first text of a batch waits for others
 *
 * @category models
 */
export interface Options {
  readonly provider: string
  readonly model: string
  readonly batchSize: number
  readonly delay: Duration.Duration
  readonly send: Send
}

/**
 * Embeds one text, in company where there is some.
 *
 * @category models
 */
export interface Embed {
  (text: string, purpose: Purpose): Effect.Effect<Float32Array, LMError.LMError>
}

/**
 * Starts collecting.
 *
 * @category constructors
 */
export const make = (options: Options): Embed => {
  const attributes = {
    "gen_ai.operation.name": "embeddings",
    "gen_ai.provider.name": GenAi.provider(options.provider),
    "gen_ai.request.model": options.model
  }
  // Written out, because the module with its constructors loads those of SQL and Redis: 50 ms at start.
  const resolver: RequestResolver<Text> = {
    "~effect/RequestResolver": { _A: identity },
    batchKey: ({ request }) => request.purpose,
    preCheck: undefined,
    delay: Duration.isZero(options.delay) ? Effect.yieldNow : Effect.sleep(options.delay),
    collectWhile: (entries) => entries.size < options.batchSize,
    runAll: (entries) =>
      Effect.withSpan(travel(options.send, entries), `embeddings ${options.model}`, {
        kind: "client",
        attributes: { ...attributes, "effect_dspy.texts": entries.length },
        links: links(entries),
        captureStackTrace: false
      }),
    pipe() {
      return pipeArguments(this, arguments)
    }
  }
  return (text, purpose) =>
    Effect.suspend(() => {
      const request = new Text({ text, purpose })
      return Effect.onInterrupt(Effect.request(request, resolver), () => leave(request))
    })
}

/** A batch under way: how many still wait for it, and the fiber that waits for its answer. */
interface Journey {
  waiting: number
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

class Text extends Request.Class<
  { readonly text: string; readonly purpose: Purpose },
  Float32Array,
  LMError.LMError
> {
  journey: Journey | undefined
  left = false
}

type Entries = ReadonlyArray<Request.Entry<Text>>

// effect takes a request out of a batch that is still collected, but lets one that has been sent run on.
const leave = (request: Text): Effect.Effect<unknown> =>
  Effect.suspend(() => {
    const { journey } = request
    request.left = true
    return journey !== undefined && --journey.waiting === 0 ? Fiber.interrupt(journey.fiber) : Effect.void
  })

const travel = (send: Send, entries: Entries): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const journey: Journey = { waiting: entries.length, fiber }
    for (const { request } of entries) request.journey = journey
    return deliver(send, entries)
  })

const deliver = (send: Send, entries: Entries): Effect.Effect<void> =>
  Effect.suspend(() => {
    const waiting = entries.filter(({ request }) => !request.left)
    const [first] = waiting
    if (first === undefined) return Effect.void
    const answer = send(waiting.map(({ request }) => request.text), first.request.purpose)
    return Effect.matchEffect(answer, {
      onFailure: (failure) => {
        if (waiting.length > 1 && refusals.has(failure.reason._tag)) {
          const half = waiting.length >> 1
          return Effect.andThen(
            deliver(send, waiting.slice(0, half)),
            deliver(send, waiting.slice(half))
          )
        }
        return Effect.sync(() => {
          for (const entry of waiting) entry.completeUnsafe(Exit.fail(failure))
        })
      },
      onSuccess: ({ usage, vectors }) =>
        Effect.sync(() => {
          report(waiting, usage)
          waiting.forEach((entry, index) => {
            const vector = vectors[index]
            if (vector !== undefined) entry.completeUnsafe(Exit.succeed(vector))
          })
        })
    })
  })

// What one text in a batch can be the cause of.
const refusals: ReadonlySet<Reason["_tag"]> = new Set(["InvalidRequest", "ContextTooLong"])

// The spans that asked: the batch's own parent is only the first of them.
const links = (entries: Entries): Array<Tracer.SpanLink> => {
  const spans = new Set<Tracer.AnySpan>()
  for (const { context } of entries) {
    const span = Context.getOrUndefined(context, Tracer.ParentSpan)
    if (span !== undefined) spans.add(span)
  }
  return Array.from(spans, (span) => ({ span, attributes: {} }))
}

// Endpoints report the tokens of a request as a whole. Each listener gets its part by the length of its texts,
// and the parts add up.
const report = (entries: Entries, usage: Answer["usage"]): void => {
  const lengths = new Map<(usage: Usage.Usage) => void, number>()
  let total = 0
  for (const { context, request } of entries) {
    const listener = Context.get(context, Usage.Listener)
    // An empty text costs something too.
    const length = request.text.length + 1
    total += length
    if (listener !== undefined) lengths.set(listener, (lengths.get(listener) ?? 0) + length)
  }
  let before = 0
  for (const [listener, length] of lengths) {
    const after = before + length
    const { costUsd, inputTokens: tokens } = usage
    listener({
      calls: 0,
      ...(tokens === undefined
        ? undefined
        : { inputTokens: Math.round(tokens * after / total) - Math.round(tokens * before / total) }),
      ...(costUsd === undefined ? undefined : { costUsd: costUsd * length / total })
    })
    before = after
  }
}
