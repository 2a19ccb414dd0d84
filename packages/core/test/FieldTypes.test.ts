import { ChatAdapter, Citations, Code, History, JsonAdapter, LM, Media, Message, Predict } from "@effect-dspy/core"
import { Reasoning, Signature } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Schema } from "effect"

/** What one call sends. */
const sent = <A, E>(program: Effect.Effect<A, E, LM>, script: TestLM.Script) =>
  Effect.gen(function*() {
    const output = yield* program
    const [request] = (yield* TestLM.TestLM).requests
    if (request === undefined) return assert.fail("nothing was sent")
    return { output, request }
  }).pipe(Effect.provide(TestLM.layer(script)))

describe("media", () => {
  const Compare = Signature.make("Compare", {
    input: {
      question: Schema.String,
      photos: Schema.Array(Schema.Struct({ caption: Schema.String, image: Media.Image })),
      report: Media.File,
      hint: Schema.optionalKey(Schema.String)
    },
    output: { answer: Schema.String }
  })
  const compare = Predict.make(Compare)
  const png = Media.bytes("image", Uint8Array.of(137, 80, 78, 71), "image/png")
  const jpg = Media.url("image", "https://example.com/a.JPG?size=2")
  const report = Media.text("tides", "The moon.")

  it.effect("become parts of the turn, each behind the block that speaks of it", () =>
    Effect.gen(function*() {
      const input = {
        question: "Which?",
        photos: [{ caption: "one", image: png }, { caption: "two", image: jpg }],
        report,
        hint: "Look."
      }
      const { output, request } = yield* sent(compare(input), [{ answer: "one" }])
      assert.deepStrictEqual(output, { answer: "one" })
      assert.deepStrictEqual(request.messages.at(-1)?.content, [
        {
          type: "text",
          text: "[[ ## question ## ]]\nWhich?\n\n[[ ## photos ## ]]\n" +
            "[{\"caption\":\"one\",\"image\":\"(image 1)\"},{\"caption\":\"two\",\"image\":\"(image 2)\"}]"
        },
        { type: "image", mediaType: "image/png", source: { _tag: "Base64", data: "iVBORw==" } },
        { type: "image", mediaType: "image/jpeg", source: { _tag: "Url", url: "https://example.com/a.JPG?size=2" } },
        { type: "text", text: "[[ ## report ## ]]\n(file 3)" },
        { type: "file", mediaType: "text/plain", source: { _tag: "Base64", data: "VGhlIG1vb24u" }, name: "tides" },
        { type: "text", text: "[[ ## hint ## ]]\nLook." }
      ])
    }))

  it.effect("of another kind are wrong inputs", () =>
    Effect.gen(function*() {
      const audio = Media.bytes("audio", Uint8Array.of(1), "audio/wav")
      const Hear = Predict.make(
        Signature.make("Hear", { input: { sound: Media.Audio }, output: { words: Schema.String } })
      )
      yield* sent(Hear({ sound: audio }), [{ words: "x" }])
      // @ts-expect-error a picture is no sound
      const failure = yield* Effect.flip(Effect.provide(Hear({ sound: png }), TestLM.layer([])))
      assert.strictEqual(failure._tag, "InputError")
    }))

  it.effect("may stand in demos", () =>
    Effect.gen(function*() {
      const Look = Predict.make(
        Signature.make("Look", { input: { photo: Media.Image }, output: { words: Schema.String } }),
        { demos: [{ input: { photo: png }, output: { words: "nothing" } }] }
      )
      const { request } = yield* sent(Look({ photo: jpg }), [{ words: "x" }])
      assert.deepStrictEqual(request.messages.map(({ content }) => typeof content), [
        "string",
        "object",
        "string",
        "object"
      ])
    }))

  it.effect("are read from paths", () =>
    Effect.gen(function*() {
      const files = FileSystem.layerNoop({ readFile: (path) => Effect.succeed(new TextEncoder().encode(path)) })
      const file = yield* Effect.provide(Media.read("file", "/data/report.pdf"), files)
      assert.deepInclude(file, { mediaType: "application/pdf", name: "report.pdf" })
    }))
})

