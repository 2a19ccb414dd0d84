import { type LM, Message, type Request } from "@effect-dspy/core"
import { Capabilities, Plan, Quirks } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { type JsonSchema, Result } from "effect"

const schema: JsonSchema.JsonSchema = { type: "object", properties: { n: { type: "number" } } }

const json: LM.Request["output"] = { _tag: "Json", name: "Answer", schema, instruction: "Reply with JSON." }

const tool = (name: string): Request.Tool => ({ name, description: "", parameters: { type: "object" } })

const held = (tool: Request.Tool): Plan.Tool => ({ ...tool, strict: true })

const request = (more: Partial<LM.Request> = {}): LM.Request => ({
  messages: [Message.user("hello")],
  output: json,
  settings: {},
  ...more
})

const same: Plan.Lower = (schema) => Result.succeed({ schema, strict: true })

const planned = (
  asked: LM.Request,
  capabilities: Partial<Capabilities.Capabilities> = {},
  lower: Plan.Lower = same,
  more: Partial<Plan.Options> = {}
) => Plan.make({ capabilities: { ...Capabilities.all, ...capabilities }, lower, ...more })(asked)

const plan = (...args: Parameters<typeof planned>) => Result.getOrThrow(planned(...args))

describe("a wished form", () => {
  it("is asked for the firmest way there is", () => {
    assert.deepStrictEqual(plan(request()), {
      messages: [Message.user("hello")],
      settings: {},
      tools: [],
      toolChoice: undefined,
      format: { _tag: "Schema", name: "Answer", schema, strict: true },
      reasons: true,
      how: { mode: "native", adjustments: [] }
    })
  })

  it("by a tool, by JSON of any shape, or in words, where there is no firmer one, and says so where it was tried", () => {
    const forced = plan(request(), { structuredOutput: ["tool"] })
    assert.deepStrictEqual(forced.tools, [
      { name: "give_output", description: "Reply with JSON.", parameters: schema, strict: true }
    ])
    assert.deepStrictEqual(forced.toolChoice, { tool: "give_output" })
    assert.deepStrictEqual(forced.how, { mode: "tool", adjustments: [], outputTool: "give_output" })
    const words = [Message.user("hello\n\nReply with JSON.")]
    const loose = plan(request({ output: { ...json, mode: "json" } }))
    assert.deepStrictEqual([loose.format, loose.messages], [{ _tag: "AnyJson" }, words])
    assert.deepStrictEqual(loose.how.adjustments, [{ feature: "output", action: "json" }])
    const asked = plan(request(), { structuredOutput: [] })
    assert.deepStrictEqual([asked.format, asked.messages, asked.tools], [undefined, words, []])
  })

  it("that a model can't be held to is asked for by a tool, unless the endpoint takes it as a hint", () => {
    let asked = 0
    const lower: Plan.Lower = (schema) => {
      asked++
      return Result.succeed({ schema, strict: false })
    }
    const make = Plan.make({ capabilities: Capabilities.all, lower })
    for (let time = 0; time < 3; time++) {
      const { format, how, tools } = Result.getOrThrow(make(request()))
      assert.deepStrictEqual([format, tools[0]?.parameters], [undefined, schema])
      assert.deepStrictEqual(how, {
        mode: "tool",
        outputTool: "give_output",
        adjustments: [{ feature: "output", action: "tool" }]
      })
    }
    assert.strictEqual(asked, 1, "a schema is written once")
    const hinted = plan(request(), {}, lower, { loose: true })
    assert.deepStrictEqual(hinted.format, { _tag: "Schema", name: "Answer", schema, strict: false })
  })

  it("that nothing could match fails in every mode, and names the field", () => {
    for (const mode of ["native", "tool", "prompt"] as const) {
      const failed = planned(request(), { structuredOutput: [mode] }, () => Result.fail({ feature: "it", field: "n" }))
      assert.deepInclude(Result.getOrThrow(Result.flip(failed)), { _tag: "Unsupported", feature: "it", field: "n" })
    }
  })

  it("carries the way back from a lowered schema", () => {
    const restore = (value: unknown) => value
    const lower: Plan.Lower = (schema) => Result.succeed({ schema, strict: true, restore })
    for (const mode of ["native", "tool"] as const) {
      assert.strictEqual(plan(request(), { structuredOutput: [mode] }, lower).how.restore, restore)
    }
    assert.notProperty(plan(request(), { structuredOutput: ["json"] }, lower).how, "restore")
  })

  it("is also said in words where a model has to be told both", () => {
    const { messages } = plan(request(), {}, same, { instructed: ["native"] })
    assert.deepStrictEqual(messages, [Message.user("hello\n\nReply with JSON.")])
  })
})

