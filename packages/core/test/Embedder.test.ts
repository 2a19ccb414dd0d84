import { Embedder, LMError, LMErrorReason, Usage } from "@effect-dspy/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Layer, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { timed } from "./support.ts"

/** A request an embedder has sent. */
interface Sent {
  readonly texts: ReadonlyArray<string>
  readonly purpose: Embedder.Purpose
}

const fail = (reason: LMErrorReason.Reason) => Effect.fail(LMError.make("test", "vectors", reason))

/** A text as a vector: its length, and the code of its first letter. */
const vector = (text: string) => Float32Array.of(text.length, text.charCodeAt(0) || 0)

const answers = (texts: ReadonlyArray<string>): Embedder.Answer => ({
  vectors: texts.map(vector),
  usage: { inputTokens: texts.length * 10 }
})

/** An embedder that writes down what it sends; `answer` may take its time or fail. */
const recording = (
  more: Partial<Embedder.Options> = {},
  answer: (texts: ReadonlyArray<string>) => Effect.Effect<Embedder.Answer, LMError.LMError> = (texts) =>
    Effect.succeed(answers(texts))
) => {
  const sent: Array<Sent> = []
  const embedder = Embedder.make({
    provider: "test",
    model: "vectors",
    embedMany: (texts, purpose) =>
      Effect.suspend(() => {
        sent.push({ texts, purpose })
        return answer(texts)
      }),
    ...more
  })
  return { sent, layer: Layer.succeed(Embedder.Embedder, embedder) }
}

const texts = (count: number) => Array.from({ length: count }, (_, index) => `text ${index}`)

/** Time enough for a batch to be collected. */
const collected = TestClock.adjust("5 millis")

describe("batches", () => {
  it.effect("250 calls at once are three requests, and each has its own vector", () =>
    Effect.gen(function*() {
      const { layer, sent } = recording()
      const all = Effect.forEach(texts(250), (text) => Embedder.embed(text), { concurrency: "unbounded" })
      const { exit } = yield* timed(Effect.provide(all, layer))
      assert.deepStrictEqual(exit, Exit.succeed(texts(250).map(vector)))
      assert.deepStrictEqual(sent.map((request) => request.texts.length), [100, 100, 50])
    }))

  it.effect("calls of different fibers and embedMany share a request", () =>
    Effect.gen(function*() {
      const { layer, sent } = recording()
      const parts = Effect.all([Embedder.embed("one"), Embedder.embedMany(["two", "three"]), Embedder.embed("four")], {
        concurrency: "unbounded"
      })
      const { exit } = yield* timed(Effect.provide(parts, layer))
      assert.deepStrictEqual(exit, Exit.succeed([vector("one"), [vector("two"), vector("three")], vector("four")]))
      assert.deepStrictEqual(sent.map((request) => request.texts), [["one", "two", "three", "four"]])
    }))

  it.effect("a text joins for 5 ms, and not longer", () =>
    Effect.gen(function*() {
      const { layer, sent } = recording()
      const at = (millis: number, text: string) => Effect.delay(Embedder.embed(text), millis)
      const calls = Effect.all([at(0, "a"), at(4, "b"), at(6, "c")], { concurrency: "unbounded" })
      yield* timed(Effect.provide(calls, layer))
      assert.deepStrictEqual(sent.map((request) => request.texts), [["a", "b"], ["c"]])
    }))

  it.effect("queries and documents are never mixed", () =>
    Effect.gen(function*() {
      const { layer, sent } = recording()
      const calls = Effect.all([
        Embedder.embed("question", { purpose: "query" }),
        Embedder.embed("answer"),
        Embedder.embed("other question", { purpose: "query" })
      ], { concurrency: "unbounded" })
      yield* timed(Effect.provide(calls, layer))
      assert.sameDeepMembers(sent, [
        { texts: ["question", "other question"], purpose: "query" },
        { texts: ["answer"], purpose: "document" }
      ])
    }))

  it.effect("no texts are no request", () =>
    Effect.gen(function*() {
      const { layer, sent } = recording()
      assert.deepStrictEqual(yield* Effect.provide(Embedder.embedMany([]), layer), [])
      assert.lengthOf(sent, 0)
    }))

  it.effect("are bounded in size and in number", () =>
    Effect.gen(function*() {
      let inFlight = 0
      let most = 0
      const { layer, sent } = recording({ concurrency: 3, batching: { size: 10 } }, (batch) =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            most = Math.max(most, ++inFlight)
          }),
          () => Effect.delay(Effect.succeed(answers(batch)), "1 second"),
          () => Effect.sync(() => inFlight--)
        ))
      const { exit, ms } = yield* timed(Effect.provide(Embedder.embedMany(texts(100)), layer))
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual(most, 3)
      assert.deepStrictEqual(sent.map((request) => request.texts.length), Array.from({ length: 10 }, () => 10))
      assert.isAtLeast(ms, 4000)
      assert.isAtMost(ms, 4010)
    }))

  it.effect("have a span each, with links to their callers and no word of the texts", () =>
    Effect.gen(function*() {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const { layer } = recording()
      const call = (text: string) => Effect.withSpan(Embedder.embed(text), "call")
      const calls = Effect.all([call("secret one"), call("secret two")], { concurrency: "unbounded" })
      yield* timed(Effect.provide(calls, layer).pipe(Effect.provideService(Tracer.Tracer, tracer)))
      const batches = spans.filter((span) => span.name.startsWith("embeddings "))
      assert.lengthOf(batches, 1)
      assert.lengthOf(batches[0]?.links ?? [], 2)
      assert.strictEqual(batches[0]?.attributes.get("effect_dspy.texts"), 2)
      for (const span of spans) {
        assert.notInclude(JSON.stringify([...span.attributes]), "secret")
      }
    }))
})

