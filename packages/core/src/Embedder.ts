/**
 * Texts as vectors: the service, how to build one, how to decorate it.
 *
 * Vectors of texts that mean about the same lie close together; which distance is close is the model's own
 * affair, so vectors of different models are never compared. Layers bring an embedder (`OpenAiEmbeddings.layer`,
 * `OllamaEmbeddings.layer`, `OfflineEmbeddings.layer`), and `Retriever` searches with one.
 *
 * `embed` and `embedMany` share requests: what is asked for at about the same time, by whichever part of a
 * program, is sent together (see `Embedder/Batches`).
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Batches from "./Embedder/Batches.ts"
import * as Observed from "./Embedder/Observed.ts"
import { type Backoff, defaultSchedule, resending } from "./LM/Retry.ts"
import * as LMError from "./LMError.ts"
import * as Reason from "./LMErrorReason.ts"
import * as Telling from "./Telling.ts"
import * as Usage from "./Usage.ts"

/**
 * What a text is embedded for, where a model makes a difference: default `document`.
 *
 * @category models
 */
export type Purpose = Batches.Purpose

/**
 * One answer: a vector for each text, in their order, and what the endpoint reported of its cost.
 *
 * @category models
 */
export type Answer = Batches.Answer

/**
 * - `embed`: the vector of one text; `embedMany`: of several, in their order
 * - `send`: one request, as it goes out; for decorators
 * - `batching`: how requests are put together
 * - `endpoint`: where they go, or `provider`
 *
 * @category models
 */
export interface Service {
  readonly provider: string
  readonly model: string
  readonly endpoint: string
  readonly embed: (
    text: string,
    options?: { readonly purpose?: Purpose }
  ) => Effect.Effect<Float32Array, LMError.LMError>
  readonly embedMany: (
    texts: ReadonlyArray<string>,
    options?: { readonly purpose?: Purpose }
  ) => Effect.Effect<ReadonlyArray<Float32Array>, LMError.LMError>
  readonly send: Batches.Send
  readonly batching: Batching
}

/**
 * - `size`: most texts in one request (default 100)
 * - `delay`: how long the first text of a batch waits for others (default 5 ms); 0 sends what was asked for at once
 *
 * @category models
 */
export interface Batching {
  readonly size?: number
  readonly delay?: Duration.Input
}

/**
 * - `embedMany`: sends one request; never called with no texts
 * - `endpoint`: a URL, for spans
 * - `dimensions`: the length of a vector, where it is known; otherwise the first answer decides
 * - `concurrency`: most requests in flight (default 8)
 * - `timeout`: how long one request may take once it is its turn (default 2 minutes)
 *
 * @category models
 */
export interface Options {
  readonly provider: string
  readonly model: string
  readonly endpoint?: string | undefined
  readonly embedMany: Batches.Send
  readonly dimensions?: number | undefined
  readonly batching?: Batching | undefined
  readonly concurrency?: number | undefined
  readonly timeout?: Duration.Input | undefined
}

/**
 * Another behaviour for an embedder.
 *
 * @category models
 */
export interface Decorator {
  (embedder: Service): Service
}

/**
 * The embedding model a program runs on.
 *
 * @category services
 */
export class Embedder extends Context.Service<Embedder, Service>()("@effect-dspy/core/Embedder") {}

/**
 * Builds an embedder from a function that sends one request. An answer with too few vectors, or with vectors of
 * another length than before, is `InvalidResponse`.
 *
 * ```ts
 * import { Embedder } from "@effect-dspy/core"
 * import { Effect } from "effect"
 *
 * const lengths = Embedder.make({
 *   provider: "demo",
 *   model: "lengths",
 *   embedMany: (texts) => Effect.succeed({ vectors: texts.map((text) => Float32Array.of(text.length, 1)), usage: {} })
 * })
 * await Effect.runPromise(lengths.embedMany(["one", "three"])) // => [Float32Array.of(3, 1), Float32Array.of(5, 1)]
 * ```
 *
 * @category constructors
 */
