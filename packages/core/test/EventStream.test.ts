import { EventStream, LMErrorReason, Predict, ReAct, Signature, Tool } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, ManagedRuntime, Redacted, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"

const Visit = Signature.make("Visit", {
  input: { note: Schema.String },
  output: { place: Schema.String, day: Schema.DateFromString, tags: Schema.Array(Schema.String) }
})
const visit = Predict.make(Visit)
const input = { note: "a secret note" }
const good = "{\"place\":\"Oslo \\u2708 é\",\"day\":\"2026-01-02T00:00:00.000Z\",\"tags\":[\"a\\nb\",\"c\"]}"

/** What a reader of the response sees: the body's frames, those of events as values. */
const frames = (text: string) => text.split("\n\n").filter((one) => one !== "")
const events = (text: string): ReadonlyArray<{ readonly [key: string]: unknown }> =>
  frames(text).filter((one) => one.startsWith("data: ")).map((one) => JSON.parse(one.slice(6)))

const served = (script: TestLM.Script, options?: EventStream.Options & { readonly signal?: AbortSignal }) =>
  Effect.gen(function*() {
    const response = yield* EventStream.response(visit, options)(Predict.stream(visit, input))
    return yield* Effect.promise(() => response.text())
  }).pipe(Effect.provide(TestLM.layer(script)))

