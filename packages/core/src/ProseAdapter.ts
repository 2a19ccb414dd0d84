/**
 * Asks for one text in plain words: no form, no markers, nothing to be read but what the model says.
 *
 * For signatures with one text field as their output; with any others it is a mistake in the program.
 */
import * as Adapter from "./Adapter.ts"
import * as Request from "./LM/Request.ts"
import * as Message from "./Message.ts"

/**
 * ```ts
 * import { Predict, ProseAdapter, Signature } from "@effect-dspy/core"
 * import { TestLM } from "@effect-dspy/core/testing"
 * import { Effect } from "effect"
 *
 * const tell = Predict.make(Signature.parse("about -> story"), { adapter: ProseAdapter.adapter })
 * await Effect.runPromise(tell({ about: "tides" }).pipe(Effect.provide(TestLM.layer(["Twice a day."])))) // => { story: "Twice a day." }
 * ```
 *
 * @category adapters
 */
export const adapter: Adapter.Adapter = Adapter.make("prose", (signature) => {
  const { inputs, outputs } = signature.derived
  const [field] = outputs
  if (field === undefined || outputs.length > 1 || !field.isText) {
    throw new TypeError(
      `${signature.name}: prose is for one text field, not for ${outputs.map(({ name }) => name).join()}`
    )
  }
  const turns = (demos: ReadonlyArray<Adapter.Demo>) =>
    Adapter.demoTurns(signature, demos, (output) => Adapter.show(output[field.name] ?? ""))
  return {
    output: Request.text,
    prefix: (instructions, demos) => [Message.system(instructions), ...turns(demos)],
    input: (input) => Adapter.inputTurn(inputs, input),
    turns,
    read: (text) => Adapter.decode(signature, { [field.name]: text.trim() }),
    feedback: (reason) => Adapter.complaint(reason, "Answer again.")
  }
})
