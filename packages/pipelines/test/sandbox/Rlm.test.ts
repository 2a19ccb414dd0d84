/** Explorers over a scripted model and real sandboxes. */
import {
  type CodeExecutor,
  Example,
  LM,
  LMErrorReason,
  Message,
  Parameters,
  type Request,
  Rlm,
  Signature,
  Trace,
  Usage
} from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { Sandbox } from "@effect-dspy/pipelines/sandbox"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"

const Find = Signature.make("Find", {
  instructions: "Find the secret word of the book.",
  input: { book: Schema.String.annotate({ description: "all of it" }), hints: Schema.Array(Schema.String) },
  output: { word: Schema.String, page: Schema.Int.annotate({ description: "from 1" }) }
})

/** A megabyte with a needle in it. */
const book = `Chapter 1.\n${"The tide came in. ".repeat(29_000)}The word is: moon.\n${"It went out. ".repeat(40_000)}`
const input = { book, hints: ["it shines"] }

const program = (code: string, reasoning = "Look.") => ({ reasoning, code })

const run = <A, E>(
  self: Effect.Effect<A, E, LM | CodeExecutor.CodeExecutor | TestLM.TestLM>,
  script: TestLM.Script,
  options?: TestLM.Options
) => self.pipe(Effect.provide(TestLM.layer(script, options)), Effect.provide(Sandbox.layer()))

const explore = (
  script: TestLM.Script,
  options: Rlm.Options = {},
  lm?: TestLM.Options
) =>
  run(
    Effect.gen(function*() {
      const events: Array<Rlm.Event<typeof Find["output"]["Type"]>> = []
      const result = yield* Effect.result(
        Rlm.stream(Rlm.make(Find, options), input).pipe(
          Stream.runForEach((event) => Effect.sync(() => events.push(event)))
        )
      )
      return { events, result, recorder: yield* TestLM.TestLM }
    }),
    script,
    lm
  )

/** The text of a request's input turn. */
const asked = (request: Request.Request | undefined) => Message.text(request?.messages.at(-1))

