/** States in the shapes DSPy's versions write, put together by hand. */
import { ChainOfThought, DspyState, Message, Parameters, Predict, ReAct, Signature } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"

const Classify = Signature.make("Classify", {
  instructions: "Classify.",
  input: { docText: Schema.String, hints: Schema.Array(Schema.String) },
  output: { label: Schema.Literals(["pos", "neg"]), score: Schema.Finite }
})
const classify = Predict.make(Classify)
const thought = ChainOfThought.make(Classify).named("Thought")

const load = (state: object, targets: DspyState.Targets) =>
  Result.getOrThrow(DspyState.read(JSON.stringify(state), targets))

const fields = [
  { prefix: "Doc Text:", description: "${doc_text}" },
  { prefix: "Hints:", description: "${hints}" },
  { prefix: "Label:", description: "${label}" },
  { prefix: "Score:", description: "${score}" }
]
const reasoning = { prefix: "Reasoning: Let's think step by step in order to", description: "${reasoning}" }

const demo = { doc_text: "lovely", hints: ["a"], label: "pos", score: 0.5 }
const example = { input: { docText: "lovely", hints: ["a"] }, output: { label: "pos", score: 0.5 } }

const state = (more: object = {}) => ({
  traces: [],
  train: [],
  demos: [{ augmented: true, ...demo }],
  signature: { instructions: "Say pos or neg.", fields },
  lm: null,
  ...more
})

const tuned = { instructions: "Say pos or neg.", demos: [example] }

describe("a state of DSPy", () => {
  it("of a Predict that was saved by itself (2.6 to 3.3)", () => {
    const { parameters, report, version } = load({
      ...state(),
      metadata: { dependency_versions: { python: "3.11", dspy: "3.3.1", cloudpickle: "3.1" } }
    }, { classify })
    assert.deepStrictEqual(parameters, { Classify: tuned })
    assert.deepStrictEqual(report, [])
    assert.strictEqual(version, "3.3.1")
  })

  it("of a ChainOfThought that was saved by itself (2.6 to 3.3)", () => {
    const steps = { ...demo, reasoning: "It says so." }
    const signature = { instructions: "Think.", fields: [...fields.slice(0, 2), reasoning, ...fields.slice(2)] }
    const { parameters, report } = load({ predict: state({ demos: [steps], signature }) }, { thought })
    assert.deepStrictEqual(parameters, {
      Thought: {
        instructions: "Think.",
        demos: [{ input: example.input, output: { reasoning: "It says so.", ...example.output } }]
      }
    })
    assert.deepStrictEqual(report, [])
  })

  it("of a nested program, by the names of its predictors", () => {
    const { parameters, report } = load({
      "draft.predict": state({ signature: { instructions: "Draft.", fields: [] } }),
      "steps[0]": state({ demos: [] }),
      "tools['a'].predict": state(),
      metadata: { dependency_versions: { dspy: "2.6.27" } }
    }, {
      draft: { predictor: classify, at: "Essay/draft" },
      "steps[0]": classify,
      missing: classify
    })
    assert.deepStrictEqual(parameters, {
      "Essay/draft": { instructions: "Draft.", demos: [example] },
      Classify: { instructions: "Say pos or neg." }
    })
    assert.deepStrictEqual(report, [
      { predictor: "missing", about: "predictor", message: "is not in the file" },
      { predictor: "tools['a'].predict", about: "predictor", message: "is not in the program" }
    ])
  })

  it("of 2.5, with an extended signature beside the plain one", () => {
    const old = state({
      demos: [{ ...demo, rationale: "because" }],
      extended_signature: {
        instructions: "Think first.",
        fields: [...fields.slice(0, 2), reasoning, ...fields.slice(2)]
      }
    })
    const cot = load({ "cot._predict": old }, { cot: thought })
    assert.strictEqual(cot.parameters["Thought"]?.instructions, "Think first.")
    assert.deepStrictEqual(cot.parameters["Thought"]?.demos?.[0]?.output, { reasoning: "because", ...example.output })
    assert.deepStrictEqual(cot.report, [])
    // A predictor without steps has the plain one.
    const plain = load({ cot: { ...old, demos: [demo] } }, { cot: classify })
    assert.strictEqual(plain.parameters["Classify"]?.instructions, "Say pos or neg.")
  })

  it("of 2.4, with instructions and the last prefix only", () => {
    const { parameters, report } = load({
      generate: {
        lm: null,
        traces: [],
        train: [],
        demos: [demo],
        signature_instructions: "Say it.",
        signature_prefix: "The final score, from 0 to 1:",
        extended_signature_instructions: "Think, then say it.",
        extended_signature_prefix: "Score:"
      }
    }, { generate: classify })
    assert.deepStrictEqual(parameters, { Classify: { instructions: "Say it.", demos: [example] } })
    assert.deepStrictEqual(report, [
      { predictor: "generate", about: "prefix", message: "of `score` is not loaded" }
    ])
  })

  it("that fits an agent", () => {
    const agent = ReAct.make(Classify, { tools: [] })
    const { parameters } = load({ react: state(), "extract.predict": state() }, { extract: agent })
    assert.deepStrictEqual(parameters, { Classify: tuned })
  })

  it("is sent", () => {
    const { parameters } = load(state(), { classify })
    return Effect.gen(function*() {
      yield* Parameters.provide(parameters)(classify({ docText: "sad", hints: [] }))
      const [request] = (yield* TestLM.TestLM).requests
      assert.deepStrictEqual(request?.messages.map(({ role }) => role), ["system", "user", "assistant", "user"])
      assert.match(Message.text(request?.messages[0]), /^Say pos or neg\./)
      assert.strictEqual(Message.text(request?.messages[2]), "{\"label\":\"pos\",\"score\":0.5}")
    }).pipe(Effect.provide(TestLM.layer([{ label: "neg", score: 0 }])), Effect.runPromise)
  })
})