describe("a forced tool", () => {
  const by = { structuredOutput: ["tool"] } as const

  it("leaves the model free to call the request's own first", () => {
    const { how, toolChoice, tools } = plan(request({ tools: [tool("now"), tool("give_output")] }), by)
    assert.deepStrictEqual(tools.map(({ name }) => name), ["now", "give_output", "give_output_"])
    assert.strictEqual(toolChoice, "required")
    assert.strictEqual(how.outputTool, "give_output_")
  })

  it("is the only one where others must not be called, and none where one of them must", () => {
    const tools = [tool("now")]
    assert.deepStrictEqual(plan(request({ tools, toolChoice: "none" }), by).toolChoice, { tool: "give_output" })
    for (const toolChoice of ["required", { tool: "now" }] as const) {
      const demanded = plan(request({ tools, toolChoice }), by)
      assert.deepStrictEqual([demanded.tools, demanded.toolChoice], [tools.map(held), toolChoice])
      assert.notProperty(demanded.how, "outputTool")
    }
  })
})

describe("a tool that can't be forced", () => {
  it("is no way to an answer, always or while the model reasons", () => {
    for (const toolChoice of [false, "unlessReasoning"] as const) {
      const { how, messages } = plan(request(), { structuredOutput: ["tool"], toolChoice })
      assert.deepStrictEqual(how, { mode: "prompt", adjustments: [{ feature: "output", action: "prompt" }] })
      assert.deepStrictEqual(messages, [Message.user("hello\n\nReply with JSON.")])
    }
    const still = plan(request({ settings: { reasoningEffort: "none" } }), {
      structuredOutput: ["tool"],
      toolChoice: "unlessReasoning"
    })
    assert.strictEqual(still.how.mode, "tool")
  })

  it("has parameters of its own writing where the protocol says so", () => {
    const raw: Plan.Lower = (schema) => Result.succeed({ schema, strict: false })
    const found = plan(request(), { structuredOutput: ["tool"] }, same, { lowerTool: raw })
    assert.deepStrictEqual([found.how.mode, found.tools[0]?.parameters], ["tool", schema])
  })
})

describe("an endpoint that can't", () => {
  const tools = [tool("now")]
  const reason = (...args: Parameters<typeof planned>) => {
    const failed = Result.getOrThrow(Result.flip(planned(...args)))
    return failed.feature
  }

  it("hold a model to a schema beside tools is asked in another way, with tools only", () => {
    const either = { outputBesideTools: ["tool", "prompt"] } as const
    assert.strictEqual(plan(request({ tools }), either).how.mode, "tool")
    assert.deepStrictEqual(plan(request({ tools }), either).how.adjustments, [{ feature: "output", action: "tool" }])
    assert.strictEqual(plan(request(), either).how.mode, "native")
  })

  it("be told which tool to call is not told, and that is said, or fails", () => {
    const unable = { toolChoice: false }
    const dropped = plan(request({ tools, toolChoice: "required", output: { _tag: "Text" } }), unable)
    assert.deepStrictEqual([dropped.tools, dropped.toolChoice], [tools.map(held), undefined])
    assert.deepStrictEqual(dropped.how.adjustments, [{ feature: "toolChoice", action: "dropped" }])
    assert.strictEqual(
      reason(request({ tools, toolChoice: { tool: "now" } }), { ...unable, onUnsupported: "fail" }),
      "the tool choice"
    )
    // Not to call any is said by not showing them.
    assert.deepStrictEqual(plan(request({ tools, toolChoice: "none" }), unable).tools, [])
    assert.deepStrictEqual(plan(request({ tools, toolChoice: "none" }), unable).how.adjustments, [])
  })

  it("call tools, or take a kind of media from there, fails before anything is sent", () => {
    const photo = { type: "image", mediaType: "image/png", source: { _tag: "Url", url: "https://a.example" } } as const
    const looking = request({ messages: [Message.user([photo])] })
    assert.strictEqual(reason(request({ tools }), { tools: false }), "tool calls")
    assert.strictEqual(reason(looking, { media: {} }), "image input")
    assert.strictEqual(reason(looking, { media: { image: ["Base64"] } }), "image input as Url")
  })
})