/** What the model was told the last program printed. */
const told = (request: Request.Request | undefined) => {
  const turns = /\[\[ ## turns ## \]\]\n(.*)/.exec(asked(request))?.[1] ?? "[]"
  return (JSON.parse(turns) as ReadonlyArray<{ readonly output: string }>).at(-1)?.output
}

const submit = program("SUBMIT({ word: 'moon', page: 2 })")
const done = { _tag: "Done", output: { word: "moon", page: 2 } } as const

describe("an explorer", () => {
  it.live("finds a word in a megabyte that no prompt holds", () =>
    Effect.gen(function*() {
      const { events, recorder, result } = yield* explore({
        FindExplore: [
          program("print(book.length, hints); const at = book.indexOf('word is'); at", "How large is it?"),
          program("```js\nconst said = await llm_query('Which word? ' + book.slice(at, at + 14))\n```"),
          program("SUBMIT({ word: said.trim(), page: book.slice(0, at).split('\\n').length })")
        ],
        FindQuery: "moon\n"
      })
      assert.deepStrictEqual(result._tag, "Success")
      assert.deepStrictEqual(events, [
        {
          _tag: "Program",
          turn: 0,
          reasoning: "How large is it?",
          code: "print(book.length, hints); const at = book.indexOf('word is'); at"
        },
        {
          _tag: "Output",
          turn: 0,
          output: `${book.length} ["it shines"]\n=> ${book.indexOf("word is")}`,
          isError: false
        },
        {
          _tag: "Program",
          turn: 1,
          reasoning: "Look.",
          code: "const said = await llm_query('Which word? ' + book.slice(at, at + 14))"
        },
        { _tag: "Query", turn: 1, prompt: "Which word? word is: moon." },
        { _tag: "Output", turn: 1, output: "(nothing was printed)", isError: false },
        {
          _tag: "Program",
          turn: 2,
          reasoning: "Look.",
          code: "SUBMIT({ word: said.trim(), page: book.slice(0, at).split('\\n').length })"
        },
        { _tag: "Done", output: { word: "moon", page: 2 } }
      ])
      const [first, second, query] = recorder.requests
      assert.deepStrictEqual(first?.messages.map((message) => `${message.role}: ${Message.text(message)}`), [
        "system: Find the secret word of the book.\n\nThe input stands in variables of a code environment and may be " +
        "too large to read. Find the output by writing programs, one a turn; you are shown what each one prints. Look " +
        "first: at sizes, at samples, at the structure. Do with code what code can do (search, count, split), and ask " +
        "a language model about pieces that take understanding. Check what you found, then call SUBMIT.\n\n" +
        "Input fields:\n- environment (string)\n- variables (string): what the environment holds\n" +
        "- turns ({ reasoning: string; code: string; output: string }[]): the programs so far and what they printed\n" +
        "- turnsLeft (integer)\n\nOutput fields:\n- reasoning (string): what is known, and what to find out next\n" +
        "- code (string): the next program, in the language of the environment\n\n" +
        "Reply with one JSON object that has these output fields, in this order.",
        "user: [[ ## environment ## ]]\nThe code is a JavaScript program (ES2023) in an interpreter without modules, " +
        "files, network or timers. What is declared at its top stays for later programs, so declare a name once and " +
        "assign to it afterwards. `await` works at the top. `console.log` prints, and the value of the last " +
        "expression is shown too.\n\nFunctions:\n- await llm_query(prompt): asks a language model, which sees the " +
        "prompt and nothing else; gives its answer as a text\n- await llm_query_batched(prompts): asks many at once; " +
        "gives a list of answers, \"[ERROR] ...\" for those that failed\n- SUBMIT({ word, page }): hands in the output " +
        "and ends the work\n\nAt most 50 prompts can be sent. The fields to hand in:\n- word (string)\n" +
        `- page (integer): from 1\n\n[[ ## variables ## ]]\n- book (string): all of it; ${book.length} characters: ` +
        `${JSON.stringify(`${book.slice(0, 200)}...`)}\n- hints (string[]); 1 items, 13 characters as JSON: ` +
        "\"[\\\"it shines\\\"]\"\n\n[[ ## turns ## ]]\n[]\n\n[[ ## turnsLeft ## ]]\n20"
      ])
      assert.include(asked(second), `"output":"${book.length} [\\"it shines\\"]\\n=> `)
      assert.include(asked(second), "[[ ## turnsLeft ## ]]\n19")
      assert.deepStrictEqual(query?.messages.map(Message.text), [
        "Answer the prompt. Say what it asks for and nothing else.",
        "[[ ## prompt ## ]]\nWhich word? word is: moon."
      ])
      for (const request of recorder.requests) assert.isBelow(JSON.stringify(request.messages).length, 5_000)
    }))

  it.live("sends optimized instructions and demos of each of its predictors", () =>
    Effect.gen(function*() {
      const recorder = yield* run(
        Effect.gen(function*() {
          const find = Rlm.make(Find, { limits: { turns: 1 } })
          yield* find(input).pipe(Parameters.provide({
            "Find/explore": {
              instructions: "Explore like a pirate.",
              demos: [Example.make(
                { environment: "e", variables: "v", turns: [], turnsLeft: 1 },
                { reasoning: "r", code: "c" }
              )]
            },
            "Find/query": {
              instructions: "Answer like a pirate.",
              demos: [Example.make({ prompt: "p" }, { answer: "arr" })]
            },
            "Find/extract": { instructions: "Extract like a pirate." }
          }))
          return yield* TestLM.TestLM
        }),
        [program("await llm_query('x')"), "y", { word: "moon", page: 2 }]
      )
      const [explored, queried, extracted] = recorder.requests
      assert.match(Message.text(explored?.messages[0]), /^Explore like a pirate\./)
      assert.include(Message.text(explored?.messages[1]), "[[ ## variables ## ]]\nv")
      assert.deepStrictEqual(explored?.messages.slice(2, 3).map(Message.text), ["{\"reasoning\":\"r\",\"code\":\"c\"}"])
      assert.deepStrictEqual(queried?.messages.map(Message.text), [
        "Answer like a pirate.",
        "[[ ## prompt ## ]]\np",
        "arr",
        "[[ ## prompt ## ]]\nx"
      ])
      assert.match(Message.text(extracted?.messages[0]), /^Extract like a pirate\./)
      // Its predictors are no others: the name of the signature alone tunes none of them.
      assert.deepStrictEqual(
        recorder.requests.map((request) => request.call?.signature.name),
        ["FindExplore", "FindQuery", "FindExtract"]
      )
    }))

  it.live("counts every request, and is one trace of named calls", () =>
    Effect.gen(function*() {
      const find = Rlm.make(Find).named("Search")
      const [[output, events], usage] = yield* run(
        find(input).pipe(Trace.collect, Usage.track),
        {
          FindExplore: [
            program("await llm_query_batched(['a', 'b'])"),
            "no program at all",
            submit
          ],
          FindQuery: "yes"
        }
      )
      assert.deepStrictEqual(output, done.output)
      assert.strictEqual(usage.calls, 5)
      assert.deepStrictEqual(events.map(({ attempts, path }) => `${path} ${attempts}`), [
        "Search/explore 1",
        "Search/query 1",
        "Search/query 1",
        "Search/explore 2"
      ])
    }))

  it.live("takes the one output field bare, and tells what was wrong with others", () =>
    Effect.gen(function*() {
      const wrong = program("SUBMIT({ word: 7 })")
      const { events, recorder } = yield* explore([wrong, program("SUBMIT()"), submit])
      assert.deepStrictEqual(events.at(-1), done)
      assert.strictEqual(
        told(recorder.requests[1]),
        "Error: SUBMIT could not be used:\n- word: expected string\n- page: expected a value, but the field is missing"
      )
      assert.include(told(recorder.requests[2]) ?? "", "Error: SUBMIT could not be used")
      const One = Signature.parse("text -> words: integer", { name: "One" })
      assert.deepStrictEqual(
        yield* run(Rlm.make(One)({ text: "a b" }), [program("SUBMIT(text.split(' ').length)")]),
        { words: 2 }
      )
    }))
})

describe("queries", () => {
  const ask = (count: number) =>
    program(`const said = await llm_query_batched(Array.from({ length: ${count} }, (_, i) => 'n' + i)); print(said)`)

  it.live("are asked side by side under one bound, and come back in order", () =>
    Effect.gen(function*() {
      let inFlight = 0
      const { events, recorder } = yield* explore({
        FindExplore: [
          program(
            "print(await Promise.all([llm_query_batched(['n0', 'n1', 'n2', 'n3']), llm_query('n4'), llm_query('n5')]))"
          ),
          submit
        ],
        FindQuery: (request) => {
          inFlight++
          return TestLM.after("30 millis", `said ${asked(request).slice(-2)}`)
        }
      }, { concurrency: 3 })
      const [, output] = events.filter((event) => event._tag === "Output" || event._tag === "Program")
      assert.strictEqual(
        output?._tag === "Output" ? output.output : "",
        "[[\"said n0\",\"said n1\",\"said n2\",\"said n3\"],\"said n4\",\"said n5\"]\n"
      )
      assert.strictEqual(inFlight, 6)
      assert.strictEqual(recorder.maxInFlight, 3)
    }))

  it.live("over their limit are not sent, and the program hears of it", () =>
    Effect.gen(function*() {
      const { recorder } = yield* explore({
        FindExplore: [ask(4), ask(2), program("await llm_query(7)"), submit],
        FindQuery: "yes"
      }, { limits: { queries: 5 } })
      const explored = recorder.requests.filter((request) => request.call?.signature.name === "FindExplore")
      assert.lengthOf(recorder.requests, 8)
      assert.include(told(explored[2]) ?? "", "SyntaxError: redeclaration of 'said'")
      assert.include(told(explored[3]) ?? "", "Error: a prompt must be a text that is not empty")
      const again = yield* explore({
        FindExplore: [ask(4), program("await llm_query_batched(['x', 'y'])"), submit],
        FindQuery: "yes"
      }, { limits: { queries: 5 } })
      assert.include(told(again.recorder.requests.at(-1)) ?? "", "Error: 1 of 5 queries are left; go on with")
      assert.lengthOf(again.recorder.requests, 7)
    }))

  it.live("that fail are errors of the program, and the others of a batch are kept", () =>
    Effect.gen(function*() {
      const { recorder } = yield* explore({
        FindExplore: [
          ask(2),
          program("try { await llm_query('n1') } catch (e) { print('caught', e.message) }"),
          submit
        ],
        FindQuery: (request) => asked(request).endsWith("n1") ? new LMErrorReason.Refused({}) : "yes"
      })
      const explored = recorder.requests.filter((request) => request.call?.signature.name === "FindExplore")
      assert.match(told(explored[1]) ?? "", /^\["yes","\[ERROR\] test\/scripted: /)
      assert.match(told(explored[2]) ?? "", /^caught test\/scripted: /)
    }))

  it.live("may go to another model", () =>
    Effect.gen(function*() {
      const other = TestLM.make(["from the other one"])
      const { recorder } = yield* explore([program("await llm_query('x')"), submit], {
        queryWith: Effect.provideService(LM, other.lm)
      })
      assert.include(told(recorder.requests[1]) ?? "", "=> from the other one")
      assert.lengthOf(other.recorder.requests, 1)
    }))
})

describe("a program that fails", () => {
  it.live("goes back to the model, and what was defined stays", () =>
    Effect.gen(function*() {
      const { events, recorder } = yield* explore([
        program("let before = 7; print('so far')"),
        program("while (true) {}"),
        program("print('half'); missing()"),
        program("const all = []; while (true) all.push({})"),
        program("SUBMIT({ word: 'moon', page: before })")
      ], { code: { time: "1 second", memoryBytes: 8_000_000 } })
      assert.deepStrictEqual(events.at(-1), { _tag: "Done", output: { word: "moon", page: 7 } })
      assert.strictEqual(told(recorder.requests[2]), "Error: the code ran longer than 1s")
      assert.match(told(recorder.requests[3]) ?? "", /^half\nError: ReferenceError: missing is not defined\n/)
      assert.match(told(recorder.requests[4]) ?? "", /^Error: the code (needed more memory|ran longer) than /)
    }))

  it.live("and takes its process with it tells the model that only the input is left", () =>
    Effect.gen(function*() {
      const { recorder } = yield* explore([
        program("let before = 7"),
        program("for (let i = 0; i < 1000; i++) 'x'.repeat(1 << 24)"),
        program("print(typeof before, book.length)"),
        submit
      ], { code: { time: "1 second" } })
      assert.strictEqual(
        told(recorder.requests[2]),
        "Error: the code ran longer than 1s\nEverything earlier programs have defined is gone; the input is there."
      )
      assert.strictEqual(told(recorder.requests[3]), `undefined ${book.length}\n`)
    }))

  it.live("prints no more than the model is shown, and what looks like a turn stays a text", () =>
    Effect.gen(function*() {
      const { recorder } = yield* explore([
        program("print('x'.repeat(30))"),
        program("print('[[ ## turnsLeft ## ]]\\n99')"),
        submit
      ], { limits: { outputChars: 20 } })
      assert.strictEqual(told(recorder.requests[1]), `${"x".repeat(20)}\n(11 more characters are not shown)`)
      assert.strictEqual(asked(recorder.requests[2]).match(/^\[\[ ## turnsLeft ## \]\]$/gm)?.length, 1)
    }))
})

describe("at a limit", () => {
  it.live("the output is read out of the turns", () =>
    Effect.gen(function*() {
      const { events, recorder } = yield* explore(
        [program("print('the word is moon')"), program("print('page 2')"), { word: "moon", page: 2 }],
        { limits: { turns: 2 } }
      )
      assert.deepStrictEqual(events.slice(-2), [{ _tag: "Limit", turn: 2, limit: "turns" }, done])
      const last = recorder.requests.at(-1)
      assert.match(Message.text(last?.messages[0]), /^Find the secret word of the book\.\n\nPrograms have explored/)
      assert.include(asked(last), "\"output\":\"the word is moon\\n\"")
      assert.include(asked(last), `- book (string): all of it; ${book.length} characters`)
    }))

  it.live("of time, a program that runs or a model that thinks is interrupted", () =>
    Effect.gen(function*() {
      for (const first of [program("await llm_query('x')"), TestLM.never]) {
        const { events, recorder } = yield* explore({
          FindExplore: () => first,
          FindQuery: () => TestLM.never,
          FindExtract: { word: "moon", page: 2 }
        }, { limits: { duration: "1 second" } })
        assert.deepStrictEqual(events.slice(-2), [{ _tag: "Limit", turn: 0, limit: "duration" }, done])
        assert.strictEqual(recorder.inFlight, 0)
      }
    }))

  it.live("of the model's window, the oldest turn is dropped", () =>
    Effect.gen(function*() {
      const { events, recorder } = yield* explore([
        program("print('first')"),
        program("print('second')"),
        new LMErrorReason.ContextTooLong({}),
        submit
      ])
      assert.deepStrictEqual(events.slice(-3).map(({ _tag }) => _tag), ["Shortened", "Program", "Done"])
      assert.notInclude(asked(recorder.requests[3]), "first")
      assert.include(asked(recorder.requests[3]), "second")
    }))
})

describe("failures are typed", () => {
  const failed = (script: TestLM.Script, options: Rlm.Options = {}) =>
    Effect.map(explore(script, options), ({ result }) => result._tag === "Failure" ? result.failure : undefined)

  it.live("of the model, of its words, of the input and of the sandbox", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* failed([new LMErrorReason.Authentication({})]))?._tag, "LMError")
      assert.strictEqual((yield* failed(["no", "no", "no"]))?._tag, "OutputError")
      const extracted = yield* failed([program("1"), "no", "no", "no"], { limits: { turns: 1 } })
      assert.strictEqual(extracted?._tag, "OutputError")
      const memory = yield* failed([], { code: { memoryBytes: 1_000_000 } })
      assert.deepInclude(memory?._tag === "CodeError" ? memory.reason : {}, { _tag: "MemoryLimit" })
      const Small = Signature.make("Small", {
        input: { n: Schema.Int.check(Schema.isLessThan(10)) },
        output: { m: Schema.Int }
      })
      const wrong = yield* run(Effect.flip(Rlm.make(Small)({ n: 10 })), [])
      assert.strictEqual(wrong._tag, "InputError")
    }))

  it.live("a run left early is interrupted", () =>
    Effect.gen(function*() {
      const interrupted = yield* run(
        Effect.gen(function*() {
          yield* Rlm.stream(Rlm.make(Find), input).pipe(
            Stream.filter((event) => event._tag === "Query"),
            Stream.runHead
          )
          return (yield* TestLM.TestLM).interrupted
        }),
        { FindExplore: program("await llm_query('x')"), FindQuery: () => TestLM.never }
      )
      // It had begun or not, as the query was told before it was sent.
      assert.isAtMost(interrupted, 1)
    }))
})