describe("usage", () => {
  it.effect("of a shared request is shared out, and adds up", () =>
    Effect.gen(function*() {
      const { layer } = recording({}, (batch) =>
        Effect.succeed({ vectors: batch.map(vector), usage: { inputTokens: 101, costUsd: 0.5 } }))
      const tracked = (text: string) =>
        Usage.track(Embedder.embed(text))
      const all = Effect.all([tracked("aaaa"), tracked("bbbbbbbbb"), tracked("cccccc")], { concurrency: "unbounded" })
      const { exit } = yield* timed(Usage.track(Effect.provide(all, layer)))
      if (!Exit.isSuccess(exit)) return assert.fail("failed")
      const [parts, whole] = exit.value
      assert.deepStrictEqual(whole, { calls: 1, inputTokens: 101, costUsd: 0.5 })
      assert.strictEqual(parts.reduce((sum, [, { calls }]) => sum + calls, 0), 1)
      assert.strictEqual(parts.reduce((sum, [, { inputTokens = NaN }]) => sum + inputTokens, 0), 101)
      // By length: 5, 10 and 7 of 22.
      assert.deepStrictEqual(parts.map(([, { inputTokens }]) => inputTokens), [23, 46, 32])
    }))

  it.effect("of an endpoint that reports none is unknown, and failed requests count", () =>
    Effect.gen(function*() {
      const silent = recording({}, (batch) => Effect.succeed({ vectors: batch.map(vector), usage: {} }))
      const { exit } = yield* timed(Usage.track(Effect.provide(Embedder.embed("a"), silent.layer)))
      assert.deepStrictEqual(exit, Exit.succeed([vector("a"), { calls: 1 }] as const))
      const failing = recording({}, () => fail(new LMErrorReason.Authentication({})))
      const failed = yield* timed(
        Usage.track(Effect.exit(Effect.provide(Embedder.embed("a"), failing.layer)))
      )
      if (!Exit.isSuccess(failed.exit)) return assert.fail("failed")
      assert.deepStrictEqual(failed.exit.value[1], { calls: 1 })
    }))
})

