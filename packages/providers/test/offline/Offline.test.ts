import { ChainOfThought, ChatAdapter, LM, Parameters, Predict, Signature } from "@effect-dspy/core"
import { Offline } from "@effect-dspy/providers/offline"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber, Result, Schema } from "effect"
import { TestClock } from "effect/testing"
import { words } from "../../src/offline/Words.ts"

const tides = `# Why there are two tides

The moon pulls the near side of the earth more strongly than its centre. The sea rises on both sides of the
earth, twice a day. At new moon the tides of sun and moon add up to a spring tide. Fishermen know the tide tables
by heart, and children build castles of sand.
`

const ask = <const O extends Signature.Fields>(
  output: O & { readonly text?: never },
  text = tides,
  settings: LM.Settings = {}
) =>
  Predict.make(Signature.make<"Ask", { readonly text: Schema.String }, O>("Ask", {
    input: { text: Schema.String },
    output
  }))({ text }).pipe(LM.withSettings(settings), Effect.provide(Offline.layer()))

describe("Offline takes its answers from the input", () => {
  it.effect("a title is the heading, or comes from the best sentence", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* ask({ title: Schema.String }), { title: "Why there are two tides" })
      const plain = "It rained. The storm tore the roof from the old mill and carried it over the river. We slept."
      const { title } = yield* ask({ title: Schema.String }, plain)
      assert.include(plain, title)
      assert.isAtMost(title.length, 80)
    }))

  it.effect("a heading may end in hashes of its own, and its closing ones are none of it", () =>
    Effect.gen(function*() {
      for (const [text, expected] of [["# About C#", "About C#"], ["## Closed ##  ", "Closed"], ["# C# #", "C#"]]) {
        assert.deepStrictEqual(yield* ask({ title: Schema.String }, `${text}\n\nIt is old.`), { title: expected })
      }
    }))

  it.effect("a summary is made of its sentences, as many as are asked for", () =>
    Effect.gen(function*() {
      const { summary } = yield* ask({ summary: Schema.String.annotate({ description: "two sentences" }) })
      const sentences = summary.split(/(?<=\.) /)
      assert.lengthOf(sentences, 2)
      for (const sentence of sentences) assert.include(tides.replace(/\s+/g, " "), sentence)
    }))

  it.effect("keywords occur in it, the most frequent first, and none twice", () =>
    Effect.gen(function*() {
      const { keywords } = yield* ask({ keywords: Schema.Array(Schema.String).check(Schema.isMaxLength(6)) })
      assert.isAtMost(keywords.length, 6)
      assert.strictEqual(new Set(keywords).size, keywords.length)
      for (const keyword of keywords) assert.include(tides.toLowerCase(), keyword)
      assert.include(["moon", "earth", "tide", "tides"], keywords[0])
    }))

  it.effect("a literal is the one most like the input", () =>
    Effect.gen(function*() {
      const { topic } = yield* ask({ topic: Schema.Literals(["bicycles", "tides and the moon", "taxes"]) })
      assert.strictEqual(topic, "tides and the moon")
    }))

  it.effect("German, emoji, CRLF, only punctuation, no text at all: there is always an answer or a named field", () =>
    Effect.gen(function*() {
      const output = { title: Schema.String, tags: Schema.Array(Schema.String), score: Schema.Finite }
      for (
        const text of [
          "Der Bach trägt Steine.\r\nEr sortiert sie.",
          "🌊🌙",
          "... !!! ???",
          "",
          " \n ",
          "a",
          "```\ncode\n```"
        ]
      ) {
        const exit = yield* Effect.exit(ask(output, text))
        if (Exit.isFailure(exit)) {
          const error = yield* Effect.flip(exit)
          assert.deepInclude(error, { _tag: "LMError" }, JSON.stringify(text))
        }
      }
    }))
})

