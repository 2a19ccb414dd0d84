/**
 * Asks for the output as one JSON object: the default adapter.
 *
 * Endpoints with structured output are held to the schema, others get it in words (`LM.Output`
 * carries both). Replies go down the rescue ladder before a re-ask costs money: the whole text as JSON,
 * sloppy JSON, a fenced block, an object within prose, and finally marker sections.
 */
import type * as JsonSchema from "effect/JsonSchema"
import * as Result from "effect/Result"
import * as Adapter from "./Adapter.ts"
import * as JsonStream from "./JsonStream.ts"
import * as JsonText from "./JsonText.ts"
import * as Markers from "./Markers.ts"
import * as Message from "./Message.ts"
import { Unreadable } from "./PredictError.ts"
import type { Any as Signature } from "./Signature.ts"
import * as TypeNotation from "./TypeNotation.ts"

const unreadable = new Unreadable({ expected: "one JSON object with the output fields" })

/**
 * ```ts
 * import { JsonAdapter, Signature } from "@effect-dspy/core"
 * import { Result, Schema } from "effect"
 *
 * const Rate = Signature.make("Rate", { input: { text: Schema.String }, output: { stars: Schema.Int } })
 * const read = JsonAdapter.adapter.format(Rate).read("Sure!\n```json\n{ 'stars': 4, }\n```")
 * Result.getOrThrow(read) // => { stars: 4 }
 * ```
 *
 * @category adapters
 */
export const adapter: Adapter.Adapter = make(
  "json",
  (schema) => `Reply with one JSON object and nothing else. It must match this JSON schema:\n${JSON.stringify(schema)}`
)

/**
 * The same with types instead of a JSON schema, where a schema has to be told in words: for a model without structured
 * output. Of the instruction's tokens it takes 45% over seven signatures, a third where the output is nested, two
 * thirds where most of it is descriptions (`npm run bench:notation`; the table is in `docs/internals.md`).
 *
 * @category adapters
 */
export const compact: Adapter.Adapter = make(
  "json-compact",
  (schema) => `Reply with one JSON object of this type and nothing else:\n${TypeNotation.document(schema)}`
)

function make(name: string, instruction: (schema: JsonSchema.JsonSchema) => string): Adapter.Adapter {
  return Adapter.make(name, (signature) => {
    const { inputs, jsonSchema, outputs } = signature.derived
    const closing = "Reply again with one JSON object that holds all output fields, and nothing else."
    const turns = (demos: ReadonlyArray<Adapter.Demo>) =>
      Adapter.demoTurns(signature, demos, (output) => JSON.stringify(output))
    return {
      output: {
        _tag: "Json",
        name: signature.name,
        schema: jsonSchema,
        instruction: instruction(jsonSchema)
      },
      prefix: (instructions, demos) => [
        Message.system(
          `${
            Adapter.task(signature, instructions)
          }\n\nReply with one JSON object that has these output fields, in this order.`
        ),
        ...turns(demos)
      ],
      input: (input) => Adapter.inputTurn(inputs, input),
      turns,
      read: (text) => {
        // Most replies are clean JSON: read them without looking for anything else.
        const clean = JsonText.read(text)
        if (Result.isSuccess(clean) && Adapter.isRecord(clean.success)) return Adapter.decode(signature, clean.success)
        return Adapter.firstValid(signature, ladder(text, outputs), unreadable)
      },
      reader: () => JsonStream.make(outputs),
      feedback: (reason) => Adapter.complaint(reason, closing)
    }
  })
}

function* ladder(text: string, outputs: Signature["derived"]["outputs"]) {
  yield* JsonText.candidates(text)
  const sections = Markers.read(text, outputs)
  if (sections !== undefined) yield sections
}