export const make = (options: Options): Service => {
  const { concurrency = 8, embedMany, model, provider } = options
  if (!(concurrency >= 1)) throw new TypeError(`Embedder: at least 1 request at once, not ${concurrency}`)
  const inTurn = Telling.inTurn("permit", concurrency)
  const limit = Duration.fromInputUnsafe(options.timeout ?? Duration.minutes(2))
  const fail = (reason: Reason.Reason) => Effect.fail(LMError.make(provider, model, reason))
  const late = () => fail(new Reason.Timeout({ kind: "attempt", limit }))
  let dimensions = options.dimensions
  const isWhole = ({ vectors }: Answer, texts: ReadonlyArray<string>): boolean => {
    const length = dimensions ?? vectors[0]?.length ?? 0
    if (length === 0 || vectors.length !== texts.length) return false
    if (!vectors.every((vector) => vector.length === length && vector.every(Number.isFinite))) return false
    dimensions = length
    return true
  }
  const asked = { provider, model, endpoint: options.endpoint ?? provider }
  const send: Batches.Send = (texts, purpose) =>
    inTurn(Effect.withFiber((fiber) => {
      // A shared request is counted where its first text comes from: once, whoever else is in it.
      fiber.getRef(Usage.Listener)?.({ calls: 1 })
      const answer = Effect.timeoutOrElse(embedMany(texts, purpose), { duration: limit, orElse: late })
      const whole = Effect.flatMap(answer, (answer) =>
        isWhole(answer, texts) ? Effect.succeed(answer) : fail(new Reason.InvalidResponse({ status: 200 })))
      return Observed.request(fiber, asked, texts.length, whole)
    }))
  return build({ ...asked, send, batching: options.batching ?? {} })
}

/**
 * The same embedder with another way to send a request: what decorators return.
 *
 * @category combinators
 */
export const wrap = (self: Service, send: Batches.Send): Service => build({ ...self, send })

/**
 * Lifts a decorator to layers.
 *
 * @category combinators
 */
export const decorate =
  (decorator: Decorator) => <A, E, R>(self: Layer.Layer<A | Embedder, E, R>): Layer.Layer<A | Embedder, E, R> =>
    Layer.effect(Embedder, Effect.map(Embedder, decorator)).pipe(Layer.provideMerge(self))

/**
 * Sends requests again that failed for a reason that may pass, at most `attempts` times in all (default 3). The
 * waits are those of `LM.retry`; an endpoint's Retry-After makes them longer, never shorter. A request that waits
 * holds no permit.
 *
 * ```ts no-run
 * import { Embedder } from "@effect-dspy/core"
 * import { OpenAiEmbeddings } from "@effect-dspy/providers"
 *
 * const Live = OpenAiEmbeddings.layer({ model: "text-embedding-3-small" }).pipe(Embedder.retry())
 * ```
 *
 * @category decorators
 */
export const retry = (options: {
  readonly attempts?: number
  readonly schedule?: Backoff
} = {}): ReturnType<typeof decorate> => {
  const { attempts = 3, schedule = defaultSchedule } = options
  return decorate((embedder) =>
    wrap(embedder, (texts, purpose) =>
      Effect.suspend(() => {
        let left = attempts
        const worthIt = (failure: LMError.LMError) => failure.isRetryable && --left > 0
        return resending(() => embedder.send(texts, purpose), schedule, worthIt, Infinity)
      }))
  )
}

/**
 * The vector of a text, from the embedder in scope.
 *
 * @category combinators
 */
export const embed = (
  text: string,
  options?: { readonly purpose?: Purpose }
): Effect.Effect<Float32Array, LMError.LMError, Embedder> => Embedder.use((embedder) => embedder.embed(text, options))

/**
 * The vectors of several texts in their order, from the embedder in scope.
 *
 * @category combinators
 */
export const embedMany = (
  texts: ReadonlyArray<string>,
  options?: { readonly purpose?: Purpose }
): Effect.Effect<ReadonlyArray<Float32Array>, LMError.LMError, Embedder> =>
  Embedder.use((embedder) => embedder.embedMany(texts, options))

/** Enough to make the cost of a request small; Gemini takes no more. */
const defaultSize = 100

/** Long enough for the fibers of a burst, too short to be noticed beside a network. */
const defaultDelay = Duration.millis(5)

const build = (self: Pick<Service, "provider" | "model" | "endpoint" | "send" | "batching">): Service => {
  const { batching, endpoint, model, provider, send } = self
  const one = Batches.make({
    provider,
    model,
    endpoint,
    send,
    batchSize: batching.size ?? defaultSize,
    delay: Duration.fromInputUnsafe(batching.delay ?? defaultDelay)
  })
  return {
    provider,
    model,
    endpoint,
    send,
    batching,
    embed: (text, options) => one(text, options?.purpose ?? "document"),
    // Every text waits; how many requests that makes is up to the batches, and how many at once to the permits.
    embedMany: (texts, options) =>
      Effect.forEach(texts, (text) => one(text, options?.purpose ?? "document"), { concurrency: "unbounded" })
  }
}
