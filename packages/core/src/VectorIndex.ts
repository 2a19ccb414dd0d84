/**
 * Documents and their vectors in memory, searched exactly and kept in one file.
 *
 * Every vector is compared with the query; nothing is approximated. That is quick enough for what fits in memory
 * (100,000 documents of 768 dimensions take 0.1 to 0.2 s) and needs no tuning. `Retriever`
 * fills an index and searches it with an embedder; a search gives way to other fibers while it runs.
 *
 * An index knows which model its vectors are from, because vectors of different models must never be compared.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/**
 * Something to be found. `metadata` is the caller's own and comes back as it is: a title, a page, an address.
 *
 * @category models
 */
export const Document = Schema.Struct({
  id: Schema.String,
  text: Schema.String,
  metadata: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json))
})

/**
 * Something to be found; see the schema of the same name.
 *
 * @category models
 */
export type Document = typeof Document.Type

/**
 * A document that was found. `score` is the cosine of its vector and the query's: 1 for the same direction, 0
 * for nothing in common.
 *
 * @category models
 */
export interface Passage extends Document {
  readonly score: number
}

/**
 * - `provider`, `model`: whose vectors these are
 * - `vectors`: one after the other, in the order of `documents`
 * - `norms`: their lengths, worked out once
 *
 * @category models
 */
export interface VectorIndex {
  readonly provider: string
  readonly model: string
  readonly dimensions: number
  readonly documents: ReadonlyArray<Document>
  readonly vectors: Float32Array
  readonly norms: Float64Array
}

/** Bytes that are not an index, or only a part of one. */
export class IndexUnreadable extends Schema.TaggedError<IndexUnreadable>()("IndexUnreadable", {
  problem: Schema.String
}) {
  override get message(): string {
    return `this is no vector index: ${this.problem}`
  }
}

/** An index and an embedder that do not belong together. `index` and `embedder` name their models. */
export class IndexMismatch extends Schema.TaggedError<IndexMismatch>()("IndexMismatch", {
  index: Schema.String,
  embedder: Schema.String
}) {
  override get message(): string {
    return `the index was made with ${this.index} and cannot be searched with ${this.embedder}; make it again`
  }
}

/**
 * Puts documents and their vectors, in the same order, into an index.
 *
 * ```ts
 * import { VectorIndex } from "@effect-dspy/core"
 * import { Effect } from "effect"
 *
 * const index = VectorIndex.make({
 *   provider: "demo",
 *   model: "axes",
 *   documents: [{ id: "east", text: "right" }, { id: "north", text: "up" }],
 *   vectors: [Float32Array.of(1, 0), Float32Array.of(0, 1)]
 * })
 * await Effect.runPromise(VectorIndex.search(index, Float32Array.of(0, 2), 1)) // => [{ id: "north", text: "up", score: 1 }]
 * ```
 *
 * @category constructors
 */
export const make = (options: {
  readonly provider: string
  readonly model: string
  readonly documents: ReadonlyArray<Document>
  readonly vectors: ReadonlyArray<Float32Array>
}): VectorIndex => {
  const { documents, model, provider } = options
  const dimensions = options.vectors[0]?.length ?? 0
  if (options.vectors.length !== documents.length) throw new TypeError("one vector a document")
  const vectors = new Float32Array(documents.length * dimensions)
  options.vectors.forEach((vector, index) => {
    if (vector.length !== dimensions) throw new TypeError("vectors of one length")
    vectors.set(vector, index * dimensions)
  })
  return { provider, model, dimensions, documents, vectors, norms: normsOf(vectors, dimensions) }
}

/**
 * The `k` documents whose vectors are closest to the query's, the closest first; of equals, the one that
 * stands first. The query has the index's dimensions.
 *
 * @category getters
 */
export const search = (
  index: VectorIndex,
  query: Float32Array,
  k: number
): Effect.Effect<ReadonlyArray<Passage>> =>
  Effect.suspend(() => {
    const { dimensions, documents } = index
    const best = new Best(k >= 1 ? Math.min(Math.floor(k), documents.length) : 0)
    if (best.limit === 0) return Effect.succeed([])
    const [queryNorm = 0] = normsOf(query, dimensions)
    const slice = Math.max(1, Math.floor(turn / dimensions))
    let from = 0
    const compared = Effect.whileLoop({
      while: () => from < documents.length,
      body: () => {
        const to = Math.min(from + slice, documents.length)
        for (; from < to; from++) best.offer(from, cosine(index, from, query, queryNorm))
        return from < documents.length ? Effect.yieldNow : Effect.void
      },
      step: () => {}
    })
    return Effect.map(compared, () =>
      best.found.flatMap(({ position, score }) => {
        const document = documents[position]
        return document === undefined ? [] : [{ ...document, score }]
      }))
  })