describe("settings", () => {
  const fit = (
    capabilities: Partial<Capabilities.Capabilities>,
    settings: LM.Request["settings"],
    protocol?: Parameters<typeof Capabilities.fit>[2]
  ) => Capabilities.fit({ ...Capabilities.all, ...capabilities }, settings, protocol)

  const fitted = (...args: Parameters<typeof fit>) => Result.getOrThrow(fit(...args))

  it("that are taken are the very same", () => {
    const settings = { temperature: 0.5, reasoningEffort: "low" } as const
    assert.strictEqual(fitted({}, settings).settings, settings)
  })

  it("out of bounds are moved to the nearest, by name", () => {
    const bounds = { temperature: [0, 1], maxTokens: [16, Infinity] } as const
    assert.deepStrictEqual(fitted({}, { temperature: 1.5, maxTokens: 4, topP: 2 }, { bounds }), {
      settings: { temperature: 1, maxTokens: 16, topP: 2 },
      adjustments: [{ feature: "temperature", action: "1" }, { feature: "maxTokens", action: "16" }],
      reasons: true
    })
  })

  it("the protocol has no word for are dropped, or fail the call", () => {
    const found = fitted({}, { seed: 1, topP: 0.5 }, { without: ["seed"] })
    assert.deepStrictEqual([found.settings, found.adjustments], [{ topP: 0.5 }, [{
      feature: "seed",
      action: "dropped"
    }]])
    const failed = fit({ onUnsupported: "fail" }, { seed: 1 }, { without: ["seed"] })
    assert.strictEqual(Result.isFailure(failed) ? failed.failure.message : "", "the setting seed is not supported")
  })

  it("of which the model takes one are one", () => {
    const oneOf = ["temperature", "topP"] as const
    assert.deepStrictEqual(fitted({ oneOf }, { temperature: 0, topP: 0.5 }).settings, { temperature: 0 })
    assert.deepStrictEqual(fitted({ oneOf }, { topP: 0.5 }).settings, { topP: 0.5 })
    assert.deepStrictEqual(fitted({ oneOf, without: ["temperature"] }, { temperature: 0, topP: 0.5 }).settings, {
      topP: 0.5
    })
  })

  it("an effort the model does not know becomes the next stronger, else the strongest", () => {
    const asked = (efforts: ReadonlyArray<Capabilities.Effort>, reasoningEffort: Capabilities.Effort) =>
      fitted({ efforts }, { reasoningEffort }).settings.reasoningEffort
    assert.strictEqual(asked(["none", "low", "high"], "minimal"), "low")
    assert.strictEqual(asked(["none", "low", "high"], "medium"), "high")
    assert.strictEqual(asked(["medium"], "high"), "medium")
    assert.strictEqual(asked(["minimal", "low"], "none"), "minimal")
  })

  it("tell whether the model will reason", () => {
    const reasons = (reasoning: Capabilities.Capabilities["reasoning"], effort?: Capabilities.Effort) =>
      fitted({ reasoning }, effort === undefined ? {} : { reasoningEffort: effort }).reasons
    const table = (["never", "asked", "default", "always"] as const)
      .map((one) => [reasons(one), reasons(one, "none"), reasons(one, "low")])
    assert.deepStrictEqual(table, [
      [false, false, false],
      [false, false, true],
      [true, false, true],
      [true, true, true]
    ])
  })

  it("no reasoning is nothing to ask a model for that never does", () => {
    const { adjustments, settings } = fitted({ reasoning: "never" }, { reasoningEffort: "none" })
    assert.deepStrictEqual([settings, adjustments], [{}, []])
    assert.lengthOf(fitted({ reasoning: "never" }, { reasoningEffort: "low" }).adjustments, 1)
  })
})

describe("quirks", () => {
  const after = (model: string, settings: LM.Request["settings"]) =>
    Result.getOrThrow(Capabilities.fit({ ...Capabilities.all, ...Quirks.of(model) }, settings)).settings

  it("are found by the longest beginning of the name, behind a gateway too", () => {
    assert.strictEqual(Quirks.of("gpt-5-mini").reasoning, "always")
    assert.strictEqual(Quirks.of("gpt-5.1").reasoning, "asked")
    assert.strictEqual(Quirks.of("gpt-5.1-chat-latest").reasoning, "always")
    assert.strictEqual(Quirks.of("gpt-5-chat-latest").reasoning, "never")
    assert.strictEqual(Quirks.of("openai/o3-mini").reasoning, "always")
    assert.deepStrictEqual(Quirks.of("olmo"), {})
    assert.deepStrictEqual(Quirks.of("claude-sonnet-4-20250514").structuredOutput, ["tool", "prompt"])
    assert.deepStrictEqual(Quirks.of("claude-sonnet-4-5").structuredOutput, ["native", "tool", "prompt"])
  })

  it("keep sampling from models that reason, and only while they do", () => {
    const temperature = { temperature: 0.2 }
    assert.deepStrictEqual(after("gpt-5-mini", temperature), {})
    assert.deepStrictEqual(after("gpt-5.1", temperature), temperature)
    assert.deepStrictEqual(after("gpt-5.1", { ...temperature, reasoningEffort: "low" }), { reasoningEffort: "low" })
    assert.deepStrictEqual(after("gpt-5.6", { ...temperature, reasoningEffort: "none" }), {
      ...temperature,
      reasoningEffort: "none"
    })
    assert.deepStrictEqual(after("gpt-4o", { ...temperature, reasoningEffort: "low" }), temperature)
    assert.deepStrictEqual(after("claude-opus-4-8", temperature), {})
    assert.deepStrictEqual(after("claude-haiku-4-5", { temperature: 0, topP: 0.9 }), { temperature: 0 })
  })

  it("name a day for every row, and no beginning twice", () => {
    const prefixes = Quirks.table.flatMap((quirk) => quirk.prefixes)
    assert.strictEqual(new Set(prefixes).size, prefixes.length)
    for (const { checked } of Quirks.table) assert.match(checked, /^\d{4}-\d\d-\d\d$/)
  })
})
