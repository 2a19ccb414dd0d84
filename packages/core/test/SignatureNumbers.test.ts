import { JsonAdapter, Predict, Request, Signature } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, HashMap, Option, Result, Schema } from "effect"

type Any = Schema.Codec<unknown, unknown, never, never>

const signature = (schema: Any) => Signature.make("S", { input: {}, output: { x: schema } })

/** One value through the whole output, and through its field alone. */
const decode = (schema: Any, json: unknown) => {
  const { decodeOutput, outputs } = signature(schema).derived
  const whole = decodeOutput({ x: json })
  const alone = outputs[0]?.decode(json)
  if (alone === undefined) return assert.fail("there is no field")
  assert.strictEqual(Result.isSuccess(whole), Result.isSuccess(alone), "the field alone says something else")
  return whole
}

class Person extends Schema.Class<Person>("Person")({ age: Schema.Number }) {}

const numbers = { Number: Schema.Number, Finite: Schema.Finite, Int: Schema.Int, Natural: Schema.Natural }

const wrong = [NaN, Infinity, -Infinity, "NaN", "Infinity", "-Infinity", "5", "", null, true, [5]]

/** A schema with a number inside, and how a value gets there in JSON. */
const nested: ReadonlyArray<readonly [name: string, schema: Any, json: (value: unknown) => unknown]> = [
  ["array", Schema.Array(Schema.Number), (value) => [1, value]],
  ["record", Schema.Record(Schema.String, Schema.Number), (value) => ({ a: 1, b: value })],
  [
    "struct",
    Schema.Struct({ a: Schema.Array(Schema.Struct({ b: Schema.Number })) }),
    (value) => ({ a: [{ b: value }] })
  ],
  ["tuple", Schema.Tuple([Schema.String, Schema.Number]), (value) => ["a", value]],
  ["union", Schema.Union([Schema.Boolean, Schema.Number]), (value) => value],
  ["nullable", Schema.NullOr(Schema.Number), (value) => value],
  ["checked", Schema.Number.check(Schema.isGreaterThan(0)), (value) => value],
  ["class", Person, (value) => ({ age: value })],
  ["map", Schema.ReadonlyMap(Schema.String, Schema.Number), (value) => [["a", value]]],
  ["set", Schema.ReadonlySet(Schema.Number), (value) => [value]],
  ["hash map", Schema.HashMap(Schema.String, Schema.Number), (value) => [["a", value]]],
  ["option", Schema.Option(Schema.Number), (value) => ({ _tag: "Some", value })]
]

describe("numbers", () => {
  for (const [name, schema] of Object.entries(numbers)) {
    it(`${name}: nothing else passes for one`, () => {
      for (const value of wrong) assert.isTrue(Result.isFailure(decode(schema, value)), `${typeof value} ${value}`)
      assert.deepStrictEqual(decode(schema, 5), Result.succeed({ x: 5 }))
    })
  }

  for (const [name, schema, json] of nested) {
    it(`in a ${name}: no NaN, no Infinity`, () => {
      for (const value of [NaN, Infinity, -Infinity, "NaN", "Infinity", "-Infinity"]) {
        assert.isTrue(Result.isFailure(decode(schema, json(value))), `${typeof value} ${value}`)
      }
      assert.isTrue(Result.isSuccess(decode(schema, json(5))))
    })
  }

  it("integers are safe integers", () => {
    for (const schema of [Schema.Int, Schema.Natural, Schema.Array(Schema.Int)]) {
      const json = (value: number) => schema === Schema.Int || schema === Schema.Natural ? value : [value]
      assert.isTrue(Result.isSuccess(decode(schema, json(Number.MAX_SAFE_INTEGER))))
      for (const value of [Number.MAX_SAFE_INTEGER + 1, 1e20, 0.5]) {
        assert.isTrue(Result.isFailure(decode(schema, json(value))), String(value))
      }
    }
  })

  it("a text that a transformation can't read as a number is no NaN", () => {
    assert.isTrue(Result.isFailure(decode(Schema.NumberFromString, "many")))
    assert.isTrue(Result.isFailure(decode(Schema.NumberFromString, "Infinity")))
    assert.isTrue(Result.isFailure(decode(Schema.Array(Schema.NumberFromString), ["1", "many"])))
    assert.deepStrictEqual(decode(Schema.NumberFromString, "42"), Result.succeed({ x: 42 }))
  })

  it("collections without a wrong number are as they were", () => {
    assert.deepStrictEqual(
      decode(Schema.HashMap(Schema.String, Schema.Number), []),
      Result.succeed({ x: HashMap.empty<string, number>() })
    )
    assert.deepStrictEqual(
      decode(Schema.Option(Schema.Number), { _tag: "Some", value: 1 }),
      Result.succeed({ x: Option.some(1) })
    )
    assert.deepStrictEqual(decode(Schema.ReadonlySet(Schema.Number), [1, 2]), Result.succeed({ x: new Set([1, 2]) }))
  })

  it("the finding says where, and asks for a number", () => {
    const finite = { expected: "a finite number" }
    const array = Schema.Array(Schema.Struct({ a: Schema.Number }))
    assert.deepStrictEqual(decode(array, [{ a: 1 }, { a: "NaN" }]), Result.fail([{ path: ["x", 1, "a"], ...finite }]))
    assert.deepStrictEqual(
      decode(Schema.ReadonlyMap(Schema.String, Schema.Number), [["a", "NaN"]]),
      Result.fail([{ path: ["x", 0, 1], ...finite }])
    )
    assert.deepStrictEqual(decode(Schema.Number, "5"), Result.fail([{ path: ["x"], expected: "number" }]))
    assert.deepStrictEqual(
      decode(Schema.NullOr(Schema.Number), {}),
      Result.fail([{ path: ["x"], expected: "number | null" }])
    )
  })

  it.effect("that leave the range of a double in a reply are no answer, in any adapter's reading", () =>
    Effect.gen(function*() {
      for (const schema of [Schema.Number, Schema.Finite, Schema.Int]) {
        for (const reply of ["{\"x\": 1e999}", "{\"x\": -1e999}", "{\"x\": NaN}", "{\"x\": Infinity}", "{x: 1e999,}"]) {
          const call = Predict.make(signature(schema), { settings: { attempts: 1 } })({})
          const error = yield* Effect.flip(Effect.provide(call, TestLM.layer([reply])))
          assert.strictEqual(error._tag, "OutputError", reply)
        }
      }
    }))
})

