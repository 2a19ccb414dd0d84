import {
  Example,
  LMErrorReason,
  Message,
  Parameters,
  ReAct,
  ReActError,
  Signature,
  Tool,
  Trace,
  Usage
} from "@effect-dspy/core"
import { Cassette, TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, FileSystem, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"

const Ask = Signature.make("Ask", {
  instructions: "Answer the question.",
  input: { question: Schema.String },
  output: { answer: Schema.String, sources: Schema.Array(Schema.String) }
})

class Library extends Context.Service<Library, { readonly search: (words: string) => Effect.Effect<string> }>()(
  "test/Library"
) {}

class Down extends Schema.TaggedError<Down>("Down")("Down", {}) {}

let inFlight = 0
let maxInFlight = 0

const search = Tool.make("search", {
  description: "Searches the library.",
  parameters: { words: Schema.String },
  success: Schema.String,
  timeout: "5 seconds",
  run: ({ words }) =>
    Effect.gen(function*() {
      maxInFlight = Math.max(maxInFlight, ++inFlight)
      const found = yield* (yield* Library).search(words)
      return found
    }).pipe(Effect.ensuring(Effect.sync(() => inFlight--)))
})

const dictionary = Tool.make("dictionary", {
  description: "Explains a word.",
  parameters: { word: Schema.String },
  success: Schema.String,
  failure: Down,
  run: ({ word }) => word === "hard" ? Effect.fail(new Down()) : Effect.succeed(`${word} is a word`)
})

const agent = ReAct.make(Ask, { tools: [search, dictionary] })

const library = Library.of({
  search: (words) => words === "slow" ? Effect.never : Effect.delay(Effect.succeed(`about ${words}`), "1 second")
})

const submit = (answer: string) => TestLM.calls(["submit", { answer, sources: ["book"] }])

type Event = ReAct.Event<(typeof Ask)["output"]["Type"]>

const word = (event: Event): string => {
  switch (event._tag) {
    case "Thought":
      return `${event.step} thinks ${event.text}`
    case "Called":
      return `${event.step} calls ${event.tool}`
    case "Answered":
      return `${event.step} ${event.tool} ${event.isError ? "fails" : "says"} ${event.content}`
    case "Done":
      return `done ${event.output.answer}`
    default:
      return `${event.step} ${event._tag}${event._tag === "Limit" ? ` ${event.limit}` : ""}`
  }
}

const run = (
  script: TestLM.Script,
  options: { readonly agent?: typeof agent; readonly tools?: "native" | "prompt" } = {}
) =>
  Effect.gen(function*() {
    const events: Array<string> = []
    const program = Effect.gen(function*() {
      const exit = yield* Effect.result(
        ReAct.stream(options.agent ?? agent, { question: "Why?" }).pipe(
          Stream.runForEach((event) => Effect.sync(() => events.push(word(event))))
        )
      )
      return { exit, events, recorder: yield* TestLM.TestLM }
    })
    const fiber = yield* Effect.forkChild(program.pipe(
      Effect.provideService(Library, library),
      Effect.provide(TestLM.layer(script, options.tools === undefined ? {} : { tools: options.tools }))
    ))
    yield* TestClock.adjust("1 hour")
    return yield* Fiber.join(fiber)
  })

/** Files in memory. */
const files = () => {
  const disk = new Map<string, string>()
  return FileSystem.layerNoop({
    writeFileString: (path, text) => Effect.sync(() => disk.set(path, text)),
    readFileString: (path) => Effect.sync(() => disk.get(path) ?? "")
  })
}

/** Runs an agent under a recording, then again on what was recorded and with no LM: output and events of each. */
const twice = (script: TestLM.Script, self: typeof agent = agent) =>
  Effect.gen(function*() {
    const told = Effect.gen(function*() {
      const events: Array<string> = []
      const output = yield* self.followed(
        { question: "Why?" },
        (event) => Effect.sync(() => events.push(word(event)))
      ).pipe(Effect.provideService(Library, library))
      return { output, events }
    })
    const program = Effect.gen(function*() {
      const first = yield* told.pipe(Cassette.record("agent.json"), Effect.provide(TestLM.layer(script)))
      const [[second, trace], usage] = yield* told.pipe(Trace.collect, Usage.track, Cassette.replay("agent.json"))
      return { first, second, trace, usage }
    })
    const fiber = yield* Effect.forkChild(Effect.provide(program, files()))
    yield* TestClock.adjust("1 hour")
    return yield* Fiber.join(fiber)
  })

const limited = (limits: ReAct.Limits) => ReAct.make(Ask, { tools: [search, dictionary], limits })

/** Twenty steps: tools side by side, one that fails, wrong arguments, a timeout, a prompt that is too long. */
const troubled = (): ReadonlyArray<TestLM.Reply> => {
  const plain = (index: number) => TestLM.calls(["dictionary", { word: `word ${index}` }])
  return [
    TestLM.calls(...Array.from({ length: 5 }, (_, index) => ["search", { words: `book ${index}` }] as const)),
    TestLM.calls(["dictionary", { word: "hard" }]),
    TestLM.calls(["search", { phrase: "tides" }]),
    TestLM.calls(["search", { words: "slow" }]),
    TestLM.calls(["encyclopedia", {}]),
    new LMErrorReason.ContextTooLong({}),
    ...Array.from({ length: 14 }, (_, index) => plain(index)),
    submit("the moon")
  ]
}

describe("an agent", () => {
  it.effect("sends the task, the tools and submit, and then what the tools said", () =>
    Effect.gen(function*() {
      const { events, recorder } = yield* run([
        TestLM.calls(["search", { words: "tides" }, "I need a book."], ["dictionary", { word: "tide" }]),
        submit("the moon")
      ])
      assert.deepStrictEqual(events, [
        "0 thinks I need a book.",
        "0 calls search",
        "0 calls dictionary",
        "0 dictionary says tide is a word",
        "0 search says about tides",
        "done the moon"
      ])
      const [first, second] = recorder.requests
      assert.deepStrictEqual(first?.tools?.map((tool) => tool.name), ["search", "dictionary", "submit"])
      assert.strictEqual(first?.toolChoice, "auto")
      assert.deepStrictEqual(first?.tools?.[2]?.parameters, Ask.derived.jsonSchema)
      assert.match(Message.text(first?.messages[0]), /^Answer the question\.[^]*- sources[^]*`submit`/)
      assert.strictEqual(Message.text(first?.messages[1]), "[[ ## question ## ]]\nWhy?")
      assert.deepStrictEqual(second?.messages.slice(2).map((message) => message.role), ["assistant", "tool"])
      assert.deepStrictEqual(second?.messages[3]?.content, [
        { type: "toolResult", id: "call_0", name: "search", content: "about tides" },
        { type: "toolResult", id: "call_1", name: "dictionary", content: "tide is a word" }
      ])
    }))

  it.effect("sends optimized instructions and demos", () =>
    Effect.gen(function*() {
      const demo = Example.make({ question: "How?" }, { answer: "so", sources: [] })
      const recorder = yield* Effect.gen(function*() {
        yield* Parameters.provide({ Ask: { instructions: "Answer like a pirate.", demos: [demo] } })(
          agent({ question: "Why?" })
        )
        return yield* TestLM.TestLM
      }).pipe(Effect.provideService(Library, library), Effect.provide(TestLM.layer([submit("arr")])))
      const [request] = recorder.requests
      assert.match(Message.text(request?.messages[0]), /^Answer like a pirate\./)
      assert.deepStrictEqual(request?.messages.slice(1, 3).map(Message.text), [
        "[[ ## question ## ]]\nHow?",
        "{\"answer\":\"so\",\"sources\":[]}"
      ])
    }))

  it.effect("understands an answer in text, and a submit of no use", () =>
    Effect.gen(function*() {
      const text = yield* run(["{\"answer\": \"the moon\", \"sources\": []}"])
      assert.deepStrictEqual(text.events, ["done the moon"])
      const bad = TestLM.calls(["submit", { answer: 7 }])
      const again = yield* run([bad, "I don't know.", submit("the moon")])
      assert.strictEqual(again.events.at(-1), "done the moon")
      const [, second, third] = again.recorder.requests
      const told = second?.messages.at(-1)?.content[0]
      assert.include(typeof told === "object" && "content" in told ? told.content : "", "- answer: expected string")
      assert.include(Message.text(third?.messages.at(-1)), "could not be used")
    }))

  it.effect("of 20 steps with failures of every kind ends well", () =>
    Effect.gen(function*() {
      maxInFlight = 0
      const script = troubled()
      const { events, recorder } = yield* run(script)
      assert.strictEqual(maxInFlight, 5)
      assert.include(events, "1 dictionary fails {\"_tag\":\"Down\"}")
      assert.include(events, "2 search fails Wrong arguments:\n- words: expected a value, but the field is missing")
      assert.include(events, "3 search fails The tool did not answer within 5s.")
      assert.include(events, "4 encyclopedia fails There is no tool `encyclopedia`. The tools are: search, dictionary.")
      assert.include(events, "5 Shortened")
      assert.deepStrictEqual(events.slice(-2), ["19 Limit steps", "done the moon"])
      const last = recorder.requests.at(-1)
      assert.deepStrictEqual(last?.toolChoice, { tool: "submit" })
      // The first step was dropped, task and input stay.
      assert.notInclude(JSON.stringify(last?.messages), "book 0")
      assert.strictEqual(last?.messages[1]?.role, "user")
    }))

  it.effect("of 20 steps replays from a cassette, to the same end and with no LM", () =>
    Effect.gen(function*() {
      const { first, second, trace, usage } = yield* twice(troubled())
      assert.strictEqual(first.output.answer, "the moon")
      assert.lengthOf(first.events.filter((event) => event.includes(" says ") || event.includes(" fails ")), 23)
      assert.deepStrictEqual(second, first)
      assert.deepStrictEqual(trace.map(({ attempts, path, result }) => [path, attempts, result._tag]), [
        ["Ask", 0, "Success"]
      ])
      assert.deepStrictEqual(usage.calls, 0)
    }))

  it.effect("replays to the limits it came to", () =>
    Effect.gen(function*() {
      const spent = TestLM.completion({
        content: [{ type: "toolCall", id: "1", name: "dictionary", arguments: { word: "x" } }],
        finishReason: "toolCalls",
        usage: { calls: 1, inputTokens: 600, outputTokens: 500 }
      })
      for (const limits of [{ requests: 1 }, { tokens: 1000 }]) {
        const { first, second } = yield* twice([spent, submit("the moon")], limited(limits))
        assert.include(first.events, `1 Limit ${Object.keys(limits)[0]}`)
        assert.deepStrictEqual(second, first)
      }
    }))

  it.effect("works with a model that has no tools of its own", () =>
    Effect.gen(function*() {
      const { events } = yield* run([
        "{\"calls\": [{\"tool\": \"dictionary\", \"arguments\": {\"word\": \"tide\"}}]}",
        "{\"tool\": \"submit\", \"arguments\": {\"answer\": \"the moon\", \"sources\": []}}"
      ], { tools: "prompt" })
      assert.deepStrictEqual(events, ["0 calls dictionary", "0 dictionary says tide is a word", "done the moon"])
    }))

  it.effect("is one event of a trace", () =>
    Effect.gen(function*() {
      const [, events] = yield* agent({ question: "Why?" }).pipe(
        Trace.collect,
        Effect.provideService(Library, library),
        Effect.provide(TestLM.layer([TestLM.calls(["dictionary", { word: "tide" }]), submit("the moon")]))
      )
      assert.deepStrictEqual(events.map(({ attempts, name, result, usage }) => ({ attempts, name, result, usage })), [{
        attempts: 2,
        name: "Ask",
        result: { _tag: "Success", output: { answer: "the moon", sources: ["book"] } },
        usage: { calls: 2 }
      }])
    }))
})

describe("at a limit", () => {
  const chatter = () => TestLM.calls(["dictionary", { word: "tide" }])

  it.effect("the model must submit", () =>
    Effect.gen(function*() {
      const spent = TestLM.completion({
        content: [{ type: "toolCall", id: "1", name: "dictionary", arguments: { word: "x" } }],
        finishReason: "toolCalls",
        usage: { calls: 1, inputTokens: 600, outputTokens: 500 }
      })
      const cases: ReadonlyArray<readonly [ReAct.Limits, TestLM.Reply]> = [
        [{ steps: 2 }, chatter()],
        [{ requests: 1 }, chatter()],
        [{ tokens: 1000 }, spent],
        [{ duration: "1 second" }, TestLM.after("2 seconds", chatter())]
      ]
      for (const [limits, reply] of cases) {
        const { events } = yield* run([reply, submit("the moon")], { agent: limited(limits) })
        assert.deepStrictEqual(events.slice(-2), [`1 Limit ${Object.keys(limits)[0]}`, "done the moon"])
      }
    }))

  it.effect("a model that does not is an error that holds what was said, and shows nothing of it", () =>
    Effect.gen(function*() {
      const { exit } = yield* run([chatter(), chatter()], { agent: limited({ steps: 2 }) })
      if (exit._tag !== "Failure" || exit.failure._tag !== "ReActError") return assert.fail(exit._tag)
      const { failure } = exit
      assert.deepInclude(failure, { limit: "steps", steps: 2 })
      assert.deepStrictEqual(failure.usage, { calls: 2 })
      assert.strictEqual(ReActError.reveal(failure).lastObservation, "tide is a word")
      assert.include(ReActError.reveal(failure).history, "Why?")
      assert.notInclude(JSON.stringify(failure) + String(failure) + failure.stack, "tide is")
    }))
})

it.effect("a tool that ends the run, ends it", () =>
  Effect.gen(function*() {
    const fatal = Tool.make("fatal", {
      description: "Ends it.",
      parameters: {},
      success: Schema.String,
      onFailure: "fail",
      run: () => Effect.fail(new Down())
    })
    let interrupted = false
    const slow = Tool.make("slow", {
      description: "Waits.",
      parameters: {},
      success: Schema.String,
      run: () =>
        Effect.onInterrupt(Effect.never, () =>
          Effect.sync(() => {
            interrupted = true
          }))
    })
    const both = ReAct.make(Ask, { tools: [fatal, slow] })
    const failure = yield* Effect.flip(both({ question: "Why?" })).pipe(
      Effect.provide(TestLM.layer([TestLM.calls(["slow", {}], ["fatal", {}])]))
    )
    assert.strictEqual(failure._tag, "Down")
    assert.isTrue(interrupted)
  }))

it.effect("a run left early is interrupted, its tools too", () =>
  Effect.gen(function*() {
    inFlight = 0
    const first = yield* ReAct.stream(agent, { question: "Why?" }).pipe(
      Stream.filter((event) => event._tag === "Called"),
      Stream.runHead,
      Effect.provideService(Library, library),
      Effect.provide(TestLM.layer([TestLM.calls(["search", { words: "slow" }])]))
    )
    assert.strictEqual(first._tag, "Some")
    assert.strictEqual(inFlight, 0)
  }))

it("names of tools are checked when the agent is made", () => {
  assert.throws(() => ReAct.make(Ask, { tools: [search, search] }), /two tools of one name/)
  const taken = Tool.make("submit", {
    description: "",
    parameters: {},
    success: Schema.String,
    run: () => Effect.succeed("")
  })
  assert.throws(() => ReAct.make(Ask, { tools: [taken] }), /hands in the output/)
})