describe("demonstrations teach it", () => {
  const Sort = Signature.make("Sort", {
    input: { text: Schema.String },
    output: { queue: Schema.Literals(["alpha", "beta"]), urgent: Schema.Boolean, hours: Schema.Int }
  })
  const demos = [
    {
      input: { text: "my card was charged twice, refund the payment" },
      output: { queue: "alpha", urgent: true, hours: 2 }
    },
    { input: { text: "how do I change the color of the menu" }, output: { queue: "beta", urgent: false, hours: 48 } }
  ] as const
  const sort = Predict.make(Sort)

  it.effect("the label of the nearest one wins", () =>
    Effect.gen(function*() {
      const taught = Parameters.provide({ Sort: { demos } })
      const card = yield* taught(sort({ text: "The payment with my card failed." }))
      const menu = yield* taught(sort({ text: "Where is the menu, and can its color be blue?" }))
      assert.deepStrictEqual([card, menu], [demos[0].output, demos[1].output])
    }).pipe(Effect.provide(Offline.layer())))

  it.effect("with the labels of the demonstrations turned around, it answers the other way", () =>
    Effect.gen(function*() {
      const turned = [
        { input: demos[0].input, output: demos[1].output },
        { input: demos[1].input, output: demos[0].output }
      ]
      const taught = Parameters.provide({ Sort: { demos: turned } })
      assert.strictEqual((yield* taught(sort({ text: "The payment with my card failed." }))).queue, "beta")
    }).pipe(Effect.provide(Offline.layer())))
})

describe("the same request gives the same answer", () => {
  const output = { title: Schema.String, tags: Schema.Array(Schema.String), score: Schema.Finite }

  it.effect("again, and with the same seed", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* ask(output), yield* ask(output))
      assert.deepStrictEqual(yield* ask(output, tides, { seed: 7 }), yield* ask(output, tides, { seed: 7 }))
    }))

  it.effect("another rollout is another sample", () =>
    Effect.gen(function*() {
      const samples = yield* Effect.forEach(
        [0, 1, 2],
        (rollout) => ask({ summary: Schema.String }, tides, { rollout }),
        {
          concurrency: 1
        }
      )
      assert.isAbove(new Set(samples.map((sample) => sample.summary)).size, 1)
    }))
})

describe("the answer always fits the schema", () => {
  it.effect("checks, unions, nesting, recursion, records, tuples, dates, optionals", () =>
    Effect.gen(function*() {
      interface Node {
        readonly name: string
        readonly children: ReadonlyArray<Node>
      }
      const Node: Schema.Codec<Node> = Schema.Struct({
        name: Schema.String,
        children: Schema.Array(Schema.suspend((): Schema.Codec<Node> => Node))
      }).annotate({ identifier: "Node" })
      const answer = yield* ask({
        short: Schema.String.check(Schema.isMaxLength(12)),
        long: Schema.String.check(Schema.isMinLength(150)),
        even: Schema.Int.check(Schema.isMultipleOf(2), Schema.isBetween({ minimum: 3, maximum: 9 })),
        negative: Schema.Finite.check(Schema.isLessThan(-5)),
        either: Schema.Union([Schema.Struct({ kind: Schema.Literal("a"), n: Schema.Int }), Schema.Literal("none")]),
        people: Schema.Array(
          Schema.Struct({ name: Schema.String, age: Schema.Int.check(Schema.isBetween({ minimum: 18, maximum: 99 })) })
        )
          .check(Schema.isMinLength(2)),
        tree: Node,
        byName: Schema.Record(Schema.String, Schema.Boolean),
        pair: Schema.Tuple([Schema.String, Schema.Finite]),
        maybe: Schema.optionalKey(Schema.String),
        orNull: Schema.NullOr(Schema.Int),
        upper: Schema.String.check(Schema.makeFilter((text) => /^[A-Z]/.test(text) || "a capital letter first"))
      })
      assert.isAtMost(answer.short.length, 12)
      assert.isAtLeast(answer.long.length, 150)
      assert.isAtLeast(answer.people.length, 2)
      assert.match(answer.upper, /^[A-Z]/)
    }))

  it.effect("a pattern that something in the input meets is met", () =>
    Effect.gen(function*() {
      const { day } = yield* ask(
        { day: Schema.String.check(Schema.isPattern(/^\d{4}-\d{2}-\d{2}$/)) },
        "The meeting was on 2024-05-17 in the morning."
      )
      assert.strictEqual(day, "2024-05-17")
    }))

  it.effect("what it can't meet is Unsupported, and the field is named", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(ask({
        title: Schema.String,
        code: Schema.String.check(Schema.isPattern(/^[A-Z]{3}-\d{9}$/))
      }))
      assert.strictEqual(error._tag, "LMError")
      if (error._tag === "LMError") assert.deepInclude(error.reason, { _tag: "Unsupported", field: "code" })
    }))

  // Schemas nobody thought of: for each, the predictor gives a value of its type, or says which field it can't.
  it.effect("holds for 400 generated signatures", () =>
    Effect.gen(function*() {
      const random = generator(11)
      let answered = 0
      for (let n = 0; n < 400; n++) {
        const fields = Object.fromEntries(
          Array.from({ length: 1 + Math.floor(random() * 4) }, (_, index) => [`field${index}`, anySchema(random, 3)])
        )
        const result = yield* Effect.result(ask(fields, n % 3 === 0 ? "One short line" : tides))
        if (Result.isSuccess(result)) {
          answered++
          assert.isTrue(Schema.is(Schema.Struct(fields))(result.success))
        } else {
          assert.deepInclude(result.failure, { _tag: "LMError" })
          if (result.failure._tag === "LMError") {
            assert.strictEqual(result.failure.reason._tag, "Unsupported")
            if (result.failure.reason._tag === "Unsupported") {
              assert.match(result.failure.reason.field ?? "", /^field\d/)
            }
          }
        }
      }
      assert.isAbove(answered, 380)
    }))
})

