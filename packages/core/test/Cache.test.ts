import { Completion, Identity, LM, LMErrorReason, Message, Request, Usage } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Equal, Fiber, Hash, Result, Stream } from "effect"
import { TestClock } from "effect/testing"
import { mood, timed } from "./support.ts"

const answer = { label: "pos", score: 0.9 } as const

const ask = (text: string, options: Partial<LM.Request> = {}) =>
  LM.generate({ messages: [Message.user(text)], ...options })

const many = <A, E, R>(count: number, self: Effect.Effect<A, E, R>) =>
  Effect.all(Array.from({ length: count }, () => self), { concurrency: "unbounded" })

/** A cached test LM, its recorder, and a way to run programs on it. */
const cached = Effect.fnUntraced(function*(
  script: TestLM.Script,
  options: TestLM.Options & { readonly cache?: LM.CacheOptions } = {}
) {
  const { lm, recorder } = TestLM.make(script, options)
  const service = yield* LM.decorator.cache(options.cache)(lm)
  return { recorder, on: Effect.provideService(LM, service) }
})

describe("LM.cache", () => {
  it.effect("50 identical calls in flight are one request", () =>
    Effect.gen(function*() {
      const { on, recorder } = yield* cached(() => answer, { latency: "1 second" })
      const { exit, ms } = yield* timed(Usage.track(many(50, mood({ text: "hi" }))).pipe(on))
      const [outputs, usage] = yield* exit
      assert.deepStrictEqual(outputs, Array.from({ length: 50 }, () => answer))
      assert.strictEqual(recorder.started, 1)
      assert.deepStrictEqual(usage, { calls: 1 })
      assert.strictEqual(ms, 1000)
    }))

  it.effect("a kept answer is marked, costs nothing, and opens no attempt", () =>
    Effect.gen(function*() {
      const { on, recorder } = yield* cached([TestLM.completion({ usage: { calls: 1, inputTokens: 7 } })])
      const [first, firstUsage] = yield* Usage.track(ask("hi")).pipe(on)
      const [second, secondUsage] = yield* Usage.track(ask("hi")).pipe(on)
      assert.strictEqual(first.replayed, undefined)
      assert.strictEqual(second.replayed, true)
      assert.deepStrictEqual([firstUsage, secondUsage], [{ calls: 1, inputTokens: 7 }, { calls: 0 }])
      assert.strictEqual(recorder.started, 1)
    }))

  it.effect("everything that can change the answer makes another question", () =>
    Effect.gen(function*() {
      const tool: Request.Tool = { name: "t", description: "d", parameters: { type: "object" } }
      const schema = (type: string): Request.Output => ({
        _tag: "Json",
        name: "Out",
        schema: { type },
        instruction: "Answer as JSON."
      })
      const others: ReadonlyArray<Partial<LM.Request>> = [
        {},
        { messages: [Message.system("hi")] },
        { messages: [Message.user("hi"), Message.assistant("yes")] },
        { settings: { temperature: 1 } },
        { settings: { maxTokens: 5 } },
        { settings: { rollout: 1 } },
        { settings: { rollout: 2 } },
        { output: schema("object") },
        { output: schema("array") },
        { tools: [tool] },
        { tools: [{ ...tool, description: "other" }] },
        { tools: [tool], toolChoice: "required" }
      ]
      const { on, recorder } = yield* cached(() => "ok")
      for (const _ of [1, 2]) for (const other of others) yield* ask("hi", other).pipe(on)
      assert.strictEqual(recorder.started, others.length)
    }))

  it.effect("what only concerns the call does not", () =>
    Effect.gen(function*() {
      const { on, recorder } = yield* cached(() => "ok")
      yield* ask("hi", { settings: { seed: 1, temperature: 0 } }).pipe(on)
      yield* ask("hi", { settings: { temperature: 0, seed: 1, attempts: 7, timeout: "1 second" }, stable: 1 }).pipe(on)
      yield* ask("hi").pipe(LM.withSettings({ temperature: 0, seed: 1, retryMaxTokens: 9 }), on)
      assert.strictEqual(recorder.started, 1)
    }))

  it.effect("a failure, or an answer that can't be read, is shared with those who waited and then forgotten", () =>
    Effect.gen(function*() {
      const { on, recorder } = yield* cached([new LMErrorReason.Overloaded({}), "garbage", answer, "never asked"], {
        latency: "1 second"
      })
      const call = mood({ text: "hi" }).pipe(LM.withSettings({ attempts: 1 }), Effect.result)
      const tags = Effect.map(
        many(10, call),
        (results) => new Set(results.map((result) => Result.isFailure(result) ? result.failure._tag : "ok"))
      )
      const { exit } = yield* timed(Effect.all([tags, tags, tags, tags], { concurrency: 1 }).pipe(on))
      assert.deepStrictEqual(yield* exit, [
        new Set(["LMError"]),
        new Set(["OutputError"]),
        new Set(["ok"]),
        new Set(["ok"])
      ])
      assert.strictEqual(recorder.started, 3)
    }))

  it.effect("re-asks of identical calls are one request as well", () =>
    Effect.gen(function*() {
      const { on, recorder } = yield* cached(["garbage", answer], { latency: "1 second" })
      const { exit } = yield* timed(many(50, mood({ text: "hi" })).pipe(on))
      assert.strictEqual((yield* exit).length, 50)
      assert.strictEqual(recorder.started, 2)
    }))

  it.effect("a stricter caller is not given what another caller accepted", () =>
    Effect.gen(function*() {
      const { on, recorder } = yield* cached(["short", "a longer answer"])
      yield* ask("hi").pipe(on)
      const second = yield* ask("hi", { accept: (completion) => Completion.text(completion).length > 5 }).pipe(on)
      assert.strictEqual(Completion.text(second), "a longer answer")
      assert.strictEqual(recorder.started, 2)
    }))

  it.effect("who gives up does not take the answer from the others", () =>
    Effect.gen(function*() {
      const { on, recorder } = yield* cached(["ok"], { latency: "2 seconds" })
      const first = yield* Effect.forkChild(ask("hi").pipe(on))
      const second = yield* Effect.forkChild(ask("hi").pipe(on))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(Completion.text(yield* Fiber.join(second)), "ok")
      assert.deepInclude(recorder, { started: 1, finished: 1, interrupted: 0 })
    }))

  it.effect("when all give up, the request is interrupted, and the next caller sends anew", () =>
    Effect.gen(function*() {
      const { on, recorder } = yield* cached([TestLM.never, "ok"])
      const waiting = yield* Effect.forkChild(many(3, ask("hi")).pipe(on))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(waiting)
      assert.strictEqual(recorder.interrupted, 1)
      assert.strictEqual(Completion.text(yield* ask("hi").pipe(on)), "ok")
    }))

  it.effect("answers go after their time to live", () =>
    Effect.gen(function*() {
      const { on, recorder } = yield* cached(() => "ok", { cache: { timeToLive: "1 minute" } })
      const counts: Array<number> = []
      for (const wait of [0, 59_999, 1]) {
        yield* TestClock.adjust(wait)
        yield* ask("hi").pipe(on)
        counts.push(recorder.started)
      }
      assert.deepStrictEqual(counts, [1, 1, 2])
    }))

  it.effect("the least recently used answer makes room", () =>
    Effect.gen(function*() {
      const { on, recorder } = yield* cached(() => "ok", { cache: { capacity: 2 } })
      for (const text of ["a", "b", "a", "c", "a", "b"]) yield* ask(text).pipe(on)
      assert.deepStrictEqual(recorder.requests.map(({ messages }) => Message.text(messages[0])), ["a", "b", "c", "b"])
    }))

  it.effect("streams share the answer too", () =>
    Effect.gen(function*() {
      const { on, recorder } = yield* cached([TestLM.streamed(["He", "llo"], { interval: "1 second" })])
      const parts = LM.stream({ messages: [Message.user("hi")] }).pipe(
        Stream.map((part) => part.type === "text" ? part.text : part.type),
        Stream.runCollect
      )
      const { exit } = yield* timed(Effect.all([many(2, parts), parts]).pipe(on))
      const [[first, second], third] = yield* exit
      assert.deepStrictEqual(first, ["He", "llo", "finish"])
      assert.deepStrictEqual(second, ["Hello", "finish"])
      assert.deepStrictEqual(third, ["Hello", "finish"])
      assert.strictEqual(recorder.started, 1)
    }))
})

