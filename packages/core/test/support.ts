/** What several tests use: a signature, a stopwatch on the virtual clock, prompts as text. */
import { Message, Predict, Request, Signature } from "@effect-dspy/core"
import { Clock, type Duration, Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"

/** Two output fields of different types: most tests need no more. */
export const Mood = Signature.make("Mood", {
  instructions: "Tell the mood of the text.",
  input: { text: Schema.String },
  output: { label: Schema.Literals(["pos", "neg"]), score: Schema.Finite }
})

export const mood = Predict.make(Mood)

/** Runs a program on the virtual clock and says when it ended. */
export const timed = <A, E, R>(self: Effect.Effect<A, E, R>, limit: Duration.Input = "1 hour") =>
  Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    const fiber = yield* Effect.forkChild(
      Effect.gen(function*() {
        const exit = yield* Effect.exit(self)
        const end = yield* Clock.currentTimeMillis
        return { exit, ms: end - start }
      })
    )
    yield* TestClock.adjust(limit)
    return yield* Fiber.join(fiber)
  })

/** Everything a request says to the model. */
export const prompt = (request: Request.Request): string =>
  Request.withInstruction(request).map((message) => `<${message.role}>\n${Message.text(message)}`).join("\n")
