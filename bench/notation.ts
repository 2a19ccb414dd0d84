/**
 * How many tokens the form of an answer costs in a prompt: as a JSON schema, and as types. `npm run bench:notation`
 *
 * Counted is what `JsonAdapter.adapter` and `JsonAdapter.compact` write for a model without structured output, whole
 * instruction included, with the tokenizer of OpenAI's models since GPT-4o.
 */
import { JsonAdapter, Signature } from "@effect-dspy/core"
import * as Schema from "effect/Schema"
import { countTokens } from "gpt-tokenizer/encoding/o200k_base"
import { Describe } from "./Work.ts"

const described = (description: string) => Schema.String.annotate({ description })

interface Category {
  readonly name: string
  readonly children: ReadonlyArray<Category>
}
const Category = Schema.Struct({
  name: Schema.String,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Category> => Category))
}).annotate({ identifier: "Category" })

const Address = Schema.Struct({
  street: Schema.String,
  city: Schema.String,
  zip: Schema.optionalKey(Schema.String)
}).annotate({ identifier: "Address" })

const output = <O extends Signature.Fields>(name: string, fields: O) =>
  Signature.make<string, {}, Signature.Fields>(name, { input: {}, output: fields })

const signatures: ReadonlyArray<readonly [string, Signature.Any]> = [
  ["one text", output("Answer", { answer: Schema.String })],
  [
    "a choice and a number",
    output("Classify", {
      sentiment: Schema.Literals(["positive", "negative", "neutral"]),
      confidence: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
    })
  ],
  ["five fields of a document", Describe],
  [
    "eight fields with descriptions",
    output("Ticket", {
      title: described("at most ten words"),
      summary: described("two sentences, plain words"),
      product: described("the product the customer writes about"),
      urgency: Schema.Literals(["low", "normal", "high"]).annotate({ description: "how soon somebody has to look" }),
      refund: Schema.Boolean.annotate({ description: "whether the customer asks for money back" }),
      tags: Schema.Array(Schema.String).annotate({ description: "one to five, lower case" }),
      language: described("as a two-letter code"),
      reply: Schema.optionalKey(Schema.String).annotate({ description: "only where a template fits" })
    })
  ],
  [
    "a list of objects",
    output("People", {
      people: Schema.Array(Schema.Struct({
        name: Schema.String,
        role: Schema.String,
        age: Schema.optionalKey(Schema.Int),
        contacts: Schema.Array(Schema.Struct({ kind: Schema.Literals(["mail", "phone"]), value: Schema.String }))
      }))
    })
  ],
  [
    "an invoice with definitions",
    output("Invoice", {
      seller: Address,
      buyer: Address,
      lines: Schema.Array(Schema.Struct({ item: Schema.String, count: Schema.Int, price: Schema.Finite })),
      total: Schema.Finite,
      due: Schema.DateFromString
    })
  ],
  ["a recursive type", output("Taxonomy", { root: Category, depth: Schema.Int })]
]

const tokens = (adapter: typeof JsonAdapter.adapter, signature: Signature.Any): number => {
  const { output } = adapter.format(signature)
  return countTokens(output._tag === "Json" ? output.instruction : "")
}

const rows = signatures.map(([name, signature]) => {
  const schema = tokens(JsonAdapter.adapter, signature)
  const types = tokens(JsonAdapter.compact, signature)
  return { name, schema, types }
})
const sum = (key: "schema" | "types") => rows.reduce((total, row) => total + row[key], 0)
const all = [...rows, { name: "all", schema: sum("schema"), types: sum("types") }]

console.log("tokens of the instruction, o200k_base\n")
console.log(`${"output".padEnd(32)} ${"JSON schema".padStart(11)} ${"types".padStart(6)} ${"share".padStart(6)}`)
for (const { name, schema, types } of all) {
  const share = `${Math.round(types / schema * 100)}%`
  console.log(`${name.padEnd(32)} ${String(schema).padStart(11)} ${String(types).padStart(6)} ${share.padStart(6)}`)
}