/**
 * An index as the bytes of one file.
 *
 * Eight bytes say what it is, four how long its header is; the header is JSON, with the model and the documents;
 * the rest are the vectors as 32-bit floats. All numbers are little-endian.
 *
 * @category encoding
 */
export const toBytes = (index: VectorIndex): Uint8Array => {
  const { dimensions, documents, model, provider, vectors } = index
  const header = new TextEncoder().encode(JSON.stringify({ provider, model, dimensions, documents }))
  const start = magic.length + 4
  const bytes = new Uint8Array(start + header.length + vectors.length * 4)
  const view = new DataView(bytes.buffer)
  bytes.set(magic)
  view.setUint32(magic.length, header.length, true)
  bytes.set(header, start)
  const own = new Uint8Array(vectors.buffer, vectors.byteOffset, vectors.byteLength)
  bytes.set(isLittleEndian ? own : swapped(own), start + header.length)
  return bytes
}

/**
 * The index that `toBytes` wrote. Bytes that were cut off, changed in their form or never were an index fail.
 *
 * @category decoding
 */
export const fromBytes = (bytes: Uint8Array): Result.Result<VectorIndex, IndexUnreadable> => {
  const unreadable = (problem: string) => Result.fail(new IndexUnreadable({ problem }))
  const start = magic.length + 4
  if (bytes.length < start || !magic.every((byte, at) => bytes[at] === byte)) return unreadable("it begins differently")
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = start + view.getUint32(magic.length, true)
  if (end > bytes.length) return unreadable("it ends within its header")
  const header = decodeHeader(new TextDecoder().decode(bytes.subarray(start, end)))
  if (Result.isFailure(header)) return unreadable("its header cannot be read")
  const { dimensions, documents, model, provider } = header.success
  const count = documents.length * dimensions
  if (bytes.length - end !== count * 4) {
    return unreadable(`it has ${bytes.length - end} bytes of vectors instead of ${count * 4}`)
  }
  // A copy of its own: floats must lie at multiples of four. (The slice of a Node buffer would be none.)
  const own = new Uint8Array(bytes.subarray(end))
  const vectors = new Float32Array((isLittleEndian ? own : swapped(own)).buffer)
  const norms = normsOf(vectors, dimensions)
  if (!norms.every(Number.isFinite)) return unreadable("its vectors hold numbers that are none")
  return Result.succeed({ provider, model, dimensions, documents, vectors, norms })
}

/** Multiplications between two chances for other fibers to run: about a millisecond. */
const turn = 1_000_000

const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

const swapped = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => {
  const copy = new Uint8Array(bytes.length)
  for (let at = 0; at < bytes.length; at++) copy[at ^ 3] = bytes[at] ?? 0
  return copy
}

// The last character is the version of the format.
const magic = new TextEncoder().encode("EDSPYVX1")

const decodeHeader = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Struct({
  provider: Schema.String,
  model: Schema.String,
  dimensions: Schema.Natural,
  documents: Schema.Array(Document)
})))

/** The best so far, in order: `k` is small, so the place of a new one is found by walking. */
class Best {
  readonly limit: number
  readonly found: Array<{ readonly position: number; readonly score: number }> = []
  constructor(limit: number) {
    this.limit = limit
  }
  offer(position: number, score: number): void {
    const { found, limit } = this
    const worst = found[limit - 1]
    if (worst !== undefined && score <= worst.score) return
    let at = found.length
    while (at > 0 && (found[at - 1]?.score ?? Infinity) < score) at--
    found.splice(at, 0, { position, score })
    if (found.length > limit) found.pop()
  }
}

const normsOf = (vectors: Float32Array, dimensions: number): Float64Array => {
  const norms = new Float64Array(dimensions === 0 ? 0 : vectors.length / dimensions)
  for (let index = 0; index < norms.length; index++) {
    let sum = 0
    for (let at = index * dimensions; at < (index + 1) * dimensions; at++) {
      const value = vectors[at] ?? 0
      sum += value * value
    }
    norms[index] = Math.sqrt(sum)
  }
  return norms
}

// In 64 bits: sums of many 32-bit products would differ in their last digits.
const cosine = (index: VectorIndex, position: number, query: Float32Array, queryNorm: number): number => {
  const { dimensions, norms, vectors } = index
  const start = position * dimensions
  let dot = 0
  for (let at = 0; at < dimensions; at++) dot += (vectors[start + at] ?? 0) * (query[at] ?? 0)
  const norm = (norms[position] ?? 0) * queryNorm
  return norm === 0 ? 0 : dot / norm
}
