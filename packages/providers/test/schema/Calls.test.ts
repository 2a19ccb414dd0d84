/** Schemas that an endpoint can't take as they are, in calls over a loopback socket. */
import { LM, LMError, Predict, Signature } from "@effect-dspy/core"
import { OpenAiCompatible } from "@effect-dspy/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { type Answer, options, reply, serve } from "../server.ts"
import { isRecord } from "./json.ts"

const Shop = Signature.make("Shop", {
  input: { about: Schema.String },
  output: {
    title: Schema.String,
    prices: Schema.Record(Schema.String, Schema.Finite),
    position: Schema.Tuple([Schema.Finite, Schema.Finite]),
    note: Schema.optionalKey(Schema.NullOr(Schema.String)),
    raw: Schema.Unknown
  }
})

const shop = Predict.make(Shop)

const wire = {
  title: "Tea",
  prices: [{ key: "green", value: 2 }, { key: "__proto__", value: 3 }],
  position: { item1: 1, item2: 2 },
  note: null,
  raw: "\"a\""
}

const output: Signature.Output<typeof Shop> = {
  title: "Tea",
  prices: Object.fromEntries([["green", 2], ["__proto__", 3]]),
  position: [1, 2],
  raw: "a"
}

const streamed = (text: string): Answer => {
  const chunks = text.match(/[^]{1,5}/g) ?? []
  const data = [
    ...chunks.map((content) => ({ choices: [{ index: 0, delta: { content } }] })),
    { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }
  ]
  return {
    headers: { "content-type": "text/event-stream" },
    chunked: true,
    body: [...data.map((one) => JSON.stringify(one)), "[DONE]"].map((one) => `data: ${one}\n\n`).join("")
  }
}

const native: Partial<OpenAiCompatible.Options> = { capabilities: { structuredOutput: ["native"] } }

describe("an answer in a lowered shape", () => {
  it.live("comes as the signature has it", () =>
    Effect.gen(function*() {
      const server = yield* serve([reply(JSON.stringify(wire))])
      const found = yield* shop({ about: "tea" }).pipe(
        Effect.provide(OpenAiCompatible.layer(options(server, native)))
      )
      assert.deepStrictEqual(found, output)
      const format = server.requests[0]?.json.response_format
      assert.isTrue(isRecord(format) && isRecord(format.json_schema) && format.json_schema.strict)
    }))

  it.live("comes so while it is written, too", () =>
    Effect.gen(function*() {
      const server = yield* serve([streamed(JSON.stringify(wire))])
      const events = yield* Predict.stream(shop, { about: "tea" }).pipe(
        Stream.runCollect,
        Effect.provide(OpenAiCompatible.layer(options(server, native)))
      )
      const told = events.flatMap((event) => event._tag === "Field" ? [[event.field, event.value]] : [])
      assert.deepStrictEqual(told, Object.entries(output))
      assert.isAbove(events.filter((event) => event._tag === "Delta" && event.field === "title").length, 0)
      assert.deepStrictEqual(events.filter((event) => event._tag === "Restart"), [])
      const last = events.at(-1)
      assert.deepStrictEqual(last?._tag === "Done" ? last.output : undefined, output)
    }))

  it.live("of another shape is what the signature says is wrong", () =>
    Effect.gen(function*() {
      const server = yield* serve([reply(JSON.stringify({ ...wire, prices: [{ key: 1 }] }))])
      const failed = yield* Effect.flip(shop({ about: "tea" })).pipe(
        LM.withSettings({ attempts: 1 }),
        Effect.provide(OpenAiCompatible.layer(options(server, native)))
      )
      assert.strictEqual(failed._tag === "OutputError" ? failed.reason._tag : failed._tag, "Invalid")
    }))
})

describe("a schema that nothing matches", () => {
  it.live("fails before anything is sent, in every mode, and names the field", () =>
    Effect.gen(function*() {
      const server = yield* serve([])
      const never = Predict.make(
        Signature.make("Never", {
          input: { about: Schema.String },
          output: { found: Schema.Struct({ what: Schema.Never }) }
        })
      )
      for (const mode of ["native", "tool", "json", "prompt"] as const) {
        const failed = yield* Effect.flip(never({ about: "tea" })).pipe(
          Effect.provide(OpenAiCompatible.layer(options(server, { capabilities: { structuredOutput: [mode] } })))
        )
        assert.isTrue(failed instanceof LMError.LMError && failed.reason._tag === "Unsupported")
        assert.include(failed.message, "found.what")
      }
      assert.strictEqual(server.started, 0)
    }))
})
