import { type Adapter, ChatAdapter, type FieldEvent, JsonAdapter, LM, LMErrorReason, Message } from "@effect-dspy/core"
import { Predict, Signature } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Random, Result, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"

const Review = Signature.make("Review", {
  input: { text: Schema.String },
  output: {
    title: Schema.String,
    tags: Schema.Array(Schema.String),
    stars: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
    summary: Schema.String
  }
})
const review = Predict.make(Review)
type Output = (typeof Review)["output"]["Type"]
type Event = FieldEvent<Output>

/** Events as short words. */
const word = (event: Event): string => {
  switch (event._tag) {
    case "Delta":
      return `${event.field}+${event.text}`
    case "Element":
      return `${event.field}[${event.index}]=${JSON.stringify(event.value)}`
    case "Field":
      return `${event.field}=${JSON.stringify(event.value)}`
    case "Restart":
      return `restart ${event.attempt}: ${event.reason}`
    case "Done":
      return `done ${JSON.stringify(event.output)}`
  }
}

const events = (script: TestLM.Script, options: { readonly assertions?: Predict.Assertions<Output> } = {}) =>
  Predict.stream(review, { text: "..." }, options).pipe(
    Stream.map(word),
    Stream.runCollect,
    Effect.provide(TestLM.layer(script).pipe(LM.retry()))
  )

const good: Output = { title: "Sea", tags: ["salt", "deep"], stars: 4, summary: "Wide." }

describe("a streamed predictor", () => {
  it.effect("tells of its fields while they are written", () =>
    Effect.gen(function*() {
      const pieces = [
        "{\"title\": \"S",
        "ea\", \"tags\": [\"salt\", ",
        "\"deep\"], \"stars\"",
        ": 4, \"summary\": \"Wide.\"}"
      ]
      assert.deepStrictEqual(yield* events([TestLM.streamed(pieces)]), [
        "title+S",
        "title+ea",
        "title=\"Sea\"",
        "tags[0]=\"salt\"",
        "tags[1]=\"deep\"",
        "tags=[\"salt\",\"deep\"]",
        "stars=4",
        "summary+Wide.",
        "summary=\"Wide.\"",
        `done ${JSON.stringify(good)}`
      ])
    }))

  it.effect("tells of every field when nothing was streamed, or in a form it can't read early", () =>
    Effect.gen(function*() {
      const fields = ["title=\"Sea\"", "tags=[\"salt\",\"deep\"]", "stars=4", "summary=\"Wide.\""]
      const done = `done ${JSON.stringify(good)}`
      const whole = yield* events([good])
      assert.deepStrictEqual(whole.filter((one) => /^\w+=/.test(one)), fields)
      const prose = `Here you are: ${JSON.stringify(good)}. Enjoy!`
      assert.deepStrictEqual(yield* events([TestLM.streamed([...prose])]), [...fields, done])
      const sloppy = "{title: 'Sea', tags: ['salt', 'deep'], stars: 4, summary: 'Wide.'}"
      assert.deepStrictEqual(yield* events([TestLM.streamed([...sloppy])]), [...fields, done])
    }))

  it.effect("announces a re-ask, and keeps the fields that were complete", () =>
    Effect.gen(function*() {
      const bad = JSON.stringify({ ...good, stars: 9, summary: "Off." })
      const again = { title: "Ocean", tags: [], stars: 5, summary: "Wide." }
      const heard = yield* events([TestLM.streamed([bad]), TestLM.streamed([JSON.stringify(again)])])
      const restart = heard.findIndex((one) => one.startsWith("restart"))
      assert.match(heard[restart] ?? "", /^restart 2: stars: expected .*5/)
      assert.include(heard.slice(0, restart), "title=\"Sea\"")
      // `summary` was complete in the first reply, and so was everything but the stars.
      assert.deepStrictEqual(heard.slice(restart + 1), [
        "stars=5",
        `done ${JSON.stringify({ ...good, summary: "Off.", stars: 5 })}`
      ])
    }))

  it.live("announces that a reply broke off", () =>
    Effect.gen(function*() {
      const cut = TestLM.streamed(["{\"title\": \"S"], { reply: new LMErrorReason.StreamCut() })
      const heard = yield* events([cut, TestLM.streamed([JSON.stringify(good)])])
      assert.deepStrictEqual(heard.slice(0, 4), [
        "title+S",
        "restart 2: the reply broke off",
        "title+Sea",
        "title=\"Sea\""
      ])
    }), 20_000)

  it.effect("fails like the call it is", () =>
    Effect.gen(function*() {
      const failure = yield* Effect.flip(events(["nothing", "of", "use"]))
      assert.strictEqual(failure._tag === "OutputError" ? failure.reason._tag : failure._tag, "Unreadable")
    }))

  it.effect("left early is interrupted", () =>
    Effect.gen(function*() {
      const counts = yield* Effect.gen(function*() {
        const first = yield* Predict.stream(review, { text: "..." }).pipe(Stream.map(word), Stream.runHead)
        return { first, interrupted: (yield* TestLM.TestLM).interrupted }
      }).pipe(Effect.provide(TestLM.layer([TestLM.streamed(["{\"title\": \"S"], { reply: TestLM.never })])))
      assert.deepInclude(counts, { interrupted: 1 })
      assert.deepInclude(counts.first, { value: "title+S" })
    }))

  it.effect("reads sections as well", () =>
    Effect.gen(function*() {
      const text = "[[ ## title ## ]]\nSea\n\n[[ ## tags ## ]]\n[\"salt\"]\n\n[[ ## stars ## ]]\n4\n\n" +
        "[[ ## summary ## ]]\nWide.\n\n[[ ## completed ## ]]\n"
      const chat = Predict.make(Review, { adapter: ChatAdapter.adapter })
      const heard = yield* Predict.stream(chat, { text: "..." }).pipe(
        Stream.map(word),
        Stream.runCollect,
        Effect.provide(TestLM.layer([TestLM.streamed([...text])]))
      )
      assert.deepStrictEqual(heard.filter((one) => !one.includes("+")), [
        "title=\"Sea\"",
        "tags=[\"salt\"]",
        "stars=4",
        "summary=\"Wide.\"",
        `done ${JSON.stringify({ title: "Sea", tags: ["salt"], stars: 4, summary: "Wide." })}`
      ])
      assert.strictEqual(heard.filter((one) => one.startsWith("summary+")).map((one) => one.slice(8)).join(""), "Wide.")
    }))
})