describe("as an LM", () => {
  it.effect("ChatAdapter, ChainOfThought and requests by hand work too", () =>
    Effect.gen(function*() {
      const Title = Signature.make("Title", { input: { text: Schema.String }, output: { title: Schema.String } })
      const chat = yield* Predict.make(Title, { adapter: ChatAdapter.adapter })({ text: tides })
      const thought = yield* ChainOfThought.make(Title)({ text: tides })
      const byHand = yield* LM.generate({ messages: [{ role: "user", content: tides }] })
      assert.strictEqual(chat.title, "Why there are two tides")
      assert.strictEqual(thought.title, chat.title)
      assert.strictEqual(byHand.content.length, 1)
    }).pipe(Effect.provide(Offline.layer())))

  it.effect("latency passes on the Clock", () =>
    Effect.gen(function*() {
      const lm = Offline.make({ latency: (request) => request.settings.seed === 1 ? "3 seconds" : "1 second" })
      const call = (seed: number) =>
        LM.generate({ messages: [{ role: "user", content: tides }], settings: { seed } }).pipe(
          Effect.andThen(Clock.currentTimeMillis),
          Effect.provideService(LM, lm)
        )
      const fiber = yield* Effect.forkChild(Effect.all([call(0), call(1)], { concurrency: 2 }))
      yield* TestClock.adjust(Duration.seconds(5))
      assert.deepStrictEqual(yield* Fiber.join(fiber), [1000, 3000])
    }))

  it("reads a megabyte without delay, whatever it is made of", () => {
    const unit = [
      "word ",
      "x",
      "# ",
      "| a | b |\n",
      "[",
      "![",
      "[](",
      "[a][",
      "<a",
      "<!--",
      "```\n",
      "*",
      "漢字",
      "word, "
    ]
    const texts = [...unit.map((piece) => piece.repeat(1_000_000 / piece.length)), `# a${" ".repeat(1_000_000)}b`]
    for (const text of texts) {
      const result = Effect.runSync(
        Effect.result(ask({ title: Schema.String, tags: Schema.Array(Schema.String) }, text))
      )
      if (Result.isSuccess(result)) assert.isAtMost(words(result.success.title).length, 40)
    }
  })
})

/** Numbers between 0 and 1 from a seed: a linear congruential generator, good enough to vary schemas. */
const generator = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}

const anySchema = (random: () => number, depth: number): Signature.Fields[string] => {
  const pick = Math.floor(random() * (depth === 0 ? 7 : 12))
  const low = Math.floor(random() * 20) - 10
  const inner = () => anySchema(random, depth - 1)
  switch (pick) {
    case 0:
      return Schema.String
    case 1:
      return Schema.String.check(Schema.isMinLength(low + 10), Schema.isMaxLength(low + 40))
    case 2:
      return Schema.Int.check(Schema.isBetween({ minimum: low, maximum: low + Math.floor(random() * 5) }))
    case 3:
      return Schema.Finite.check(Schema.isGreaterThan(low))
    case 4:
      return Schema.Literals(["north", "south", "east"])
    case 5:
      return Schema.Boolean
    case 6:
      return Schema.Number
    case 7:
      return Schema.Array(inner()).check(Schema.isMinLength(Math.floor(random() * 3)))
    case 8:
      return Schema.NullOr(inner())
    case 9:
      return Schema.Struct({ a: inner(), b: Schema.optionalKey(Schema.String) })
    case 10:
      return Schema.Union([Schema.Struct({ left: inner() }), Schema.Struct({ right: Schema.String })])
    default:
      return Schema.Record(Schema.String, inner())
  }
}