describe("failures", () => {
  const reasonOf = (exit: Exit.Exit<unknown, LMError.LMError>) =>
    Exit.isFailure(exit) ? Cause.findErrorOption(exit.cause) : undefined

  it.effect("a text that is refused fails its own caller, not those it travelled with", () =>
    Effect.gen(function*() {
      const { layer, sent } = recording({}, (batch) =>
        batch.includes("text 5") ? fail(new LMErrorReason.ContextTooLong({})) : Effect.succeed(answers(batch)))
      const all = Effect.forEach(texts(16), (text) =>
        Effect.exit(Embedder.embed(text)), { concurrency: "unbounded" })
      const { exit } = yield* timed(Effect.provide(all, layer))
      if (!Exit.isSuccess(exit)) return assert.fail("failed")
      exit.value.forEach((one, index) => {
        if (index === 5) assert.strictEqual(reasonOf(one)?.pipe((o) => o._tag), "Some")
        else assert.deepStrictEqual(one, Exit.succeed(vector(`text ${index}`)))
      })
      assert.deepStrictEqual(sent.map((request) => request.texts.length), [16, 8, 4, 4, 2, 1, 1, 2, 8])
    }))

  it.effect("what is wrong with the endpoint fails everybody at once", () =>
    Effect.gen(function*() {
      const { layer, sent } = recording({}, () => fail(new LMErrorReason.Authentication({})))
      const { exit } = yield* timed(Effect.provide(Embedder.embedMany(texts(16)), layer))
      assert.isTrue(Exit.isFailure(exit))
      assert.lengthOf(sent, 1)
    }))

  const broken: ReadonlyArray<readonly [string, ReadonlyArray<Float32Array>]> = [
    ["too few vectors", [Float32Array.of(1, 2)]],
    ["vectors of different lengths", [Float32Array.of(1, 2), Float32Array.of(1)]],
    ["vectors with nothing in them", [new Float32Array(0), new Float32Array(0)]],
    ["numbers that are none", [Float32Array.of(1, NaN), Float32Array.of(1, 2)]],
    ["vectors of another length than the model's", [Float32Array.of(1, 2, 3), Float32Array.of(1, 2, 3)]]
  ]
  for (const [name, vectors] of broken) {
    it.effect(`${name} are no answer`, () =>
      Effect.gen(function*() {
        const { layer } = recording({ dimensions: 2 }, () => Effect.succeed({ vectors, usage: {} }))
        const { exit } = yield* timed(Effect.flip(Effect.provide(Embedder.embedMany(["a", "b"]), layer)))
        if (!Exit.isSuccess(exit)) return assert.fail("succeeded")
        assert.strictEqual(exit.value.reason._tag, "InvalidResponse")
      }))
  }

  it.effect("the first answer decides the length of all later ones", () =>
    Effect.gen(function*() {
      const { layer } = recording({}, ([text]) =>
        Effect.succeed({ vectors: [new Float32Array(text === "long" ? 3 : 2).fill(1)], usage: {} }))
      const both = Effect.andThen(Embedder.embed("short"), Effect.flip(Embedder.embed("long")))
      const { exit } = yield* timed(Effect.provide(both, layer))
      if (!Exit.isSuccess(exit)) {
        return assert.fail("failed")
      }
      assert.strictEqual(exit.value.reason._tag, "InvalidResponse")
    }))

  it.effect("a defect of an embedder reaches its callers as one", () =>
    Effect.gen(function*() {
      const { layer } = recording({}, () => Effect.die(new TypeError("a bug")))
      const { exit } = yield* timed(Effect.provide(Embedder.embed("a"), layer))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    }))

  it.effect("a request that takes too long times out, waiting for its turn not counted", () =>
    Effect.gen(function*() {
      const { layer } = recording({ concurrency: 1, timeout: "3 seconds", batching: { size: 1 } }, (batch) =>
        Effect.delay(Effect.succeed(answers(batch)), batch[0] === "slow" ? "1 hour" : "2 seconds"))
      const { exit, ms } = yield* timed(Effect.provide(Embedder.embedMany(["a", "b", "c"]), layer))
      assert.isTrue(Exit.isSuccess(exit))
      assert.isAtLeast(ms, 6000)
      const late = yield* timed(Effect.flip(Effect.provide(Embedder.embed("slow"), layer)))
      if (!Exit.isSuccess(late.exit)) {
        return assert.fail("succeeded")
      }
      assert.strictEqual(late.exit.value.message, "test/vectors: no answer within 3s (attempt timeout)")
    }))
})