/** All values in a JSON schema, with the keys that lead to them. */
const leaves = (node: unknown): ReadonlyArray<unknown> =>
  typeof node === "object" && node !== null ? Object.values(node).flatMap(leaves) : [node]

const record = (value: unknown) => value as { readonly [key: string]: unknown }

describe("the JSON schema", () => {
  it("never offers a model NaN or Infinity", () => {
    const all = [...Object.values(numbers).map((schema) => ["", schema] as const), ...nested]
    for (const [name, schema] of all) {
      const { derived } = signature(schema)
      assert.notMatch(JSON.stringify(derived.jsonSchema), /NaN|Infinity/, name)
      assert.notMatch(derived.outputs.map((field) => field.type).join(), /NaN|Infinity/, name)
      assert.match(JSON.stringify(derived.jsonSchema), /"(number|integer)"/, name)
    }
  })

  it("leaves words of one's own alone", () => {
    const odd = Schema.Union([Schema.Number, Schema.Literals(["NaN", "none"])])
    assert.deepStrictEqual(record(signature(odd).derived.jsonSchema.properties).x, {
      anyOf: [{ type: "number" }, { type: "string", enum: ["NaN", "none"] }]
    })
  })

  it("keeps the bounds of a finite number, and its field names them", () => {
    const score = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
    const { jsonSchema, outputs } = signature(score).derived
    assert.deepInclude(record(record(jsonSchema.properties).x), { type: "number", minimum: 0, maximum: 1 })
    assert.strictEqual(outputs[0]?.type, "number (0 to 1)")
    assert.deepStrictEqual(decode(score, 2), Result.fail([{ path: ["x"], expected: "a value between 0 and 1" }]))
  })

  it("stands alone: every reference has its definition in it", () => {
    interface Tree {
      readonly value: number
      readonly children: ReadonlyArray<Tree>
    }
    const Tree: Schema.Codec<Tree> = Schema.Struct({
      value: Schema.Number,
      children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
    }).annotate({ identifier: "Tree" })
    const { jsonSchema } = Signature.make("S", { input: {}, output: { tree: Tree, person: Person } }).derived
    const references = leaves(jsonSchema).filter((leaf) => typeof leaf === "string" && leaf.startsWith("#/"))
    assert.isAtLeast(references.length, 3)
    for (const reference of references) {
      const [, defs, name] = String(reference).split("/")
      assert.strictEqual(defs, "$defs")
      assert.property(jsonSchema.$defs, name ?? "")
    }
    assert.notMatch(JSON.stringify(jsonSchema), /NaN/)
    assert.notInclude(JSON.stringify(jsonSchema), "definitions")
  })

  it("has no $defs where nothing needs one, and allows no other keys", () => {
    const { jsonSchema } = signature(Schema.optionalKey(Schema.String)).derived
    assert.deepStrictEqual(jsonSchema, {
      type: "object",
      properties: { x: { type: "string" } },
      additionalProperties: false
    })
  })

  it("is what a request carries, to machines and in words", () => {
    const number = signature(Schema.Int)
    const { output } = JsonAdapter.adapter.format(number)
    if (output._tag !== "Json") return assert.fail(output._tag)
    assert.strictEqual(output.name, "S")
    assert.strictEqual(output.schema, number.derived.jsonSchema)
    const [message] = Request.withInstruction({ messages: [{ role: "user", content: "hi" }], output, settings: {} })
    assert.include(message?.content, JSON.stringify(output.schema))
  })
})
