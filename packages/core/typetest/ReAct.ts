/** What the compiler knows of agents and tools. */
import { type LM, type PredictError, ReAct, type ReActError, Signature, Tool } from "@effect-dspy/core"
import { Context, Effect, Schema } from "effect"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const check = <_ extends true>() => {}

class Db extends Context.Service<Db, { readonly id: number }>()("test/Db") {}
class Gone extends Schema.TaggedError<Gone>("Gone")("Gone", {}) {}

const lenient = Tool.make("lenient", {
  description: "Tells the model of its failures.",
  parameters: { id: Schema.Int },
  success: Schema.String,
  failure: Gone,
  run: ({ id }) => id > 0 ? Effect.succeed("yes") : Effect.fail(new Gone())
})

const strict = Tool.make("strict", {
  description: "Ends the run, and needs a service.",
  parameters: {},
  success: Schema.Int,
  onFailure: "fail",
  run: () => Effect.flatMap(Db, ({ id }) => id > 0 ? Effect.succeed(id) : Effect.fail(new Gone()))
})

const Ask = Signature.make("Ask", { input: { question: Schema.String }, output: { answer: Schema.Int } })

const one = ReAct.make(Ask, { tools: [lenient] })
const oneRun = one({ question: "?" })
check<Equal<Effect.Success<typeof oneRun>["answer"], number>>()
check<Equal<Effect.Error<typeof oneRun>, PredictError.PredictError | ReActError.ReActError>>()
check<Equal<Effect.Services<typeof oneRun>, LM>>()

const both = ReAct.make(Ask, { tools: [lenient, strict] })
const bothRun = both({ question: "?" })
check<Equal<Effect.Error<typeof bothRun>, PredictError.PredictError | ReActError.ReActError | Gone>>()
check<Equal<Effect.Services<typeof bothRun>, LM | Db>>()

Tool.make("wrong", {
  description: "",
  parameters: { id: Schema.Int },
  success: Schema.Int,
  // @ts-expect-error the tool promises a number
  run: ({ id }) => Effect.succeed(String(id))
})

// @ts-expect-error the agent takes a question
void both({ query: "?" })
