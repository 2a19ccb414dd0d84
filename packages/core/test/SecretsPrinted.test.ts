import { LMError, LMErrorReason, Predict, PredictError, Signature, Trace } from "@effect-dspy/core"
import { TestLM } from "@effect-dspy/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Console, Effect, Exit, Layer, Logger, Redacted, Schema, Tracer } from "effect"
import { inspect } from "node:util"

const key = "sk-SECRET-KEY"
const marker = "PROMPT-MARKER-42"

const Ask = Signature.make("Ask", {
  input: { text: Schema.String, counts: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int)) },
  output: {
    mood: Schema.Literals(["happy", "sad"]),
    facts: Schema.Record(Schema.String, Schema.Struct({ n: Schema.Int }))
  }
})
const ask = Predict.make(Ask)

/** Failures of real calls, by what went wrong; each was given the marker and the key wherever words can enter. */
const failures: { readonly [about: string]: Effect.Effect<unknown, PredictError.PredictError> } = {
  "a refusal": Effect.provide(
    ask({ text: marker }),
    TestLM.layer([new LMErrorReason.Refused({ detail: Redacted.make(`${key}: never ${marker}`) })])
  ),
  "an endpoint's error body": Effect.provide(
    ask({ text: marker }),
    TestLM.layer([new LMErrorReason.InvalidRequest({ status: 400, detail: Redacted.make(`${key} ${marker}`) })])
  ),
  "an unreadable reply": Effect.provide(ask({ text: marker }), TestLM.layer(() => `${marker} ${key}`)),
  "a cut reply": Effect.provide(ask({ text: marker }), TestLM.layer([TestLM.truncated(`{"mood": "${marker} ${key}`)])),
  "a wrong reply": Effect.provide(
    ask({ text: marker }),
    TestLM.layer(() => ({ mood: marker, facts: { [marker]: { n: key }, [key]: marker }, [key]: 1 }))
  ),
  "an empty reply": Effect.provide(ask({ text: `${marker} ${key}` }), TestLM.layer(() => "")),
  "a wrong input": Effect.provide(ask({ text: marker, counts: { [marker]: 0.5, [key]: 0.5 } }), TestLM.layer([])),
  "a wrong demo": Effect.provide(
    Predict.make(Ask, {
      demos: [{
        input: { text: marker, counts: { [key]: 0.5 } },
        output: { mood: "sad", facts: { [marker]: { n: 0.5 } } }
      }]
    })({ text: marker }),
    TestLM.layer([])
  )
}

/** What the console would show. */
const written = (self: Effect.Effect<void>, logger: Logger.Logger<unknown, unknown>) =>
  Effect.gen(function*() {
    const shown: Array<string> = []
    const write = (...words: ReadonlyArray<unknown>) => {
      shown.push(words.map((word) => typeof word === "string" ? word : inspect(word, { depth: 20 })).join(" "))
    }
    // Whatever a logger calls, it writes here.
    const silent = new Proxy({} as Console.Console, { get: () => write })
    yield* self.pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(Console.Console, silent))
    assert.isNotEmpty(shown)
    return shown.join("\n")
  })

const loggers: { readonly [name: string]: Logger.Logger<unknown, unknown> } = {
  default: Logger.defaultLogger,
  pretty: Logger.consolePretty({ colors: false }),
  "pretty, on a terminal": Logger.consolePretty({ colors: true, mode: "tty" }),
  "pretty, in a browser": Logger.consolePretty({ mode: "browser" }),
  json: Logger.consoleJson,
  logfmt: Logger.consoleLogFmt,
  structured: Logger.consoleStructured
}

const safe = (text: string) => {
  assert.notInclude(text, marker)
  assert.notInclude(text, key)
}

