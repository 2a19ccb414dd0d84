import { Signature } from "@effect-dspy/core"
import { Option, Result, Schema } from "effect"
import * as util from "node:util"
const dec = (s: any, v: unknown) => {
  const sig = Signature.make("S", { input: {}, output: { x: s } })
  const r = sig.derived.decodeOutput({ x: v })
  return util.inspect(Result.isSuccess(r) ? ["ok", r.success] : ["fail", r.failure], { depth: 9, breakLength: 200 })
}
const show = (s: any) => JSON.stringify(Signature.make("S", { input: {}, output: { x: s } }).derived.jsonSchema)
const p = (name: string, f: () => unknown) => {
  try {
    console.log(name, f())
  } catch (e) {
    console.log(name, "THROWS", e)
  }
}
for (const v of [Infinity, NaN, -Infinity, "Infinity", "-Infinity", "NaN", 9007199254740993, 1e20, "5", -0]) {
  p("Number " + v, () => dec(Schema.Number, v))
  p("Finite " + v, () => dec(Schema.Finite, v))
  p("Int " + v, () => dec(Schema.Int, v))
}
p("map", () => dec(Schema.ReadonlyMap(Schema.String, Schema.Number), [["a", "Infinity"]]))
p("map", () => show(Schema.ReadonlyMap(Schema.String, Schema.Number)))
p("set", () => dec(Schema.ReadonlySet(Schema.Number), ["Infinity"]))
p("option", () => dec(Schema.Option(Schema.Number), { _tag: "Some", value: "Infinity" }))
p("hashmap", () => dec(Schema.HashMap(Schema.String, Schema.Number), [["a", "Infinity"]]))
p("chunk", () => dec(Schema.Chunk(Schema.Number), ["Infinity"]))
p("rec", () => dec(Schema.Record(Schema.String, Schema.Number), { a: 1, b: "NaN" }))
p("arr", () => dec(Schema.Array(Schema.Struct({ a: Schema.Number })), [{ a: 1 }, { a: "NaN" }]))
p("union", () => dec(Schema.Union([Schema.Number, Schema.String]), "Infinity"))
p("union", () => show(Schema.Union([Schema.Number, Schema.String])))
p("union lit", () => dec(Schema.Literals(["NaN", "b"]), "NaN"))
p("union lit", () => show(Schema.Union([Schema.Literals(["NaN", "Infinity"]), Schema.String, Schema.Number])))
p("date", () => dec(Schema.Date, "garbage"))
p("date", () => dec(Schema.Date, "2024-01-01"))
p("date", () => show(Schema.Date))
p("DateValid", () => dec(Schema.DateValid, "garbage"))
p("numberfromstring", () => dec(Schema.NumberFromString, "garbage"))
p("numberfromstring", () => dec(Schema.NumberFromString, "Infinity"))
p("FiniteFromString", () => dec(Schema.FiniteFromString, "Infinity"))
p("redacted", () => dec(Schema.RedactedFromValue(Schema.Number), "Infinity"))
p("bigint", () => dec(Schema.BigInt, "12"))
p("duration", () => dec(Schema.Duration, 5))
p("duration", () => show(Schema.Duration))
p("duration", () => dec(Schema.Duration, "Infinity"))
p("unknown", () => dec(Schema.Unknown, { a: 1 }))
p("unk", () => dec(Schema.Unknown, 1e999))
p("json", () => dec(Schema.Json, { a: 1e999 }))
p("tuple", () => dec(Schema.Tuple([Schema.Number]), ["NaN"]))
p("tuple schema", () => show(Schema.Tuple([Schema.Number, Schema.optionalKey(Schema.Number)])))
p("record schema", () => show(Schema.Record(Schema.String, Schema.Number)))
p("number annotated", () => show(Schema.Number.annotate({ description: "d" })))
p("number checked", () => show(Schema.Number.check(Schema.isGreaterThan(3))))
p("nullor", () => show(Schema.NullOr(Schema.Number)))
p("optional", () => show(Schema.optional(Schema.Number)))
p("identified", () => show(Schema.Number.annotate({ identifier: "Num" })))
class P extends Schema.Class<P>("P")({ age: Schema.Number }) {}
p("class", () => show(P))
p("class", () => dec(P, { age: "Infinity" }))
p("class", () => dec(P, { age: 3 }))
p("deep", () => {
  let s: any = Schema.Number
  return dec(s, { toString: 1 })
})
p("Natural", () => dec(Schema.Natural, -1))
p("number lit", () => show(Schema.Literal(3)))
