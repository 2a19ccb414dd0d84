import { type LM, Message, type Request } from "@effect-dspy/core"
import { Capabilities, Plan } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { type JsonSchema, Result } from "effect"

const schema: JsonSchema.JsonSchema = { type: "object", properties: { n: { type: "number" } } }

const json: LM.Request["output"] = { _tag: "Json", name: "Answer", schema, instruction: "Reply with JSON." }

const tool = (name: string): Request.Tool => ({ name, description: "", parameters: { type: "object" } })

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
      how: { mode: "native", adjustments: [] }
    })
  })

  it("by a tool, by JSON of any shape, or in words, where there is no firmer one, and says so where it was tried", () => {
    const forced = plan(request(), { structuredOutput: ["tool"] })
    assert.deepStrictEqual(forced.tools, [{ name: "give_output", description: "Reply with JSON.", parameters: schema }])
    assert.deepStrictEqual(forced.toolChoice, { tool: "give_output" })
    assert.deepStrictEqual(forced.how, { mode: "tool", adjustments: [], outputTool: "give_output" })
    const words = [Message.user("hello\n\nReply with JSON.")]
    const loose = plan(request({ output: { ...json, mode: "json" } }))
    assert.deepStrictEqual([loose.format, loose.messages], [{ _tag: "AnyJson" }, words])
    assert.deepStrictEqual(loose.how.adjustments, [{ feature: "output", action: "json" }])
    const asked = plan(request(), { structuredOutput: [] })
    assert.deepStrictEqual([asked.format, asked.messages, asked.tools], [undefined, words, []])
  })

  it("that can't be written as a schema is said in a looser way, for this call", () => {
    let asked = 0
    const lower: Plan.Lower = () => {
      asked++
      return Result.fail({ feature: "recursion", field: "n" })
    }
    const make = Plan.make({ capabilities: Capabilities.all, lower })
    for (let time = 0; time < 3; time++) {
      const { format, how } = Result.getOrThrow(make(request()))
      assert.deepStrictEqual(format, { _tag: "AnyJson" })
      assert.deepStrictEqual(how, { mode: "json", adjustments: [{ feature: "output", action: "json" }] })
    }
    assert.strictEqual(asked, 1, "a schema is written once")
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
      assert.deepStrictEqual([demanded.tools, demanded.toolChoice], [tools, toolChoice])
      assert.notProperty(demanded.how, "outputTool")
    }
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
    assert.deepStrictEqual([dropped.tools, dropped.toolChoice], [tools, undefined])
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
