/** Steps of every kind, as the tests serve them. */
import { ChainOfThought, LMErrorReason, Predict, Signature, Step, Tool } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { Pipeline } from "@effect-dspy/pipelines"
import { McpSteps } from "@effect-dspy/pipelines/mcp"
import { Console, Effect, Schema } from "effect"

const summarize = Predict.make(Signature.make("summarize", {
  instructions: "Summarize the text.",
  input: { text: Schema.String, limit: Schema.optionalKey(Schema.Int) },
  output: {
    summary: Schema.String,
    score: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })),
    day: Schema.DateFromString,
    nick: Schema.optional(Schema.String)
  }
}))

const rate = ChainOfThought.make(Signature.make("rate", {
  input: { summary: Schema.String },
  output: { stars: Schema.Int }
}))

const review = Pipeline.make("review", { input: { text: Schema.String }, steps: { summarize, rate } })

/** Prints and logs, which must not get between the lines of the protocol. */
const noisy = Step.make("noisy", {
  input: {},
  output: { ok: Schema.Boolean },
  run: () =>
    Effect.andThen(Console.log("printed"), Effect.logInfo("logged")).pipe(
      Effect.as({ ok: true })
    )
})

const buggy = Step.make("buggy", {
  input: {},
  output: { ok: Schema.Boolean },
  run: () => Effect.die(new Error("a secret of the program"))
})

const refused = Predict.make(
  Signature.make("refused", { input: { text: Schema.String }, output: { x: Schema.String } })
)

const slow = Predict.make(Signature.make("slow", { input: {}, output: { x: Schema.String } }))

const add = Tool.make("add", {
  description: "Adds two numbers.",
  parameters: { a: Schema.Finite, b: Schema.Finite },
  success: Schema.Finite,
  run: ({ a, b }) => Effect.succeed(a + b)
})

export const tools = [
  McpSteps.tool(summarize, { description: "Summarizes a text." }),
  McpSteps.tool(review, { description: "Summarizes and rates a text." }),
  McpSteps.tool(noisy, { description: "Makes noise." }),
  McpSteps.tool(buggy, { description: "Has a bug." }),
  McpSteps.tool(refused, { description: "Is refused." }),
  McpSteps.tool(slow, { description: "Takes for ever." }),
  { tool: add }
]

/** The model behind them. */
export const model = TestLM.layer((request) => {
  switch (request.call?.signature.name) {
    case "summarize":
      return { summary: "Short.", score: 0.5, day: "2026-01-02T00:00:00.000Z" }
    case "rate":
      return { reasoning: "It is good.", stars: 4 }
    case "slow":
      return TestLM.never
    default:
      return new LMErrorReason.Refused({})
  }
})
