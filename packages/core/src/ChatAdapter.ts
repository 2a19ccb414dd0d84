/**
 * Asks for the output as `[[ ## field ## ]]` sections: for models that write better prose than JSON.
 *
 * Works on any endpoint that answers text. A model that answers JSON all the same is understood, and the
 * reply is not thrown away.
 */
import * as Adapter from "./Adapter.ts"
import type { Field } from "./Field.ts"
import * as JsonText from "./JsonText.ts"
import * as Request from "./LM/Request.ts"
import * as Markers from "./Markers.ts"
import * as MarkerStream from "./MarkerStream.ts"
import * as Message from "./Message.ts"
import { Unreadable } from "./PredictError.ts"
import type { Any as Signature } from "./Signature.ts"

const completed = "[[ ## completed ## ]]"

/**
 * ```ts
 * import { ChatAdapter, Signature } from "@effect-dspy/core"
 * import { Result, Schema } from "effect"
 *
 * const Rate = Signature.make("Rate", { input: { text: Schema.String }, output: { stars: Schema.Int, why: Schema.String } })
 * const read = ChatAdapter.adapter.format(Rate).read("[[ ## stars ## ]]\n4\n\n[[ ## why ## ]]\nIt \"works\".\n\n[[ ## completed ## ]]")
 * Result.getOrThrow(read) // => { stars: 4, why: "It \"works\"." }
 * ```
 *
 * @category adapters
 */
export const adapter: Adapter.Adapter = Adapter.make("chat", (signature) => {
  const { inputs, outputs } = signature.derived
  const unreadable = new Unreadable({
    expected: `sections ${outputs.map((field) => `[[ ## ${field.name} ## ]]`).join(", ")}`
  })
  const closing = `Reply again with all sections, ending with ${completed}.`
  const turns = (demos: ReadonlyArray<Adapter.Demo>) =>
    Adapter.demoTurns(signature, demos, (output) => `${Adapter.blocks(outputs, output)}\n\n${completed}`)
  return {
    output: Request.text,
    prefix: (instructions, demos) => [
      Message.system(`${Adapter.task(signature, instructions)}\n\n${layout(outputs)}`),
      ...turns(demos)
    ],
    input: (input) => Adapter.inputTurn(inputs, input),
    turns,
    read: (text) => Adapter.firstValid(signature, candidates(text, outputs), unreadable),
    reader: () => MarkerStream.make(outputs),
    feedback: (reason) => Adapter.complaint(reason, closing)
  }
})

const layout = (outputs: ReadonlyArray<Field>): string =>
  `Reply with the output fields in this layout, one section each, and nothing else:\n\n${
    outputs.map((field) =>
      `[[ ## ${field.name} ## ]]\n${field.isText ? `{${field.name}}` : `{${field.name}: ${field.type}, as JSON}`}`
    )
      .join("\n\n")
  }\n\n${completed}`

function* candidates(text: string, outputs: Signature["derived"]["outputs"]) {
  const sections = Markers.read(text, outputs)
  if (sections !== undefined) yield sections
  yield* JsonText.candidates(text)
}
