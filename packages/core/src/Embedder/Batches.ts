/**
 * Many callers, few requests: texts that are asked for at about the same time travel together.
 *
 * The life of a text:
 * 1. It joins the batch that is being collected. The batch leaves when it is full, or a short while after its
 *    first text.
 * 2. The answer's vectors go back to their callers, its tokens to whoever listens to each of them. `Observed` tells of
 *    the request first: once its last caller goes on, the program may end.
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
import type * as LMError from "../LMError.ts"
import type { Reason } from "../LMErrorReason.ts"
import * as Usage from "../Usage.ts"
import * as Observed from "./Observed.ts"

/**
 * What a text is embedded for. Some models place questions and the texts that answer them differently.
 *
 * @category models
 */
export type Purpose = "query" | "document"

/**
 * One answer: a vector for each text, in their order. `usage` is what the endpoint reported, `model` how it names the
 * model.
 *
 * @category models
 */
export interface Answer {
  readonly vectors: ReadonlyArray<Float32Array>
  readonly model?: string
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
export interface Options extends Observed.Asked {
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
  // Written out, because the module with its constructors loads those of SQL and Redis: 50 ms at start.
  const resolver: RequestResolver<Text> = {
    "~effect/RequestResolver": { _A: identity },
    batchKey: ({ request }) => request.purpose,
    preCheck: undefined,
    delay: Duration.isZero(options.delay) ? Effect.yieldNow : Effect.sleep(options.delay),
    collectWhile: (entries) => entries.size < options.batchSize,
    runAll: (entries) => {
      const callers = entries.map(({ context }) => context)
      return Observed.batch(options, callers, (arrive) => travel(options.send, entries, arrive)).pipe(
        // The callers get the failures of their own texts.
        Effect.ignore,
        Effect.andThen(Effect.sync(() => goOn(entries)))
      )
    },
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

/**
 * A batch that was sent: how many callers still wait for it, the fiber that waits for its answer, who hears of
 * arrivals.
 */
interface Journey {
  waiting: number
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly arrive: Observed.Arrive
}

class Text extends Request.Class<
  { readonly text: string; readonly purpose: Purpose },
  Float32Array,
  LMError.LMError
> {
  journey: Journey | undefined
  context: Context.Context<never> | undefined
  exit: Exit.Exit<Float32Array, LMError.LMError> | undefined
  left = false
}

type Entries = ReadonlyArray<Request.Entry<Text>>

// Lets those callers go on whose vector or failure is there.
const goOn = (entries: Entries): void => {
  for (const entry of entries) if (entry.request.exit !== undefined) entry.completeUnsafe(entry.request.exit)
}

// effect takes a request out of a batch that is still collected, but lets one that has been sent run on.
const leave = (request: Text): Effect.Effect<unknown> =>
  Effect.suspend(() => {
    const { context, journey } = request
    request.left = true
    if (context !== undefined) journey?.arrive(context, Exit.interrupt())
    return journey !== undefined && --journey.waiting === 0 ? Fiber.interrupt(journey.fiber) : Effect.void
  })

// Fails where no caller got a vector, with the failure of the last text.
const travel = (send: Send, entries: Entries, arrive: Observed.Arrive): Effect.Effect<void, LMError.LMError> =>
  Effect.withFiber((fiber) => {
    const journey: Journey = { waiting: entries.length, fiber, arrive }
    for (const { context, request } of entries) {
      request.journey = journey
      request.context = context
    }
    return Effect.flatMap(deliver(send, entries, arrive), () => {
      const exits = entries.flatMap(({ request }) => request.exit ?? [])
      const last = exits.at(-1)
      return last === undefined || exits.some(Exit.isSuccess) ? Effect.void : Effect.asVoid(last)
    })
  })

const deliver = (send: Send, entries: Entries, arrive: Observed.Arrive): Effect.Effect<void> =>
  Effect.suspend(() => {
    const waiting = entries.filter(({ request }) => !request.left)
    const [first] = waiting
    if (first === undefined) return Effect.void
    const answer = send(waiting.map(({ request }) => request.text), first.request.purpose)
    const arrived = ({ context, request }: Request.Entry<Text>, exit: Text["exit"] & {}) => {
      request.exit = exit
      if (!request.left) arrive(context, exit)
    }
    return Effect.matchEffect(answer, {
      onFailure: (failure) => {
        if (waiting.length > 1 && refusals.has(failure.reason._tag)) {
          const half = waiting.length >> 1
          const others = waiting.slice(half)
          return Effect.flatMap(deliver(send, waiting.slice(0, half), arrive), () => {
            goOn(waiting)
            return deliver(send, others, arrive)
          })
        }
        return Effect.sync(() => {
          for (const entry of waiting) arrived(entry, Exit.fail(failure))
        })
      },
      onSuccess: ({ usage, vectors }) =>
        Effect.sync(() => {
          report(waiting, usage)
          waiting.forEach((entry, index) => {
            const vector = vectors[index]
            if (vector !== undefined) arrived(entry, Exit.succeed(vector))
          })
        })
    })
  })

// What one text in a batch can be the cause of.
const refusals: ReadonlySet<Reason["_tag"]> = new Set(["InvalidRequest", "ContextTooLong"])

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
