/**
 * Batches of texts and their requests as others see them: events where somebody listens, spans where a tracer is
 * installed.
 *
 * The life of a batch, as others see it:
 * 1. It is one span, below the span of its first caller and linked to those of all callers. As soon as it has two
 *    requests (a retry, or the halves of a batch that was refused) they get spans below it.
 * 2. The events of its requests are told in the place of its first caller, with a `call` of their own. They are told
 *    once, so that they are counted once. In the places of the other callers a wait is told, which ends with their last
 *    vector.
 * 3. At its end the span says what the batch cost. It has failed if no caller got a vector.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Tracer from "effect/Tracer"
import type { Place } from "../Event.ts"
import * as GenAi from "../GenAi.ts"
import * as RequestSpan from "../LM/RequestSpan.ts"
import { told } from "../LM/Told.ts"
import type { LMError } from "../LMError.ts"
import * as Spans from "../Spans.ts"
import * as Telling from "../Telling.ts"
import * as Usage from "../Usage.ts"
import type { Answer } from "./Batches.ts"

/**
 * Who embeds.
 *
 * @category models
 */
export type Asked = GenAi.Embeds

/** The batch that requests belong to: `used` counts them, `usage` is what they cost, `answer` the last one. */
interface Batch extends RequestSpan.Counted {
  used: number
  usage: Usage.Usage
  answer: Answer | undefined
}

const Current = Context.Reference<Batch | undefined>("@effect-dspy/core/Embedder/Batch", {
  defaultValue: () => undefined
})

/**
 * Called when a text has its vector or its failure, or when its caller gave it up, and before that caller goes on.
 * `caller` is the context of the caller.
 *
 * @category models
 */
export interface Arrive {
  (caller: Context.Context<never>, exit: Exit.Exit<unknown, LMError>): void
}

/**
 * Sends a batch and shows it. `callers` has a context for each text. `send` fails only where every text failed.
 *
 * @category combinators
 */
export const batch = (
  asked: Asked,
  callers: ReadonlyArray<Context.Context<never>>,
  send: (arrive: Arrive) => Effect.Effect<void, LMError>
): Effect.Effect<void, LMError> =>
  Effect.withFiber((fiber) => {
    const others = companions(fiber, callers)
    const to = Telling.listener(fiber)
    const traced = Spans.traced(fiber)
    if (to === undefined && others.size === 0 && !traced) return send(unseen)
    const placed = Effect.withFiber<void, LMError>((fiber) => {
      const id = (to ?? others.values().next().value?.to)?.id()
      if (id === undefined) return send(unseen)
      return Telling.within(fiber, { call: id }, waiting(fiber, others, id, send))
    })
    if (!traced) return Effect.provideService(placed, Current, open(undefined))
    return Effect.withSpan(spanned(placed), `embeddings ${asked.model}`, {
      kind: "client",
      attributes: { ...GenAi.embeds(asked), "effect_dspy.texts": callers.length },
      links: links(callers),
      captureStackTrace: false
    })
  })

/**
 * Sends one request, and shows it.
 *
 * @category combinators
 */
export const request = (
  fiber: Fiber.Fiber<unknown, unknown>,
  asked: Asked,
  texts: number,
  send: Effect.Effect<Answer, LMError>
): Effect.Effect<Answer, LMError> => {
  const to = Telling.listener(fiber)
  const traced = Spans.traced(fiber)
  if (to === undefined && !traced) return send
  const batch = fiber.getRef(Current) ?? open(undefined)
  const attempt = ++batch.used
  const { model, provider } = asked
  const about = { attempt, provider, model, operation: "embeddings", texts } as const
  const seen = to === undefined ? send : told(to, fiber, about, send, (answer) =>
    answer === undefined ? {} : {
      usage: { calls: 1, ...answer.usage },
      ...(answer.model === undefined ? undefined : { answeredBy: answer.model })
    })
  if (!traced) return seen
  const sent = Effect.map(seen, (answer) => {
    batch.usage = Usage.add(batch.usage, { calls: 0, ...answer.usage })
    batch.answer = answer
    return answer
  })
  return RequestSpan.spanned(fiber, batch, {
    name: `embeddings ${model}`,
    attributes: () => ({ ...GenAi.embeds(asked), "effect_dspy.texts": texts }),
    ended: (span, exit) => {
      if (exit._tag === "Failure") return
      GenAi.embedded(span, exit.value)
      GenAi.paid(span, exit.value.usage)
    }
  }, sent)
}

