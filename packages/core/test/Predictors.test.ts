/**
 * Every predictor by the same measures: the exact requests a model sees of it, that what was tuned is sent, and that
 * it fails with types.
 */
import {
  BestOfN,
  ChainOfThought,
  Embedder,
  Ensemble,
  Example,
  KnnFewShot,
  type LM,
  LMError,
  LMErrorReason,
  Majority,
  Message,
  MultiChainComparison,
  Parallel,
  Parameters,
  Predict,
  type PredictError,
  ReAct,
  type ReActError,
  Refine,
  Signature,
  Step,
  Tool,
  TwoStep
} from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

const Label = Signature.make("Label", {
  instructions: "Label the text.",
  input: { text: Schema.String, length: Schema.Int },
  output: { label: Schema.Literals(["pos", "neg"]) }
})
const input = { text: "lovely", length: 6 }
type Input = typeof input

const plain = Predict.make(Label)
const pos = { label: "pos" } as const
const example = Example.make({ text: "awful", length: 5 }, { label: "neg" } as const)

const embedder = Embedder.make({
  provider: "test",
  model: "one",
  embedMany: (texts) => Effect.succeed({ vectors: texts.map(() => Float32Array.of(1)), usage: {} })
})
const knn = await Effect.runPromise(
  KnnFewShot.make(plain, { examples: [example] }).pipe(Effect.provideService(Embedder.Embedder, embedder))
)

const look = Tool.make("look", {
  description: "Looks a word up.",
  parameters: { word: Schema.String },
  success: Schema.String,
  run: ({ word }) => Effect.succeed(`${word} is a word`)
})

/** What a predictor is told of its task, with the fields of `Label`. */
const told = (instructions: string, outputs: string) =>
  `system: ${instructions}\n\nInput fields:\n- text (string)\n- length (integer)\n\nOutput fields:\n${outputs}`
const json = "\n\nReply with one JSON object that has these output fields, in this order."
const reasoned = "- reasoning (string): the steps that lead to the answer, briefly\n"
const label = "- label (\"pos\" | \"neg\")"
const asked = told("Label the text.", label) + json
const user = "user: [[ ## text ## ]]\nlovely\n\n[[ ## length ## ]]\n6"
const agent =
  `${told("Label the text.", label)}\n\nFind out what you need by calling tools; calls that do not depend on ` +
  "each other can be made at once. When you know all output fields, hand them in with `submit`."

interface Case {
  readonly step: Step.Step<Input, { readonly label: string }, PredictError.PredictError | ReActError.ReActError, LM>
  readonly script: ReadonlyArray<TestLM.Reply>
  /** The predictors that ask, by their paths, in the order they do. */
  readonly paths: ReadonlyArray<string>
  /** The words of each request, turn by turn. */
  readonly requests: ReadonlyArray<ReadonlyArray<string>>
  /** A demonstration for each path, and the turn it is answered with; default: one of `Label`. */
  readonly demos?: { readonly [path: string]: readonly [demo: Example.Any, answer: string] | undefined }
  /** What replies of no use come to; default an `OutputError`. */
  readonly nonsense?: string
}

const labelled = [example, "{\"label\":\"neg\"}"] as const
const thought = [
  Example.make(example.input, { reasoning: "so", ...example.output }),
  "{\"reasoning\":\"so\",\"label\":\"neg\"}"
] as const