describe("retry", () => {
  it.effect("waits as long as the endpoint says, and counts every request", () =>
    Effect.gen(function*() {
      let failures = 2
      const { layer, sent } = recording({}, (batch) =>
        failures-- > 0
          ? fail(new LMErrorReason.RateLimited({ retryAfter: Duration.seconds(30) }))
          : Effect.succeed(answers(batch)))
      const call = Usage.track(Effect.provide(Embedder.embed("a"), layer.pipe(Embedder.retry())))
      const { exit, ms } = yield* timed(call)
      assert.deepStrictEqual(exit, Exit.succeed([vector("a"), { calls: 3, inputTokens: 10 }] as const))
      assert.lengthOf(sent, 3)
      assert.isAtLeast(ms, 60_000)
      assert.isAtMost(ms, 60_100)
    }))

  it.effect("ends with its attempts, and leaves alone what will not pass", () =>
    Effect.gen(function*() {
      const busy = recording({}, () => fail(new LMErrorReason.Overloaded({})))
      yield* timed(Effect.flip(Effect.provide(Embedder.embed("a"), busy.layer.pipe(Embedder.retry({ attempts: 5 })))))
      assert.lengthOf(busy.sent, 5)
      const wrong = recording({}, () => fail(new LMErrorReason.ModelNotFound({})))
      yield* timed(Effect.flip(Effect.provide(Embedder.embed("a"), wrong.layer.pipe(Embedder.retry()))))
      assert.lengthOf(wrong.sent, 1)
    }))

  it.effect("holds no permit while it waits", () =>
    Effect.gen(function*() {
      let first = true
      const { layer } = recording({ concurrency: 1, batching: { size: 1 } }, (batch) => {
        if (!first) return Effect.succeed(answers(batch))
        first = false
        return fail(new LMErrorReason.RateLimited({ retryAfter: Duration.seconds(30) }))
      })
      const done: Array<string> = []
      const call = (text: string) => Effect.tap(Embedder.embed(text), () => Effect.sync(() => done.push(text)))
      const both = Effect.all([call("limited"), call("other")], { concurrency: "unbounded" })
      yield* timed(Effect.provide(both, layer.pipe(Embedder.retry())))
      assert.deepStrictEqual(done, ["other", "limited"])
    }))
})

describe("interruption", () => {
  /** An embedder that never answers and says when its request was given up. */
  const hanging = () => {
    const state = { givenUp: 0 }
    const { layer, sent } = recording(
      {},
      () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => state.givenUp++))
    )
    return { layer, sent, state }
  }

  it.effect("reaches the request when the last caller has left, and not before", () =>
    Effect.gen(function*() {
      const { layer, sent, state } = hanging()
      yield* Effect.gen(function*() {
        const one = yield* Effect.forkChild(Embedder.embed("one"))
        const two = yield* Effect.forkChild(Embedder.embed("two"))
        yield* collected
        assert.lengthOf(sent, 1)
        yield* Fiber.interrupt(one)
        assert.strictEqual(state.givenUp, 0)
        yield* Fiber.interrupt(two)
        assert.strictEqual(state.givenUp, 1)
      }).pipe(Effect.provide(layer))
    }))

  it.effect("before a batch is sent takes the text out of it", () =>
    Effect.gen(function*() {
      const { layer, sent } = recording()
      yield* Effect.gen(function*() {
        const one = yield* Effect.forkChild(Embedder.embed("one"))
        const two = yield* Effect.forkChild(Embedder.embed("two"))
        yield* TestClock.adjust("1 millis")
        yield* Fiber.interrupt(one)
        yield* collected
        assert.deepStrictEqual(yield* Fiber.join(two), vector("two"))
        assert.deepStrictEqual(sent.map((request) => request.texts), [["two"]])
      }).pipe(Effect.provide(layer))
    }))

  it.effect("of embedMany gives up all its requests", () =>
    Effect.gen(function*() {
      const { layer, state } = hanging()
      yield* Effect.gen(function*() {
        const many = yield* Effect.forkChild(Embedder.embedMany(texts(300)))
        yield* collected
        yield* Fiber.interrupt(many)
        assert.strictEqual(state.givenUp, 3)
      }).pipe(Effect.provide(layer))
    }))
})