describe("an assertion", () => {
  const short = {
    title: (partial: string) => partial.length > 5 ? "a title of at most 5 characters" : undefined
  }

  it.effect("cuts the reply, and the model is told why", () =>
    Effect.gen(function*() {
      const long = TestLM.streamed([..."{\"title\": \"The wide sea\""], { interval: "1 second", reply: TestLM.never })
      const program = Effect.gen(function*() {
        const heard = yield* Predict.stream(review, { text: "..." }, { assertions: short }).pipe(
          Stream.map(word),
          Stream.runCollect
        )
        return { heard, recorder: yield* TestLM.TestLM }
      }).pipe(Effect.provide(TestLM.layer([long, TestLM.streamed([JSON.stringify(good)])])))
      const fiber = yield* Effect.forkChild(program)
      yield* TestClock.adjust("1 minute")
      const { heard, recorder } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(heard.slice(0, 6), [
        "title+T",
        "title+h",
        "title+e",
        "title+ ",
        "title+w",
        "restart 2: title: expected a title of at most 5 characters"
      ])
      assert.strictEqual(heard.at(-1), `done ${JSON.stringify(good)}`)
      assert.strictEqual(recorder.interrupted, 1)
      const [, second] = recorder.requests
      assert.strictEqual(Message.text(second?.messages.at(-2)), "{\"title\": \"The wi")
      assert.include(Message.text(second?.messages.at(-1)), "a title of at most 5 characters")
    }))

  it.effect("that always fails ends in an error", () =>
    Effect.gen(function*() {
      const long = () => TestLM.streamed(["{\"title\": \"The wide sea\""])
      const failure = yield* Effect.flip(events([long(), long(), long()], { assertions: short }))
      assert.strictEqual(failure._tag === "OutputError" ? failure.attempts : failure._tag, 3)
    }))
})