const cases: { readonly [name: string]: Case } = {
  Predict: { step: plain, script: [pos], paths: ["Label"], requests: [[asked, user]] },
  ChainOfThought: {
    step: ChainOfThought.make(Label),
    script: [{ reasoning: "It says so.", ...pos }],
    paths: ["Label"],
    requests: [[told("Label the text.", reasoned + label) + json, user]],
    demos: { Label: thought }
  },
  ReAct: {
    step: ReAct.make(Label, { tools: [look] }),
    script: [TestLM.calls(["look", { word: "lovely" }, "Hm."]), TestLM.calls(["submit", pos])],
    paths: ["Label", "Label"],
    requests: [[agent, user], [agent, user, "assistant: Hm.", "tool: lovely is a word"]],
    nonsense: "ReActError"
  },
  BestOfN: {
    step: BestOfN.make(plain, { n: 2, concurrency: 1, reward: () => 1 }),
    script: [pos, pos],
    paths: ["Label", "Label"],
    requests: [[asked, user], [asked, user]]
  },
  Refine: {
    step: Refine.make(plain, { n: 2, threshold: 2, reward: () => ({ score: 1, feedback: "too short" }) }),
    script: [pos, { discussion: "d", advice: [{ predictor: "Label", advice: "Look twice." }] }, pos],
    paths: ["Label", "OfferFeedback", "Label"],
    requests: [
      [asked, user],
      [
        "system: A program of several predictors gave an output that is not good enough. Look at what each predictor " +
        "did, find out who is to blame, and advise each what to do differently with inputs like these. Advice must " +
        "stand on its own: the predictor sees its instructions, its input and your advice, and nothing else.\n\n" +
        "Input fields:\n- calls ({ predictor: string; instructions: string; input: any JSON; output: any JSON }[]): " +
        "what each predictor was told, took and gave\n- score (number)\n- wanted (number): the score that would be " +
        "good enough\n- feedback (string, optional): what is wrong with the output\n\nOutput fields:\n- discussion " +
        "(string): who is to blame for what, briefly\n- advice ({ predictor: string; advice: string }[]): one entry " +
        `for each predictor that should do better${json}`,
        "user: [[ ## calls ## ]]\n[{\"predictor\":\"Label\",\"instructions\":\"Label the text.\",\"input\":" +
        "{\"text\":\"lovely\",\"length\":6},\"output\":{\"label\":\"pos\"}}]\n\n[[ ## score ## ]]\n1\n\n[[ ## wanted ## ]]\n" +
        "2\n\n[[ ## feedback ## ]]\ntoo short"
      ],
      [told("Label the text.\n\nAdvice: Look twice.", label) + json, user]
    ],
    demos: {
      OfferFeedback: [
        Example.make({ calls: [], score: 1, wanted: 2 }, { discussion: "d", advice: [] }),
        "{\"discussion\":\"d\",\"advice\":[]}"
      ]
    }
  },
  MultiChainComparison: {
    step: MultiChainComparison.make(Label, { n: 2, concurrency: 1 }),
    script: [{ reasoning: "r1", ...pos }, { reasoning: "r2", label: "neg" }, { rationale: "r1 it is", ...pos }],
    paths: ["Label/attempt", "Label/attempt", "Label/compare"],
    requests: [
      [told("Label the text.", reasoned + label) + json, user],
      [told("Label the text.", reasoned + label) + json, user],
      [
        "system: Label the text.\n\nSeveral attempts are given. Compare them, and do it right.\n\nInput fields:\n" +
        "- text (string)\n- length (integer)\n- attempts ({ reasoning: string; answer: any JSON }[]): attempts at the " +
        "task, by others; any of them may be wrong\n\nOutput fields:\n- rationale (string): how the attempts compare, " +
        `and what follows from all of them\n${label}${json}`,
        `${user}\n\n[[ ## attempts ## ]]\n[{"reasoning":"r1","answer":{"label":"pos"}},` +
        "{\"reasoning\":\"r2\",\"answer\":{\"label\":\"neg\"}}]"
      ]
    ],
    demos: {
      "Label/attempt": thought,
      "Label/compare": [
        Example.make({ ...example.input, attempts: [] }, { rationale: "so", ...example.output }),
        "{\"rationale\":\"so\",\"label\":\"neg\"}"
      ]
    }
  },
  Majority: {
    step: Majority.make(plain, { n: 3, concurrency: 1 }),
    script: [pos, pos],
    paths: ["Label", "Label"],
    requests: [[asked, user], [asked, user]]
  },
  Ensemble: {
    step: Ensemble.make("Both", [plain, plain.named("Other")], { concurrency: 1 }),
    script: [pos, pos],
    paths: ["Label", "Other"],
    requests: [[asked, user], [asked, user]]
  },
  KnnFewShot: {
    step: knn,
    script: [pos],
    paths: ["Label"],
    requests: [[
      asked,
      "user: [[ ## text ## ]]\nawful\n\n[[ ## length ## ]]\n5",
      "assistant: {\"label\":\"neg\"}",
      user
    ]],
    // The nearest examples go before tuned ones: they are what it is for.
    demos: { Label: undefined }
  },
  TwoStep: {
    step: TwoStep.make(Label),
    script: ["Clearly positive.", pos],
    paths: ["Label/answer", "Label/extract"],
    requests: [
      ["system: Label the text.\n\nYour answer must tell: label (\"pos\" | \"neg\").", user],
      [
        "system: Read the fields out of the answer. Add nothing that it does not say.\n\nInput fields:\n- prose " +
        `(string): an answer in plain words\n\nOutput fields:\n${label}${json}`,
        "user: [[ ## prose ## ]]\nClearly positive."
      ]
    ],
    demos: {
      "Label/answer": [Example.make(example.input, { prose: "It is bad." }), "It is bad."],
      "Label/extract": [Example.make({ prose: "Bad." }, example.output), "{\"label\":\"neg\"}"]
    }
  }
}

const seen = (
  step: Case["step"],
  script: TestLM.Script,
  given: Input = input,
  parameters: Parameters.Parameters = {}
) =>
  Effect.gen(function*() {
    const result = yield* Effect.result(Parameters.provide(parameters)(step(given)))
    return { result, requests: (yield* TestLM.TestLM).requests }
  }).pipe(Effect.provide(TestLM.layer(script)))

const words = (message: Message.Message): string =>
  `${message.role}: ${
    message.role === "tool" ? message.content.map(({ content }) => content).join() : Message.text(message)
  }`

