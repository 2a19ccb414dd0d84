/**
 * Finding the passages that matter for a question.
 *
 * `Retriever` is a service like `LM`: a program says that it needs one, a layer says which. The one here embeds
 * the question and searches a `VectorIndex`; one over a search engine is a `Retriever.of({ retrieve })` away.
 *
 * ```ts
 * import { Retriever } from "@effect-dspy/core"
 * import { OfflineEmbeddings } from "@effect-dspy/providers/offline"
 * import { Effect, Layer } from "effect"
 *
 * const documents = [
 *   { id: "tides", text: "The sea rises and falls twice a day." },
 *   { id: "bread", text: "Knead flour, water and salt." }
 * ]
 * const Live = Retriever.layer(Retriever.index(documents)).pipe(Layer.provide(OfflineEmbeddings.layer()))
 * const found = Retriever.retrieve("How often does the sea rise?", { k: 1 }).pipe(
 *   Effect.map((passages) => passages.map((passage) => passage.id)),
 *   Effect.provide(Live)
 * )
 * await Effect.runPromise(found) // => ["tides"]
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Embedder from "./Embedder.ts"
import type { LMError } from "./LMError.ts"
import * as VectorIndex from "./VectorIndex.ts"

/**
 * A search that failed for a reason of its own: an engine that is down, a query it does not take. `problem` is
 * shown in messages and logs, so it must not quote the query.
 *
 * @category errors
 */
export class RetrieverError extends Schema.TaggedError<RetrieverError>()("RetrieverError", {
  retriever: Schema.String,
  problem: Schema.String,
  isRetryable: Schema.Boolean
}) {
  override get message(): string {
    return `${this.retriever}: ${this.problem}`
  }
}

/**
 * `k`: most passages (default 5). The most relevant one comes first; no match is an empty list.
 *
 * @category models
 */
export interface Service {
  readonly retrieve: (
    query: string,
    options?: { readonly k?: number }
  ) => Effect.Effect<ReadonlyArray<VectorIndex.Passage>, LMError | RetrieverError>
}

/**
 * What a program searches with.
 *
 * @category services
 */
export class Retriever extends Context.Service<Retriever, Service>()("@effect-dspy/core/Retriever") {}

/** What DSPy's retrievers give, and about what a prompt takes without crowding. */
const defaultK = 5

/**
 * Embeds documents and puts them into an index, with the embedder in scope.
 *
 * @category constructors
 */
export const index = (
  documents: ReadonlyArray<VectorIndex.Document>
): Effect.Effect<VectorIndex.VectorIndex, LMError, Embedder.Embedder> =>
  Embedder.Embedder.use(({ embedMany, model, provider }) =>
    Effect.map(
      embedMany(documents.map((document) => document.text), { purpose: "document" }),
      (vectors) => VectorIndex.make({ provider, model, documents, vectors })
    )
  )

/**
 * A retriever over an index and the embedder in scope, which must be the one the index was made with.
 *
 * @category constructors
 */
export const make = (
  searched: VectorIndex.VectorIndex
): Effect.Effect<Service, VectorIndex.IndexMismatch, Embedder.Embedder> =>
  Embedder.Embedder.use((embedder) => {
    const ofIndex = `${searched.provider}/${searched.model}`
    const ofEmbedder = `${embedder.provider}/${embedder.model}`
    if (ofIndex !== ofEmbedder) {
      return Effect.fail(new VectorIndex.IndexMismatch({ index: ofIndex, embedder: ofEmbedder }))
    }
    return Effect.succeed<Service>({
      retrieve: (query, { k = defaultK } = {}) =>
        Effect.flatMap(
          embedder.embed(query, { purpose: "query" }),
          (vector) => VectorIndex.search(searched, vector, k)
        )
    })
  })

/**
 * A layer over an index that is made or loaded when the layer is built.
 *
 * @category layers
 */
export const layer = <E, R>(
  searched: Effect.Effect<VectorIndex.VectorIndex, E, R>
): Layer.Layer<Retriever, E | VectorIndex.IndexMismatch, R | Embedder.Embedder> =>
  Layer.effect(Retriever, Effect.flatMap(searched, make))

/**
 * The passages that matter for a question, from the retriever in scope.
 *
 * @category combinators
 */
export const retrieve = (
  query: string,
  options?: { readonly k?: number }
): Effect.Effect<ReadonlyArray<VectorIndex.Passage>, LMError | RetrieverError, Retriever> =>
  Retriever.use((retriever) => retriever.retrieve(query, options))