describe("history", () => {
  const Chat = Signature.make("Chat", {
    input: { history: History.History, message: Schema.String, at: Schema.Date },
    output: { reply: Schema.String }
  })
  const at = new Date("2026-01-01T00:00:00Z")
  const history = History.append(
    Chat,
    History.append(Chat, [], { message: "One", at }, { reply: "1" }),
    { message: "Two" },
    { reply: "2" }
  )

  it.effect("stands as turns between demos and question, in the adapter's words", () =>
    Effect.gen(function*() {
      const demo = { input: { message: "Zero", at, history: [] }, output: { reply: "0" } }
      for (const adapter of [JsonAdapter.adapter, ChatAdapter.adapter]) {
        const chat = Predict.make(Chat, { adapter, demos: [demo] })
        const { request } = yield* sent(chat({ history, message: "Three", at }), [{ reply: "3" }])
        const texts = request.messages.map(Message.text)
        assert.deepStrictEqual(request.messages.map(({ role }) => role), [
          "system",
          ...["demo", "one", "two"].flatMap(() => ["user", "assistant"]),
          "user"
        ])
        assert.notInclude(texts[0], "history")
        assert.strictEqual(texts[3], "[[ ## message ## ]]\nOne\n\n[[ ## at ## ]]\n2026-01-01T00:00:00.000Z")
        assert.include(texts[4], "1")
        assert.match(texts[5] ?? "", /left out[^]*Two$/)
        assert.strictEqual(texts[7], "[[ ## message ## ]]\nThree\n\n[[ ## at ## ]]\n2026-01-01T00:00:00.000Z")
        assert.strictEqual(request.stable, 3)
      }
    }))
})

describe("code", () => {
  const Write = Predict.make(
    Signature.make("Write", { input: { task: Schema.String }, output: { code: Code.make("js"), why: Schema.String } }),
    { adapter: ChatAdapter.adapter }
  )
  const code = "const a = `\\`\\`\\``\nif (a) {\n  b()\n}"

  it.effect("comes without its fence", () =>
    Effect.gen(function*() {
      for (
        const written of [code, `\`\`\`js\n${code}\n\`\`\``, `Here:\n~~~~\n${code}\n~~~~\nEnjoy.`, `\`\`\`\n${code}`]
      ) {
        const reply = `[[ ## code ## ]]\n${written}\n\n[[ ## why ## ]]\nBecause.\n\n[[ ## completed ## ]]`
        const { output } = yield* sent(Write({ task: "?" }), [reply])
        assert.deepStrictEqual(output, { code, why: "Because." })
      }
    }))
})

describe("reasoning", () => {
  const Solve = Signature.make("Solve", {
    instructions: "Solve it.",
    input: { sum: Schema.String },
    output: { reasoning: Reasoning.Reasoning, result: Schema.Int }
  })
  const solve = Predict.make(Solve)
  const thoughtful = TestLM.completion({
    content: [{ type: "reasoning", text: "2 and 2" }, { type: "reasoning", text: "make 4" }, {
      type: "text",
      text: "{\"result\": 4}"
    }]
  })

  it.effect("is not asked of a model that thinks, but taken from its thoughts", () =>
    Effect.gen(function*() {
      const { output, request } = yield* sent(
        LM.withSettings({ reasoningEffort: "low" })(solve({ sum: "2 + 2" })),
        [thoughtful]
      )
      assert.deepStrictEqual(output, { reasoning: "2 and 2\nmake 4", result: 4 })
      assert.notInclude(JSON.stringify([request.messages, request.output]), "reasoning")
    }))

  it.effect("is asked of others like any field", () =>
    Effect.gen(function*() {
      const { output, request } = yield* sent(solve({ sum: "2 + 2" }), [{ reasoning: "easy", result: 4 }])
      assert.deepStrictEqual(output, { reasoning: "easy", result: 4 })
      assert.include(Message.text(request.messages[0]), "- reasoning (string)")
    }))

  it.effect("on its own is asked for in any case", () =>
    Effect.gen(function*() {
      const Think = Predict.make(
        Signature.make("Think", { input: { about: Schema.String }, output: { reasoning: Reasoning.Reasoning } })
      )
      const { output } = yield* sent(LM.withSettings({ reasoningEffort: "low" })(Think({ about: "?" })), [
        { reasoning: "hm" }
      ])
      assert.deepStrictEqual(output, { reasoning: "hm" })
    }))
})

it("citations are checked against their documents", () => {
  const documents = { a: "The “moon” pulls\n the water.", b: "" }
  const good = { document: "a", quote: "the moon pulls the water" }
  const bad = [{ document: "a", quote: "the sun" }, { document: "c", quote: "" }, { document: "toString", quote: "x" }]
  assert.deepStrictEqual(Citations.unfounded([good, ...bad], documents), bad)
})