for (const [name, { demos, nonsense, paths, requests: expected, script, step }] of Object.entries(cases)) {
  describe(name, () => {
    it.live("asks in exactly these words", () =>
      Effect.gen(function*() {
        const { requests, result } = yield* seen(step, script)
        assert.strictEqual(result._tag, "Success")
        assert.deepStrictEqual(requests.map(({ messages }) => messages.map(words)), expected)
      }))

    it.live("sends what was tuned, instructions and demonstrations, to each of its predictors", () =>
      Effect.gen(function*() {
        const demoOf = (path: string) => demos !== undefined && path in demos ? demos[path] : labelled
        const parameters = Object.fromEntries(paths.map((path) => {
          const demo = demoOf(path)
          return [path, {
            instructions: `Tuned for ${path}.`,
            ...(demo === undefined ? undefined : { demos: [demo[0]] })
          }]
        }))
        const { requests } = yield* seen(step, script, input, parameters)
        assert.deepStrictEqual(
          requests.map(({ messages }) => words(messages[0] ?? Message.user("")).slice(0, 18)),
          paths.map(() => "system: Tuned for ")
        )
        requests.forEach(({ messages }, index) => {
          const path = paths[index] ?? ""
          const sent = messages.map(words)
          assert.isTrue(sent[0]?.startsWith(`system: Tuned for ${path}.`), sent[0])
          const demo = demoOf(path)
          if (demo === undefined) return
          assert.strictEqual(sent.length, (expected[index]?.length ?? 0) + 2)
          assert.strictEqual(sent[2], `assistant: ${demo[1]}`)
        })
      }))

    it.live("sends nothing for a wrong input", () =>
      Effect.gen(function*() {
        const { requests, result } = yield* seen(step, script, { text: "lovely", length: 1.5 })
        assert.strictEqual(result._tag === "Failure" ? result.failure._tag : "", "InputError")
        assert.lengthOf(requests, 0)
      }))

    it.live("fails with types, whatever is answered", () =>
      Effect.gen(function*() {
        const refused = yield* seen(step, () => new LMErrorReason.Refused({}))
        assert.strictEqual(refused.result._tag === "Failure" ? refused.result.failure._tag : "", "LMError")
        const unread = yield* seen(step, () => "no")
        assert.strictEqual(
          unread.result._tag === "Failure" ? unread.result.failure._tag : "",
          nonsense ?? "OutputError"
        )
        // Each request of its course in turn: it makes do without, or says what went wrong.
        for (let at = 0; at < script.length; at++) {
          for (
            const bad of [new LMErrorReason.Refused({}), new LMErrorReason.Network({}), "", "no", TestLM.truncated("{")]
          ) {
            let asked = 0
            const { result } = yield* seen(step, () => asked++ === at ? bad : script[asked - 1] ?? script.at(-1) ?? pos)
            if (result._tag === "Failure") {
              assert.include(["LMError", "OutputError", "ReActError"], result.failure._tag)
            } else assert.strictEqual(result.success.label, "pos")
          }
        }
      }))
  })
}

it.live("KnnFewShot fails with the embedder's error, when it is made or when it is called", () =>
  Effect.gen(function*() {
    let works = false
    const failing = Embedder.make({
      provider: "test",
      model: "down",
      embedMany: (texts) =>
        works
          ? Effect.succeed({ vectors: texts.map(() => Float32Array.of(1)), usage: {} })
          : Effect.fail(LMError.make("test", "down", new LMErrorReason.Authentication({})))
    })
    const make = KnnFewShot.make(plain, { examples: [example] }).pipe(
      Effect.provideService(Embedder.Embedder, failing)
    )
    assert.strictEqual((yield* Effect.flip(make))._tag, "LMError")
    works = true
    const step = yield* make
    works = false
    const { requests, result } = yield* seen(step, [pos])
    assert.strictEqual(result._tag === "Failure" ? result.failure._tag : "", "LMError")
    assert.lengthOf(requests, 0)
  }))

it.live("Parallel gives each step what was tuned for it, and its typed failure", () =>
  Effect.gen(function*() {
    const { requests, results } = yield* Effect.gen(function*() {
      const results = yield* Parallel.run([[plain, input], [plain.named("Other"), { text: "x", length: 0.5 }]]).pipe(
        Parameters.provide({ Label: { instructions: "Tuned." } })
      )
      return { results, requests: (yield* TestLM.TestLM).requests }
    }).pipe(Effect.provide(TestLM.layer([pos])))
    assert.deepStrictEqual(requests.map(({ messages }) => words(messages[0] ?? Message.user(""))), [
      told("Tuned.", label) + json
    ])
    const [first, second] = results
    assert.strictEqual(first._tag, "Success")
    assert.strictEqual(second._tag === "Failure" ? second.failure._tag : "", "InputError")
  }))

it.live("what was tuned for a signature does not reach steps that ask for other fields in its name", () =>
  Effect.gen(function*() {
    const parameters = { Label: { instructions: "Tuned.", demos: [example] } }
    for (const name of ["TwoStep", "MultiChainComparison"]) {
      const { requests: expected, script, step } = cases[name] ?? assert.fail(name)
      const { requests, result } = yield* seen(step, script, input, parameters)
      assert.strictEqual(result._tag, "Success")
      assert.deepStrictEqual(requests.at(-1)?.messages.map(words), expected.at(-1))
    }
  }))
