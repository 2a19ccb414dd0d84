import { Predict, PredictError, Signature, StandardField, Tool } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { toStandardJsonSchema } from "@valibot/to-json-schema"
import { type } from "arktype"
import { Effect, Result, Schema, Stream } from "effect"
import * as v from "valibot"
import { z } from "zod"
import { prompt } from "./support.ts"

/** The same fields in three libraries: a nested list, a bound, an optional field, a date made of text. */
const Zod = Signature.make("Visit", {
  input: { note: z.string().describe("what was noted"), limit: z.number().int().optional() },
  output: {
    stars: z.number().int().min(1).max(5),
    places: z.array(z.object({ name: z.string().min(2), country: z.string().optional() })),
    day: z.iso.datetime().transform((text) => new Date(text)),
    mood: z.enum(["calm", "cross"]).describe("in one word"),
    aside: z.string().optional()
  }
})

const Valibot = Signature.make("Visit", {
  input: {
    note: toStandardJsonSchema(v.pipe(v.string(), v.description("what was noted"))),
    limit: toStandardJsonSchema(v.optional(v.pipe(v.number(), v.integer())))
  },
  output: {
    stars: toStandardJsonSchema(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(5))),
    places: toStandardJsonSchema(
      v.array(v.object({ name: v.pipe(v.string(), v.minLength(2)), country: v.optional(v.string()) }))
    ),
    day: toStandardJsonSchema(v.pipe(v.string(), v.isoTimestamp(), v.transform((text) => new Date(text)))),
    mood: toStandardJsonSchema(v.pipe(v.picklist(["calm", "cross"]), v.description("in one word"))),
    aside: toStandardJsonSchema(v.optional(v.string()))
  }
})

const Arktype = Signature.make("Visit", {
  input: { note: type("string", "@", "what was noted"), limit: type("number.integer | undefined") },
  output: {
    stars: type("1 <= number.integer <= 5"),
    places: type({ name: "string >= 2", "country?": "string" }).array(),
    day: type("string.date.iso.parse"),
    mood: type("'calm' | 'cross'", "@", "in one word"),
    aside: type("string | undefined")
  }
})

const good = {
  stars: 4,
  places: [{ name: "Oslo", country: "Norway" }, { name: "Bergen" }],
  day: "2026-01-02T00:00:00.000Z",
  mood: "calm"
}
const read = { ...good, day: new Date("2026-01-02T00:00:00.000Z") }

interface Input {
  readonly note: string
  readonly limit?: number
}

interface Output {
  readonly stars: number
  readonly places: ReadonlyArray<{ name: string; country?: string | undefined }>
  readonly day: Date
  readonly mood: "calm" | "cross"
  readonly aside?: string
}

expectTypeOf<Signature.Input<typeof Zod>>().toExtend<Input>()
expectTypeOf<Input>().toExtend<Signature.Input<typeof Zod>>()
expectTypeOf<Signature.Output<typeof Zod>>().toExtend<Output>()
expectTypeOf<Signature.Output<typeof Valibot>>().toExtend<Output>()
expectTypeOf<Signature.Output<typeof Arktype>>().toExtend<Output>()
expectTypeOf<Input>().toExtend<Signature.Input<typeof Valibot>>()
expectTypeOf<Input>().toExtend<Signature.Input<typeof Arktype>>()
expectTypeOf<Signature.Output<typeof Zod>["stars"]>().toEqualTypeOf<number>()
expectTypeOf<Signature.Output<typeof Valibot>["mood"]>().toEqualTypeOf<"calm" | "cross">()
expectTypeOf<Signature.Output<typeof Arktype>["day"]>().toEqualTypeOf<Date>()

