import { Signature, ToolCalls, XmlAdapter } from "@effect-dspy/core"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"

const Plan = Signature.make("Plan", { input: {}, output: { calls: ToolCalls.ToolCalls } })
const call = { name: "weather", args: { city: "Paris", days: [1, null] } }

const read = (calls: unknown) => Plan.derived.decodeOutput({ calls })

describe("tool calls", () => {
  it("are told to a model as a list, and only as that", () => {
    assert.deepStrictEqual(Plan.derived.jsonSchema.properties, {
      calls: {
        type: "array",
        items: {
          type: "object",
          properties: { name: { type: "string" }, args: { type: "object" } },
          required: ["name", "args"],
          additionalProperties: false
        }
      }
    })
    assert.strictEqual(Plan.derived.outputs[0]?.type, "{ name: string; args: object }[]")
  })

  it("are read as the list they mean", () => {
    for (const written of [[call], call, { tool_calls: [call] }]) {
      assert.deepStrictEqual(read(written), Result.succeed({ calls: [call] }))
    }
    assert.deepStrictEqual(read([]), Result.succeed({ calls: [] }))
    // A tool may have an argument of that name.
    const named = { name: "log", args: { tool_calls: [] } }
    assert.deepStrictEqual(read(named), Result.succeed({ calls: [named] }))
  })

  it("of another shape are none, and the finding says where", () => {
    assert.deepStrictEqual(
      read([call, { name: "x" }]),
      Result.fail([
        { path: ["calls", 1, "args"], expected: "a value, but the field is missing" }
      ])
    )
    for (const written of ["weather", 7, null, { name: "x", args: "Paris" }, { tool_calls: call }]) {
      assert.isTrue(Result.isFailure(read(written)), JSON.stringify(written))
    }
  })

  it("are written as they are read, and stand in elements", () => {
    assert.deepStrictEqual(Plan.derived.encodeOutput({ calls: [call] }), Result.succeed({ calls: [call] }))
    const format = XmlAdapter.adapter.format(Plan)
    assert.deepStrictEqual(
      format.read("<calls><name>weather</name><args><city>Paris</city></args></calls>"),
      Result.succeed({ calls: [{ name: "weather", args: { city: "Paris" } }] })
    )
  })
})
