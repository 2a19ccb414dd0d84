import { LM, LMError, LMErrorReason, Predict, PredictError, Signature } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Layer, Logger, Redacted, Schema } from "effect"
import { inspect } from "node:util"

const key = "sk-PLANTED-KEY"
const prompt = "PLANTED-PROMPT-42"
const hidden = { detail: Redacted.make(`the words of ${key} on ${prompt}`) }
const wait = { retryAfter: Duration.seconds(1) }

/** One of each, with the planted words wherever words can be. */
const reasons: { readonly [K in LMErrorReason.Reason["_tag"]]: Extract<LMErrorReason.Reason, { readonly _tag: K }> } = {
  RateLimited: new LMErrorReason.RateLimited({ ...wait, ...hidden }),
  QuotaExhausted: new LMErrorReason.QuotaExhausted(hidden),
  Authentication: new LMErrorReason.Authentication(hidden),
  Permission: new LMErrorReason.Permission(hidden),
  ModelNotFound: new LMErrorReason.ModelNotFound(hidden),
  InvalidRequest: new LMErrorReason.InvalidRequest({ status: 400, ...hidden }),
  ContextTooLong: new LMErrorReason.ContextTooLong(hidden),
  Unsupported: new LMErrorReason.Unsupported({ feature: "a pattern", field: "code" }),
  Refused: new LMErrorReason.Refused(hidden),
  Overloaded: new LMErrorReason.Overloaded({ ...wait, ...hidden }),
  ServerError: new LMErrorReason.ServerError({ status: 500, ...hidden }),
  Network: new LMErrorReason.Network({ code: "ECONNRESET" }),
  Timeout: new LMErrorReason.Timeout({ kind: "attempt", limit: Duration.seconds(1) }),
  InvalidResponse: new LMErrorReason.InvalidResponse({ status: 200, ...hidden }),
  StreamCut: new LMErrorReason.StreamCut({}),
  BudgetExceeded: new LMErrorReason.BudgetExceeded({ limit: "attempts", spent: 3 }),
  CircuitOpen: new LMErrorReason.CircuitOpen(wait),
  NoRecording: new LMErrorReason.NoRecording({ nearest: "Summarize 3f2a" })
}

/** Everything that prints an error, or keeps it. */
const printed = <E>(error: E, schema: Schema.Codec<E, unknown, never, never>) =>
  Effect.gen(function*() {
    const logged: Array<string> = []
    const capture = <A>(format: Logger.Logger<unknown, A>) =>
      Logger.make((options) => logged.push(inspect(format.log(options), { depth: 20 })))
    yield* Effect.logError("failed", error, Cause.fail(error)).pipe(
      Effect.annotateLogs({ error }),
      Effect.provide(Logger.layer([
        capture(Logger.formatJson),
        capture(Logger.formatLogFmt),
        capture(Logger.formatSimple),
        capture(Logger.formatStructured)
      ]))
    )
    assert.isAtLeast(logged.length, 4)
    return [
      String(error),
      inspect(error, { depth: 20, showHidden: true }),
      JSON.stringify(error),
      JSON.stringify({ nested: [error] }),
      error instanceof Error ? `${error.message}\n${error.stack}` : "",
      Cause.pretty(Cause.fail(error)),
      inspect(Cause.fail(error), { depth: 20 }),
      // What a job queue would store.
      JSON.stringify(Schema.encodeUnknownSync(Schema.toCodecJson(schema))(error)),
      ...logged
    ].join("\n")
  })

const safe = (text: string) => {
  assert.notInclude(text, "PLANTED")
}

describe("an LMError shows neither key nor prompt", () => {
  for (const reason of Object.values(reasons)) {
    it.effect(reason._tag, () =>
      Effect.gen(function*() {
        const error = LMError.make("openai", "gpt-5-mini", reason)
        safe(yield* printed(error, LMError.LMError))
        if (reason.detail !== undefined) assert.include(LMError.reveal(error) ?? "", prompt)
      }))
  }

  it.effect("nor through a predictor that failed with it", () =>
    Effect.gen(function*() {
      const ask = Predict.make(
        Signature.make("Ask", { input: { text: Schema.String }, output: { answer: Schema.String } })
      )
      for (const reason of Object.values(reasons)) {
        const error = yield* Effect.flip(ask({ text: prompt }).pipe(Effect.provide(TestLM.layer([reason]))))
        assert.strictEqual(error._tag, "LMError")
        if (error._tag === "LMError") safe(yield* printed(error, LMError.LMError))
      }
    }))
})

describe("an OutputError shows neither prompt nor reply", () => {
  const Ask = Signature.make("Ask", {
    input: { text: Schema.String },
    output: {
      mood: Schema.Literals(["happy", "sad"]),
      stars: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
      byName: Schema.Record(Schema.String, Schema.Int),
      born: Schema.Date
    }
  })
  const replies: { readonly [K in PredictError.OutputReason["_tag"]]: TestLM.Reply } = {
    Empty: "",
    Truncated: TestLM.truncated(`{"mood": "${prompt}`),
    Unreadable: `I would rather talk about ${prompt} and ${key}.`,
    Invalid: { mood: prompt, stars: prompt, byName: { [prompt]: prompt, [key]: {} }, born: prompt, [prompt]: 1 }
  }
  for (const [tag, reply] of Object.entries(replies)) {
    it.effect(tag, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(
          Predict.make(Ask)({ text: prompt }).pipe(
            LM.withSettings({ attempts: 2 }),
            Effect.provide(TestLM.layer(() => reply))
          )
        )
        assert.strictEqual(error._tag, "OutputError")
        if (error._tag !== "OutputError") return
        assert.strictEqual(error.reason._tag, tag)
        safe(yield* printed(error, PredictError.OutputError))
        if (tag !== "Empty") assert.include(PredictError.OutputError.reveal(error), prompt)
      }))
  }

  it.effect("while the model is told which key was wrong", () =>
    Effect.gen(function*() {
      const { lm, recorder } = TestLM.make(() => replies.Invalid)
      yield* Effect.flip(Predict.make(Ask)({ text: "x" }).pipe(Effect.provide(Layer.succeed(LM, lm))))
      assert.include(recorder.requests[1]?.messages.at(-1)?.content ?? "", `byName.${prompt}: expected`)
    }))
})

describe("an InputError does not show the input", () => {
  it.effect("neither values nor keys of records", () =>
    Effect.gen(function*() {
      const ask = Predict.make(Signature.make("Ask", {
        input: { text: Schema.String.check(Schema.isMaxLength(5)), counts: Schema.Record(Schema.String, Schema.Int) },
        output: { answer: Schema.String }
      }))
      const { lm, recorder } = TestLM.make(() => "never asked")
      const error = yield* Effect.flip(
        ask({ text: prompt, counts: { [key]: 0.5 } }).pipe(Effect.provideService(LM, lm))
      )
      assert.strictEqual(error._tag, "InputError")
      if (error._tag === "InputError") safe(yield* printed(error, PredictError.InputError))
      assert.include(error.message, "text: expected")
      assert.include(error.message, "counts.*: expected")
      assert.strictEqual(recorder.started, 0)
    }))
})