const suite = <S extends typeof Zod | typeof Valibot | typeof Arktype>(name: string, signature: S) => {
  // The three have the same fields.
  const visit = Predict.make(signature as typeof Zod)

  describe(`fields of ${name}`, () => {
    it("are shown as their library says", () => {
      const { inputs, jsonSchema, outputs } = signature.derived
      assert.strictEqual(inputs[0]?.description, "what was noted")
      assert.deepStrictEqual(inputs.map(({ isOptional, type }) => [type, isOptional]), [["string", false], [
        inputs[1]?.type,
        true
      ]])
      assert.match(inputs[1]?.type ?? "", /^(integer|number)/)
      assert.deepStrictEqual(outputs.map(({ name }) => name), ["stars", "places", "day", "mood", "aside"])
      assert.strictEqual(outputs[0]?.type, "integer (1 to 5)")
      assert.match(outputs[1]?.type ?? "", /^\{ name: string; country\?: string \}\[\]$/)
      assert.strictEqual(outputs[3]?.type, "\"calm\" | \"cross\"")
      assert.strictEqual(outputs[3]?.description, "in one word")
      assert.deepStrictEqual(jsonSchema.required, ["stars", "places", "day", "mood"])
      assert.notInclude(JSON.stringify(jsonSchema), "$schema")
    })

    it.effect("are read by their library, transformations included", () =>
      Effect.gen(function*() {
        const output = yield* visit({ note: "a walk" })
        assert.deepStrictEqual(output, read as never)
        assert.strictEqual((yield* visit({ note: "a walk", limit: 3 })).aside, "yes")
        assert.match(prompt((yield* TestLM.TestLM).requests[1] ?? assert.fail()), /a walk[^]*3/)
      }).pipe(Effect.provide(TestLM.layer([good, { ...good, aside: "yes", unknown: 1 }]))))

    it.effect("what is wrong goes back to the model, field by field, and never shows what was there", () =>
      Effect.gen(function*() {
        const wrong = {
          stars: 9,
          places: [{ name: "Oslo" }, { name: 7 }, { name: "x", country: "a secret country" }],
          day: "a secret day",
          mood: "a secret mood"
        }
        const output = yield* visit({ note: "a walk" })
        assert.deepStrictEqual(output, read as never)
        const said = prompt((yield* TestLM.TestLM).requests[1] ?? assert.fail())
        const findings = said.split("\n").filter((line) => line.startsWith("- "))
        assert.match(findings.join("\n"), /- stars: expected .*5/)
        assert.match(findings.join("\n"), /- places\[1\]\.name: expected .*string/)
        assert.match(findings.join("\n"), /- places\[2\]\.name: expected .*2/)
        assert.match(findings.join("\n"), /- day: expected/)
        assert.match(findings.join("\n"), /- mood: expected .*(calm|in one word)/)
        const failure = yield* Effect.flip(
          Effect.provide(visit({ note: "a walk" }), TestLM.layer(() => JSON.stringify(wrong)))
        )
        assert.strictEqual(failure._tag, "OutputError")
        assert.notInclude(failure.message, "secret")
      }).pipe(Effect.provide(TestLM.layer([
        JSON.stringify({
          ...good,
          stars: 9,
          places: [{ name: "Oslo" }, { name: 7 }, { name: "x" }],
          day: "?",
          mood: "?"
        }),
        good
      ]))))

    it.effect("a wrong input is an InputError, and nothing is sent", () =>
      Effect.gen(function*() {
        const failure = yield* Effect.flip(visit({ note: "a walk", limit: "a secret" as never }))
        assert.instanceOf(failure, PredictError.InputError)
        assert.match(failure.message, /limit: expected/)
        assert.notInclude(failure.message, "secret")
        assert.strictEqual((yield* TestLM.TestLM).requests.length, 0)
      }).pipe(Effect.provide(TestLM.layer([good]))))

    it("are written as JSON that reads back", () => {
      const { decodeOutput, encodeOutput } = signature.derived
      const written = Result.getOrThrow(encodeOutput(read))
      assert.deepStrictEqual(written, good)
      assert.deepStrictEqual(Result.getOrThrow(decodeOutput(written)), read)
      assert.isTrue(Result.isFailure(encodeOutput({ ...read, stars: 7 })))
    })

    it.effect("are streamed", () =>
      Effect.gen(function*() {
        const events = yield* Stream.runCollect(Predict.stream(visit, { note: "a walk" }))
        const day = events.find((event) => event._tag === "Field" && event.field === "day")
        assert.deepInclude(day, { value: read.day })
        assert.deepInclude(events.at(-1), { _tag: "Done", output: read as never })
      }).pipe(Effect.provide(TestLM.layer([TestLM.streamed([...JSON.stringify(good)])]))))
  })
}

