import { Completion, LM, LMErrorReason, Message, Predict, Signature, Usage } from "@effect-dspy/core"
import { Cassette, TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, FileSystem, Layer, Option, PlatformError, Schema, Stream } from "effect"
import { Mood, mood, timed } from "./support.ts"

const happy = { label: "pos", score: 1 } as const

/** Files in memory, and a way to read what was written. */
const disk = () => {
  const files = new Map<string, string>()
  const Files = FileSystem.layerNoop({
    writeFileString: (path, text) => Effect.sync(() => void files.set(path, text)),
    readFileString: (path) => {
      const text = files.get(path)
      return text === undefined
        ? Effect.fail(
          PlatformError.systemError({ _tag: "NotFound", module: "test", method: "read", pathOrDescriptor: path })
        )
        : Effect.succeed(text)
    }
  })
  return { Files, read: (path: string) => files.get(path) ?? "", files }
}

const ask = (text: string, options: Partial<LM.Request> = {}) =>
  Effect.map(LM.generate({ messages: [Message.user(text)], ...options }), Completion.text)

describe("Cassette", () => {
  it.effect("replays what was recorded, without an LM, at no cost", () =>
    Effect.gen(function*() {
      const { Files } = disk()
      const program = Effect.all([mood({ text: "a" }), mood({ text: "b" })], { concurrency: 2 })
      const replies = [happy, { label: "neg", score: 0 }]
      const recorded = yield* program.pipe(
        Cassette.record("c.json"),
        Effect.provide(TestLM.layer(replies)),
        Effect.provide(Files)
      )
      const [replayed, usage] = yield* program.pipe(Usage.track, Cassette.replay("c.json"), Effect.provide(Files))
      assert.deepStrictEqual(replayed, recorded)
      assert.deepStrictEqual(usage, { calls: 0 })
    }))

  it.effect("is JSON that reads well, in the order the calls began", () =>
    Effect.gen(function*() {
      const { Files, read } = disk()
      const script = [TestLM.after("2 seconds", happy), TestLM.after("1 second", "second")]
      const program = Effect.all([mood({ text: "hi" }), ask("hello", { settings: { temperature: 1, seed: 2 } })], {
        concurrency: 2
      })
      yield* timed(program.pipe(
        Cassette.record("c.json"),
        Effect.provide(TestLM.layer(script)),
        Effect.provide(Files)
      ))
      const file = JSON.parse(read("c.json"))
      assert.strictEqual(file.version, 1)
      assert.strictEqual(file.recordings[0].name, "Mood")
      assert.deepStrictEqual(file.recordings[1], {
        provider: "test",
        model: "scripted",
        request: {
          messages: [{ role: "user", content: "hello" }],
          output: { _tag: "Text" },
          settings: { seed: 2, temperature: 1 }
        },
        answer: {
          content: [{ type: "text", text: "second" }],
          finishReason: "stop",
          usage: { calls: 1 },
          provider: "test",
          model: "scripted"
        }
      })
      assert.include(read("c.json"), "\n      \"request\": {\n")
    }))

  it.effect("an inner layer does not slip past it, and is told apart", () =>
    Effect.gen(function*() {
      const { Files } = disk()
      const other = TestLM.make(() => "from the other", { model: "other" })
      const Other = Layer.succeed(LM, other.lm)
      const program = Effect.all([ask("hi"), Effect.provide(ask("hi"), Other)], { concurrency: 1 })
      yield* program.pipe(
        Cassette.record("c.json"),
        Effect.provide(TestLM.layer(["from the first"])),
        Effect.provide(Files)
      )
      const answers = yield* program.pipe(Cassette.replay("c.json"), Effect.provide(Files))
      assert.deepStrictEqual(answers, ["from the first", "from the other"])
      assert.strictEqual(other.recorder.started, 1)
    }))

  it.effect("identical calls play in their order, and no more often than they were recorded", () =>
    Effect.gen(function*() {
      const { Files } = disk()
      const twice = Effect.all([ask("hi"), ask("hi")], { concurrency: 1 })
      yield* twice.pipe(Cassette.record("c.json"), Effect.provide(TestLM.layer(["one", "two"])), Effect.provide(Files))
      const played = yield* twice.pipe(Cassette.replay("c.json"), Effect.provide(Files))
      assert.deepStrictEqual(played, ["one", "two"])
      const error = yield* Effect.andThen(twice, ask("hi")).pipe(
        Cassette.replay("c.json"),
        Effect.flip,
        Effect.provide(Files)
      )
      assert.include(error.message, "played already")
    }))

  it.effect("failures are replayed as they were, and so are replies that can't be read", () =>
    Effect.gen(function*() {
      const { Files } = disk()
      const limited = new LMErrorReason.RateLimited({ retryAfter: Duration.seconds(7) })
      const program = Effect.all([Effect.flip(ask("hi")), mood({ text: "a" })], { concurrency: 1 })
      const live = yield* program.pipe(
        Cassette.record("c.json"),
        Effect.provide(TestLM.layer([limited, "garbage", happy])),
        Effect.provide(Files)
      )
      const [error, output] = yield* program.pipe(Cassette.replay("c.json"), Effect.provide(Files))
      assert.deepStrictEqual(error, live[0])
      assert.deepStrictEqual(output, happy)
      assert.isTrue(
        "retryAfter" in error && error.retryAfter !== undefined && Duration.toSeconds(error.retryAfter) === 7
      )
    }))

  it.effect("what is not there fails, and names what comes nearest without a word of it", () =>
    Effect.gen(function*() {
      const { Files } = disk()
      const Rate = Signature.make("Rate", { input: { text: Schema.String }, output: { stars: Schema.Int } })
      const recorded = Effect.all([
        ask("PLANTED weather"),
        mood({ text: "PLANTED text" }),
        Predict.make(Rate)({ text: "x" })
      ])
      yield* recorded.pipe(
        Cassette.record("c.json"),
        Effect.provide(TestLM.layer({ "(none)": "ok", Mood: happy, Rate: { stars: 1 } })),
        Effect.provide(Files)
      )
      const nearest = Effect.fnUntraced(function*<A, E>(program: Effect.Effect<A, E, LM>) {
        const exit = yield* Effect.exit(program.pipe(Cassette.replay("c.json"), Effect.provide(Files)))
        const error = Option.getOrThrow(Exit.findErrorOption(exit))
        assert.isTrue(error instanceof Error)
        assert.notInclude(String(error), "PLANTED")
        return error instanceof Error ? error.message.replace(/^.*nearest: /, "") : ""
      })
      assert.strictEqual(
        yield* nearest(mood({ text: "PLANTED test" })),
        "recording 2 (Mood, test/scripted): messages[1] differ"
      )
      assert.strictEqual(
        yield* nearest(LM.withSettings({ temperature: 1 })(ask("PLANTED weather"))),
        "recording 1 (by hand, test/scripted): settings.temperature differ"
      )
      const Cheer = Signature.make("Mood", {
        ...Mood,
        instructions: "Tell how cheerful the PLANTED text is.",
        input: Mood.input.fields,
        output: Mood.output.fields
      })
      assert.match(
        yield* nearest(Predict.make(Cheer)({ text: "PLANTED text" })),
        /^recording 2 \(Mood.*messages\[0\] differ$/
      )
    }))

  it.effect("keeps no secrets, and replays although they were stripped", () =>
    Effect.gen(function*() {
      const { Files, read } = disk()
      const secrets = [
        "sk-proj-abcdefghijklmnopqrstuvwx",
        "sk-ant-api03-abcdefghijklmnop_qrst",
        `AIza${"x".repeat(35)}`,
        "gsk_abcdefghijklmnopqrstuvwxyz",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijk"
      ]
      const planted = `The keys ${
        secrets.join(" and ")
      }; curl -H "Authorization: Bearer abcdefgh12345678"; account 4711`
      const strip = (text: string) => text.replaceAll("4711", "<account>")
      const run = ask(planted)
      yield* run.pipe(
        Cassette.record("c.json", { strip }),
        Effect.provide(TestLM.layer([`You said: ${planted}`])),
        Effect.provide(Files)
      )
      for (const secret of [...secrets, "abcdefgh12345678", "4711"]) assert.notInclude(read("c.json"), secret)
      const answer = yield* run.pipe(Cassette.replay("c.json", { strip }), Effect.provide(Files))
      assert.include(answer, "You said: The keys <secret> and <secret>")
    }))

  it.effect("is written when the program fails, and leaves out calls that did not end", () =>
    Effect.gen(function*() {
      const { Files, read } = disk()
      const program = Effect.all([ask("a"), Effect.delay(Effect.fail("over"), "1 second"), ask("b")], {
        concurrency: 3
      })
      yield* timed(program.pipe(
        Cassette.record("c.json"),
        Effect.provide(TestLM.layer(["one", TestLM.never])),
        Effect.provide(Files)
      ))
      assert.deepStrictEqual(
        JSON.parse(read("c.json")).recordings.map(({ request }: { request: LM.Request }) =>
          Message.text(request.messages[0])
        ),
        ["a"]
      )
    }))

  it.effect("streams are replayed in one piece", () =>
    Effect.gen(function*() {
      const { Files } = disk()
      const parts = LM.stream({ messages: [Message.user("hi")] }).pipe(
        Stream.map((part) => part.type === "text" ? part.text : part.type),
        Stream.runCollect
      )
      const live = yield* parts.pipe(
        Cassette.record("c.json"),
        Effect.provide(TestLM.layer([TestLM.streamed(["He", "llo"])])),
        Effect.provide(Files)
      )
      assert.deepStrictEqual(live, ["He", "llo", "finish"])
      assert.deepStrictEqual(yield* parts.pipe(Cassette.replay("c.json"), Effect.provide(Files)), ["Hello", "finish"])
    }))

  it.effect("a file that is missing or something else is a typed failure", () =>
    Effect.gen(function*() {
      const { Files, files } = disk()
      files.set("bad.json", "{\"version\": 2}")
      files.set("worse.json", "no JSON")
      const tag = (path: string) =>
        ask("hi").pipe(Cassette.replay(path), Effect.flip, Effect.map((error) => error._tag), Effect.provide(Files))
      assert.strictEqual(yield* tag("none.json"), "PlatformError")
      assert.strictEqual(yield* tag("bad.json"), "SchemaError")
      assert.strictEqual(yield* tag("worse.json"), "SchemaError")
    }))
})