describe("a failed call keeps prompt, reply and key to itself", () => {
  for (const [about, failing] of Object.entries(failures)) {
    for (const [name, logger] of Object.entries(loggers)) {
      it.effect(`${about}, logged: ${name}`, () =>
        Effect.gen(function*() {
          const exit = yield* Effect.exit(failing)
          if (Exit.isSuccess(exit)) return assert.fail("it succeeded")
          const error = yield* Effect.flip(exit)
          const log = Effect.logError("call failed", error, exit.cause).pipe(
            Effect.annotateLogs({ error }),
            Effect.withLogSpan("call")
          )
          const text = yield* written(log, logger)
          safe(text)
          assert.include(text, error._tag)
        }))
    }

    it.effect(`${about}, as a defect`, () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(Effect.orDie(failing))
        if (Exit.isSuccess(exit)) return assert.fail("it succeeded")
        safe(Cause.pretty(exit.cause))
        safe(inspect(exit, { depth: 20 }))
        safe(JSON.stringify(exit))
        safe(inspect(Cause.squash(exit.cause), { depth: 20, showHidden: true }))
      }))

    it.effect(`${about}, stored and read again`, () =>
      Effect.gen(function*() {
        const schema = Schema.toCodecJson(
          Schema.Union([PredictError.InputError, LMError.LMError, PredictError.OutputError])
        )
        const error = yield* Effect.flip(failing)
        const stored = JSON.stringify(yield* Schema.encodeEffect(schema)(error))
        safe(stored)
        const again = yield* Schema.decodeUnknownEffect(schema)(JSON.parse(stored))
        assert.strictEqual(again._tag, error._tag)
        assert.strictEqual(again.message, error.message)
        assert.strictEqual(again.isRetryable, error.isRetryable)
      }))
  }

  it.effect("nor shows it in a span, whether the call fails or not", () =>
    Effect.gen(function*() {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const good = Effect.provide(
        ask.named("Good")({ text: marker }),
        TestLM.layer([{ mood: "sad", facts: { [marker]: { n: 1 } } }])
      )
      yield* Effect.forEach([...Object.values(failures), good], Effect.exit).pipe(
        Effect.provide(Layer.succeed(Tracer.Tracer, tracer))
      )
      const asked = Object.keys(failures).filter((about) => about !== "a wrong input" && about !== "a wrong demo")
      const calls = spans.flatMap(({ attributes }) => attributes.get("effect_dspy.predictor") ?? [])
      assert.deepStrictEqual(calls, [...asked.map(() => "Ask"), "Good"])
      for (const span of spans) {
        assert.strictEqual(span.name, "chat scripted")
        for (const name of span.attributes.keys()) assert.match(name, /^(gen_ai|effect_dspy|server|error)\./)
        const { status } = span
        if (status._tag !== "Ended") return assert.fail("a span is open")
        safe(inspect([span.name, span.attributes, span.events, span.links], { depth: 20 }))
        if (Exit.isFailure(status.exit)) safe(inspect(status, { depth: 20 }))
      }
    }))
})

describe("what is hidden can be revealed", () => {
  it.effect("LMError.reveal gives the words of the endpoint", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(failures["a refusal"] ?? Effect.void)
      assert.strictEqual(error._tag === "LMError" ? LMError.reveal(error) : error._tag, `${key}: never ${marker}`)
      assert.isUndefined(LMError.reveal(LMError.make("p", "m", new LMErrorReason.StreamCut({}))))
      assert.isUndefined(LMError.reveal(LMError.make("p", "m", new LMErrorReason.Refused({}))))
    }))

  it.effect("OutputError.reveal and a collector's event give the reply", () =>
    Effect.gen(function*() {
      const [error, [event]] = yield* Effect.flip(failures["an unreadable reply"] ?? Effect.void).pipe(Trace.collect)
      assert.strictEqual(
        error._tag === "OutputError" ? PredictError.OutputError.reveal(error) : error._tag,
        `${marker} ${key}`
      )
      assert.strictEqual(event?.raw, `${marker} ${key}`)
    }))

  it.effect("after it was stored the words are gone", () =>
    Effect.gen(function*() {
      const codec = Schema.toCodecJson(LMError.LMError)
      const error = LMError.make("p", "m", new LMErrorReason.Refused({ detail: Redacted.make(marker) }))
      const again = yield* Schema.decodeUnknownEffect(codec)(yield* Schema.encodeEffect(codec)(error))
      assert.strictEqual(LMError.reveal(again), "<redacted>")
    }))
})

describe("messages", () => {
  it.effect("are what Error, Cause and people read: who, what, and what to do", () =>
    Effect.gen(function*() {
      const message = (about: string) =>
        Effect.map(Effect.flip(failures[about] ?? Effect.void), (error) => error.message)
      assert.strictEqual(
        yield* message("a refusal"),
        "test/scripted: the model refused to answer; LMError.reveal shows its words"
      )
      assert.strictEqual(
        yield* message("a wrong input"),
        "Ask: wrong input: counts.*: expected an integer; counts.*: expected an integer"
      )
      assert.include(yield* message("a wrong demo"), "Ask: wrong input: demos[0].counts.*: expected an integer")
      assert.include(
        yield* message("a cut reply"),
        "in 1 attempt: the reply was cut at the token limit; raise maxTokens"
      )
      assert.include(yield* message("a wrong reply"), "facts.*.n: expected number; facts.*: expected")
    }))
})