suite("zod", Zod)
suite("valibot", Valibot)
suite("arktype", Arktype)

describe("a field of another library", () => {
  it("may stand beside effect's own, and in a tool", async () => {
    const mixed = Signature.make("Mixed", {
      input: { text: Schema.String },
      output: { stars: z.number(), day: Schema.DateFromString }
    })
    expectTypeOf<Signature.Output<typeof mixed>>().toExtend<{ readonly stars: number; readonly day: Date }>()
    assert.deepStrictEqual(mixed.derived.outputs.map((field) => field.type), ["number", "string"])
    const add = Tool.make("add", {
      description: "Adds.",
      parameters: { a: StandardField.make("a", z.number()), b: Schema.Finite },
      success: Schema.Finite,
      run: ({ a, b }) => Effect.succeed(a + b)
    })
    assert.deepStrictEqual(await Effect.runPromise(add.call({ a: 1, b: 2 })), { content: "3", isError: false })
    assert.match((await Effect.runPromise(add.call({ a: "x", b: 2 }))).content, /- a: expected number/)
  })

  it("with a default need not be written", () => {
    const { derived } = Signature.make("Default", {
      input: {},
      output: { tags: z.array(z.string()).default([]), mood: z.string().default("calm") }
    })
    expectTypeOf<Signature.Output<ReturnType<typeof defaults>>>().toExtend<{ readonly tags: ReadonlyArray<string> }>()
    assert.deepStrictEqual(Result.getOrThrow(derived.decodeOutput({})), { tags: [], mood: "calm" })
    const [first, second] = [derived.decodeOutput({}), derived.decodeOutput({})].map((one) => Result.getOrThrow(one))
    // Made anew each time: nobody's list is another's.
    assert.notStrictEqual((first as { tags: unknown }).tags, (second as { tags: unknown }).tags)
  })

  it("may be recursive; definitions of two fields don't mix", () => {
    const A = z.object({
      name: z.string(),
      get next() {
        return A.optional()
      }
    })
    const B = z.object({
      size: z.number(),
      get inner() {
        return z.array(B)
      }
    })
    const { derived } = Signature.make("Trees", { input: {}, output: { a: A, b: B, c: z.object({ a: A }) } })
    const { $defs, properties } = derived.jsonSchema
    assert.deepStrictEqual(properties, {
      a: { $ref: "#/$defs/a" },
      b: { $ref: "#/$defs/b" },
      c: (properties as { readonly c: unknown }).c
    } as never)
    assert.deepNestedInclude($defs, {
      "a.properties.next.$ref": "#/$defs/a",
      "b.properties.inner.items.$ref": "#/$defs/b"
    })
    const all = JSON.stringify(derived.jsonSchema)
    for (const [, name = ""] of all.matchAll(/"#\/\$defs\/(\w+)"/g)) assert.property($defs, name)
    const tree = { a: { name: "x", next: { name: 5 } }, b: { size: 1, inner: [] }, c: { a: { name: "y" } } }
    const found = Result.match(derived.decodeOutput(tree), { onFailure: (issues) => issues, onSuccess: () => [] })
    assert.deepStrictEqual(found, [{ path: ["a", "next", "name"], expected: "string" }])
  })

  it("is closed for the model, but not in its parts", () => {
    const { derived } = Signature.make("Closed", {
      input: {},
      output: {
        one: z.object({ a: z.string() }),
        both: z.intersection(z.object({ a: z.string() }), z.object({ b: z.string() })),
        loose: z.looseObject({ a: z.string() })
      }
    })
    const { both, loose, one } = derived.jsonSchema.properties as Record<string, Record<string, unknown>>
    assert.strictEqual(one?.additionalProperties, false)
    // zod may write one object of both.
    const parts = (both?.allOf ?? []) as ReadonlyArray<object>
    assert.deepStrictEqual(parts.filter((part) => "additionalProperties" in part), [])
    assert.notStrictEqual(loose?.additionalProperties, false)
  })

  it("keeps the words of its author, and takes values out of them", () => {
    const { derived } = Signature.make("Words", {
      input: {},
      output: {
        rhyme: z.string().refine((text) => text.endsWith("ay"), "must rhyme with day"),
        echo: z.string().refine(() => false, { error: ({ input }) => `${String(input)} will not do` }),
        record: z.record(z.string(), z.number()).refine(() => false, { error: ({ input }) => JSON.stringify(input) })
      }
    })
    const found = Result.match(
      derived.decodeOutput({ rhyme: "night", echo: "a secret", record: { "secret key": 1 } }),
      { onFailure: (issues) => issues, onSuccess: () => [] }
    )
    assert.deepStrictEqual(found.map(({ expected }) => expected), [
      "a valid value: must rhyme with day",
      "a valid value: ... will not do",
      "a valid value: {\"...\":1}"
    ])
  })

  it("is no number that JSON can't hold", () => {
    const { derived } = Signature.make("Infinite", {
      input: {},
      output: { n: toStandardJsonSchema(v.number()) }
    })
    assert.isTrue(Result.isFailure(derived.decodeOutput({ n: Infinity })))
  })

  it("trims, coerces and takes dates twice without harm; what can't be written back says so", () => {
    const { derived } = Signature.make("Twice", {
      input: { text: z.string().trim() },
      output: { count: z.coerce.number() }
    })
    assert.deepStrictEqual(Result.getOrThrow(derived.encodeInput({ text: " a " })), { text: "a" })
    assert.deepStrictEqual(Result.getOrThrow(derived.decodeOutput({ count: "5" })), { count: 5 })
    const loud = Signature.make("Loud", {
      input: { text: z.string().transform((text) => `${text}!`) },
      output: { x: z.string() }
    })
    const found = Result.match(loud.derived.encodeInput({ text: "a" }), {
      onFailure: (issues) => issues,
      onSuccess: () => []
    })
    assert.match(found[0]?.expected ?? "", /reads back from JSON/)
  })

  const problem = (declare: () => unknown): StandardField.StandardFieldError => {
    try {
      declare()
    } catch (error) {
      assert.instanceOf(error, StandardField.StandardFieldError)
      return error
    }
    return assert.fail("nothing was thrown")
  }

  it("that has no JSON schema, or is asynchronous, is refused by name where it is declared", () => {
    const bare = problem(() =>
      // @ts-expect-error valibot's schemas alone do not tell their JSON schema
      Signature.make("Bare", { input: { day: v.string() }, output: { x: Schema.String } })
    )
    assert.deepInclude(bare, { field: "day", vendor: "valibot" })
    assert.match(bare.message, /^day: a valibot schema that can't be a field: .*JSON schema/)
    const date = problem(() => Signature.make("Date", { input: {}, output: { day: z.date() } }))
    assert.deepInclude(date, { field: "day", vendor: "zod" })
    const slow = problem(() => {
      const schema = z.any().refine(async () => true)
      return Signature.make("Slow", { input: {}, output: { slow: schema } })
    })
    assert.match(slow.message, /slow: .*asynchronously/)
  })

  it("clashes like any other", () => {
    // @ts-expect-error a key that is both input and output
    const clash = () => Signature.make("Clash", { input: { x: z.string() }, output: { x: z.string() } })
    assert.throws(clash, /both an input and an output field: x/)
  })
})

const defaults = () => Signature.make("Default", { input: {}, output: { tags: z.array(z.string()).default([]) } })