const open = (span: Tracer.Span | undefined): Batch => ({
  call: span === undefined ? undefined : { span, first: undefined },
  used: 0,
  usage: Usage.zero,
  answer: undefined
})

const unseen: Arrive = () => {}

const spanned = (send: Effect.Effect<void, LMError>): Effect.Effect<void, LMError> =>
  Effect.withFiber((fiber) => {
    const span = Spans.current(fiber)
    const batch = open(span)
    const placed = Effect.provideService(send, Current, batch)
    return span === undefined ? placed : Effect.onExit(placed, (exit) =>
      Effect.sync(() => {
        if (batch.answer !== undefined) GenAi.embedded(span, batch.answer)
        GenAi.paid(span, batch.usage)
        span.attribute("effect_dspy.attempts", batch.used)
        GenAi.failed(span, exit)
      }))
  })

/** A place other than the first caller's with texts in the batch: who listens there, and how many are not there yet. */
interface Companion {
  readonly to: Telling.Listener
  readonly place: Place
  texts: number
}

type Companions = ReadonlyMap<Context.Context<never>, Companion>

// By the context of the caller. Texts from one place share a companion.
const companions = (
  fiber: Fiber.Fiber<unknown, unknown>,
  callers: ReadonlyArray<Context.Context<never>>
): Companions => {
  const first = fiber.getRef(Telling.Where)
  const found = new Map<Context.Context<never>, Companion>()
  for (const context of callers) {
    const to = Context.get(context, Telling.Current)
    const place = Context.get(context, Telling.Where)
    if (to === undefined || !to.listens() || (place === first && to === fiber.getRef(Telling.Current))) continue
    const known = found.get(context) ?? [...found.values()].find((other) => other.place === place && other.to === to)
    if (known === undefined) found.set(context, { to, place, texts: 1 })
    else {
      known.texts++
      found.set(context, known)
    }
  }
  return found
}

const waiting = (
  fiber: Fiber.Fiber<unknown, unknown>,
  companions: Companions,
  call: string,
  send: (arrive: Arrive) => Effect.Effect<void, LMError>
): Effect.Effect<void, LMError> => {
  const clock = fiber.getRef(Clock.Clock)
  const start = clock.currentTimeMillisUnsafe()
  const all = new Set(companions.values())
  const over = (companion: Companion, exit: Exit.Exit<unknown, LMError>) => {
    if (!all.delete(companion)) return
    const at = clock.currentTimeMillisUnsafe()
    const ended = { ...Telling.endOf(exit), ms: at - start }
    companion.to.tell({ ...companion.place, call, _tag: "Waited", for: "batch", ...ended, at })
  }
  for (const { place, to } of all) to.tell({ ...place, call, _tag: "Waiting", for: "batch", at: start })
  const sent = send((context, exit) => {
    const companion = companions.get(context)
    if (companion !== undefined && --companion.texts === 0) over(companion, exit)
  })
  return Effect.onExit(sent, (exit) =>
    Effect.sync(() => {
      for (const companion of all) over(companion, exit)
    }))
}

// The spans that asked: the batch's own parent is only the first of them.
const links = (callers: ReadonlyArray<Context.Context<never>>): Array<Tracer.SpanLink> => {
  const spans = new Set<Tracer.AnySpan>()
  for (const context of callers) {
    const span = Context.getOrUndefined(context, Tracer.ParentSpan)
    if (span !== undefined) spans.add(span)
  }
  return Array.from(spans, (span) => ({ span, attributes: {} }))
}