describe("EventStream", () => {
  it.effect("writes every event as a line of JSON, values in their JSON form", () =>
    Effect.gen(function*() {
      const text = yield* served([TestLM.streamed([good.slice(0, 14), good.slice(14)])])
      assert.deepStrictEqual(events(text), [
        { _tag: "Delta", field: "place", text: "Oslo" },
        { _tag: "Delta", field: "place", text: " ✈ é" },
        { _tag: "Field", field: "place", value: "Oslo ✈ é" },
        { _tag: "Delta", field: "day", text: "2026-01-02T00:00:00.000Z" },
        { _tag: "Field", field: "day", value: "2026-01-02T00:00:00.000Z" },
        { _tag: "Element", field: "tags", index: 0, value: "a\nb" },
        { _tag: "Element", field: "tags", index: 1, value: "c" },
        { _tag: "Field", field: "tags", value: ["a\nb", "c"] },
        { _tag: "Done", output: JSON.parse(good) }
      ])
      assert.strictEqual(frames(text)[0], "retry: 2147483647")
      assert.notInclude(text, "\r")
    }))

  it.effect("announces a re-ask", () =>
    Effect.gen(function*() {
      const wrong = good.replace("2026-01-02T00:00:00.000Z", "some day")
      const heard = events(yield* served([TestLM.streamed([wrong]), TestLM.streamed([good])]))
      const restart = heard.find(({ _tag }) => _tag === "Restart")
      assert.strictEqual(restart?.attempt, 2)
      assert.strictEqual(heard.at(-1)?._tag, "Done")
    }))

  it.effect("ends with what went wrong, without words of prompts, replies or endpoints", () =>
    Effect.gen(function*() {
      const limited = new LMErrorReason.RateLimited({ retryAfter: Duration.seconds(90) })
      assert.deepStrictEqual(events(yield* served(() => limited)).at(-1), {
        _tag: "Failed",
        error: "LMError",
        reason: "RateLimited",
        message: "test/scripted: rate limited, retry after 1m 30s",
        isRetryable: true,
        retryAfterMs: 90_000
      })
      const refused = new LMErrorReason.Refused({ detail: Redacted.make("a secret refusal") })
      const texts = [
        yield* served(() => refused),
        yield* served(() => "a secret reply"),
        yield* served(() => TestLM.streamed(["{\"place\": \"Oslo\", \"day\": \"a secret day\", \"tags\": []}"]))
      ]
      assert.deepStrictEqual(texts.map((text) => events(text).at(-1)?.reason), ["Refused", "Unreadable", "Invalid"])
      // The deltas show what the model writes; the failure does not.
      for (const text of texts) assert.notInclude(JSON.stringify(events(text).at(-1)), "secret")
    }))

  it.effect("shows of other errors their kind, of bugs not even that", () =>
    Effect.gen(function*() {
      const text = (stream: Stream.Stream<{ readonly _tag: string }, unknown>) =>
        Effect.map(
          Effect.flatMap(
            EventStream.response(visit)(stream),
            (response) => Effect.promise(() => response.text())
          ),
          (body) => events(body).at(-1)
        )
      const failed = { _tag: "Failed", message: "The call failed.", isRetryable: false }
      assert.deepStrictEqual(yield* text(Stream.fail({ _tag: "DbError", message: "password=hunter2" })), {
        ...failed,
        error: "DbError"
      })
      assert.deepStrictEqual(yield* text(Stream.die(new Error("password=hunter2"))), { ...failed, error: "Defect" })
      const asked = Predict.stream(visit, { note: 1 } as never).pipe(Stream.provide(TestLM.layer([])))
      const wrong = yield* text(asked)
      assert.strictEqual(wrong?.error, "InputError")
      assert.match(String(wrong?.message), /note: expected string/)
    }))

  it.effect("leaves out what the stream leaves out", () =>
    Effect.gen(function*() {
      const response = yield* Predict.stream(visit, input).pipe(
        Stream.filter((event) => event._tag === "Done"),
        Stream.map(({ _tag, output }) => ({ _tag, output: { day: output.day } })),
        EventStream.response(visit)
      )
      assert.deepStrictEqual(events(yield* Effect.promise(() => response.text())), [
        { _tag: "Done", output: { day: "2026-01-02T00:00:00.000Z" } }
      ])
    }).pipe(Effect.provide(TestLM.layer([good]))))

  it.effect("writes the steps of an agent", () =>
    Effect.gen(function*() {
      const add = Tool.make("add", {
        description: "Adds.",
        parameters: { a: Schema.Finite, b: Schema.Finite },
        success: Schema.Finite,
        run: ({ a, b }) => Effect.succeed(a + b)
      })
      const agent = ReAct.make(Visit, { tools: [add] })
      const response = yield* EventStream.response(agent)(ReAct.stream(agent, input))
      const heard = events(yield* Effect.promise(() => response.text()))
      assert.deepStrictEqual(heard.map(({ _tag }) => _tag), ["Called", "Answered", "Done"])
      assert.deepInclude(heard[1], { tool: "add", content: "3" })
      assert.deepStrictEqual(heard[2]?.output, JSON.parse(good))
    }).pipe(
      Effect.provide(TestLM.layer([TestLM.calls(["add", { a: 1, b: 2 }]), TestLM.calls(["submit", JSON.parse(good)])]))
    ))

  it.effect("says at which limit an agent ended, and not what it said before", () =>
    Effect.gen(function*() {
      const look = Tool.make("look", {
        description: "Looks.",
        parameters: {},
        success: Schema.String,
        run: () => Effect.succeed("a secret sight")
      })
      const agent = ReAct.make(Visit, { tools: [look], limits: { steps: 2 } })
      const response = yield* EventStream.response(agent)(ReAct.stream(agent, input))
      const last = events(yield* Effect.promise(() => response.text())).at(-1)
      assert.deepInclude(last, { _tag: "Failed", error: "ReActError", reason: "steps", isRetryable: false })
      assert.notInclude(JSON.stringify(last), "secret")
    }).pipe(Effect.provide(TestLM.layer(() => TestLM.calls(["look", {}])))))

  it.effect("keeps the connection while the model thinks", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(served([TestLM.after(50_000, good)]))
      for (let second = 0; second < 60; second++) {
        // The body is read between the seconds.
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        yield* TestClock.adjust("1 second")
      }
      const text = yield* Fiber.join(fiber)
      assert.strictEqual(frames(text).filter((one) => one === ":").length, 3)
      assert.strictEqual(events(text).at(-1)?._tag, "Done")
    }))

  /** Reads until the model has written something. */
  const first = async (reader: ReadableStreamDefaultReader<Uint8Array> | undefined) => {
    let text = ""
    while (!text.includes("Delta")) text += new TextDecoder().decode((await reader?.read())?.value)
  }

  const left = (leave: (response: Response, controller: AbortController) => Promise<unknown>) =>
    Effect.gen(function*() {
      const controller = new AbortController()
      const { signal } = controller
      const response = yield* EventStream.response(visit, { signal })(Predict.stream(visit, input))
      yield* Effect.promise(() => leave(response, controller))
      while ((yield* TestLM.TestLM).interrupted === 0) yield* Effect.sleep("1 millis")
    }).pipe(
      Effect.timeout("5 seconds"),
      Effect.provide(TestLM.layer([TestLM.streamed(["{\"place\": \"Os"], { reply: TestLM.never })]))
    )

  it.live("a body that is cancelled interrupts the call, and so does a signal", () =>
    Effect.gen(function*() {
      yield* left(async ({ body }) => {
        const reader = body?.getReader()
        await first(reader)
        await reader?.cancel()
      })
      yield* left(async ({ body }, controller) => {
        const reader = body?.getReader()
        await first(reader)
        controller.abort()
      })
    }))

  it("runs on a ManagedRuntime; an AsyncIterable that is left interrupts the call", async () => {
    const runtime = ManagedRuntime.make(
      TestLM.layer([TestLM.streamed(["{\"place\": \"Os", "lo"], { reply: TestLM.never })])
    )
    const iterable = await runtime.runPromise(Stream.toAsyncIterableEffect(Predict.stream(visit, input)))
    const seen: Array<unknown> = []
    for await (const event of iterable) {
      seen.push(event)
      if (seen.length === 2) break
    }
    assert.deepStrictEqual(seen, [
      { _tag: "Delta", field: "place", text: "Os" },
      { _tag: "Delta", field: "place", text: "lo" }
    ])
    assert.strictEqual(await runtime.runPromise(Effect.map(TestLM.TestLM, ({ interrupted }) => interrupted)), 1)
    await runtime.dispose()
  })

  it("an AsyncIterable throws the error it is", async () => {
    const stream = Predict.stream(visit, input).pipe(Stream.provide(TestLM.layer(() => new LMErrorReason.Refused({}))))
    try {
      for await (const event of Stream.toAsyncIterable(stream)) assert.fail(event._tag)
      assert.fail("nothing was thrown")
    } catch (error) {
      assert.deepInclude(error, { _tag: "LMError" })
    }
  })

  it.effect("does not read on what nobody reads", () =>
    Effect.gen(function*() {
      let made = 0
      const many = Stream.map(Stream.rechunk(Stream.range(1, 10_000), 1), (index) => {
        made++
        return { _tag: "Delta", field: "place", text: `${index}` }
      })
      const body = Stream.toReadableStream(EventStream.bytes(visit)(many))
      const reader = body.getReader()
      yield* Effect.promise(() => reader.read())
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 20)))
      assert.isBelow(made, 1000)
      yield* Effect.promise(() => reader.cancel())
    }))
})
