import { VectorIndex } from "@effect-dspy/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Result } from "effect"

/** Numbers that are the same in every run (mulberry32). */
const numbers = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * 2 - 1
}

const vectorsOf = (count: number, dimensions: number, seed = 1) => {
  const next = numbers(seed)
  return Array.from({ length: count }, () => Float32Array.from({ length: dimensions }, next))
}

const documentsOf = (count: number): ReadonlyArray<VectorIndex.Document> =>
  Array.from({ length: count }, (_, at) => ({ id: `d${at}`, text: `text ${at}` }))

const indexOf = (vectors: ReadonlyArray<Float32Array>, documents = documentsOf(vectors.length)) =>
  VectorIndex.make({ provider: "test", model: "random", documents, vectors })

const search = (index: VectorIndex.VectorIndex, query: Float32Array, k: number) =>
  Effect.runSync(VectorIndex.search(index, query, k))

/** The same by the definition: every cosine, sorted. */
const bruteForce = (vectors: ReadonlyArray<Float32Array>, query: Float32Array, k: number) => {
  const dot = (a: Float32Array, b: Float32Array) => {
    let sum = 0
    for (let at = 0; at < a.length; at++) sum += (a[at] ?? NaN) * (b[at] ?? NaN)
    return sum
  }
  const scored = vectors.map((vector, position) => {
    const norms = Math.sqrt(dot(vector, vector)) * Math.sqrt(dot(query, query))
    return { id: `d${position}`, text: `text ${position}`, score: norms === 0 ? 0 : dot(vector, query) / norms }
  })
  // toSorted is stable: equals keep their order.
  return scored.toSorted((a, b) => b.score - a.score).slice(0, k)
}

describe("search", () => {
  it("finds exactly what brute force finds, for many sizes", () => {
    for (const [count, dimensions] of [[1, 1], [7, 3], [50, 16], [400, 64], [1000, 7]] as const) {
      const vectors = vectorsOf(count, dimensions, count)
      const index = indexOf(vectors)
      for (const query of vectorsOf(5, dimensions, 99)) {
        for (const k of [1, 3, 10, count, count + 5]) {
          assert.deepStrictEqual(
            search(index, query, k),
            bruteForce(vectors, query, k),
            `${count} x ${dimensions}, ${k}`
          )
        }
      }
    }
  })

  it("keeps the order of equals, and scores a vector of zeros 0", () => {
    const same = Float32Array.of(1, 2)
    const vectors = [new Float32Array(2), same, Float32Array.of(-1, -2), same, Float32Array.of(2, 4)]
    const found = search(indexOf(vectors), Float32Array.of(1, 2), 5)
    assert.deepStrictEqual(found.map(({ id }) => id), ["d1", "d3", "d4", "d0", "d2"])
    assert.deepStrictEqual(found.map(({ score }) => Math.round(score * 1e9) / 1e9), [1, 1, 1, 0, -1])
  })

  it("has nothing to give where nothing is, or nothing is wanted", () => {
    assert.deepStrictEqual(search(indexOf([]), Float32Array.of(1), 3), [])
    for (const k of [0, -1, NaN]) assert.deepStrictEqual(search(indexOf(vectorsOf(3, 2)), Float32Array.of(1, 1), k), [])
  })

  it.live("gives way to other fibers", () =>
    Effect.gen(function*() {
      const vectors = vectorsOf(6000, 1000)
      const index = indexOf(vectors)
      let turns = 0
      const other = yield* Effect.forkChild(Effect.forever(Effect.andThen(Effect.sync(() => turns++), Effect.yieldNow)))
      yield* Effect.yieldNow
      const before = turns
      const found = yield* VectorIndex.search(index, vectors[5999] ?? new Float32Array(1000), 1)
      assert.isAtLeast(turns - before, 2)
      assert.strictEqual(found[0]?.id, "d5999")
      yield* Fiber.interrupt(other)
    }))
})

describe("the file", () => {
  const documents: ReadonlyArray<VectorIndex.Document> = [
    { id: "ä", text: "zwölf Boxkämpfer 🥊", metadata: { page: 3, tags: ["a", null] } },
    { id: "", text: "" },
    { id: "c", text: "line\nbreak \u2028 and \"quotes\"" }
  ]
  const index = indexOf(vectorsOf(3, 5), documents)
  const bytes = VectorIndex.toBytes(index)

  it("comes back as it was", () => {
    assert.deepStrictEqual(Result.getOrThrow(VectorIndex.fromBytes(bytes)), index)
    const empty = indexOf([])
    assert.deepStrictEqual(Result.getOrThrow(VectorIndex.fromBytes(VectorIndex.toBytes(empty))), empty)
  })

  it("is read from wherever it lies in a buffer", () => {
    for (const offset of [1, 2, 3]) {
      const larger = new Uint8Array(bytes.length + 7)
      larger.set(bytes, offset)
      assert.deepStrictEqual(
        Result.getOrThrow(VectorIndex.fromBytes(larger.subarray(offset, offset + bytes.length))),
        index
      )
      assert.deepStrictEqual(
        Result.getOrThrow(VectorIndex.fromBytes(Buffer.from(larger.buffer, offset, bytes.length))),
        index
      )
    }
  })

  it("cut off anywhere, or with something behind it, is none", () => {
    for (let length = 0; length < bytes.length; length++) {
      const read = VectorIndex.fromBytes(bytes.subarray(0, length))
      assert.isTrue(Result.isFailure(read), `${length} bytes`)
      if (Result.isFailure(read)) assert.strictEqual(read.failure._tag, "IndexUnreadable")
    }
    assert.isTrue(Result.isFailure(VectorIndex.fromBytes(Uint8Array.of(...bytes, 0))))
  })

  it("says what is wrong with it, and quotes nothing", () => {
    const problem = (change: (copy: Uint8Array) => void) => {
      const copy = bytes.slice()
      change(copy)
      const read = VectorIndex.fromBytes(copy)
      return Result.isFailure(read) ? read.failure.message : "read"
    }
    assert.strictEqual(problem((copy) => copy.fill(0, 0, 1)), "this is no vector index: it begins differently")
    assert.strictEqual(problem((copy) => copy.fill(255, 8, 12)), "this is no vector index: it ends within its header")
    assert.strictEqual(problem((copy) => copy.fill(0x7b, 12, 20)), "this is no vector index: its header cannot be read")
    assert.strictEqual(
      problem((copy) => copy.fill(0xff, copy.length - 4)),
      "this is no vector index: its vectors hold numbers that are none"
    )
  })

  it("finds the same as before", () => {
    const vectors = vectorsOf(200, 12)
    const before = indexOf(vectors)
    const after = Result.getOrThrow(VectorIndex.fromBytes(VectorIndex.toBytes(before)))
    for (const query of vectorsOf(5, 12, 7)) assert.deepStrictEqual(search(after, query, 9), search(before, query, 9))
  })
})
