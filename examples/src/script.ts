/**
 * The least there is to it: a signature, a predictor, `Effect.runPromise`.
 *
 *     node --conditions=@effect-dspy/source examples/src/script.ts
 *
 * The offline model stands in for a real one; with a key, `OpenAi.layer({ model: "gpt-5-mini" })` takes its
 * place and nothing else changes.
 */
import { Predict, Signature } from "@effect-dspy/core"
import { Offline } from "@effect-dspy/providers/offline"
import { Effect, Schema } from "effect"

const triage = Predict.make(Signature.make("Triage", {
  instructions: "Sort a customer's message and say what it is about.",
  input: { message: Schema.String },
  output: {
    topic: Schema.String.annotate({ description: "what the message is about" }),
    urgency: Schema.Literals(["low", "normal", "high"]),
    refund: Schema.Boolean.annotate({ description: "whether the customer asks for a refund" })
  }
}))

const ticket = await Effect.runPromise(
  triage({ message: "My parcel went to the wrong address twice. Please send it again or refund the price." }).pipe(
    Effect.provide(Offline.layer())
  )
)

console.log(ticket.topic)
console.log(`urgency ${ticket.urgency}, ${ticket.refund ? "wants a refund" : "no refund"}`)
