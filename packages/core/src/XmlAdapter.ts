/**
 * Asks for the output as XML elements, one a field: for models that were trained on them.
 *
 * Works on any endpoint that answers text. Nested values are elements too; `Xml` reads what comes, and a model that
 * answers JSON or sections all the same is understood.
 */
import * as Adapter from "./Adapter.ts"
import type { Field } from "./Field.ts"
import * as JsonText from "./JsonText.ts"
import * as Request from "./LM/Request.ts"
import * as Markers from "./Markers.ts"
import * as Message from "./Message.ts"
import { Unreadable } from "./PredictError.ts"
import type { Any as Signature, Encoded } from "./Signature.ts"
import * as Xml from "./Xml.ts"

/**
 * ```ts
 * import { Signature, XmlAdapter } from "@effect-dspy/core"
 * import { Result, Schema } from "effect"
 *
 * const Rate = Signature.make("Rate", { input: { text: Schema.String }, output: { stars: Schema.Int, why: Schema.String } })
 * const read = XmlAdapter.adapter.format(Rate).read("<stars>4</stars>\n<why>Salt & pepper, a < b.</why>")
 * Result.getOrThrow(read) // => { stars: 4, why: "Salt & pepper, a < b." }
 * ```
 *
 * @category adapters
 */
export const adapter: Adapter.Adapter = Adapter.make("xml", (signature) => {
  const { inputs, jsonSchema, outputs } = signature.derived
  const unreadable = new Unreadable({
    expected: `elements ${outputs.map((field) => `<${field.name}>`).join(", ")}`
  })
  const turns = (demos: ReadonlyArray<Adapter.Demo>) =>
    Adapter.demoTurns(signature, demos, (output) => elements(outputs, output), (input) => turn(inputs, input))
  return {
    output: Request.text,
    prefix: (instructions, demos) => [
      Message.system(`${Adapter.task(signature, instructions)}\n\n${layout(outputs)}`),
      ...turns(demos)
    ],
    input: (input) => turn(inputs, input),
    turns,
    read: (text) => Adapter.firstValid(signature, candidates(text, jsonSchema, outputs), unreadable),
    feedback: (reason) => Adapter.complaint(reason, "Reply again with all elements, and nothing else.")
  }
})

const layout = (outputs: ReadonlyArray<Field>): string =>
  `Reply with the output fields as XML elements, in this order, and nothing else. Write &lt; for < and &amp; for & ` +
  `in texts; write lists as <item> elements, objects as elements named like their keys:\n\n${
    outputs.map(({ isText, name, type }) => `<${name}>{${isText ? name : `${name}: ${type}`}}</${name}>`).join("\n")
  }`

const elements = (fields: ReadonlyArray<Field>, values: Encoded): string =>
  fields.flatMap(({ isHistory, name }) =>
    isHistory || !Object.hasOwn(values, name) ? [] : [`<${name}>${Xml.write(values[name])}</${name}>`]
  ).join("\n")

// Pictures and files keep their place in the conversation; everything else is an element.
const turn = (fields: ReadonlyArray<Field>, values: Encoded): Message.User => {
  if (fields.some((field) => field.hasMedia)) return Adapter.inputTurn(fields, values)
  const text = elements(fields, values)
  return Message.user(text === "" ? "There is no input." : text)
}

function* candidates(text: string, jsonSchema: Signature["derived"]["jsonSchema"], outputs: ReadonlyArray<Field>) {
  const found = Xml.read(text, jsonSchema)
  if (found !== undefined) yield found
  yield* JsonText.candidates(text)
  const sections = Markers.read(text, outputs)
  if (sections !== undefined) yield sections
}