describe("however a reply is cut into chunks", () => {
  const words = [
    "sea",
    "grüß dich",
    "\"quoted\"",
    "a\\b",
    "\n\nnew",
    "🌊🌊",
    "[[ ## x",
    "{\"a\": 1}",
    "[1, 2]",
    "\t",
    "…",
    "]"
  ]
  const Mixed = Signature.make("Mixed", {
    input: {},
    output: {
      name: Schema.String,
      notes: Schema.Array(Schema.String),
      point: Schema.Struct({ x: Schema.Int, label: Schema.String }),
      flag: Schema.Boolean,
      text: Schema.String,
      number: Schema.Finite
    }
  })
  const pick = <A>(items: ReadonlyArray<A>) =>
    Effect.map(Random.nextIntBetween(0, items.length), (at) => items[at] as A)
  const text = Effect.gen(function*() {
    const count = yield* Random.nextIntBetween(1, 5)
    const chosen = yield* Effect.forEach(Array.from({ length: count }), () => pick(words), { concurrency: 1 })
    return chosen.join(" ").trim()
  })
  const output = Effect.all({
    name: text,
    notes: Effect.flatMap(
      Random.nextIntBetween(0, 4),
      (n) => Effect.forEach(Array.from({ length: n }), () => text, { concurrency: 1 })
    ),
    point: Effect.all({ x: Random.nextIntBetween(-9, 9), label: text }, { concurrency: 1 }),
    flag: Random.nextBoolean,
    text,
    number: Random.next
  }, { concurrency: 1 })
  const chunks = (whole: string) =>
    Effect.gen(function*() {
      const found: Array<string> = []
      for (let at = 0; at < whole.length;) {
        const size = yield* Random.nextIntBetween(1, 12)
        found.push(whole.slice(at, at + size))
        at += size
      }
      return found
    })

  /** What a reader says of a reply in chunks: the fields it completed, and what was written of texts. */
  const follow = (format: Adapter.Format, pieces: ReadonlyArray<string>) => {
    const reader = format.reader?.()
    const texts = new Map<string, string>()
    const complete = new Map<string, unknown>()
    for (const piece of pieces.flatMap((one) => reader?.push(one) ?? [])) {
      if (piece._tag === "Text") {
        texts.set(piece.field, (texts.get(piece.field) ?? "") + piece.text)
        assert.notMatch(piece.text, /\p{Surrogate}/u)
      } else if (piece._tag === "Complete") complete.set(piece.field, piece.json)
    }
    return { texts, complete }
  }

  const same = (
    adapter: Adapter.Adapter,
    write: (json: { readonly [field: string]: unknown }) => Effect.Effect<string>,
    count: number
  ) =>
    Effect.gen(function*() {
      const format = adapter.format(Mixed)
      let early = 0
      for (let round = 0; round < count; round++) {
        const reply = yield* write(yield* output)
        const whole = Result.getOrThrow(format.read(reply)) as { readonly [field: string]: unknown }
        const { complete, texts } = follow(format, yield* chunks(reply))
        for (const [field, json] of complete) {
          assert.deepStrictEqual(json, whole[field], `${field} of ${reply}`)
          early++
        }
        for (const [field, written] of texts) {
          assert.isTrue(String(whole[field]).startsWith(written), `${field}: ${written} of ${reply}`)
        }
      }
      return early / count
    }).pipe(Random.withSeed("chunks"))

  it.effect("JSON says the same", () =>
    Effect.gen(function*() {
      const spaced = (json: object) =>
        Effect.map(Random.nextIntBetween(0, 3), (indent) => JSON.stringify(json, undefined, indent))
      const escaped = (json: object) =>
        Effect.map(spaced(json), (reply) =>
          reply.replace(/[^\x20-\x7e\n]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`))
      const fenced = (json: object) =>
        Effect.map(spaced(json), (reply) => `\`\`\`json\n${reply}\n\`\`\``)
      assert.strictEqual(yield* same(JsonAdapter.adapter, spaced, 3000), 6)
      assert.strictEqual(yield* same(JsonAdapter.adapter, escaped, 2000), 6)
      assert.strictEqual(yield* same(JsonAdapter.adapter, fenced, 1000), 6)
    }), 120_000)

  it.effect("sections say the same", () =>
    Effect.gen(function*() {
      const sections = (json: { readonly [field: string]: unknown }) =>
        Effect.succeed(
          Object.entries(json).map(([name, value]) =>
            `[[ ## ${name} ## ]]\n${typeof value === "string" ? value : JSON.stringify(value)}\n\n`
          ).join("") + "[[ ## completed ## ]]"
        )
      assert.strictEqual(yield* same(ChatAdapter.adapter, sections, 4000), 6)
    }), 120_000)
})