describe("the report names", () => {
  const about = (more: object, targets: DspyState.Targets = { classify }) =>
    load(state(more), targets).report.map(({ about, message }) => `${about}: ${message}`)

  it("demonstrations that do not fit", () => {
    const demos = [
      { ...demo, color: "red" },
      { doc_text: "no output" },
      { label: "pos", score: 1 },
      { ...demo, label: "so so" },
      { doc_text: "lovely", label: "pos" },
      "text",
      { ...demo, hints: "[\"as text\"]", score: "0.5", dspy_uuid: "1", dspy_split: "train" }
    ]
    const { parameters } = load(state({ demos }), { classify })
    assert.deepStrictEqual(parameters["Classify"]?.demos, [
      example,
      { input: { docText: "lovely" }, output: { label: "pos" } },
      { input: { docText: "lovely", hints: ["as text"] }, output: example.output }
    ])
    assert.deepStrictEqual(about({ demos }), [
      "demo: 0 has a field `color`, which the signature has not",
      "demo: 1 is left out: it has no output",
      "demo: 2 is left out: it has no input",
      "demo: 3 is left out: label: expected \"pos\" | \"neg\"",
      "partial: 4 lacks hints, score",
      "demo: 5 is not an object"
    ])
  })

  it("fields that differ, by number, name and order", () => {
    const has = "the signature has docText, hints, label, score"
    assert.deepStrictEqual(about({ signature: { fields: fields.slice(0, 3) } }), [
      `fields: the file has 3 fields, ${has}`
    ])
    assert.deepStrictEqual(about({ signature: { fields: fields.toReversed() } }), [
      `fields: the file has 4 fields, ${has}`
    ])
    const renamed = [{ prefix: "Passage:", description: "${passage}" }, ...fields.slice(1)]
    assert.deepStrictEqual(about({ signature: { fields: renamed } }), [`fields: the file has 4 fields, ${has}`])
    const target = { predictor: classify, fields: { passage: "docText" } }
    const { parameters, report } = load(
      state({ signature: { fields: renamed }, demos: [{ ...demo, doc_text: undefined, passage: "other" }] }),
      { self: target }
    )
    assert.deepStrictEqual(report, [])
    assert.deepStrictEqual(parameters["Classify"]?.demos?.[0]?.input, { docText: "other", hints: ["a"] })
  })

  it("descriptions and prefixes, which parameters do not hold", () => {
    const changed = [{ prefix: "Doc Text:", description: "as it came" }, fields[1], {
      prefix: "Label: one of two",
      description: ""
    }, fields[3]]
    assert.deepStrictEqual(about({ signature: { fields: changed } }), [
      "description: of `docText` is another than the signature's, and not loaded",
      "prefix: of `label` is not loaded"
    ])
  })

  it("the model and what else stands in a state", () => {
    const lm = {
      model: "openai/gpt-4o-mini",
      model_type: "chat",
      cache: true,
      num_retries: 3,
      finetuning_model: null,
      launch_kwargs: {},
      temperature: 0.3,
      max_tokens: 400,
      stop: "\n",
      api_base: "http://elsewhere"
    }
    const { parameters } = load(state({ lm }), { classify })
    assert.deepStrictEqual(parameters["Classify"]?.settings, { temperature: 0.3, maxTokens: 400, stop: ["\n"] })
    assert.deepStrictEqual(about({ lm, traces: [1], k: 3 }), [
      "lm: settings that are not loaded: model, model_type, cache, num_retries, api_base; the model is the layer's",
      "other: `traces` is not loaded",
      "other: `k` is not loaded"
    ])
    assert.notInclude(JSON.stringify(load(state({ lm, demos: [{ secret: "s3cret" }] }), { classify }).report), "s3cret")
  })

  it("and what is no state at all is refused", () => {
    for (const text of ["", "[]", "{}", "{\"a\": 1}", "{\"metadata\": {}}"]) {
      assert.isTrue(Result.isFailure(DspyState.read(text, { classify })), text)
    }
  })
})

it("what is written is read back, and has DSPy's shape", () => {
  const targets = {
    classify: { predictor: classify, fields: { doc_text: "docText" } },
    "cot.predict": { predictor: thought, at: "Essay/Thought" }
  }
  const parameters: Parameters.Parameters = {
    Classify: tuned,
    "Essay/Thought": {
      instructions: "Think.",
      demos: [{ input: example.input, output: { reasoning: "so", ...example.output } }]
    }
  }
  const text = DspyState.write(parameters, targets)
  const back = Result.getOrThrow(DspyState.read(text, targets))
  assert.deepStrictEqual(back.parameters, parameters)
  assert.deepStrictEqual(back.report, [])
  const written = JSON.parse(text)
  assert.deepStrictEqual(written.classify, {
    ...state(),
    demos: [demo],
    signature: {
      ...state().signature,
      fields: [
        { prefix: "Doc Text:", description: "${doc_text}" },
        ...fields.slice(1)
      ]
    }
  })
  assert.deepStrictEqual(written.metadata, { dependency_versions: {} })
})