describe("Identity", () => {
  it("tells endpoints, accounts, models and layer defaults apart", () => {
    const lm = (endpoint: string, model = "m", defaults: LM.Settings = {}) =>
      LM.make({ provider: "p", model, endpoint, defaults, generate: () => Effect.never })
    const request: LM.Request = { messages: [Message.user("hi")], output: Request.text, settings: {} }
    const others = [
      lm("https://a.example/v1#key1"),
      lm("https://b.example/v1#key1"),
      lm("https://a.example/v1#key2"),
      lm("https://a.example/v1#key1", "n"),
      lm("https://a.example/v1#key1", "m", { temperature: 1 })
    ]
    assert.strictEqual(new Set(others.map((other) => Identity.of(other, request))).size, others.length)
    assert.strictEqual(
      Identity.of(lm("e", "m", { temperature: 1 }), request),
      Identity.of(lm("e"), { ...request, settings: { temperature: 1 } })
    )
  })

  it("keys for memory are equal where the texts are, also where their hashes are the same by chance", () => {
    const lm = LM.make({ provider: "p", model: "m", generate: () => Effect.never })
    const keyOf = Identity.keys(lm)
    const long = (middle: string) => `${"a".repeat(5000)}${middle}${"b".repeat(5000)}`
    const tool: Request.Tool = { name: "t", description: "d", parameters: { type: "object" } }
    const json: Request.Output = { _tag: "Json", name: "n", schema: { type: "object" }, instruction: "JSON" }
    const base: LM.Request = { messages: [Message.user("hi")], output: Request.text, settings: {} }
    const requests: ReadonlyArray<LM.Request> = [
      base,
      ...["xxxx", "xxyx", "xyxx"].map((middle): LM.Request => ({ ...base, messages: [Message.user(long(middle))] })),
      { ...base, messages: [Message.user("h"), Message.user("i")] },
      { ...base, messages: [Message.system("hi")] },
      { ...base, messages: [Message.user([{ type: "text", text: "hi" }])] },
      { ...base, messages: [Message.user(JSON.stringify([{ type: "text", text: "hi" }]))] },
      { ...base, output: json },
      { ...base, output: { ...json, schema: { type: "array" } } },
      { ...base, settings: { seed: 1, temperature: 0 } },
      { ...base, settings: { seed: 2, temperature: 0 } },
      { ...base, tools: [tool] },
      { ...base, tools: [{ ...tool, description: "e" }] },
      { ...base, tools: [tool], toolChoice: "required" },
      { ...base, tools: [tool], toolChoice: { tool: "t" } }
    ]
    for (const a of requests) {
      // Built anew: nothing may hang on which object it is.
      const same: LM.Request = { ...structuredClone(a), settings: { ...a.settings, attempts: 9 }, stable: 1 }
      assert.isTrue(Equal.equals(keyOf(a), keyOf(same)))
      assert.strictEqual(Hash.hash(keyOf(a)), Hash.hash(keyOf(same)))
      for (const b of requests) {
        assert.strictEqual(Equal.equals(keyOf(a), keyOf(b)), Identity.of(lm, a) === Identity.of(lm, b))
      }
    }
  })
})
