import { ReasoningDetails } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"

describe("reasoning details", () => {
  const text = (piece: object) => ({ type: "reasoning.text", index: 0, ...piece })

  it("grow from piece to piece, each by its number and kind", () => {
    const pieces = [
      [text({ text: "Let me" })],
      [text({ text: " see." }), { type: "reasoning.encrypted", index: 0, data: "abc" }],
      [text({ signature: "sig" })],
      [{ type: "reasoning.encrypted", data: "no number" }, { type: "reasoning.encrypted", data: "another" }]
    ]
    assert.deepStrictEqual(pieces.reduce<ReasoningDetails.Details>(ReasoningDetails.add, []), [
      { type: "reasoning.text", index: 0, text: "Let me see.", signature: "sig" },
      { type: "reasoning.encrypted", index: 0, data: "abc" },
      { type: "reasoning.encrypted", data: "no number" },
      { type: "reasoning.encrypted", data: "another" }
    ])
  })

  it("of another form are none", () => {
    for (const pieces of [undefined, null, "text", [1], {}]) {
      assert.deepStrictEqual(ReasoningDetails.add([], pieces), [])
    }
  })

  it("go back to the provider they came from only", () => {
    const details = [text({ text: "Hm." })]
    const part = { type: "reasoning", text: "Hm.", ...ReasoningDetails.toMetadata("gateway", details) } as const
    assert.deepStrictEqual(ReasoningDetails.of("gateway", [part]), details)
    assert.isUndefined(ReasoningDetails.of("another", [part]))
    assert.deepStrictEqual(ReasoningDetails.toMetadata("gateway", []), {})
  })
})
